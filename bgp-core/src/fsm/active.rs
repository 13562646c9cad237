//! Active: waiting for the peer's TCP connection, or for its OPEN (RFC 4271, section 8.2.2).

use std::time::Instant;

use super::connect::Connect;
use super::state::State;
use super::{Context, Event, before_open};

#[derive(Debug)]
pub(super) struct Active;

impl Active {
    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            // Only a machine that dials ever starts this timer.
            Event::ConnectRetryTimerExpires if cx.dials() => Connect::enter(cx, now),
            event => before_open::handle(cx, now, event, State::Active(self)),
        }
    }
}
