//! Tables for machines that behave differently by configuration or direction (section 8.2.2): passive peers, the
//! DelayOpenTimer, and connections that the peer opened.

use super::table::check_machine;
use super::*;

fn passive() -> FsmConfig {
    let mut config = config();
    config.connect_mode = ConnectMode::Passive;
    config
}

fn delayed() -> FsmConfig {
    let mut config = config();
    config.delay_open_time = Some(secs(3));
    config
}

/// A machine with nothing left to poll.
fn quiet(mut fsm: Fsm) -> Fsm {
    let _ = report(&mut fsm);
    fsm
}

/// Events 4, 5 and 7.
#[test]
fn idle_of_a_passive_peer() {
    check_machine(
        |_| Fsm::outgoing(Arc::new(passive())),
        &[
            "1 ManualStart -> Active:  []",
            "2 ManualStop -> Idle:  []",
            "3 AutomaticStart -> Active:  []",
            "8 AutomaticStop -> Idle:  []",
            "9 ConnectRetryTimer -> Idle:  []",
            "10 HoldTimer -> Idle:  []",
            "11 KeepaliveTimer -> Idle:  []",
            "12 DelayOpenTimer -> Idle:  []",
            "13 IdleHoldTimer -> Active:  []",
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
fn active_of_a_passive_peer() {
    check_machine(
        |now| {
            let mut fsm = Fsm::outgoing(Arc::new(passive()));
            fsm.handle(now, Event::ManualStart);
            quiet(fsm)
        },
        &[
            "1 ManualStart -> Active:  []",
            "2 ManualStop -> Idle: close []",
            "3 AutomaticStart -> Active:  []",
            "8 AutomaticStop -> Idle: close []",
            "9 ConnectRetryTimer -> Idle: close []",
            "10 HoldTimer -> Idle: close []",
            "11 KeepaliveTimer -> Idle: close []",
            "12 DelayOpenTimer -> OpenSent: OPEN [Hold]",
            "13 IdleHoldTimer -> Idle: close []",
            "17 TcpConfirmed -> OpenSent: OPEN [Hold]",
            "18 TcpFails -> Idle: close, failed by transport []",
            "19 BgpOpen -> Idle: close []",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 []",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 []",
            "23 OpenCollisionDump -> Idle: close []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer []",
            "25 NotifMsg -> Idle: close, failed by peer []",
            "26 KeepAliveMsg -> Idle: close []",
            "27 UpdateMsg -> Idle: close []",
            "28 UpdateMsgErr -> Idle: close []",
            "29 SendHoldTimer -> Idle: close []",
        ],
    );
}

/// Includes event 20.
#[test]
fn connect_with_the_delay_open_timer() {
    check_machine(
        |now| {
            let mut fsm = Fsm::outgoing(Arc::new(delayed()));
            fsm.handle(now, Event::ManualStart);
            fsm.handle(now, Event::TcpConnectionConfirmed);
            quiet(fsm)
        },
        &[
            "1 ManualStart -> Connect:  [DelayOpen]",
            "2 ManualStop -> Idle: close []",
            "3 AutomaticStart -> Connect:  [DelayOpen]",
            "8 AutomaticStop -> Idle: close [IdleHold]",
            "9 ConnectRetryTimer -> Connect: close, failed by transport, connect [ConnectRetry]",
            "10 HoldTimer -> Idle: close [IdleHold]",
            "11 KeepaliveTimer -> Idle: close [IdleHold]",
            "12 DelayOpenTimer -> OpenSent: OPEN [Hold]",
            "13 IdleHoldTimer -> Idle: close [IdleHold]",
            "17 TcpConfirmed -> Connect:  [DelayOpen]",
            "18 TcpFails -> Active: close [ConnectRetry]",
            "19 BgpOpen -> OpenConfirm: OPEN, KEEPALIVE [Hold Keepalive]",
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

/// Includes event 20.
#[test]
fn active_with_the_delay_open_timer() {
    check_machine(
        |now| quiet(Fsm::incoming(Arc::new(delayed()), now)),
        &[
            "1 ManualStart -> Active:  [DelayOpen]",
            "2 ManualStop -> Idle: close []",
            "3 AutomaticStart -> Active:  [DelayOpen]",
            "8 AutomaticStop -> Idle: close []",
            "9 ConnectRetryTimer -> Idle: close []",
            "10 HoldTimer -> Idle: close []",
            "11 KeepaliveTimer -> Idle: close []",
            "12 DelayOpenTimer -> OpenSent: OPEN [Hold]",
            "13 IdleHoldTimer -> Idle: close []",
            "17 TcpConfirmed -> Active:  [DelayOpen]",
            "18 TcpFails -> Idle: close, failed by transport []",
            "19 BgpOpen -> OpenConfirm: OPEN, KEEPALIVE [Hold Keepalive]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 []",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 []",
            "23 OpenCollisionDump -> Idle: close []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer []",
            "25 NotifMsg -> Idle: close, failed by peer []",
            "26 KeepAliveMsg -> Idle: close []",
            "27 UpdateMsg -> Idle: close []",
            "28 UpdateMsgErr -> Idle: close []",
            "29 SendHoldTimer -> Idle: close []",
        ],
    );
}

#[test]
fn open_sent_of_a_connection_that_the_peer_opened() {
    check_machine(
        |now| quiet(Fsm::incoming(Arc::new(config()), now)),
        &[
            "1 ManualStart -> OpenSent:  [Hold]",
            "2 ManualStop -> Idle: close, failed by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> OpenSent:  [Hold]",
            "8 AutomaticStop -> Idle: close, failed by us, NOTIFICATION 6/2 []",
            "9 ConnectRetryTimer -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "10 HoldTimer -> Idle: close, failed by us, NOTIFICATION 4/0 []",
            "11 KeepaliveTimer -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "12 DelayOpenTimer -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "13 IdleHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "17 TcpConfirmed -> OpenSent:  [Hold]",
            "18 TcpFails -> Idle: close, failed by transport []",
            "19 BgpOpen -> OpenConfirm: KEEPALIVE [Hold Keepalive]",
            "21 BgpHeaderErr -> Idle: close, failed by us, NOTIFICATION 1/2 []",
            "22 BgpOpenMsgErr -> Idle: close, failed by us, NOTIFICATION 2/6 []",
            "23 OpenCollisionDump -> Idle: close, failed by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, failed by peer []",
            "25 NotifMsg -> Idle: close, failed by peer []",
            "26 KeepAliveMsg -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "27 UpdateMsg -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "28 UpdateMsgErr -> Idle: close, failed by us, NOTIFICATION 5/1 []",
            "29 SendHoldTimer -> Idle: close, failed by us, NOTIFICATION 5/1 []",
        ],
    );
}

#[test]
fn established_of_a_connection_that_the_peer_opened() {
    check_machine(
        |now| {
            let mut fsm = Fsm::incoming(Arc::new(config()), now);
            fsm.handle(now, Event::BgpOpen(open()));
            fsm.handle(now, Event::KeepAliveMsg);
            quiet(fsm)
        },
        &[
            "1 ManualStart -> Established:  [Hold Keepalive]",
            "2 ManualStop -> Idle: close, down by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> Established:  [Hold Keepalive]",
            "8 AutomaticStop -> Idle: close, down by us, NOTIFICATION 6/2 []",
            "9 ConnectRetryTimer -> Idle: close, down by us, NOTIFICATION 5/3 []",
            "10 HoldTimer -> Idle: close, down by us, NOTIFICATION 4/0 []",
            "11 KeepaliveTimer -> Established: KEEPALIVE [Hold Keepalive]",
            "12 DelayOpenTimer -> Idle: close, down by us, NOTIFICATION 5/3 []",
            "13 IdleHoldTimer -> Idle: close, down by us, NOTIFICATION 5/3 []",
            "17 TcpConfirmed -> Established:  [Hold Keepalive]",
            "18 TcpFails -> Idle: close, down by transport []",
            "19 BgpOpen -> Idle: close, down by us, NOTIFICATION 5/3 []",
            "21 BgpHeaderErr -> Idle: close, down by us, NOTIFICATION 1/2 []",
            "22 BgpOpenMsgErr -> Idle: close, down by us, NOTIFICATION 5/3 []",
            "23 OpenCollisionDump -> Idle: close, down by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, down by peer []",
            "25 NotifMsg -> Idle: close, down by peer []",
            "26 KeepAliveMsg -> Established:  [Hold Keepalive]",
            "27 UpdateMsg -> Established:  [Hold Keepalive]",
            "28 UpdateMsgErr -> Idle: close, down by us, NOTIFICATION 3/1 []",
            "29 SendHoldTimer -> Idle: close, down by us, NOTIFICATION 8/0 []",
        ],
    );
}

/// Event 29 does not occur while octets are sent.
#[test]
fn established_while_octets_wait() {
    check_machine(
        |now| {
            let mut fsm = fsm_in(config(), StateKind::Established, now);
            fsm.send_blocked(now);
            fsm
        },
        &[
            "1 ManualStart -> Established:  [Hold SendHold Keepalive]",
            "2 ManualStop -> Idle: close, down by us, NOTIFICATION 6/2 []",
            "3 AutomaticStart -> Established:  [Hold SendHold Keepalive]",
            "8 AutomaticStop -> Idle: close, down by us, NOTIFICATION 6/2 [IdleHold]",
            "9 ConnectRetryTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "10 HoldTimer -> Idle: close, down by us, NOTIFICATION 4/0 [IdleHold]",
            "11 KeepaliveTimer -> Established: KEEPALIVE [Hold SendHold Keepalive]",
            "12 DelayOpenTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "13 IdleHoldTimer -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "17 TcpConfirmed -> Established:  [Hold SendHold Keepalive]",
            "18 TcpFails -> Idle: close, down by transport [IdleHold]",
            "19 BgpOpen -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "21 BgpHeaderErr -> Idle: close, down by us, NOTIFICATION 1/2 [IdleHold]",
            "22 BgpOpenMsgErr -> Idle: close, down by us, NOTIFICATION 5/3 [IdleHold]",
            "23 OpenCollisionDump -> Idle: close, down by us, NOTIFICATION 6/7 []",
            "24 NotifMsgVerErr -> Idle: close, down by peer [IdleHold]",
            "25 NotifMsg -> Idle: close, down by peer [IdleHold]",
            "26 KeepAliveMsg -> Established:  [Hold SendHold Keepalive]",
            "27 UpdateMsg -> Established:  [Hold SendHold Keepalive]",
            "28 UpdateMsgErr -> Idle: close, down by us, NOTIFICATION 3/1 [IdleHold]",
            "29 SendHoldTimer -> Idle: close, down by us, NOTIFICATION 8/0 [IdleHold]",
        ],
    );
}
