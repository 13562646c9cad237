//! The actions that a connection's state machine asks its driver to take.

use crate::fsm::{DownReason, Negotiated, StateKind};

/// An action to take. Actions are taken in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsmAction {
    /// Open a TCP connection to the peer, and report
    /// [`TcpConnectionConfirmed`](crate::fsm::Event::TcpConnectionConfirmed) or
    /// [`TcpConnectionFails`](crate::fsm::Event::TcpConnectionFails).
    Connect,
    /// Write the messages that [`Fsm::poll_control`](crate::fsm::Fsm::poll_control) still returns, then close the
    /// connection or abandon the attempt to open it.
    Close,
    /// The state changed.
    StateChange {
        /// The old state.
        from: StateKind,
        /// The new state.
        to: StateKind,
    },
    /// The session is up: routes may be exchanged.
    Up(Box<Negotiated>),
    /// An Established session has ended. Its routes are gone.
    Down(DownReason),
    /// An attempt ended before the session was Established. No routes are lost.
    Failed(DownReason),
}
