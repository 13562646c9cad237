//! The events that Connect and Active handle alike (RFC 4271, section 8.2.2): our OPEN has not been sent.
//!
//! The two states differ in their reaction to an expired ConnectRetryTimer and to a failed TCP connection. Those events
//! stay in the files of the states.

use std::time::Instant;

use super::open_confirm::OpenConfirm;
use super::open_sent::OpenSent;
use super::state::State;
use super::{Context, DownReason, Event, Timer};

/// Handles an event that means the same in both states. `stay` is the current state.
pub(super) fn handle(cx: &mut Context, now: Instant, event: Event, stay: State) -> State {
    match event {
        Event::ManualStart | Event::AutomaticStart => stay,
        Event::ManualStop(_) => cx.stop(None),
        Event::DelayOpenTimerExpires => OpenSent::enter(cx, now),
        Event::TcpConnectionConfirmed => connected(cx, now, stay),
        Event::TcpConnectionFails(error) => cx.give_up(now, Some(DownReason::Transport(error))),

        Event::BgpOpen(open) if cx.timers.is_running(Timer::DelayOpen) => {
            OpenConfirm::enter_by_delayed_open(cx, now, &open)
        }
        Event::BgpHeaderErr(notification) | Event::BgpOpenMsgErr(notification) => {
            cx.notify_and_give_up(now, notification)
        }
        Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
        Event::OpenCollisionDump => cx.stand_down(),

        // "In response to any other event".
        Event::AutomaticStop(_)
        | Event::ConnectRetryTimerExpires
        | Event::HoldTimerExpires
        | Event::SendHoldTimerExpires
        | Event::KeepaliveTimerExpires
        | Event::IdleHoldTimerExpires
        | Event::BgpOpen(_)
        | Event::KeepAliveMsg
        | Event::UpdateMsg
        | Event::UpdateMsgErr(_) => cx.give_up(now, None),
    }
}

/// Events 16 and 17: the TCP connection is there. Sends our OPEN, or waits for the peer's first.
fn connected(cx: &mut Context, now: Instant, stay: State) -> State {
    let Some(delay) = cx.config.delay_open_time else { return OpenSent::enter(cx, now) };

    cx.timers.stop(Timer::ConnectRetry);
    cx.timers.start(Timer::DelayOpen, now, delay);
    stay
}
