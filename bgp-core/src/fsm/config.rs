//! What an operator may set of one peer's state machine: the session attributes of RFC 4271, section 8.1.

use std::time::Duration;

use crate::fsm::{ConnectMode, Extensions, LocalAs, RemoteAs, RoleConfig};
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
    /// The AS that the peer's OPEN must name; anything else is refused with 2/2.
    pub remote_as: RemoteAs,
    /// What paths tell of the speaker's own AS, where `local_asn` is another. Default `None`: it is the same.
    pub local_as: Option<LocalAs>,
    /// Our role towards an external peer (RFC 9234). Default: none is offered.
    pub role: Option<RoleConfig>,
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
    /// SendHoldTime (RFC 9687): how long octets may wait for a peer that takes none before the session is ended.
    /// Zero: for ever. `None`, the default: 8 minutes, or twice the negotiated HoldTime where that is more.
    pub send_hold_time: Option<Duration>,
    /// Who opens the connection. Default: both ends.
    pub connect_mode: ConnectMode,
    /// The address families to negotiate (RFC 4760). Default: IPv4 and IPv6 unicast.
    pub families: Vec<AfiSafi>,
    /// AS numbers of four octets are offered (RFC 6793). Default `true`; without it we speak as a peer from before 2007.
    pub four_octet_as: bool,
    /// Capabilities are offered (RFC 5492). Default `true`; without them the OPEN has no optional parameters, and the
    /// session carries IPv4 unicast and AS numbers of two octets.
    pub capabilities: bool,
    /// ROUTE-REFRESH is offered (RFC 2918). Default `true`.
    pub route_refresh: bool,
    /// What is offered beside the families: long messages, several paths, graceful restart and the like.
    pub extensions: Extensions,
    /// Seed of the jitter on timers (RFC 4271, section 10). Give each peer another one, or all of them dial
    /// in step.
    pub jitter_seed: u64,
}

impl FsmConfig {
    /// The session attributes with their defaults.
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

    /// Internal where both AS numbers are the same, external otherwise (RFC 4271, section 1.1), as far as that is
    /// known before the peer's OPEN: a peer of any AS counts as external.
    #[must_use]
    pub fn peer_type(&self) -> PeerType {
        if self.remote_as.number(self.local_asn) == Some(self.local_asn) {
            PeerType::Internal
        } else {
            PeerType::External
        }
    }

    /// SendHoldTime for a session with that HoldTime; zero where the timer does not run (RFC 9687, section 4).
    pub(super) fn send_hold_time_for(&self, hold_time: Duration) -> Duration {
        match self.send_hold_time {
            _ if hold_time.is_zero() => Duration::ZERO,
            Some(time) => time,
            None => SHORTEST_SEND_HOLD_TIME.max(hold_time * 2),
        }
    }
}

/// The default of RFC 9687.
const SHORTEST_SEND_HOLD_TIME: Duration = Duration::from_secs(8 * 60);
