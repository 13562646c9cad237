//! The events of RFC 4271, section 8.1, that can reach a connection's state machine.
//!
//! The numbers are the RFC's. Two of its start events are enough here: the others follow from the configuration
//! (PassiveTcpEstablishment, DampPeerOscillations) and the timers.

use crate::fsm::reason::TransportError;
use crate::wire::{Notification, Open};

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Event 1, or 4 with PassiveTcpEstablishment: the operator starts the peer.
    ManualStart,
    /// Event 2: the operator stops the peer, with this Cease.
    ManualStop(Notification),
    /// Event 3, or 5: the machine starts itself again.
    AutomaticStart,
    /// Event 8: the speaker stops the connection by itself, with this Cease.
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
    /// Event 29 (RFC 9687): the peer has not read anything for the SendHoldTime.
    SendHoldTimerExpires,
    /// Event 16 (our SYN was acknowledged) or 17 (a connection was accepted).
    TcpConnectionConfirmed,
    /// Event 18.
    TcpConnectionFails(TransportError),
    /// Event 19, or 20 while the DelayOpenTimer runs: a well-formed OPEN.
    BgpOpen(Open),
    /// Event 21: a malformed message header, with the NOTIFICATION to send.
    BgpHeaderErr(Notification),
    /// Event 22: a malformed OPEN, with the NOTIFICATION to send.
    BgpOpenMsgErr(Notification),
    /// Event 23: this connection has lost a collision with the peer's other one (section 6.8).
    OpenCollisionDump,
    /// Event 25, or 24 for a version error: the peer ends the session.
    NotifMsg(Notification),
    /// Event 26.
    KeepAliveMsg,
    /// Event 27: an UPDATE that is usable, at least in part (RFC 7606). ROUTE-REFRESH (RFC 2918) raises it too: it is
    /// legal only in Established, and shows that the peer is alive.
    UpdateMsg,
    /// Event 28: an UPDATE that ends the session, with the NOTIFICATION to send.
    UpdateMsgErr(Notification),
}
