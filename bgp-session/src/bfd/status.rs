//! [`BfdStatus`] and [`BfdStats`]: the facts about a session that its owner publishes.

use std::time::{Duration, Instant};

use super::{Diagnostic, Session, State, Transition};

/// The latest facts about a peer's BFD session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BfdStatus {
    /// Our state.
    pub state: State,
    /// The time of its last change, or of the session's start. `None` before the session has begun.
    pub since: Option<Instant>,
    /// The reason of its last change.
    pub diagnostic: Diagnostic,
    /// The last change from Up to another state, with its reason. It is kept when the session is up again.
    pub last_down: Option<Transition>,
    /// The time of that change.
    pub last_down_at: Option<Instant>,
    /// The router's state, in its last packet.
    pub remote_state: State,
    /// The reason of that state's last change, in its last packet.
    pub remote_diagnostic: Diagnostic,
    /// Our name for the session.
    pub discriminator: u32,
    /// The router's name for it; 0 if unknown.
    pub remote_discriminator: u32,
    /// True if the router's BFD outlives a failure of its control plane (the C bit).
    pub remote_is_independent: bool,
    /// The interval at which we send, as negotiated, before jitter.
    pub transmit_interval: Duration,
    /// The interval at which the router sends, as negotiated, before jitter. Our own wish before it has been heard.
    pub receive_interval: Duration,
    /// The number of our packets that may be lost (Detect Mult).
    pub multiplier: u8,
    /// The number of the router's packets that may be lost; 0 before it has been heard.
    pub remote_multiplier: u8,
    /// The longest silence of the router that is tolerated; zero before it has been heard.
    pub detection_time: Duration,
    /// The time in which the router notices our silence, as far as we know.
    pub remote_detection_time: Duration,
    /// The problem that prevents the session from coming up, if we know it: a port in use, a missing address, packets from
    /// too far away.
    pub problem: Option<String>,
    /// The counters.
    pub stats: BfdStats,
}

impl BfdStatus {
    /// Copies the session's facts.
    pub(super) fn update(&mut self, session: &Session) {
        self.state = session.state();
        self.since = Some(session.since());
        self.diagnostic = session.diagnostic();
        let (last_down_at, last_down) = session.last_down().unzip();
        (self.last_down, self.last_down_at) = (last_down, last_down_at);
        self.remote_state = session.remote_state();
        self.remote_diagnostic = session.remote_diagnostic();
        self.discriminator = session.discriminator().get();
        self.remote_discriminator = session.remote_discriminator();
        self.remote_is_independent = session.remote_is_independent();
        self.transmit_interval = session.transmit_interval();
        self.receive_interval = session.receive_interval();
        self.multiplier = session.multiplier();
        self.remote_multiplier = session.remote_multiplier();
        self.detection_time = session.detection_time();
        self.remote_detection_time = session.remote_detection_time();
        self.stats = session.stats().clone();
    }
}

/// The counters of a session since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BfdStats {
    /// Packets composed for sending.
    pub sent: u64,
    /// Packets received for this session.
    pub received: u64,
    /// Packets from the router's address that were discarded: malformed, from too far away, for another session.
    pub discarded: u64,
    /// Times that the session came up.
    pub ups: u64,
    /// Times that the session went from up to down without an operator's request.
    pub failures: u64,
}
