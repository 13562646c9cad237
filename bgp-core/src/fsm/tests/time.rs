//! Tests of the state machine over time: the effect of each timer, and its time.

use super::*;

/// The time from `now` until `timer` expires.
fn due(fsm: &Fsm, timer: Timer, now: Instant) -> Duration {
    fsm.deadline(timer).expect("the timer runs").duration_since(now)
}

#[test]
fn a_silent_peer_expires_the_hold_timer_after_the_negotiated_time() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Established, now);
    assert_eq!(due(&fsm, Timer::Hold, now), secs(90));
    fsm.handle_timeout(now + secs(90) - Duration::from_nanos(1));
    assert_eq!(fsm.state(), StateKind::Established);
    let _ = report(&mut fsm);
    fsm.handle_timeout(now + secs(90));
    assert_eq!(report(&mut fsm), "Idle: close, down by us, NOTIFICATION 4/0 [IdleHold]");
}

#[test]
fn keepalives_and_updates_restart_the_hold_timer() {
    let now = epoch();
    for event in [Event::KeepAliveMsg, Event::UpdateMsg] {
        let mut fsm = fsm_in(config(), StateKind::Established, now);
        fsm.handle(now + secs(60), event);
        assert_eq!(due(&fsm, Timer::Hold, now), secs(150));
    }
}

#[test]
fn keepalives_are_sent_with_jitter_within_a_third_of_the_hold_time() {
    let now = epoch();
    let fsm = fsm_in(config(), StateKind::Established, now);
    let next = due(&fsm, Timer::Keepalive, now);
    assert!(next >= secs(30) * 3 / 4 && next <= secs(30), "{next:?}");
}

#[test]
fn a_hold_time_of_zero_runs_no_timer_at_all() {
    let mut config = config();
    config.hold_time = Duration::ZERO;
    let fsm = fsm_in(config, StateKind::Established, epoch());
    assert_eq!(fsm.poll_timeout(), None);
}

#[test]
fn the_send_hold_timer_runs_from_the_first_waiting_octet_and_restarts_after_progress() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Established, now);
    assert_eq!(fsm.deadline(Timer::SendHold), None);
    fsm.send_blocked(now);
    fsm.send_blocked(now + secs(1));
    assert_eq!(due(&fsm, Timer::SendHold, now), secs(480));
    fsm.send_progress();
    assert_eq!(fsm.deadline(Timer::SendHold), None);
    fsm.send_blocked(now + secs(5));
    for n in 1..=8 {
        // The peer is alive, but reads nothing.
        fsm.handle(now + secs(60 * n), Event::KeepAliveMsg);
    }
    fsm.handle_timeout(now + secs(485) - Duration::from_nanos(1));
    let _ = report(&mut fsm);
    assert_eq!(fsm.state(), StateKind::Established);
    fsm.handle_timeout(now + secs(485));
    assert_eq!(report(&mut fsm), "Idle: close, down by us, NOTIFICATION 8/0 [IdleHold]");
}

#[test]
fn a_peer_has_four_minutes_to_answer_the_open() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::OpenSent, now);
    assert_eq!(due(&fsm, Timer::Hold, now), secs(240));
    fsm.handle_timeout(now + secs(240));
    assert_eq!(report(&mut fsm), "Idle: close, failed by us, NOTIFICATION 4/0 [IdleHold]");
}

#[test]
fn an_attempt_that_hangs_is_repeated() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Connect, now);
    let retry = due(&fsm, Timer::ConnectRetry, now);
    assert!(retry <= secs(5) && retry >= secs(5) * 3 / 4);
    fsm.handle_timeout(now + retry);
    assert_eq!(report(&mut fsm), "Connect: close, failed by transport, connect [ConnectRetry]");
}

#[test]
fn failures_in_tcp_double_the_pause_up_to_the_connect_retry_time() {
    let pauses = pauses(|fsm, now| {
        fsm.handle(now, Event::TcpConnectionFails(TransportError::Refused));
    });
    for (pause, expected) in pauses.iter().zip([1, 2, 4, 5, 5, 5]) {
        assert!(*pause >= secs(expected) * 3 / 4 && *pause <= secs(expected), "{pauses:?}");
    }
}

#[test]
fn failures_by_notification_double_the_pause_up_to_a_minute() {
    let pauses = pauses(|fsm, now| {
        fsm.handle(now, Event::TcpConnectionConfirmed);
        fsm.handle(now, Event::NotifMsg(notification(ErrorCode::OPEN_MESSAGE, 2)));
    });
    for (pause, expected) in pauses.iter().zip([1, 2, 4, 8, 16, 32, 60, 60]) {
        assert!(*pause >= secs(expected) * 3 / 4 && *pause <= secs(expected), "{pauses:?}");
    }
}

