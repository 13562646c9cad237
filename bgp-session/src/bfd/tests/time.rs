//! The times of packets, and the detection of silence.

use super::*;

#[test]
fn a_session_that_is_not_up_sends_once_a_second_with_jitter() {
    let now = epoch();
    let mut session = session(now, BfdProfile::new().interval(ms(10)));
    let sent = run(&mut session, now, now + ms(100_000));
    assert_eq!(sent[0].0, ms(0), "the first at once");
    assert!((100..=134).contains(&sent.len()), "{}", sent.len());
    for pair in sent.windows(2) {
        let pause = pair[1].0 - pair[0].0;
        assert!((ms(750)..=ms(1_000)).contains(&pause), "{pause:?}");
    }
    assert!(sent.iter().all(|(_, packet)| packet.desired_min_tx == 1_000_000));
    assert!(sent.iter().all(|(_, packet)| packet.your_discriminator == 0));
}

#[test]
fn with_a_multiplier_of_one_a_tenth_of_the_interval_is_spared() {
    let now = epoch();
    let mut session = session(now, BfdProfile::new().multiplier(1));
    for pair in run(&mut session, now, now + ms(300_000)).windows(2) {
        let pause = pair[1].0 - pair[0].0;
        assert!((ms(750)..=ms(900)).contains(&pause), "{pause:?}");
    }
}

#[test]
fn the_seed_determines_the_jitter() {
    let sent = |seed| {
        let now = epoch();
        let discriminator = NonZeroU32::new(OURS).unwrap();
        let mut session = Session::new(now, BfdProfile::new(), discriminator, seed);
        run(&mut session, now, now + ms(10_000))
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn a_passive_session_waits_for_the_first_packet() {
    let now = epoch();
    let mut session = session(now, BfdProfile::new().passive());
    assert_eq!(session.poll_timeout(), None);
    assert!(run(&mut session, now, now + ms(60_000)).is_empty());
    session.receive(now, &Packet { your_discriminator: 0, ..packet(State::Down) });
    assert_eq!(session.poll_transmit(now).unwrap().state, State::Init);
    // After the detection time the router is forgotten, and the session stops sending.
    let sent = run(&mut session, now, now + ms(60_000));
    assert!(sent.last().is_none_or(|(at, _)| *at <= ms(900)), "{sent:?}");
}

#[test]
fn silence_is_noticed_after_the_routers_multiplier_times_the_slower_interval() {
    // Our receive interval, the router's transmit interval, and the router's multiplier.
    for (receive, send, multiplier, expected) in
        [(300, 50_u32, 3, 900), (50, 300, 3, 900), (50, 50, 3, 150), (10, 20, 200, 4_000)]
    {
        let now = epoch();
        let profile = BfdProfile::new().receive_interval(ms(receive)).multiplier(9);
        let mut session = session_in(State::Up, now, profile);
        let last = now + ms(5);
        session.receive(
            last,
            &Packet {
                desired_min_tx: send * 1_000,
                detect_multiplier: multiplier,
                ..packet(State::Up)
            },
        );
        assert_eq!(session.detection_time(), ms(expected));
        session.handle_timeout(last + ms(expected) - Duration::from_micros(1));
        assert_eq!(session.state(), State::Up);
        session.handle_timeout(last + ms(expected));
        assert_eq!(session.state(), State::Down);
        assert_eq!(
            session.remote_discriminator(),
            0,
            "it may come back with another discriminator"
        );
        assert_eq!(session.stats().failures, 1);
    }
}

#[test]
fn a_router_that_receives_more_slowly_gets_packets_more_slowly() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(50)));
    session.receive(now, &Packet { required_min_rx: 2_000_000, ..packet(State::Up) });
    assert_eq!(session.transmit_interval(), ms(2_000));
    // The session sends faster at once when the router allows it.
    let later = now + ms(300);
    session.receive(later, &Packet { required_min_rx: 50_000, ..packet(State::Up) });
    assert!(session.poll_timeout().unwrap() <= later + ms(50));
    assert!(session.poll_transmit(later + ms(50)).is_some());
}

#[test]
fn a_router_that_wants_no_packets_gets_none_but_answers() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new());
    session.receive(now, &Packet { required_min_rx: 0, ..packet(State::Up) });
    assert!(run(&mut session, now, now + ms(800)).is_empty());
    session.receive(now + ms(800), &Packet { required_min_rx: 0, poll: true, ..packet(State::Up) });
    assert!(session.poll_transmit(now + ms(800)).unwrap().final_answer);
    assert_eq!(session.poll_transmit(now + ms(800)), None);
}

#[test]
fn a_session_that_goes_down_says_so_at_once_and_slowly_from_then_on() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(50)));
    let sent = run(&mut session, now, now + ms(10_000));
    let down: Vec<_> = sent.iter().filter(|(_, packet)| packet.state == State::Down).collect();
    assert_eq!(down[0].0, ms(900), "at the detection time");
    assert_eq!(down[0].1.diagnostic, Diagnostic::DETECTION_TIME_EXPIRED);
    assert!(down.windows(2).all(|pair| pair[1].0 - pair[0].0 >= ms(750)), "{down:?}");
    assert!(
        sent.iter().filter(|(at, _)| *at < ms(900)).count() >= 3,
        "the router can receive every 300 ms"
    );
}
