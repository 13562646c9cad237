//! The state machine in virtual time, and the packet's octets.

mod negotiation;
mod octets;
mod pair;
mod table;
mod time;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use super::*;

pub(super) const OURS: u32 = 7;
pub(super) const THEIRS: u32 = 99;

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Some instant. The state machine never reads a clock.
pub(super) fn epoch() -> Instant {
    crate::clock::now()
}

pub(super) fn session(now: Instant, profile: BfdProfile) -> Session {
    Session::new(now, profile, NonZeroU32::new(OURS).unwrap(), 1)
}

/// A packet of a router in this state, with intervals of 300 ms and a multiplier of 3.
pub(super) fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        final_answer: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: THEIRS,
        your_discriminator: OURS,
        desired_min_tx: 300_000,
        required_min_rx: 300_000,
        required_min_echo_rx: 0,
    }
}

/// A session in this state, with nothing left to send or to report.
pub(super) fn session_in(state: State, now: Instant, profile: BfdProfile) -> Session {
    let mut session = session(now, profile);
    match state {
        State::AdminDown => session.disable(now),
        // A router in AdminDown changes nothing, but once it is heard the detection time runs.
        State::Down => session.receive(now, &packet(State::AdminDown)),
        State::Init => session.receive(now, &packet(State::Down)),
        State::Up => session.receive(now, &packet(State::Init)),
    }
    while session.poll_transmit(now).is_some() {}
    while session.poll_event().is_some() {}
    // The Poll Sequence that begins with Up has been answered.
    if state == State::Up {
        session.receive(now, &Packet { final_answer: true, ..packet(State::Up) });
        while session.poll_transmit(now).is_some() {}
    }
    assert_eq!(session.state(), state);
    session
}

/// Every packet sent up to `end`, with the time since `start`.
pub(super) fn run(session: &mut Session, start: Instant, end: Instant) -> Vec<(Duration, Packet)> {
    let mut sent = Vec::new();
    let mut now = start;
    loop {
        session.handle_timeout(now);
        while let Some(packet) = session.poll_transmit(now) {
            sent.push((now - start, packet));
        }
        match session.poll_timeout() {
            Some(next) if next <= end => now = next.max(now),
            _ => return sent,
        }
    }
}