/// The pauses between attempts that all fail in the same way.
fn pauses(fail: impl Fn(&mut Fsm, Instant)) -> Vec<Duration> {
    let mut now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Connect, now);
    (0..8)
        .map(|_| {
            fail(&mut fsm, now);
            assert_eq!(fsm.state(), StateKind::Idle);
            let pause = due(&fsm, Timer::IdleHold, now);
            now += pause;
            fsm.handle_timeout(now);
            assert_eq!(fsm.state(), StateKind::Connect);
            pause
        })
        .collect()
}

#[test]
fn a_long_session_clears_the_failures_and_a_short_one_does_not() {
    for (lasted, expected) in [(secs(29), 2), (secs(30), 1)] {
        let mut now = epoch();
        let mut fsm = fsm_in(config(), StateKind::Connect, now);
        fsm.handle(now, Event::TcpConnectionFails(TransportError::Refused));
        now += due(&fsm, Timer::IdleHold, now);
        fsm.handle_timeout(now);
        for event in [Event::TcpConnectionConfirmed, Event::BgpOpen(open()), Event::KeepAliveMsg] {
            fsm.handle(now, event);
        }
        now += lasted;
        fsm.handle(now, Event::TcpConnectionFails(TransportError::Reset));
        let pause = due(&fsm, Timer::IdleHold, now);
        assert!(
            pause > secs(expected) / 2 && pause <= secs(expected),
            "{pause:?} after {lasted:?}"
        );
    }
}

#[test]
fn the_delay_open_timer_delays_our_open_so_that_the_peer_can_send_its_own() {
    let now = epoch();
    let mut config = config();
    config.delay_open_time = Some(secs(3));
    let delayed = || {
        let mut fsm = Fsm::outgoing(Arc::new(config.clone()));
        fsm.handle(now, Event::ManualStart);
        fsm.handle(now, Event::TcpConnectionConfirmed);
        assert_eq!(report(&mut fsm), "Connect: connect [DelayOpen]");
        fsm
    };

    let mut fsm = delayed();
    fsm.handle_timeout(now + secs(3));
    assert_eq!(report(&mut fsm), "OpenSent: OPEN [Hold]");

    let mut fsm = delayed();
    fsm.handle(now, Event::BgpOpen(open()));
    assert_eq!(report(&mut fsm), "OpenConfirm: OPEN, KEEPALIVE [Hold Keepalive]");

    let mut fsm = delayed();
    fsm.handle(now, Event::TcpConnectionFails(TransportError::Reset));
    assert_eq!(report(&mut fsm), "Active: close [ConnectRetry]");
}

#[test]
fn an_open_that_does_not_fit_the_configuration_is_refused() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::OpenSent, now);
    let stranger = Open::new(Asn(65000), 90, identifier(2), vec![]);
    fsm.handle(now, Event::BgpOpen(stranger));
    assert_eq!(report(&mut fsm), "Idle: close, failed by us, NOTIFICATION 2/2 [IdleHold]");
}

#[test]
fn a_connection_that_the_peer_opened_is_not_repeated() {
    let now = epoch();
    let mut fsm = Fsm::incoming(Arc::new(config()), now);
    assert_eq!(report(&mut fsm), "OpenSent: OPEN [Hold]");
    fsm.handle(now, Event::TcpConnectionFails(TransportError::Reset));
    assert_eq!(report(&mut fsm), "Idle: close, failed by transport []");
}

#[test]
fn a_control_message_asked_for_twice_is_sent_once() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Established, now);
    fsm.handle(now, Event::KeepaliveTimerExpires);
    fsm.handle(now, Event::KeepaliveTimerExpires);
    assert_eq!(report(&mut fsm), "Established: KEEPALIVE [Hold Keepalive]");
}

#[test]
fn failures_are_counted_until_the_operator_intervenes() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Connect, now);
    fsm.handle(now, Event::TcpConnectionFails(TransportError::Refused));
    assert_eq!(fsm.connect_retry_counter(), 1);
    fsm.handle(now, Event::IdleHoldTimerExpires);
    assert_eq!(fsm.connect_retry_counter(), 1);
    fsm.handle(now, Event::ManualStop(cease()));
    assert_eq!(fsm.connect_retry_counter(), 0);
}

#[test]
fn a_timer_that_restarts_itself_never_runs_without_a_pause() {
    let now = epoch();
    let mut config = config();
    (config.connect_retry_time, config.hold_time) = (Duration::ZERO, secs(3));
    config.keepalive_time = Some(Duration::from_nanos(1));
    for state in [StateKind::Connect, StateKind::Established] {
        let mut fsm = fsm_in(config.clone(), state, now);
        fsm.handle_timeout(now + secs(1));
        assert!(fsm.poll_timeout().is_some_and(|at| at > now + secs(1)), "{state}");
    }
}

