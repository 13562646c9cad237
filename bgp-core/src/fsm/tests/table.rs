//! Every event of section 8.1 in every state of section 8.2.2, and event 29 of RFC 9687.
//!
//! Some numbers have no line here. Events 4 and 5 are events 1 and 3 of a passive peer, and event 20 is event 19 while
//! the DelayOpenTimer runs; all three are in [`variants`](super::variants). Events 6 and 7, a start with
//! DampPeerOscillations, happen at event 13, because pauses are always damped. Event 14 creates a new machine. No machine
//! hears of event 15, a connection that was refused. Events 16 and 17 are the same here.

use super::*;

/// Every event, by a short name.
fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("1 ManualStart", Event::ManualStart),
        ("2 ManualStop", Event::ManualStop(cease())),
        ("3 AutomaticStart", Event::AutomaticStart),
        ("8 AutomaticStop", Event::AutomaticStop(cease())),
        ("9 ConnectRetryTimer", Event::ConnectRetryTimerExpires),
        ("10 HoldTimer", Event::HoldTimerExpires),
        ("11 KeepaliveTimer", Event::KeepaliveTimerExpires),
        ("12 DelayOpenTimer", Event::DelayOpenTimerExpires),
        ("13 IdleHoldTimer", Event::IdleHoldTimerExpires),
        ("17 TcpConfirmed", Event::TcpConnectionConfirmed),
        ("18 TcpFails", Event::TcpConnectionFails(TransportError::Reset)),
        ("19 BgpOpen", Event::BgpOpen(open())),
        ("21 BgpHeaderErr", Event::BgpHeaderErr(notification(ErrorCode::MESSAGE_HEADER, 2))),
        ("22 BgpOpenMsgErr", Event::BgpOpenMsgErr(notification(ErrorCode::OPEN_MESSAGE, 6))),
        ("23 OpenCollisionDump", Event::OpenCollisionDump),
        ("24 NotifMsgVerErr", Event::NotifMsg(notification(ErrorCode::OPEN_MESSAGE, 1))),
        ("25 NotifMsg", Event::NotifMsg(notification(ErrorCode::CEASE, 2))),
        ("26 KeepAliveMsg", Event::KeepAliveMsg),
        ("27 UpdateMsg", Event::UpdateMsg),
        ("28 UpdateMsgErr", Event::UpdateMsgErr(notification(ErrorCode::UPDATE_MESSAGE, 1))),
        ("29 SendHoldTimer", Event::SendHoldTimerExpires),
    ]
}

/// Passes every event to a new machine in `state` and compares the output with `expected`, which has one line for each
/// event, in order.
fn check(config: &FsmConfig, state: StateKind, expected: &[&str]) {
    check_machine(|now| fsm_in(config.clone(), state, now), expected);
}

/// Does the same for any machine.
pub(super) fn check_machine(machine: impl Fn(Instant) -> Fsm, expected: &[&str]) {
    let now = epoch();
    let actual: Vec<String> = events()
        .into_iter()
        .map(|(name, event)| {
            let mut fsm = machine(now);
            fsm.handle(now, event);
            format!("{name} -> {}", report(&mut fsm))
        })
        .collect();
    assert_eq!(actual, expected, "in {}", machine(now).state());
}

#[test]
fn idle() {
    check(
        &config(),
        StateKind::Idle,
        &[
            "1 ManualStart -> Connect: connect [ConnectRetry]",
            "2 ManualStop -> Idle:  []",
            "3 AutomaticStart -> Connect: connect [ConnectRetry]",
            "8 AutomaticStop -> Idle:  []",
            "9 ConnectRetryTimer -> Idle:  []",
            "10 HoldTimer -> Idle:  []",
            "11 KeepaliveTimer -> Idle:  []",
            "12 DelayOpenTimer -> Idle:  []",
            "13 IdleHoldTimer -> Connect: connect [ConnectRetry]",
            "17 TcpConfirmed -> Idle:  []",
            "18 TcpFails -> Idle:  []",
            "19 BgpOpen -> Idle:  []",
            "21 BgpHeaderErr -> Idle:  []",
            "22 BgpOpenMsgErr -> Idle:  []",
            "23 OpenCollisionDump -> Idle:  []",
            "24 NotifMsgVerErr -> Idle:  []",
            "25 NotifMsg -> Idle:  []",
            "26 KeepAliveMsg -> Idle:  []",
            "27 UpdateMsg -> Idle:  []",
            "28 UpdateMsgErr -> Idle:  []",
            "29 SendHoldTimer -> Idle:  []",
        ],
    );
}

#[test]
fn connect() {
    check(
        &config(),
        StateKind::Connect,
        &[
            "1 ManualStart -> Connect:  [ConnectRetry]",
            "2 ManualStop -> Idle: close []",
            "3 AutomaticStart -> Connect:  [ConnectRetry]",
            "8 AutomaticStop -> Idle: close [IdleHold]",
            "9 ConnectRetryTimer -> Connect: close, failed by transport, connect [ConnectRetry]",
            "10 HoldTimer -> Idle: close [IdleHold]",
            "11 KeepaliveTimer -> Idle: close [IdleHold]",
            "12 DelayOpenTimer -> OpenSent: OPEN [Hold]",
            "13 IdleHoldTimer -> Idle: close [IdleHold]",
            "17 TcpConfirmed -> OpenSent: OPEN [Hold]",
            "18 TcpFails -> Idle: close, failed by transport [IdleHold]",
            "19 BgpOpen -> Idle: close [IdleHold]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, failed by peer [IdleHold]",
            "26 KeepAliveMsg -> Idle: close [IdleHold]",
            "27 UpdateMsg -> Idle: close [IdleHold]",
            "28 UpdateMsgErr -> Idle: close [IdleHold]",
            "29 SendHoldTimer -> Idle: close [IdleHold]",
        ],
    );
}

