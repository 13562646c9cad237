//! Connect: our TCP connection is being made (RFC 4271, section 8.2.2).

use std::time::Instant;

use super::active::Active;
use super::open_confirm::OpenConfirm;
use super::open_sent::OpenSent;
use super::state::State;
use super::{Action, Context, DownReason, Event, Timer, TransportError};

#[derive(Debug)]
pub(super) struct Connect;

impl Connect {
    /// Starts an attempt.
    pub(super) fn enter(cx: &mut Context, now: Instant) -> State {
        cx.start_connect_retry_timer(now);
        cx.act(Action::Connect);
        State::Connect(Self)
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            Event::ManualStart | Event::AutomaticStart => State::Connect(self),
            Event::ManualStop(_) => cx.stop(None),
            Event::ConnectRetryTimerExpires => {
                cx.release(Some(DownReason::Transport(TransportError::TimedOut)));
                Self::enter(cx, now)
            }
            Event::DelayOpenTimerExpires => OpenSent::enter(cx, now),
            Event::TcpConnectionConfirmed => match cx.config.delay_open_time {
                Some(delay) => {
                    cx.timers.stop(Timer::ConnectRetry);
                    cx.timers.start(Timer::DelayOpen, now, delay);
                    State::Connect(self)
                }
                None => OpenSent::enter(cx, now),
            },
            Event::TcpConnectionFails(error) => {
                if cx.timers.is_running(Timer::DelayOpen) {
                    cx.timers.stop(Timer::DelayOpen);
                    cx.start_connect_retry_timer(now);
                    cx.act(Action::Close);
                    State::Active(Active)
                } else {
                    cx.give_up(now, Some(DownReason::Transport(error)))
                }
            }
            Event::BgpOpen(open) if cx.timers.is_running(Timer::DelayOpen) => {
                OpenConfirm::enter_by_delayed_open(cx, now, &open)
            }
            Event::BgpHeaderErr(notification) | Event::BgpOpenMsgErr(notification) => {
                cx.notify_and_give_up(now, notification)
            }
            Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
            Event::OpenCollisionDump => cx.stand_down(),
            Event::AutomaticStop(_)
            | Event::HoldTimerExpires
            | Event::KeepaliveTimerExpires
            | Event::IdleHoldTimerExpires
            | Event::BgpOpen(_)
            | Event::KeepAliveMsg
            | Event::UpdateMsg
            | Event::UpdateMsgErr(_) => cx.give_up(now, None),
        }
    }
}
