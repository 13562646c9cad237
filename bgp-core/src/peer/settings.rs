//! [`PeerSettings`]: everything that a driver configures about one peer.
//!
//! It contains the configuration of the state machine, [`FsmConfig`], and adds the settings for routes and collisions. It
//! only holds values: [`Peer`](crate::peer::Peer) applies them, and `change.rs` decides when a changed value takes effect.

use std::time::Duration;

use ipnet::IpNet;

use crate::fsm::{FsmConfig, RemoteAs};
use crate::peer::PrefixLimits;
use crate::policy::{NextHops, Policies};
use crate::rib::Relay;
use crate::{Asn, BgpIdentifier};

/// The configuration of one peer.
///
/// Plain data: every combination is accepted. Create it with [`PeerSettings::new`] and change the fields that differ
/// from their defaults:
///
/// ```
/// use std::time::Duration;
///
/// use bgp_core::peer::{Import, PeerSettings};
/// use bgp_core::{Asn, BgpIdentifier};
///
/// let mut settings = PeerSettings::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635));
/// settings.fsm.hold_time = Duration::from_secs(30);
/// settings.import = Import::Keep;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerSettings {
    /// The session attributes that the state machine reads: AS numbers, timers, and what our OPEN offers.
    pub fsm: FsmConfig,
    /// CollisionDetectEstablishedState (RFC 4271, section 8.1.1): an Established session takes part in collision
    /// detection, so a new connection may replace it. Default `false`: the session stays.
    pub collision_detect_established_state: bool,
    /// The next hops of routes that have none of their own. Default: the session's local address.
    pub next_hops: NextHops,
    /// The import and export policies. Default: none, so routes pass unchanged.
    pub policies: Policies,
    /// The treatment of the routes that the peer sends. Default: [`Import::Drop`].
    pub import: Import,
    /// The way in which the routes of other peers are passed on to this one. The peer then gets only these, through
    /// [`Peer::set_relayed`](crate::peer::Peer::set_relayed). Default `None`: it gets the routes of
    /// [`Peer::set_routes`](crate::peer::Peer::set_routes), and no others.
    pub relay: Option<Relay>,
    /// The networks that we share with the peer. A relayed route keeps a next hop in one of them, which the peer reaches without
    /// us (RFC 4271, section 5.1.3). With 0.0.0.0/0 and ::/0 next hops are never changed. Default: none.
    pub shared_networks: Vec<IpNet>,
    /// Keeps routes of an external peer whose path does not begin with its AS, as those of a route server. Default `false`: they
    /// are treated as withdrawn, unless our role is that of a route server's client.
    pub allow_any_first_as: bool,
    /// Keeps routes whose path has an AS_SET or AS_CONFED_SET. Default `false`: they are treated as withdrawn
    /// (RFC 9774).
    pub allow_as_sets: bool,
    /// Keeps routes whose next hop is not the address of a host: unspecified, loopback, multicast or reserved. Default `false`:
    /// they are treated as withdrawn (RFC 4271, section 6.3), and the session goes on.
    pub allow_martian_next_hops: bool,
    /// The numbers of prefixes beyond which the session ends with Cease/1 (RFC 4486). Prefixes that [`Import::Drop`]
    /// drops are not counted, because they take no memory. Default: no limits.
    pub maximum_prefixes: PrefixLimits,
    /// MinRouteAdvertisementIntervalTimer: the least time between two rounds of announcements, our own routes
    /// included (MinASOriginationIntervalTimer). Withdrawals never wait. Default zero, so that a Service is reachable
    /// at once.
    pub min_route_advertisement_interval: Duration,
}

/// The treatment of received routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a route is kept or it is not")]
pub enum Import {
    /// Counts them and keeps nothing. A load balancer needs no more, and RFC 8212 wants it for a peer without an import
    /// policy.
    #[default]
    Drop,
    /// Keeps them in an Adj-RIB-In and reports each change. [`Policies::import`] chooses the routes; without that policy
    /// all are kept, so `Keep` alone is an explicit import policy in the sense of RFC 8212.
    Keep,
}

impl PeerSettings {
    /// Settings with default values.
    #[must_use]
    pub fn new(
        local_asn: Asn,
        local_identifier: BgpIdentifier,
        remote_as: impl Into<RemoteAs>,
    ) -> Self {
        Self {
            fsm: FsmConfig::new(local_asn, local_identifier, remote_as),
            collision_detect_established_state: false,
            next_hops: NextHops::default(),
            policies: Policies::default(),
            import: Import::Drop,
            relay: None,
            shared_networks: Vec::new(),
            allow_any_first_as: false,
            allow_as_sets: false,
            allow_martian_next_hops: false,
            maximum_prefixes: PrefixLimits::none(),
            min_route_advertisement_interval: Duration::ZERO,
        }
    }
}
