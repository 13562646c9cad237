//! Tests of the state machine against RFC 4271: every event in every state, then behaviour over time.

mod table;
mod time;
mod variants;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::wire::{CeaseSubcode, ErrorCode};
use crate::{Asn, BgpIdentifier};

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn epoch() -> Instant {
    Instant::now()
}

fn identifier(last: u8) -> BgpIdentifier {
    BgpIdentifier(Ipv4Addr::new(10, 0, 0, last))
}

fn config() -> FsmConfig {
    FsmConfig::new(Asn(64636), identifier(1), Asn(64635))
}

/// The peer's OPEN.
fn open() -> Open {
    Open::new(Asn(64635), 90, identifier(2), vec![])
}

fn cease() -> Notification {
    Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN)
}

fn notification(code: ErrorCode, subcode: u8) -> Notification {
    Notification::new(code, subcode, bytes::Bytes::new())
}

/// An outgoing machine in `state`, reached by the shortest way, with nothing left to poll.
fn fsm_in(config: FsmConfig, state: StateKind, now: Instant) -> Fsm {
    let mut fsm = Fsm::outgoing(Arc::new(config));
    if state == StateKind::Active {
        // A machine that dials reaches Active only by losing a connection in OpenSent.
        fsm = fsm_in((*fsm.cx.config).clone(), StateKind::OpenSent, now);
        fsm.handle(now, Event::TcpConnectionFails(TransportError::Reset));
    }
    let steps = [
        (StateKind::Connect, Event::ManualStart),
        (StateKind::OpenSent, Event::TcpConnectionConfirmed),
        (StateKind::OpenConfirm, Event::BgpOpen(open())),
        (StateKind::Established, Event::KeepAliveMsg),
    ];
    for (reached, event) in steps {
        if state != StateKind::Active && reached <= state {
            fsm.handle(now, event);
        }
    }
    assert_eq!(fsm.state(), state);
    let _ = report(&mut fsm);
    fsm
}

/// The output of a machine in one line: state, actions, control messages, timers.
fn report(fsm: &mut Fsm) -> String {
    let mut words = Vec::new();
    while let Some(action) = fsm.poll_action() {
        match action {
            FsmAction::Connect => words.push("connect".to_owned()),
            FsmAction::Close => words.push("close".to_owned()),
            FsmAction::StateChange { .. } => {}
            FsmAction::Up(_) => words.push("up".to_owned()),
            FsmAction::Down(reason) => words.push(format!("down by {}", ended_by(&reason))),
            FsmAction::Failed(reason) => words.push(format!("failed by {}", ended_by(&reason))),
        }
    }
    while let Some(control) = fsm.poll_control() {
        words.push(match control {
            Control::Notification(n) => format!("NOTIFICATION {}/{}", n.code.0, n.subcode),
            Control::Open(_) => "OPEN".to_owned(),
            Control::Keepalive => "KEEPALIVE".to_owned(),
        });
    }
    let timers: Vec<_> = Timer::ALL
        .iter()
        .filter(|&&timer| fsm.deadline(timer).is_some())
        .map(|timer| format!("{timer:?}"))
        .collect();
    format!("{}: {} [{}]", fsm.state(), words.join(", "), timers.join(" "))
}

fn ended_by(reason: &DownReason) -> &'static str {
    match reason {
        DownReason::Local(_) | DownReason::Refused(_) => "us",
        DownReason::Remote(_) => "peer",
        DownReason::Transport(_) => "transport",
    }
}

/// A number of seconds.
fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
