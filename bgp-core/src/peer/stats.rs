//! Counters of one peer, as plain data for metrics.

use crate::fsm::Control;
use crate::peer::Peer;
use crate::wire::MessageType;

/// Counters of one peer since it was created. They only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerStats {
    /// Messages received, by type.
    pub received: MessageCounts,
    /// Messages composed for sending, by type.
    pub sent: MessageCounts,
    /// Octets of the messages received.
    pub octets_in: u64,
    /// Octets of the messages composed for sending.
    pub octets_out: u64,
    /// Prefixes announced to us.
    pub prefixes_announced_in: u64,
    /// Prefixes withdrawn from us.
    pub prefixes_withdrawn_in: u64,
    /// Prefixes that we announced.
    pub prefixes_announced_out: u64,
    /// Prefixes that we withdrew.
    pub prefixes_withdrawn_out: u64,
    /// Received UPDATEs whose routes were treated as withdrawn (RFC 7606).
    pub treated_as_withdrawn: u64,
    /// Received prefixes that were rejected: for one of the reasons of [`Rejected`](crate::rib::Rejected), or by the import
    /// policy.
    pub prefixes_rejected: u64,
    /// Those among them whose next hop was not the address of a host, or our own (RFC 4271, section 6.3).
    pub next_hops_rejected: u64,
    /// Prefixes of ours that could not be sent on a session. [`Peer::unsendable`](crate::peer::Peer::unsendable) returns the
    /// current ones with the reasons.
    pub prefixes_unsendable: u64,
    /// The number of sessions that came up.
    pub established_transitions: u64,
    /// The number of Established sessions that ended (flaps).
    pub sessions_lost: u64,
}

/// Messages by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MessageCounts {
    /// OPEN.
    pub open: u64,
    /// UPDATE, End-of-RIB included.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl Peer {
    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &PeerStats {
        &self.stats
    }

    /// ConnectRetryCounter (RFC 4271, section 8): the failures of the connections that we open, since the operator started
    /// the peer last.
    #[must_use]
    pub fn connect_retry_counter(&self) -> u32 {
        self.outgoing.fsm.connect_retry_counter()
    }
}

impl MessageCounts {
    /// The number of all messages.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }

    pub(super) fn count(&mut self, kind: MessageType) {
        *match kind {
            MessageType::Open => &mut self.open,
            MessageType::Update => &mut self.update,
            MessageType::Notification => &mut self.notification,
            MessageType::Keepalive => &mut self.keepalive,
            MessageType::RouteRefresh => &mut self.route_refresh,
        } += 1;
    }

    pub(super) fn count_control(&mut self, control: &Control) {
        self.count(match control {
            Control::Notification(_) => MessageType::Notification,
            Control::Open(_) => MessageType::Open,
            Control::Keepalive => MessageType::Keepalive,
        });
    }
}
