//! A local AS: another number than the speaker's own, shown to one external peer.

use crate::Asn;

/// What AS paths tell of the speaker's own AS while a peer knows it by another number, as in the time after two
/// networks became one.
///
/// The peer's OPEN and the first AS of all paths have [`FsmConfig::local_asn`](crate::fsm::FsmConfig::local_asn) in
/// any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "paths go out and come in")]
pub struct LocalAs {
    /// The speaker's own AS. A path from the peer that has been through it is a loop.
    pub speaker_asn: Asn,
    /// Paths that we send.
    pub sent: SentPath,
    /// Paths that the peer sends.
    pub received: ReceivedPath,
}

/// What the paths that the peer gets begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the own AS is in it or not")]
pub enum SentPath {
    /// The local AS, then the speaker's own.
    #[default]
    BothAses,
    /// The local AS alone ("replace-as"): nothing tells the peer of another.
    LocalAsAlone,
}

/// What becomes of the paths that the peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the local AS is added or not")]
pub enum ReceivedPath {
    /// The local AS is put before them, so that the rest of the network sees it on the way.
    #[default]
    WithLocalAs,
    /// They stay as they came ("no-prepend").
    AsReceived,
}
