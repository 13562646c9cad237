//! [`PeerConfig`]: everything that can be said about one peer.
//!
//! It splits into what the protocol needs, the core's [`PeerSettings`], and what the sockets need, a
//! [`TransportConfig`], whose methods are beside it. Values are judged when the peer is added, not here.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bgp_core::{
    AfiSafi, Asn, BgpIdentifier,
    fsm::{FsmConfig, RemoteAs},
    peer::{ConfigChange, Import, PeerSettings},
};

use crate::{PeerAddress, PeerId, SpeakerError, bfd::BfdProfile};

mod authentication;
mod routes;
mod session;
mod transport;
mod update;

pub use authentication::{AoAlgorithm, AoKey};
pub use transport::Password;
pub use update::Updated;

pub(crate) use transport::TransportConfig;
pub(crate) use update::{Resets, changes};

use routes::Routing;
use session::Terms;

/// How to reach one peer and what to agree with it.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::{Asn, PeerConfig};
///
/// let router: std::net::IpAddr = "192.0.2.1".parse()?;
/// let config = PeerConfig::new(router, Asn(64_500))
///     .hold_time(Duration::from_secs(30))
///     .password("s3cret");
/// # let _ = config;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// Two configurations are equal when nothing needs to change between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub(crate) address: PeerAddress,
    pub(crate) remote_as: RemoteAs,
    pub(crate) local_asn: Option<Asn>,
    pub(crate) identifier: Option<BgpIdentifier>,
    pub(crate) hold_time: Option<Duration>,
    pub(crate) keepalive_time: Option<Duration>,
    pub(crate) connect_retry_time: Option<Duration>,
    pub(crate) idle_hold: Option<(Duration, Duration)>,
    pub(crate) delay_open_time: Option<Duration>,
    pub(crate) families: Option<Vec<AfiSafi>>,
    pub(crate) import: Import,
    pub(crate) jitter_seed: Option<u64>,
    pub(crate) advertisement_interval: Option<Duration>,
    pub(crate) terms: Terms,
    pub(crate) routing: Routing,
    pub(crate) transport: TransportConfig,
    pub(crate) bfd: Option<BfdProfile>,
}

impl PeerConfig {
    /// A peer at `address` (an IP address, or a socket address when its port is not 179) whose AS
    /// is `remote_as`: a number, or one of [`RemoteAs`]. Everything else has the defaults that the methods below name.
    pub fn new(address: impl Into<PeerAddress>, remote_as: impl Into<RemoteAs>) -> Self {
        Self {
            address: address.into(),
            remote_as: remote_as.into(),
            local_asn: None,
            identifier: None,
            hold_time: None,
            keepalive_time: None,
            connect_retry_time: None,
            idle_hold: None,
            delay_open_time: None,
            families: None,
            import: Import::Drop,
            jitter_seed: None,
            advertisement_interval: None,
            terms: Terms::default(),
            routing: Routing::default(),
            transport: TransportConfig::default(),
            bfd: None,
        }
    }

