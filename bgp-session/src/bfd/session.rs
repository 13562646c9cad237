//! [`Session`]: the state machine of one BFD session (RFC 5880 section 6.8), without I/O and without a clock.
//!
//! It decides the state, what to send and when, and when the other end has been silent for too long. Drive it in a
//! loop: one mutation; then [`Session::poll_event`] until `None`; then [`Session::poll_transmit`] until
//! `None`; then wait for a packet or for [`Session::poll_timeout`].
//!
//! ```text
//!            Down ──Down──▶ Init            in each state, by the state of the other end:
//!             ▲  ╲           │              a state not shown changes nothing, but AdminDown,
//!   AdminDown,│   Init       │ Init, Up     or silence for the detection time, leads to Down
//!     silence │      ╲       ▼
//!             └──────── ──▶ Up ──Down──▶ Down
//! ```

use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use super::{BfdProfile, BfdStats, Diagnostic, Packet, State, timers::Timers};

/// One end of a BFD session.
#[derive(Clone, Debug)]
pub struct Session {
    profile: BfdProfile,
    discriminator: NonZeroU32,
    state: State,
    diagnostic: Diagnostic,
    /// The time of the last change of state.
    since: Instant,
    /// The last change from Up to another state, with its time.
    last_down: Option<(Instant, Transition)>,
    remote: RemoteEnd,
    /// The timers in our packets.
    advertised: Timers,
    /// The timers that we use until the other end has confirmed those in our packets (section 6.8.3).
    effective: Timers,
    /// A Poll Sequence runs (section 6.5).
    polling: bool,
    /// The other end polls, and must be answered.
    answer: bool,
    /// The next packet differs from the last one, and must be sent at once.
    urgent: bool,
    last_received: Option<Instant>,
    last_sent: Option<Instant>,
    next_send: Option<Instant>,
    /// The interval from which `next_send` was computed.
    send_interval: Duration,
    random: fastrand::Rng,
    events: VecDeque<Transition>,
    stats: BfdStats,
}

/// A change of state. It prints as a short sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The reason.
    pub diagnostic: Diagnostic,
    /// The other end's last state. AdminDown: its operator took it down, and the path may be intact.
    pub remote_state: State,
    /// The reason of the last change of that state, in the other end's own words.
    pub remote_diagnostic: Diagnostic,
}

impl Transition {
    /// Returns true if the path to the other end has failed: the session was up, and no operator took it down
    /// (RFC 5882 section 3.2).
    pub fn is_failure(&self) -> bool {
        self.from == State::Up && self.to == State::Down && self.remote_state != State::AdminDown
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, diagnostic, remote_diagnostic, .. } = self;
        match to {
            State::Up => f.write_str("BFD is up"),
            State::Init => f.write_str("BFD hears the peer, which does not hear us yet"),
            State::AdminDown | State::Down => write!(
                f,
                "BFD went from {from} to {to}: {diagnostic}; the peer reports {remote_diagnostic}"
            ),
        }
    }
}

/// The other end, according to its last packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RemoteEnd {
    discriminator: u32,
    state: State,
    diagnostic: Diagnostic,
    required_min_rx: u32,
    desired_min_tx: u32,
    detect_multiplier: u8,
    control_plane_independent: bool,
}

/// The initial values of section 6.8.1.
const UNKNOWN: RemoteEnd = RemoteEnd {
    discriminator: 0,
    state: State::Down,
    diagnostic: Diagnostic::NONE,
    required_min_rx: 1,
    desired_min_tx: 0,
    detect_multiplier: 0,
    control_plane_independent: false,
};

impl Session {
    /// A session that begins to send at once, unless it is passive. The discriminator is our name for it, which
    /// no other session of this host may have. The seed is for the jitter.
    pub fn new(now: Instant, profile: BfdProfile, discriminator: NonZeroU32, seed: u64) -> Self {
        let timers = Timers::desired(&profile, State::Down);
        let mut session = Self {
            profile,
            discriminator,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            since: now,
            last_down: None,
            remote: UNKNOWN,
            advertised: timers,
            effective: timers,
            polling: false,
            answer: false,
            urgent: false,
            last_received: None,
            last_sent: None,
            next_send: None,
            send_interval: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            events: VecDeque::new(),
            stats: BfdStats::default(),
        };

        session.settle(now);
        session
    }

