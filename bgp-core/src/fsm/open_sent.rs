//! OpenSent: our OPEN is sent, the peer's has not arrived (RFC 4271, section 8.2.2).

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
    /// Sends our OPEN, and gives the peer time to send its own.
    pub(super) fn enter(cx: &mut Context, now: Instant) -> State {
        cx.timers.stop_all();
        cx.send_open();
        cx.timers.start(Timer::Hold, now, cx.config.open_hold_time);
        State::OpenSent(Self)
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            // Event 17 does not occur here: the second connection of a collision has its own machine.
            Event::ManualStart | Event::AutomaticStart | Event::TcpConnectionConfirmed => {
                State::OpenSent(self)
            }
            Event::ManualStop(cease) => cx.notify_and_stop(cease),
            Event::AutomaticStop(cease) => cx.notify_and_give_up(now, cease),
            Event::HoldTimerExpires => {
                cx.notify_and_give_up(now, Notification::hold_timer_expired())
            }

            Event::BgpOpen(open) => OpenConfirm::enter(cx, now, &open),
            Event::BgpHeaderErr(notification) | Event::BgpOpenMsgErr(notification) => {
                cx.notify_and_give_up(now, notification)
            }
            // The RFC lists event 25 under "any other event", which would answer a NOTIFICATION with another.
            // Section 6.4 forbids that.
            Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
            Event::TcpConnectionFails(error) => fall_back(cx, now, error),
            Event::OpenCollisionDump => cx.notify_and_stand_down(),

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

/// Event 18 in OpenSent: waits in Active for the peer, and dials again when the ConnectRetryTimer expires. A connection
/// that the peer opened has no earlier state to return to.
fn fall_back(cx: &mut Context, now: Instant, error: TransportError) -> State {
    if cx.direction == Direction::Incoming {
        return cx.give_up(now, Some(DownReason::Transport(error)));
    }

    // A router that does not know us still accepts the connection, and closes it at once.
    let error = match error {
        TransportError::ClosedByPeer | TransportError::Reset => TransportError::ClosedBeforeOpen,
        error => error,
    };
    cx.release(Some(DownReason::Transport(error)));
    cx.start_connect_retry_timer(now);
    State::Active(Active)
}