    /// The TCP port to dial. Default: 179, or the one in the address.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address = PeerAddress::new(self.address.id(), port);
        self
    }

    /// The AS shown to this peer, which learns of no other: see [`local_as`](Self::local_as) for paths that tell of the
    /// speaker's own too. Default: the speaker's.
    #[must_use]
    pub fn local_asn(mut self, asn: Asn) -> Self {
        self.local_asn = Some(asn);
        self
    }

    /// The BGP Identifier shown to this peer. Default: the speaker's.
    #[must_use]
    pub fn identifier(mut self, identifier: BgpIdentifier) -> Self {
        self.identifier = Some(identifier);
        self
    }

    /// The hold time proposed (RFC 4271 section 4.2); the smaller of both sides' holds. Zero means
    /// a session without KEEPALIVEs; otherwise 3 to 65,535 whole seconds. Default: 90 s.
    #[must_use]
    pub fn hold_time(mut self, time: Duration) -> Self {
        self.hold_time = Some(time);
        self
    }

    /// How often to send a KEEPALIVE: at most once a second, and at least thrice in the negotiated hold
    /// time, whatever is asked for. Default: a third of that.
    #[must_use]
    pub fn keepalive_time(mut self, time: Duration) -> Self {
        self.keepalive_time = Some(time);
        self
    }

    /// How long one attempt to connect may take before another is made, and the longest pause between
    /// attempts that failed in TCP (ConnectRetryTime of RFC 4271 section 8). Default: 5 s.
    #[must_use]
    pub fn connect_retry(mut self, time: Duration) -> Self {
        self.connect_retry_time = Some(time);
        self
    }

    /// How long to rest after a failure: `first` after the first one, doubled with each further
    /// one; jitter shortens each (IdleHoldTime and DampPeerOscillations of RFC 4271 section 8.1.1).
    /// `longest` is the most after failures that a NOTIFICATION told of, which are seldom mended by
    /// trying again soon. Default: 1 s and 60 s.
    #[must_use]
    pub fn idle_hold(mut self, first: Duration, longest: Duration) -> Self {
        self.idle_hold = Some((first, longest));
        self
    }

    /// Wait that long for the peer's OPEN before sending ours (DelayOpenTime of RFC 4271). Default:
    /// not at all.
    #[must_use]
    pub fn delay_open(mut self, time: Duration) -> Self {
        self.delay_open_time = Some(time);
        self
    }

    /// The address families to offer (RFC 4760). Default: IPv4 and IPv6 unicast.
    #[must_use]
    pub fn families(mut self, families: impl IntoIterator<Item = AfiSafi>) -> Self {
        self.families = Some(families.into_iter().collect());
        self
    }

    /// What to do with the routes that this peer sends. Default: count and drop them.
    #[must_use]
    pub fn import(mut self, import: Import) -> Self {
        self.import = import;
        self
    }

    /// The seed of the timers' jitter (RFC 4271 section 10), for runs that can be repeated.
    /// Default: another one for each peer.
    #[must_use]
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// The least time between two rounds of announcements (MinRouteAdvertisementIntervalTimer of
    /// RFC 4271 section 9.2.1.1); withdrawals never wait. Default: zero.
    #[must_use]
    pub fn advertisement_interval(mut self, time: Duration) -> Self {
        self.advertisement_interval = Some(time);
        self
    }

    /// Watch the peer by BFD (RFC 5880), see [`bfd`](crate::bfd) for what that does. Default: not.
    #[must_use]
    pub fn bfd(mut self, profile: BfdProfile) -> Self {
        self.bfd = Some(profile);
        self
    }

    /// Which peer this is for.
    pub fn id(&self) -> PeerId {
        self.address.id()
    }

    /// The address and port to dial.
    pub fn address(&self) -> SocketAddr {
        self.address.socket_addr()
    }

    /// The AS expected of the peer.
    pub fn remote_as(&self) -> RemoteAs {
        self.remote_as
    }

    /// How long an attempt to dial should wait for an answer.
    pub fn connect_limit(&self) -> Duration {
        self.transport.connect_timeout.unwrap_or_else(|| {
            let fsm = FsmConfig::new(Asn::ZERO, BgpIdentifier::new(0, 0, 0, 0), self.remote_as);
            (self.connect_retry_time.unwrap_or(fsm.connect_retry_time) / 5).saturating_mul(3)
        })
    }

    /// In what `new` differs from this, and what each change takes to come into force, as far as a speaker would
    /// say it of a [`PeerHandle::update`](crate::PeerHandle::update). Another address is another peer: it is not
    /// among them. What is left to the speaker in one of the two and said in the other counts as changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bgp_session::{Asn, PeerConfig, TakesEffect};
    ///
    /// let router: std::net::IpAddr = "192.0.2.1".parse()?;
    /// let before = PeerConfig::new(router, Asn(64_500));
    /// let after = before.clone().hold_time(Duration::from_secs(30)).password("s3cret");
    /// let changes: Vec<_> = before.changes(&after).iter().map(|it| (it.field, it.takes_effect)).collect();
    /// assert_eq!(changes, [("hold_time", TakesEffect::NextSession), ("password", TakesEffect::Reset)]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        // Whatever the speaker's are, they are in both.
        let of = |config: &Self| {
            let mut settings = config.settings(Asn::ZERO, BgpIdentifier::new(0, 0, 0, 0));
            settings.fsm.jitter_seed = config.jitter_seed.unwrap_or_default();
            settings
        };
        update::changes((self, &of(self)), (new, &of(new)))
    }

    /// Refuses values that no router could do with.
    pub(crate) fn check(&self) -> Result<(), SpeakerError> {
        let refuse = |field, value: &dyn fmt::Debug, expected| {
            let value = format!("{value:?}");
            Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected })
        };
        if self.id().address().is_unspecified() || self.id().address().is_multicast() {
            return refuse("address", &self.id().address(), "the unicast address of a router");
        }
        if matches!(self.id().address(), IpAddr::V6(v6) if v6.is_unicast_link_local())
            && self.id().scope_id() == 0
        {
            let expected = "a link-local address with the index of its interface, as in fe80::1%2";
            return refuse("address", &self.id().address(), expected);
        }
        if self.address().port() == 0 && self.terms.connect_mode.dials() {
            return refuse("port", &0, "a TCP port to dial, or a passive peer");
        }
        if self.remote_as == RemoteAs::Number(Asn::ZERO) {
            return refuse("remote_as", &0, "an AS number (0 is reserved by RFC 7607)");
        }
        if matches!(self.remote_as, RemoteAs::Between(first, last) if first > last) {
            return refuse("remote_as", &self.remote_as, "the smaller AS number first");
        }
        if self.local_asn == Some(Asn(0)) {
            return refuse("local_asn", &0, "an AS number (0 is reserved by RFC 7607)");
        }
        if self.identifier == Some(BgpIdentifier::new(0, 0, 0, 0)) {
            return refuse(
                "identifier",
                &Ipv4Addr::UNSPECIFIED,
                "a nonzero BGP Identifier (RFC 6286)",
            );
        }
        if let Some(time) = self.hold_time.filter(|time| !is_hold_time(*time)) {
            return refuse("hold_time", &time, "0, or 3 to 65535 whole seconds");
        }
        if self.families.as_ref().is_some_and(Vec::is_empty) {
            return refuse("families", &self.families, "at least one address family");
        }
        if let Some(Err((field, value, expected))) = self.bfd.map(|profile| profile.check()) {
            return Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected });
        }
        self.check_transport()
    }

    /// The core's share, with the speaker's AS and identifier where the peer has none of its own.
    pub(crate) fn settings(&self, asn: Asn, identifier: BgpIdentifier) -> PeerSettings {
        let local_asn = self.local_asn.unwrap_or(asn);
        let identifier = self.identifier.unwrap_or(identifier);
        let mut settings = PeerSettings::new(local_asn, identifier, self.remote_as);
        self.terms.apply(&mut settings, asn);
        self.routing.apply(&mut settings);
        settings.import = self.import;
        settings.min_route_advertisement_interval =
            self.advertisement_interval.unwrap_or(settings.min_route_advertisement_interval);

        let fsm = &mut settings.fsm;
        fsm.hold_time = self.hold_time.unwrap_or(fsm.hold_time);
        fsm.keepalive_time = self.keepalive_time.or(fsm.keepalive_time);
        fsm.connect_retry_time = self.connect_retry_time.unwrap_or(fsm.connect_retry_time);
        (fsm.idle_hold_time, fsm.idle_hold_max) =
            self.idle_hold.unwrap_or((fsm.idle_hold_time, fsm.idle_hold_max));
        fsm.delay_open_time = self.delay_open_time.or(fsm.delay_open_time);
        if let Some(families) = &self.families {
            fsm.families.clone_from(families);
        }
        fsm.jitter_seed =
            self.jitter_seed.unwrap_or_else(|| RandomState::new().hash_one(self.id()));
        settings
    }
}

fn is_hold_time(time: Duration) -> bool {
    time.is_zero()
        || (time.subsec_nanos() == 0 && (3..=u64::from(u16::MAX)).contains(&time.as_secs()))
}
