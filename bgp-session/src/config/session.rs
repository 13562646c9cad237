//! The setters for a session: its two ends, the connection, and the timers.

use std::time::Duration;

use bgp_core::{
    Asn, BgpIdentifier,
    fsm::{ConnectMode, ReceivedPath, RoleConfig, SentPath},
    wire::Role,
};

use crate::PeerConfig;

/// The two ends.
impl PeerConfig {
    /// Sets the AS that we show to this peer. Paths that we send to it do not name the speaker's own AS; use
    /// [`local_as`](Self::local_as) for paths that do. Default: the speaker's.
    #[must_use]
    pub fn local_asn(mut self, asn: Asn) -> Self {
        self.protocol.local_asn = Some(asn);
        self
    }

    /// Sets an AS that we show to this external peer in place of the speaker's own, and how paths name the speaker's own.
    /// [`SentPath::LocalAsAlone`] with [`ReceivedPath::AsReceived`] is what routers call `no-prepend replace-as`, and what
    /// [`local_asn`](Self::local_asn) does. Default: the speaker's AS.
    #[must_use]
    pub fn local_as(mut self, asn: Asn, sent: SentPath, received: ReceivedPath) -> Self {
        self.protocol.local_asn = Some(asn);
        self.protocol.local_as = Some((sent, received));
        self
    }

    /// Sets the BGP Identifier that we show to this peer. Default: the speaker's.
    #[must_use]
    pub fn identifier(mut self, identifier: BgpIdentifier) -> Self {
        self.protocol.identifier = Some(identifier);
        self
    }

    /// Sets our role towards an external peer (RFC 9234). A peer whose role does not fit is refused; one that names no role
    /// is accepted. Default: no role is offered.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.protocol.settings.fsm.role = Some(RoleConfig::new(role));
        self
    }

    /// Like [`role`](Self::role), and also refuses a peer that names no role (strict mode).
    #[must_use]
    pub fn strict_role(mut self, role: Role) -> Self {
        self.protocol.settings.fsm.role = Some(RoleConfig { role, strict: true });
        self
    }
}

/// The connection.
impl PeerConfig {
    /// Never dials, and waits for the peer's connection. Default: both ends dial.
    #[must_use]
    pub fn passive(self) -> Self {
        self.connect_mode(ConnectMode::Passive)
    }

    /// Dials, and refuses the peer's connections. Default: both ends dial.
    #[must_use]
    pub fn active(self) -> Self {
        self.connect_mode(ConnectMode::Active)
    }

    /// Sets the end that opens the connection. Default: both; if both do, collision detection keeps one connection.
    #[must_use]
    pub fn connect_mode(mut self, mode: ConnectMode) -> Self {
        self.protocol.settings.fsm.connect_mode = mode;
        self
    }

    /// Includes an Established session in collision detection (CollisionDetectEstablishedState of RFC 4271 section
    /// 8.1.1), so that a new connection may replace it. Default: the session stays, and the new connection is closed.
    #[must_use]
    pub fn collision_detect_established_state(mut self) -> Self {
        self.protocol.settings.collision_detect_established_state = true;
        self
    }
}

/// The timers.
impl PeerConfig {
    /// Sets the hold time that we propose (RFC 4271 section 4.2); the session uses the smaller of both sides'. Zero means
    /// a session without KEEPALIVEs; otherwise 3 to 65,535 whole seconds. Default: 90 s.
    #[must_use]
    pub fn hold_time(mut self, time: Duration) -> Self {
        self.protocol.settings.fsm.hold_time = time;
        self
    }

    /// Sets the interval between KEEPALIVEs. It is never shorter than a second, and never longer than a third of the
    /// negotiated hold time. Default: a third of that.
    #[must_use]
    pub fn keepalive_time(mut self, time: Duration) -> Self {
        self.protocol.settings.fsm.keepalive_time = Some(time);
        self
    }

    /// Sets the time that one attempt to connect may take before the next one, which is also the longest pause between
    /// attempts that failed in TCP (ConnectRetryTime of RFC 4271 section 8). Default: 5 s.
    #[must_use]
    pub fn connect_retry(mut self, time: Duration) -> Self {
        self.protocol.settings.fsm.connect_retry_time = time;
        self
    }

    /// Sets the pause after a failure: `first` after the first one, doubled with each further one, and shortened by jitter
    /// (IdleHoldTime and DampPeerOscillations of RFC 4271 section 8.1.1). `longest` limits the pause after failures with a
    /// NOTIFICATION, where trying again soon seldom helps. Default: 1 s and 60 s.
    #[must_use]
    pub fn idle_hold(mut self, first: Duration, longest: Duration) -> Self {
        self.protocol.settings.fsm.idle_hold_time = first;
        self.protocol.settings.fsm.idle_hold_max = longest;
        self
    }

    /// Waits this long for the peer's OPEN before sending ours (DelayOpenTime of RFC 4271). Default: no delay.
    #[must_use]
    pub fn delay_open(mut self, time: Duration) -> Self {
        self.protocol.settings.fsm.delay_open_time = Some(time);
        self
    }

    /// Ends the session when the peer has accepted no octets for this long although some are waiting (RFC 9687); zero
    /// disables the timer. Default: 8 minutes, or twice the negotiated hold time where that is more.
    #[must_use]
    pub fn send_hold_time(mut self, time: Duration) -> Self {
        self.protocol.settings.fsm.send_hold_time = Some(time);
        self
    }

    /// Sets the seed of the timers' jitter (RFC 4271 section 10), for reproducible runs. Default: a different one for
    /// each peer.
    #[must_use]
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.protocol.jitter_seed = Some(seed);
        self
    }
}
