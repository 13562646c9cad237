//! Idle: no connection is attempted (RFC 4271, section 8.2.2).

use std::time::Instant;

use super::active::Active;
use super::connect::Connect;
use super::state::State;
use super::{Context, Event};

#[derive(Debug)]
pub(super) struct Idle;

impl Idle {
    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            // Events 1 and 4.
            Event::ManualStart => {
                cx.connect_retry_counter = 0;
                cx.failures = 0;
                begin(cx, now)
            }
            // Events 3, 5 and 13: the pause is over. The counter stays, since the operator has not intervened.
            Event::AutomaticStart | Event::IdleHoldTimerExpires => begin(cx, now),
            // Event 2: a running pause must not start the machine again.
            Event::ManualStop(_) => {
                cx.timers.stop_all();
                State::Idle(self)
            }
            _ => State::Idle(self),
        }
    }
}

/// Starts to dial, or to wait for the peer if it has to dial.
fn begin(cx: &mut Context, now: Instant) -> State {
    cx.timers.stop_all();
    if cx.dials() { Connect::enter(cx, now) } else { State::Active(Active) }
}
