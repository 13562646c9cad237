//! What an operator may set of one peer's state machine: the session attributes of RFC 4271, section 8.1.

use std::time::Duration;

use super::negotiate::negotiate;
use crate::wire::Open;
use crate::{AfiSafi, Asn, BgpIdentifier, PeerType};

/// The session attributes of one peer (RFC 4271, section 8.1).
///
/// Plain data: every combination is accepted here, and the state machine copes with it. Make one with
/// [`FsmConfig::new`] and change the fields that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsmConfig {
    /// Our AS number towards this peer.
    pub local_asn: Asn,
    /// Our BGP Identifier, the same on every session of a speaker.
    pub local_identifier: BgpIdentifier,
    /// The AS number that the peer's OPEN must carry; anything else is refused with 2/2.
    pub remote_asn: Asn,
    /// The HoldTime we propose: zero (no KEEPALIVEs at all) or at least 3 s, whole seconds. Default 90 s.
    pub hold_time: Duration,
    /// The time between KEEPALIVEs; `None`, the default, is a third of the negotiated HoldTime. Never more
    /// than that third and never less than a second, whatever stands here.
    pub keepalive_time: Option<Duration>,
    /// How long the peer may take to answer our OPEN: the "large value" of the HoldTimer in OpenSent.
    /// Default 4 minutes.
    pub open_hold_time: Duration,
    /// ConnectRetryTime: how long one attempt to connect may hang before it is begun anew, and the longest
    /// pause between two attempts that failed in TCP. Default 5 s, where the RFC suggests 120 s for
    /// connections across the Internet; a load balancer's router is one hop away, and has to be found soon
    /// after it came back.
    pub connect_retry_time: Duration,
    /// DelayOpenTime: how long to wait for the peer's OPEN before sending ours; `None`, the default, sends
    /// ours at once.
    pub delay_open_time: Option<Duration>,
    /// IdleHoldTime: the pause after the first failure, doubled with each further one (DampPeerOscillations).
    /// Default 1 s.
    pub idle_hold_time: Duration,
    /// The longest pause after failures that a NOTIFICATION ended, of either side: those are not mended by
    /// trying again at once. Default 60 s.
    pub idle_hold_max: Duration,
    /// PassiveTcpEstablishment: never dial, wait for the peer's connection.
    pub passive: bool,
    /// The address families to negotiate (RFC 4760). Default: IPv4 and IPv6 unicast.
    pub families: Vec<AfiSafi>,
    /// What becomes of the routes that the peer sends. Default: [`Import::Drop`].
    pub import: Import,
    /// The number of prefixes beyond which the session is ended by Cease/1 (RFC 4486). What [`Import::Drop`]
    /// drops is not counted: it costs nothing. Default: none.
    pub maximum_prefixes: Option<u32>,
    /// MinRouteAdvertisementIntervalTimer: the least time between two rounds of announcements, our own routes
    /// included (MinASOriginationIntervalTimer); withdrawals never wait. Default zero: a Service is to be
    /// reachable at once.
    pub min_route_advertisement_interval: Duration,
    /// Seed of the jitter on timers (RFC 4271, section 10). Give each peer another one, or all of them dial
    /// in step.
    pub jitter_seed: u64,
}

/// What becomes of received routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a route is kept or it is not")]
pub enum Import {
    /// Count them, keep nothing. What a load balancer wants.
    #[default]
    Drop,
    /// Keep them in an Adj-RIB-In and report each change.
    Keep,
}

impl FsmConfig {
    /// The session attributes with their defaults.
    #[must_use]
    pub fn new(local_asn: Asn, local_identifier: BgpIdentifier, remote_asn: Asn) -> Self {
        Self {
            local_asn,
            local_identifier,
            remote_asn,
            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            open_hold_time: Duration::from_secs(240),
            connect_retry_time: Duration::from_secs(5),
            delay_open_time: None,
            idle_hold_time: Duration::from_secs(1),
            idle_hold_max: Duration::from_secs(60),
            passive: false,
            families: vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
            import: Import::Drop,
            maximum_prefixes: None,
            min_route_advertisement_interval: Duration::ZERO,
            jitter_seed: 0,
        }
    }

    /// Whether a peer with that OPEN is the one that is configured, and has something in common with us.
    #[must_use]
    pub fn accepts(&self, open: &Open) -> bool {
        negotiate(self, open).is_ok()
    }

    /// Internal where both AS numbers are the same, external otherwise (RFC 4271, section 1.1).
    #[must_use]
    pub fn peer_type(&self) -> PeerType {
        if self.local_asn == self.remote_asn { PeerType::Internal } else { PeerType::External }
    }
}