#[test]
fn a_delay_longer_than_any_clock_never_ends() {
    let now = epoch();
    let mut config = config();
    config.open_hold_time = Duration::MAX;
    config.connect_retry_time = Duration::MAX;
    config.idle_hold_time = Duration::MAX;
    let fsm = fsm_in(config.clone(), StateKind::OpenSent, now);
    assert!(due(&fsm, Timer::Hold, now) > secs(365 * 86_400));
    let mut fsm = fsm_in(config, StateKind::Connect, now);
    assert!(due(&fsm, Timer::ConnectRetry, now) > secs(365 * 86_400));
    fsm.handle(now, Event::TcpConnectionFails(TransportError::Refused));
    assert!(due(&fsm, Timer::IdleHold, now) > secs(365 * 86_400));
}

#[test]
fn a_pause_without_length_makes_no_tight_loop() {
    let mut config = config();
    (config.idle_hold_time, config.idle_hold_max) = (Duration::ZERO, Duration::ZERO);
    let now = epoch();
    let mut fsm = fsm_in(config, StateKind::Connect, now);
    fsm.handle(now, Event::TcpConnectionFails(TransportError::Refused));
    assert!(due(&fsm, Timer::IdleHold, now) >= Duration::from_millis(7));
}

#[test]
fn an_outage_of_tcp_does_not_lengthen_the_pause_after_the_first_notification() {
    let mut now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Connect, now);
    for _ in 0..100 {
        fsm.handle(now, Event::TcpConnectionFails(TransportError::Unreachable));
        now += due(&fsm, Timer::IdleHold, now);
        fsm.handle_timeout(now);
    }
    fsm.handle(now, Event::TcpConnectionConfirmed);
    fsm.handle(now, Event::NotifMsg(notification(ErrorCode::CEASE, 5)));
    assert!(due(&fsm, Timer::IdleHold, now) <= secs(8));
}

#[test]
fn each_change_of_the_state_is_reported_once_with_both_states() {
    let now = epoch();
    let mut fsm = Fsm::outgoing(Arc::new(config()));
    let mut changes = Vec::new();
    let events = [
        Event::ManualStart,
        Event::TcpConnectionConfirmed,
        Event::BgpOpen(open()),
        Event::KeepAliveMsg,
        // Neither of these changes the state.
        Event::KeepAliveMsg,
        Event::UpdateMsg,
        Event::ManualStop(cease()),
    ];
    for event in events {
        fsm.handle(now, event);
        while let Some(action) = fsm.poll_action() {
            if let FsmAction::StateChange { from, to } = action {
                changes.push((from, to));
            }
        }
    }

    let states = [
        StateKind::Idle,
        StateKind::Connect,
        StateKind::OpenSent,
        StateKind::OpenConfirm,
        StateKind::Established,
        StateKind::Idle,
    ];
    let expected: Vec<_> = states.windows(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(changes, expected);
}

#[test]
fn a_message_that_waits_restarts_an_expired_hold_timer_and_no_other() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Established, now);
    fsm.heard(now + secs(89));
    assert_eq!(due(&fsm, Timer::Hold, now), secs(90));
    fsm.heard(now + secs(90));
    assert_eq!(due(&fsm, Timer::Hold, now), secs(180));

    // Without a session there is no HoldTimer to restart.
    let mut fsm = fsm_in(config(), StateKind::OpenSent, now);
    fsm.heard(now + secs(600));
    assert_eq!(due(&fsm, Timer::Hold, now), secs(240));
}

#[test]
fn the_two_connections_of_a_peer_draw_different_jitter() {
    let now = epoch();
    let mut incoming = Fsm::incoming(Arc::new(config()), now);
    incoming.handle(now, Event::BgpOpen(open()));
    incoming.handle(now, Event::KeepAliveMsg);
    assert_eq!(incoming.state(), StateKind::Established);

    let mut outgoing = Jitter::new(config().jitter_seed);
    let drawn: Vec<_> = (0..4).map(|_| outgoing.apply(secs(30))).collect();
    assert!(!drawn.contains(&due(&incoming, Timer::Keepalive, now)), "{drawn:?}");
}

#[test]
fn a_machine_that_gave_way_starts_again_after_one_pause_and_only_from_idle() {
    let now = epoch();
    let mut fsm = fsm_in(config(), StateKind::Idle, now);
    let pause = config().idle_hold_time;
    fsm.restart_after_pause(now);
    let first = due(&fsm, Timer::IdleHold, now);
    assert!(first > Duration::ZERO && first <= pause, "{first:?}");
    // The pause that runs is not made longer.
    fsm.restart_after_pause(now + first / 2);
    assert_eq!(due(&fsm, Timer::IdleHold, now), first);
    // The operator ends it.
    fsm.handle(now, Event::ManualStop(cease()));
    assert_eq!(fsm.poll_timeout(), None);

    let mut fsm = fsm_in(config(), StateKind::OpenSent, now);
    fsm.restart_after_pause(now);
    assert_eq!(fsm.deadline(Timer::IdleHold), None);
}
