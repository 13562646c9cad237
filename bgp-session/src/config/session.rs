//! The terms of a session that an operator sets beyond its timers: who may be at the other end, who dials, roles, limits.

use std::time::Duration;

use bgp_core::{
    Asn,
    fsm::{ConnectMode, LocalAs, ReceivedPath, RoleConfig, SentPath},
    peer::{PeerSettings, PrefixLimit, PrefixLimits},
    wire::Role,
};

use crate::PeerConfig;

/// What [`PeerConfig`] holds of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) connect_mode: ConnectMode,
    local_as: Option<(SentPath, ReceivedPath)>,
    role: Option<RoleConfig>,
    send_hold_time: Option<Duration>,
    collision_detect_established_state: bool,
    maximum_prefixes: PrefixLimits,
}

impl PeerConfig {
    /// Never dial, wait for the peer's connection. Default: both ends dial.
    #[must_use]
    pub fn passive(self) -> Self {
        self.connect_mode(ConnectMode::Passive)
    }

    /// Dial, and refuse the peer's connections. Default: both ends dial.
    #[must_use]
    pub fn active(self) -> Self {
        self.connect_mode(ConnectMode::Active)
    }

    /// Who opens the connection. Default: both ends, whichever is first.
    #[must_use]
    pub fn connect_mode(mut self, mode: ConnectMode) -> Self {
        self.terms.connect_mode = mode;
        self
    }

    /// Another AS than the speaker's own, shown to this external peer alone, and what paths tell of the speaker's own:
    /// [`SentPath::LocalAsAlone`] with [`ReceivedPath::AsReceived`] is what routers call `no-prepend replace-as`, and what
    /// [`local_asn`](Self::local_asn) does. Default: the speaker's AS.
    #[must_use]
    pub fn local_as(mut self, asn: Asn, sent: SentPath, received: ReceivedPath) -> Self {
        self.local_asn = Some(asn);
        self.terms.local_as = Some((sent, received));
        self
    }

    /// Our role towards an external peer (RFC 9234): a peer whose own does not fit is refused; one that names none is
    /// accepted. Default: no role is offered.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.terms.role = Some(RoleConfig::new(role));
        self
    }

    /// As [`role`](Self::role), and a peer that names none is refused too (strict mode).
    #[must_use]
    pub fn strict_role(mut self, role: Role) -> Self {
        self.terms.role = Some(RoleConfig { role, strict: true });
        self
    }

    /// How long the peer may take none of what waits for it before its session is ended (RFC 9687); zero: for ever.
    /// Default: 8 minutes, or twice the negotiated hold time where that is more.
    #[must_use]
    pub fn send_hold_time(mut self, time: Duration) -> Self {
        self.terms.send_hold_time = Some(time);
        self
    }

    /// Has a session take part in collisions (CollisionDetectEstablishedState of RFC 4271 section 8.1.1), so that a new
    /// connection may replace it. Default: a session stays, and the new connection is closed.
    #[must_use]
    pub fn collision_detect_established_state(mut self) -> Self {
        self.terms.collision_detect_established_state = true;
        self
    }

    /// What happens when the peer sends more prefixes of a family than this (RFC 4486); a number means Cease and a pause
    /// of 5 minutes. What [`Import::Drop`](crate::Import::Drop) drops is not counted. Default: no limit.
    #[must_use]
    pub fn maximum_prefixes(self, limit: impl Into<PrefixLimit>) -> Self {
        self.prefix_limits(PrefixLimits::each(limit))
    }

    /// As [`maximum_prefixes`](Self::maximum_prefixes), with another limit for each family.
    #[must_use]
    pub fn prefix_limits(mut self, limits: PrefixLimits) -> Self {
        self.terms.maximum_prefixes = limits;
        self
    }
}

impl Terms {
    /// Writes them where the core looks for them. `asn` is the speaker's own.
    pub(crate) fn apply(&self, settings: &mut PeerSettings, asn: Asn) {
        settings.collision_detect_established_state = self.collision_detect_established_state;
        settings.maximum_prefixes = self.maximum_prefixes.clone();

        let fsm = &mut settings.fsm;
        fsm.connect_mode = self.connect_mode;
        fsm.local_as = self
            .local_as
            .filter(|_| fsm.local_asn != asn)
            .map(|(sent, received)| LocalAs { speaker_asn: asn, sent, received });
        fsm.role = self.role;
        fsm.send_hold_time = self.send_hold_time;
    }
}
