//! [`FsmConfig`]: the session attributes of RFC 4271, section 8.1, that the state machine of one peer reads.
//!
//! Owns timers, identities and the contents of our OPEN. What applies to routes is in
//! [`PeerSettings`](crate::peer::PeerSettings).

use std::time::Duration;

use crate::fsm::{ConnectMode, Extensions, LocalAs, RemoteAs, RoleConfig};
use crate::{AfiSafi, Asn, BgpIdentifier, PeerType};

/// The default of RFC 9687 for the SendHoldTime.
const SHORTEST_SEND_HOLD_TIME: Duration = Duration::from_secs(8 * 60);

/// The session attributes of one peer (RFC 4271, section 8.1).
///
/// Plain data: every combination is accepted, and the state machine copes with it. Create it with [`FsmConfig::new`] and
/// change the fields that differ from their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsmConfig {
    /// Our AS number as shown to this peer.
    pub local_asn: Asn,
    /// Our BGP Identifier, the same on every session of a speaker.
    pub local_identifier: BgpIdentifier,
    /// The AS that the peer's OPEN must name. Any other is refused with 2/2.
    pub remote_as: RemoteAs,
    /// The place of the speaker's own AS in paths, if `local_asn` is not that AS. Default `None`: it is.
    pub local_as: Option<LocalAs>,
    /// Our role towards an external peer (RFC 9234). Default: none is offered.
    pub role: Option<RoleConfig>,
    /// The HoldTime that we propose: zero (no KEEPALIVEs at all) or at least 3 s, in whole seconds. Default 90 s.
    pub hold_time: Duration,
    /// The time between KEEPALIVEs, kept between one second and a third of the negotiated HoldTime. `None`, the default,
    /// is that third.
    pub keepalive_time: Option<Duration>,
    /// The time that the peer may take to answer our OPEN: the "large value" of the HoldTimer in OpenSent.
    /// Default 4 minutes.
    pub open_hold_time: Duration,
    /// ConnectRetryTime: the longest time that one attempt to connect may hang before the next, and the longest pause
    /// between two attempts that failed in TCP. Default 5 s. The RFC suggests 120 s for connections across the Internet,
    /// but a load balancer's router is one hop away and should be found soon after it returns.
    pub connect_retry_time: Duration,
    /// DelayOpenTime: the time to wait for the peer's OPEN before we send ours. `None`, the default: we send ours at
    /// once.
    pub delay_open_time: Option<Duration>,
    /// IdleHoldTime: the pause after the first failure, doubled with each further one (DampPeerOscillations).
    /// Default 1 s.
    pub idle_hold_time: Duration,
    /// The longest pause after failures that a NOTIFICATION of either side caused, because a quick retry does not fix
    /// those. Default 60 s.
    pub idle_hold_max: Duration,
    /// SendHoldTime (RFC 9687): the longest time that octets may wait for a peer that reads nothing. After it, the session
    /// ends. Zero: no limit. `None`, the default: 8 minutes, or twice the negotiated HoldTime if that is more.
    pub send_hold_time: Option<Duration>,
    /// The end that opens the connection. Default: both.
    pub connect_mode: ConnectMode,
    /// The address families to negotiate (RFC 4760). Default: IPv4 and IPv6 unicast.
    pub families: Vec<AfiSafi>,
    /// True if four-octet AS numbers are offered (RFC 6793). Default `true`. Without them we speak as a peer from before
    /// 2007.
    pub four_octet_as: bool,
    /// True if capabilities are offered (RFC 5492). Default `true`. Without them the OPEN has no optional parameters, and
    /// the session carries IPv4 unicast and two-octet AS numbers.
    pub capabilities: bool,
    /// True if ROUTE-REFRESH is offered (RFC 2918). Default `true`.
    pub route_refresh: bool,
    /// The extensions offered in addition: long messages, several paths, graceful restart and others.
    pub extensions: Extensions,
    /// The seed of the jitter on timers (RFC 4271, section 10). Give each peer its own, or all of them dial in step.
    pub jitter_seed: u64,
}

impl FsmConfig {
    /// Session attributes with default values.
    #[must_use]
    pub fn new(
        local_asn: Asn,
        local_identifier: BgpIdentifier,
        remote_as: impl Into<RemoteAs>,
    ) -> Self {
        Self {
            local_asn,
            local_identifier,
            remote_as: remote_as.into(),
            local_as: None,
            role: None,

            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            open_hold_time: Duration::from_secs(240),
            connect_retry_time: Duration::from_secs(5),
            delay_open_time: None,
            idle_hold_time: Duration::from_secs(1),
            idle_hold_max: Duration::from_secs(60),
            send_hold_time: None,
            connect_mode: ConnectMode::Both,

            families: vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
            four_octet_as: true,
            capabilities: true,
            route_refresh: true,
            extensions: Extensions::default(),
            jitter_seed: 0,
        }
    }

    /// Internal if both AS numbers are the same, external otherwise (RFC 4271, section 1.1). Before the peer's OPEN, a peer
    /// that may be of any AS counts as external.
    #[must_use]
    pub fn peer_type(&self) -> PeerType {
        if self.remote_as.number(self.local_asn) == Some(self.local_asn) {
            PeerType::Internal
        } else {
            PeerType::External
        }
    }

    /// The SendHoldTime for a session with this HoldTime. Zero if the timer does not run (RFC 9687, section 4).
    pub(super) fn send_hold_time_for(&self, hold_time: Duration) -> Duration {
        match self.send_hold_time {
            _ if hold_time.is_zero() => Duration::ZERO,
            Some(time) => time,
            None => SHORTEST_SEND_HOLD_TIME.max(hold_time * 2),
        }
    }
}
