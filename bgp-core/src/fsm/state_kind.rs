//! [`StateKind`]: the names of the six states of RFC 4271, section 8.2.2.

use std::fmt;

/// The name of a state (RFC 4271, section 8.2.2), in order of progress towards a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 has these six and no other")]
pub enum StateKind {
    /// No connection is attempted, or the pause after a failure runs.
    #[default]
    Idle,
    /// We are opening a connection to the peer.
    Connect,
    /// We are waiting for the peer's connection.
    Active,
    /// Our OPEN is sent, the peer's has not arrived.
    OpenSent,
    /// Both OPENs are exchanged, the peer's KEEPALIVE has not arrived.
    OpenConfirm,
    /// The session is up.
    Established,
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}
