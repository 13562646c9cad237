//! What a connection's state machine asks of whoever drives it.

use crate::fsm::{DownReason, Negotiated, StateKind};

/// An action to take, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Open a TCP connection to the peer and answer with
    /// [`TcpConnectionConfirmed`](crate::fsm::Event::TcpConnectionConfirmed) or
    /// [`TcpConnectionFails`](crate::fsm::Event::TcpConnectionFails).
    Connect,
    /// Write what [`Fsm::poll_control`](crate::fsm::Fsm::poll_control) still has, then close the connection, or
    /// give up the attempt to make one.
    Close,
    /// The state changed.
    StateChange {
        /// Before.
        from: StateKind,
        /// After.
        to: StateKind,
    },
    /// The session is up: routes may be exchanged.
    Up(Box<Negotiated>),
    /// A session that was up has ended; its routes are gone.
    Down(DownReason),
    /// An attempt ended before a session was up. Nothing was lost.
    Failed(DownReason),
}
