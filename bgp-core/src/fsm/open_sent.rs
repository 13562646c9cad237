//! OpenSent: our OPEN is on its way, the peer's has not come (RFC 4271, section 8.2.2).

use std::time::Instant;

use crate::Direction;
use crate::wire::{FsmSubcode, Notification};

use super::active::Active;
use super::open_confirm::OpenConfirm;
use super::state::State;
use super::{Context, DownReason, Event, Timer, TransportError};

#[derive(Debug)]
pub(super) struct OpenSent;

impl OpenSent {
    /// Sends our OPEN, and gives the peer time for its own.
    pub(super) fn enter(cx: &mut Context, now: Instant) -> State {
        cx.timers.stop_all();
        cx.send_open();
        cx.timers.start(Timer::Hold, now, cx.config.open_hold_time);
        State::OpenSent(Self)
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            // The second connection of a collision is a machine of its own: event 17 does not come here.
            Event::ManualStart | Event::AutomaticStart | Event::TcpConnectionConfirmed => {
                State::OpenSent(self)
            }
            Event::ManualStop(cease) => cx.notify_and_stop(cease),
            Event::AutomaticStop(cease) => cx.notify_and_give_up(now, cease),
            Event::HoldTimerExpires => {
                cx.notify_and_give_up(now, Notification::hold_timer_expired())
            }
            Event::TcpConnectionFails(error) => {
                let error = match (cx.direction, error) {
                    // A peer that does not know us listens all the same.
                    (Direction::Outgoing, TransportError::ClosedByPeer | TransportError::Reset) => {
                        TransportError::ClosedBeforeOpen
                    }
                    (_, error) => error,
                };
                fall_back(cx, now, DownReason::Transport(error))
            }
            Event::BgpOpen(open) => OpenConfirm::enter(cx, now, &open),
            Event::BgpHeaderErr(notification) | Event::BgpOpenMsgErr(notification) => {
                cx.notify_and_give_up(now, notification)
            }
            Event::OpenCollisionDump => cx.notify_and_stand_down(),
            // Event 25 stands among "any other event" in the RFC, which would have us answer a NOTIFICATION
            // with one. Section 6.4 has it that this is never done.
            Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
            Event::ConnectRetryTimerExpires
            | Event::KeepaliveTimerExpires
            | Event::DelayOpenTimerExpires
            | Event::IdleHoldTimerExpires
            | Event::SendHoldTimerExpires
            | Event::KeepAliveMsg
            | Event::UpdateMsg
            | Event::UpdateMsgErr(_) => cx.notify_and_give_up(
                now,
                Notification::fsm_error(FsmSubcode::UNEXPECTED_IN_OPEN_SENT),
            ),
        }
    }
}

/// Event 18 in OpenSent: wait in Active for the peer, and dial again when the ConnectRetryTimer says so. A
/// connection that the peer made has nothing to go back to.
fn fall_back(cx: &mut Context, now: Instant, reason: DownReason) -> State {
    if cx.direction == Direction::Incoming {
        return cx.give_up(now, Some(reason));
    }
    cx.release(Some(reason));
    cx.start_connect_retry_timer(now);
    State::Active(Active)
}
