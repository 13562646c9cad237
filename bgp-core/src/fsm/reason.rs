//! Why a session or an attempt ended, in words that an operator can act on.

use std::fmt;

use crate::wire::Notification;

/// Why a session went down, or why an attempt to get one failed, and who ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// We ended it, with this NOTIFICATION.
    Local(Notification),
    /// The peer ended it, with this NOTIFICATION.
    Remote(Notification),
    /// TCP ended it: nobody said why.
    Transport(TransportError),
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(notification) => write!(f, "ended by us: {notification}"),
            Self::Remote(notification) => write!(f, "ended by the peer: {notification}"),
            Self::Transport(error) => write!(f, "{error}"),
        }
    }
}

/// What happened to a TCP connection, or to the attempt to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The peer's host answered, and nothing listens on that port, or it refuses us.
    Refused,
    /// No answer at all within the time allowed.
    TimedOut,
    /// No route to the peer's address.
    Unreachable,
    /// The peer closed the connection without a NOTIFICATION.
    ClosedByPeer,
    /// The connection was reset.
    Reset,
    /// Anything else, in the words of the operating system.
    Other(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the peer refused the TCP connection"),
            Self::TimedOut => f.write_str("no answer to the TCP connection attempt"),
            Self::Unreachable => f.write_str("no route to the peer"),
            Self::ClosedByPeer => {
                f.write_str("the peer closed the connection without a NOTIFICATION")
            }
            Self::Reset => f.write_str("the connection was reset"),
            Self::Other(text) => write!(f, "transport error: {text}"),
        }
    }
}

impl std::error::Error for TransportError {}
