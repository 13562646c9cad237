//! The local AS: a number other than the speaker's own that is shown to one external peer.

use crate::Asn;

/// The place of the speaker's own AS in AS paths when a peer knows the speaker by another number, for example after two
/// networks have merged.
///
/// Our OPEN and the first AS of each path we send carry [`FsmConfig::local_asn`](crate::fsm::FsmConfig::local_asn) in
/// any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "paths go out and come in")]
pub struct LocalAs {
    /// The speaker's own AS. A path from the peer that contains it is a loop.
    pub speaker_asn: Asn,
    /// The change to paths that we send.
    pub sent: SentPath,
    /// The change to paths that the peer sends.
    pub received: ReceivedPath,
}

/// The AS numbers at the beginning of paths that we send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "our own AS is in the path or not")]
pub enum SentPath {
    /// The local AS, then the speaker's own.
    #[default]
    BothAses,
    /// The local AS alone ("replace-as"), so that the peer does not see the speaker's own.
    LocalAsAlone,
}

/// The change to paths that the peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "the local AS is added or not")]
pub enum ReceivedPath {
    /// The local AS is prepended, so that the rest of the network sees it in the path.
    #[default]
    WithLocalAs,
    /// They stay as received ("no-prepend").
    AsReceived,
}