    /// Handles a packet for this session: one with its discriminator in [`Packet::your_discriminator`], or, where that is
    /// 0, one from the other end's address (sections 6.3 and 6.8.6).
    pub fn receive(&mut self, now: Instant, packet: &Packet) {
        self.stats.received += 1;
        self.last_received = Some(now);
        self.remote = RemoteEnd {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diagnostic: packet.diagnostic,
            required_min_rx: packet.required_min_rx,
            desired_min_tx: packet.desired_min_tx,
            detect_multiplier: packet.detect_multiplier,
            control_plane_independent: packet.control_plane_independent,
        };

        if packet.final_answer && self.polling {
            self.polling = false;
            self.effective = self.advertised;
        }
        if self.state != State::AdminDown {
            self.follow_remote(now, packet.state);
            self.answer |= packet.poll;
        }
        self.settle(now);
    }

    /// Declares the session down if the detection time has passed by `now`. Calling it too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_overdue(now) {
            if matches!(self.state, State::Init | State::Up) {
                self.become_state(now, State::Down, Diagnostic::DETECTION_TIME_EXPIRED);
            }
            self.remote = UNKNOWN;
            self.last_received = None;
            self.settle(now);
        }
    }

    /// Returns true if the detection time has passed by `now`, so that [`Session::handle_timeout`] declares the session down.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.detection_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Changes the intervals, the multiplier or the role in place. A Poll Sequence announces them to the other end.
    pub fn set_profile(&mut self, now: Instant, profile: BfdProfile) {
        self.urgent |= self.profile.multiplier != profile.multiplier;
        self.profile = profile;
        self.settle(now);
    }

    /// Takes the session out of service (section 6.8.16). The other end does not take this for a failure of the path.
    pub fn disable(&mut self, now: Instant) {
        self.become_state(now, State::AdminDown, Diagnostic::ADMINISTRATIVELY_DOWN);
        self.settle(now);
    }

    /// Puts the session in service again.
    pub fn enable(&mut self, now: Instant) {
        if self.state == State::AdminDown {
            self.become_state(now, State::Down, Diagnostic::NONE);
            self.settle(now);
        }
    }

    /// Returns the next change of state to report.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Transition> {
        self.events.pop_front()
    }

    /// Returns the next packet to send now, if one is due.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Packet> {
        if std::mem::take(&mut self.answer) {
            return Some(self.packet(true));
        }
        if self.next_send.is_none_or(|at| at > now) {
            return None;
        }
        self.urgent = false;
        self.last_sent = Some(now);
        self.next_send = Some(now + self.jittered());
        Some(self.packet(false))
    }

    /// Returns the next time to call [`Session::handle_timeout`] and [`Session::poll_transmit`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.next_send, self.detection_deadline()].into_iter().flatten().min()
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The reason of the last change of state.
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// The time of the last change of state, or of the session's start.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The last change from Up to another state, with its time.
    pub fn last_down(&self) -> Option<(Instant, Transition)> {
        self.last_down
    }

    /// The other end's last state; Down if it hasn't been heard for the detection time.
    pub fn remote_state(&self) -> State {
        self.remote.state
    }

    /// The reason of the last change of the other end's state, in its own words.
    pub fn remote_diagnostic(&self) -> Diagnostic {
        self.remote.diagnostic
    }

    /// The other end's name for the session; 0 if unknown.
    pub fn remote_discriminator(&self) -> u32 {
        self.remote.discriminator
    }

    /// Returns true if the other end's BFD outlives a failure of its control plane (the C bit).
    pub fn remote_is_independent(&self) -> bool {
        self.remote.control_plane_independent
    }

    /// Our name for the session.
    pub fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// The interval at which we send, before jitter (section 6.8.2).
    pub fn transmit_interval(&self) -> Duration {
        micros(self.effective.tx.max(self.remote.required_min_rx))
    }

    /// The interval at which the other end sends, before jitter (section 6.8.4); our own wish before it has been heard.
    pub fn receive_interval(&self) -> Duration {
        micros(self.effective.rx.max(self.remote.desired_min_tx))
    }

    /// The number of the other end's packets that may be lost (its Detect Mult); 0 before it has been heard.
    pub fn remote_multiplier(&self) -> u8 {
        self.remote.detect_multiplier
    }

    /// The number of our packets that may be lost (Detect Mult).
    pub fn multiplier(&self) -> u8 {
        self.profile.multiplier
    }

    /// The longest silence of the other end that is tolerated (section 6.8.4); zero before it has been heard.
    pub fn detection_time(&self) -> Duration {
        self.receive_interval() * u32::from(self.remote.detect_multiplier)
    }

    /// The time in which the other end notices our silence, as far as we know.
    pub fn remote_detection_time(&self) -> Duration {
        self.transmit_interval() * u32::from(self.profile.multiplier)
    }

    /// Counts a packet that came from the other end's address and could not be used.
    pub fn count_discarded(&mut self) {
        self.stats.discarded += 1;
    }

    /// The counters.
    pub fn stats(&self) -> &BfdStats {
        &self.stats
    }

    /// The transitions of section 6.8.6.
    fn follow_remote(&mut self, now: Instant, remote: State) {
        let signaled = Diagnostic::NEIGHBOR_SIGNALED_DOWN;
        let next = match (self.state, remote) {
            (State::Init | State::Up, State::AdminDown) => Some((State::Down, signaled)),
            (State::Down, State::Down) => Some((State::Init, Diagnostic::NONE)),
            (State::Down, State::Init) => Some((State::Up, Diagnostic::NONE)),
            (State::Init, State::Init | State::Up) => Some((State::Up, Diagnostic::NONE)),
            (State::Up, State::Down) => Some((State::Down, signaled)),
            (State::AdminDown, _)
            | (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up) => None,
        };
        if let Some((state, diagnostic)) = next {
            self.become_state(now, state, diagnostic);
        }
    }

    fn become_state(&mut self, now: Instant, to: State, diagnostic: Diagnostic) {
        let from = std::mem::replace(&mut self.state, to);
        if from == to {
            return;
        }
        self.diagnostic = diagnostic;
        self.since = now;
        self.urgent = true;
        self.stats.ups += u64::from(to == State::Up);
        let transition = Transition {
            from,
            to,
            diagnostic,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diagnostic,
        };
        self.stats.failures += u64::from(transition.is_failure());
        if from == State::Up {
            self.last_down = Some((now, transition));
        }
        self.events.push_back(transition);
    }

    /// Updates the timers, and the time of the next packet. Called after each mutation.
    fn settle(&mut self, now: Instant) {
        self.negotiate();
        self.schedule(now);
    }

    /// Updates the timers (section 6.8.3). In other states than Up nothing depends on them, so they change at once.
    fn negotiate(&mut self) {
        let desired = Timers::desired(&self.profile, self.state);
        if self.state != State::Up {
            self.urgent |= self.advertised != desired;
            self.advertised = desired;
            self.effective = desired;
            self.polling = false;
            return;
        }

        // One Poll Sequence at a time, so that the answer confirms the timers that were sent.
        if self.polling || self.advertised == desired {
            return;
        }
        self.advertised = desired;
        self.polling = true;
        self.urgent = true;

        // Until the change is confirmed, sending faster and detecting slower does no harm; the opposite would.
        self.effective.tx = self.effective.tx.min(desired.tx);
        self.effective.rx = self.effective.rx.max(desired.rx);
    }

    /// Sets the time of the next packet (section 6.8.7).
    fn schedule(&mut self, now: Instant) {
        let unknown = self.remote.discriminator == 0;
        // A session that is held down sends nothing to an end that it doesn't know.
        let silent = unknown && (self.profile.passive || self.state == State::AdminDown);
        if silent || self.remote.required_min_rx == 0 {
            self.next_send = None;
            return;
        }

        let interval = self.transmit_interval();
        let shorter = interval < self.send_interval;
        self.send_interval = interval;
        if self.urgent {
            self.next_send = Some(now);
        } else if self.next_send.is_none() || shorter {
            let due = match self.last_sent {
                Some(last) => last + self.jittered(),
                None => now,
            };
            self.next_send = Some(self.next_send.map_or(due, |at| at.min(due)));
        }
    }

    /// The interval minus 0 to 25 %; with a multiplier of 1, minus 10 to 25 % (section 6.8.7), because then a single
    /// late packet ends the session.
    fn jittered(&mut self) -> Duration {
        let most = if self.profile.multiplier == 1 { 900 } else { 1_000 };
        self.send_interval * self.random.u32(750..=most) / 1_000
    }

    /// The end of the detection time. It counts in Down too: an end that is silent for so long is forgotten (section 6.8.1).
    fn detection_deadline(&self) -> Option<Instant> {
        Some(self.last_received? + self.detection_time())
    }

    fn packet(&mut self, answer: bool) -> Packet {
        self.stats.sent += 1;
        Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polling && !answer,
            final_answer: answer,
            // Our BFD ends with the process that announces the routes.
            control_plane_independent: false,
            demand: false,
            detect_multiplier: self.profile.multiplier,
            my_discriminator: self.discriminator.get(),
            your_discriminator: self.remote.discriminator,
            desired_min_tx: self.advertised.tx,
            required_min_rx: self.advertised.rx,
            required_min_echo_rx: 0,
        }
    }
}

fn micros(microseconds: u32) -> Duration {
    Duration::from_micros(microseconds.into())
}
