//! Connect: we are opening a TCP connection (RFC 4271, section 8.2.2).

use std::time::Instant;

use super::active::Active;
use super::state::State;
use super::{Context, DownReason, Event, FsmAction, Timer, TransportError, before_open};

#[derive(Debug)]
pub(super) struct Connect;

impl Connect {
    /// Starts an attempt to connect.
    pub(super) fn enter(cx: &mut Context, now: Instant) -> State {
        cx.start_connect_retry_timer(now);
        cx.act(FsmAction::Connect);
        State::Connect(Self)
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            Event::ConnectRetryTimerExpires => {
                cx.release(Some(DownReason::Transport(TransportError::TimedOut)));
                Self::enter(cx, now)
            }
            Event::TcpConnectionFails(_) if cx.timers.is_running(Timer::DelayOpen) => {
                cx.timers.stop(Timer::DelayOpen);
                cx.start_connect_retry_timer(now);
                cx.act(FsmAction::Close);
                State::Active(Active)
            }
            event => before_open::handle(cx, now, event, State::Connect(self)),
        }
    }
}
