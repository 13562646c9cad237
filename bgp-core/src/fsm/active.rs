//! Active: waiting for the peer's TCP connection, or for its OPEN (RFC 4271, section 8.2.2).

use std::time::Instant;

use super::connect::Connect;
use super::open_confirm::OpenConfirm;
use super::open_sent::OpenSent;
use super::state::State;
use super::{Context, DownReason, Event, Timer};

#[derive(Debug)]
pub(super) struct Active;

impl Active {
    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            Event::ManualStart | Event::AutomaticStart => State::Active(self),
            Event::ManualStop(_) => cx.stop(None),
            Event::ConnectRetryTimerExpires => Connect::enter(cx, now),
            Event::DelayOpenTimerExpires => OpenSent::enter(cx, now),
            Event::TcpConnectionConfirmed => match cx.config.delay_open_time {
                Some(delay) => {
                    cx.timers.stop(Timer::ConnectRetry);
                    cx.timers.start(Timer::DelayOpen, now, delay);
                    State::Active(self)
                }
                None => OpenSent::enter(cx, now),
            },
            Event::TcpConnectionFails(error) => cx.give_up(now, Some(DownReason::Transport(error))),
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
