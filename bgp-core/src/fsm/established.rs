//! Established: the session is up (RFC 4271, section 8.2.2).

use std::time::{Duration, Instant};

use crate::wire::{FsmSubcode, Notification};

use super::negotiate::Negotiated;
use super::state::State;
use super::{Context, DownReason, Event, FsmAction};

/// The age at which a session counts as stable, so that earlier failures no longer lengthen the IdleHoldTime. Failures
/// before shorter sessions still count: a peer that comes up only to end the session must not be dialled in a tight
/// loop.
const STABLE_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Established {
    pub(super) negotiated: Negotiated,
    since: Instant,
}

impl Established {
    /// Enters the state: the peer's KEEPALIVE has confirmed the session.
    pub(super) fn enter(cx: &mut Context, now: Instant, negotiated: Negotiated) -> State {
        cx.start_hold_timer(now, &negotiated);
        cx.up = true;
        cx.act(FsmAction::Up(Box::new(negotiated.clone())));
        State::Established(Self { negotiated, since: now })
    }

    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> State {
        match event {
            Event::ManualStart | Event::AutomaticStart | Event::TcpConnectionConfirmed => {
                State::Established(self)
            }
            Event::KeepaliveTimerExpires => {
                cx.due.keepalive = true;
                cx.start_keepalive_timer(now, &self.negotiated);
                State::Established(self)
            }
            Event::KeepAliveMsg | Event::UpdateMsg => {
                cx.start_hold_timer(now, &self.negotiated);
                State::Established(self)
            }
            ending => self.end(cx, now, ending),
        }
    }

    /// Ends the session, as every other event does.
    fn end(self, cx: &mut Context, now: Instant, event: Event) -> State {
        if now.saturating_duration_since(self.since) >= STABLE_AFTER {
            cx.failures = 0;
        }

        match event {
            Event::ManualStop(cease) => cx.notify_and_stop(cease),
            Event::AutomaticStop(cease) => cx.notify_and_give_up(now, cease),
            Event::HoldTimerExpires => {
                cx.notify_and_give_up(now, Notification::hold_timer_expired())
            }
            // RFC 9687 asks us to try the NOTIFICATION. A driver gives up if it cannot write it soon.
            Event::SendHoldTimerExpires => {
                cx.notify_and_give_up(now, Notification::send_hold_timer_expired())
            }
            Event::TcpConnectionFails(error) => cx.give_up(now, Some(DownReason::Transport(error))),
            Event::NotifMsg(notification) => cx.ended_by_peer(now, notification),
            // The RFC lists event 21 among the errors of the state machine. The header error (section 6.1) says more
            // to the peer.
            Event::BgpHeaderErr(notification) | Event::UpdateMsgErr(notification) => {
                cx.notify_and_give_up(now, notification)
            }
            Event::OpenCollisionDump => cx.notify_and_stand_down(),
            _ => cx.notify_and_give_up(
                now,
                Notification::fsm_error(FsmSubcode::UNEXPECTED_IN_ESTABLISHED),
            ),
        }
    }
}
