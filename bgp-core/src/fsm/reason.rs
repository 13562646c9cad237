//! The reasons why sessions and attempts end, in words that an operator can act on.

use std::fmt;

use crate::fsm::Refusal;
use crate::wire::{ErrorCode, Notification};

/// The reason why a session went down, or why an attempt to establish one failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum DownReason {
    /// We ended it, with this NOTIFICATION.
    Local(Notification),
    /// We refused the peer's OPEN.
    Refused(Refusal),
    /// The peer ended it, with this NOTIFICATION.
    Remote(Notification),
    /// The TCP connection failed, and neither side gave a reason.
    Transport(TransportError),
}

/// The side that ended a session or an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends and something between")]
pub enum EndedBy {
    /// We ended it, with a NOTIFICATION.
    Us,
    /// The peer ended it, with a NOTIFICATION.
    Peer,
    /// The TCP connection failed, and neither side gave a reason.
    Transport,
}

impl DownReason {
    /// The side that ended it.
    #[must_use]
    pub fn ended_by(&self) -> EndedBy {
        match self {
            Self::Local(_) | Self::Refused(_) => EndedBy::Us,
            Self::Remote(_) => EndedBy::Peer,
            Self::Transport(_) => EndedBy::Transport,
        }
    }

    /// The NOTIFICATION with which either side ended it.
    #[must_use]
    pub fn notification(&self) -> Option<Notification> {
        match self {
            Self::Local(notification) | Self::Remote(notification) => Some(notification.clone()),
            Self::Refused(refusal) => Some(refusal.notification()),
            Self::Transport(_) => None,
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(notification) => {
                write!(f, "ended by us: {notification}")?;

                match notification.code {
                    ErrorCode::HOLD_TIMER_EXPIRED => f.write_str(", the peer was silent"),
                    ErrorCode::SEND_HOLD_TIMER_EXPIRED => {
                        f.write_str(", the peer has stopped reading")
                    }
                    _ => Ok(()),
                }
            }
            Self::Refused(refusal) => write!(f, "refused by us: {refusal}"),
            Self::Remote(notification) => write!(f, "ended by the peer: {notification}"),
            Self::Transport(error) => write!(f, "{error}"),
        }
    }
}

/// The failure of a TCP connection, or of the attempt to open one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum TransportError {
    /// The peer's host answered, but nothing listens on the port, or it refuses us.
    Refused,
    /// No response within the time allowed.
    TimedOut,
    /// No response to an attempt whose packets are signed: TCP silently drops packets that are signed with a
    /// different password.
    TimedOutSigned,
    /// No route to the peer's address.
    Unreachable,
    /// The peer closed the connection without a NOTIFICATION.
    ClosedByPeer,
    /// The peer accepted our connection, and closed it before it sent its OPEN.
    ClosedBeforeOpen,
    /// The connection was reset.
    Reset,
    /// The peer opened a second connection while its session was up, so it has restarted (RFC 4724, section 5).
    Replaced,
    /// Anything else, in the words of the operating system.
    Other(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the peer refused the TCP connection"),
            Self::TimedOut => f.write_str("no answer to the TCP connection attempt"),
            Self::TimedOutSigned => f.write_str(
                "no answer to the TCP connection attempt: the peer may have no password for us, or a different one",
            ),
            Self::Unreachable => f.write_str("no route to the peer"),
            Self::ClosedByPeer => {
                f.write_str("the peer closed the connection without a NOTIFICATION")
            }
            Self::ClosedBeforeOpen => f.write_str(
                "the peer closed the connection before its OPEN: it may not be configured for our address",
            ),
            Self::Reset => f.write_str("the connection was reset"),
            Self::Replaced => {
                f.write_str("the peer opened a new connection: it has restarted and lost the session")
            }
            Self::Other(text) => write!(f, "transport error: {text}"),
        }
    }
}

impl std::error::Error for TransportError {}