#[test]
fn active() {
    check(
        &config(),
        StateKind::Active,
        &[
            "1 ManualStart -> Active:  [ConnectRetry]",
            "2 ManualStop -> Idle: close []",
            "3 AutomaticStart -> Active:  [ConnectRetry]",
            "8 AutomaticStop -> Idle: close [IdleHold]",
            "9 ConnectRetryTimer -> Connect: connect [ConnectRetry]",
            "10 HoldTimer -> Idle: close [IdleHold]",
            "11 KeepaliveTimer -> Idle: close [IdleHold]",
            "12 DelayOpenTimer -> OpenSent: OPEN [Hold]",
            "13 IdleHoldTimer -> Idle: close [IdleHold]",
            "17 TcpConfirmed -> OpenSent: OPEN [Hold]",
            "18 TcpFails -> Idle: close, failed by transport [IdleHold]",
            "19 BgpOpen -> Idle: close [IdleHold]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, failed by peer [IdleHold]",
            "26 KeepAliveMsg -> Idle: close [IdleHold]",
            "27 UpdateMsg -> Idle: close [IdleHold]",
            "28 UpdateMsgErr -> Idle: close [IdleHold]",
            "29 SendHoldTimer -> Idle: close [IdleHold]",
        ],
    );
}

#[test]
fn open_sent() {
    check(
        &config(),
        StateKind::OpenSent,
        &[
            "1 ManualStart -> OpenSent:  [Hold]",
            "2 ManualStop -> Idle: close, failed by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> OpenSent:  [Hold]",
            "8 AutomaticStop -> Idle: close, failed by us, NOTIFICATION 6/2 [IdleHold]",
            "9 ConnectRetryTimer -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "10 HoldTimer -> Idle: close, failed by us, NOTIFICATION 4/0 [IdleHold]",
            "11 KeepaliveTimer -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "12 DelayOpenTimer -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "13 IdleHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "17 TcpConfirmed -> OpenSent:  [Hold]",
            "18 TcpFails -> Active: close, failed by transport [ConnectRetry]",
            "19 BgpOpen -> OpenConfirm: KEEPALIVE [Hold Keepalive]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close, failed by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, failed by peer [IdleHold]",
            "26 KeepAliveMsg -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "27 UpdateMsg -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "28 UpdateMsgErr -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
            "29 SendHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/1 [IdleHold]",
        ],
    );
}

#[test]
fn open_confirm() {
    check(
        &config(),
        StateKind::OpenConfirm,
        &[
            "1 ManualStart -> OpenConfirm:  [Hold Keepalive]",
            "2 ManualStop -> Idle: close, failed by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> OpenConfirm:  [Hold Keepalive]",
            "8 AutomaticStop -> Idle: close, failed by us, NOTIFICATION 6/2 [IdleHold]",
            "9 ConnectRetryTimer -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "10 HoldTimer -> Idle: close, failed by us, NOTIFICATION 4/0 [IdleHold]",
            "11 KeepaliveTimer -> OpenConfirm: KEEPALIVE [Hold Keepalive]",
            "12 DelayOpenTimer -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "13 IdleHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "17 TcpConfirmed -> OpenConfirm:  [Hold Keepalive]",
            "18 TcpFails -> Idle: close, failed by transport [IdleHold]",
            "19 BgpOpen -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close, failed by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, failed by peer [IdleHold]",
            "26 KeepAliveMsg -> Established: up [Hold Keepalive]",
            "27 UpdateMsg -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "28 UpdateMsgErr -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
            "29 SendHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/2 [IdleHold]",
        ],
    );
}

#[test]
fn established() {
    check(
        &config(),
        StateKind::Established,
        &[
            "1 ManualStart -> Established:  [Hold Keepalive]",
            "2 ManualStop -> Idle: close, down by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> Established:  [Hold Keepalive]",
            "8 AutomaticStop -> Idle: close, down by us, NOTIFICATION 6/2 [IdleHold]",
            "9 ConnectRetryTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "10 HoldTimer -> Idle: close, down by us, NOTIFICATION 4/0 [IdleHold]",
            "11 KeepaliveTimer -> Established: KEEPALIVE [Hold Keepalive]",
            "12 DelayOpenTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "13 IdleHoldTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "17 TcpConfirmed -> Established:  [Hold Keepalive]",
            "18 TcpFails -> Idle: close, down by transport [IdleHold]",
            "19 BgpOpen -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "21 BgpHeaderErr -> Idle: close, down by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close, down by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, down by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, down by peer [IdleHold]",
            "26 KeepAliveMsg -> Established:  [Hold Keepalive]",
            "27 UpdateMsg -> Established:  [Hold Keepalive]",
            "28 UpdateMsgErr -> Idle: close, down by us, NOTIFICATION 3/1 [IdleHold]",
            "29 SendHoldTimer -> Idle: close, down by us, NOTIFICATION 8/0 [IdleHold]",
        ],
    );
}
