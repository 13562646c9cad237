//! OpenConfirm: both OPENs are exchanged, the peer's KEEPALIVE has not arrived (RFC 4271, section 8.2.2).

use std::time::Instant;

use crate::wire::{FsmSubcode, Notification, Open};

use super::established::Established;
use super::negotiate::{Negotiated, negotiate};
use super::state::State;
use super::{Context, DownReason, Event};

#[derive(Debug)]
pub(super) struct OpenConfirm {
    pub(super) negotiated: Negotiated,
}

impl OpenConfirm {
    /// Enters the state, or refuses the peer's OPEN.
    pub(super) fn enter(cx: &mut Context, now: Instant, open: &Open) -> State {
        match negotiate(&cx.offered, open) {
            Ok(negotiated) => {
                cx.timers.stop_all();
                cx.due.keepalive = true;
                cx.start_session_timers(now, &negotiated);
                State::OpenConfirm(Self { negotiated })
            }
            Err(refusal) => cx.refuse(now, refusal),
        }
    }

    /// Event 20: the peer's OPEN has arrived while the DelayOpenTimer delayed ours.
    pub(super) fn enter_by_delayed_open(cx: &mut Context, now: Instant, open: &Open) -> State {
        cx.send_open();
        Self::enter(cx, now, open)
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            Event::ManualStart | Event::AutomaticStart | Event::TcpConnectionConfirmed => {
                State::OpenConfirm(self)
            }
            Event::ManualStop(cease) => cx.notify_and_stop(cease),
            Event::AutomaticStop(cease) => cx.notify_and_give_up(now, cease),
            Event::HoldTimerExpires => {
                cx.notify_and_give_up(now, Notification::hold_timer_expired())
            }

            Event::KeepAliveMsg => Established::enter(cx, now, self.negotiated),
            Event::KeepaliveTimerExpires => {
                cx.due.keepalive = true;
                cx.start_keepalive_timer(now, &self.negotiated);
                State::OpenConfirm(self)
            }

            Event::TcpConnectionFails(error) => cx.give_up(now, Some(DownReason::Transport(error))),
            Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
            Event::BgpHeaderErr(notification) | Event::BgpOpenMsgErr(notification) => {
                cx.notify_and_give_up(now, notification)
            }
            Event::OpenCollisionDump => cx.notify_and_stand_down(),

            // A second OPEN on one connection is as unexpected as an UPDATE. Section 6.8 means an OPEN on the peer's
            // other connection, which has its own machine.
            Event::BgpOpen(_)
            | Event::ConnectRetryTimerExpires
            | Event::DelayOpenTimerExpires
            | Event::IdleHoldTimerExpires
            | Event::SendHoldTimerExpires
            | Event::UpdateMsg
            | Event::UpdateMsgErr(_) => cx.notify_and_give_up(
                now,
                Notification::fsm_error(FsmSubcode::UNEXPECTED_IN_OPEN_CONFIRM),
            ),
        }
    }
}
