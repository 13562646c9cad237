//! The events of RFC 4271, section 8.1, that can reach a connection's state machine.
//!
//! The numbers are the RFC's. Of its nine start events one suffices here: which of them it is follows from
//! the configuration (PassiveTcpEstablishment, DampPeerOscillations) and the timers.

use crate::fsm::reason::TransportError;
use crate::wire::{Notification, Open};

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Event 1, or 4 with PassiveTcpEstablishment: the operator starts the peer.
    ManualStart,
    /// Event 2: the operator stops the peer; the Cease to say so.
    ManualStop(Notification),
    /// Event 3, or 5: the machine starts itself again.
    AutomaticStart,
    /// Event 8: the machine stops the connection by itself, for a reason given as a Cease.
    AutomaticStop(Notification),
    /// Event 9.
    ConnectRetryTimerExpires,
    /// Event 10.
    HoldTimerExpires,
    /// Event 11.
    KeepaliveTimerExpires,
    /// Event 12.
    DelayOpenTimerExpires,
    /// Event 13.
    IdleHoldTimerExpires,
    /// Event 29 (RFC 9687): the peer has taken nothing of what we send for the SendHoldTime.
    SendHoldTimerExpires,
    /// Event 16 (our SYN was acknowledged) or 17 (a connection was accepted).
    TcpConnectionConfirmed,
    /// Event 18.
    TcpConnectionFails(TransportError),
    /// Event 19, or 20 while the DelayOpenTimer runs: a well-formed OPEN.
    BgpOpen(Open),
    /// Event 21: a header that cannot be right, with what to answer.
    BgpHeaderErr(Notification),
    /// Event 22: an OPEN that cannot be right, with what to answer.
    BgpOpenMsgErr(Notification),
    /// Event 23: this connection loses against the peer's other one (section 6.8).
    OpenCollisionDump,
    /// Event 25, or 24 where it speaks of the version: the peer ends the session.
    NotifMsg(Notification),
    /// Event 26.
    KeepAliveMsg,
    /// Event 27: an UPDATE that can be used, at least in part (RFC 7606). ROUTE-REFRESH (RFC 2918) is treated
    /// alike: it is legal in Established alone, and shows that the peer lives.
    UpdateMsg,
    /// Event 28: an UPDATE that ends the session, with what to answer.
    UpdateMsgErr(Notification),
}
