//! [`BfdStatus`] and [`BfdStats`]: what can be known of a session from outside.

use std::time::Duration;

use super::{Diagnostic, Session, State};

/// The latest facts about a peer's BFD session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BfdStatus {
    /// Our state.
    pub state: State,
    /// Why it last changed.
    pub diagnostic: Diagnostic,
    /// The router's state, as it last said.
    pub remote_state: State,
    /// Why that last changed, as it last said.
    pub remote_diagnostic: Diagnostic,
    /// Our name for the session.
    pub discriminator: u32,
    /// The router's name for it; 0 if unknown.
    pub remote_discriminator: u32,
    /// Whether the router's BFD outlives a failure of its control plane (the C bit).
    pub remote_is_independent: bool,
    /// The interval at which we send, as negotiated, before jitter.
    pub transmit_interval: Duration,
    /// How long the router may be silent; zero before it has been heard.
    pub detection_time: Duration,
    /// What keeps the session from coming up, as far as it is known here: a port in use, an address that isn't
    /// there, packets that come from too far.
    pub problem: Option<String>,
    /// The counters.
    pub stats: BfdStats,
}

impl BfdStatus {
    /// Writes the session's facts into it.
    pub(super) fn update(&mut self, session: &Session) {
        self.state = session.state();
        self.diagnostic = session.diagnostic();
        self.remote_state = session.remote_state();
        self.remote_diagnostic = session.remote_diagnostic();
        self.discriminator = session.discriminator().get();
        self.remote_discriminator = session.remote_discriminator();
        self.remote_is_independent = session.remote_is_independent();
        self.transmit_interval = session.transmit_interval();
        self.detection_time = session.detection_time();
        self.stats = session.stats().clone();
    }
}

/// What happened in a session since it was made; all of them only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BfdStats {
    /// Packets composed for sending.
    pub sent: u64,
    /// Packets received that were the session's.
    pub received: u64,
    /// Packets from the router's address that were not used: malformed, from too far, for another session.
    pub discarded: u64,
    /// Times that it came up.
    pub ups: u64,
    /// Times that it went from up to down by no operator's wish.
    pub failures: u64,
}
