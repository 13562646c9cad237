//! Poll Sequences: a change of timers takes effect when the other end has confirmed it (sections 6.5 and 6.8.3).

use super::*;

fn answer() -> Packet {
    Packet { final_answer: true, ..packet(State::Up) }
}

#[test]
fn a_poll_announces_the_real_intervals_when_the_session_is_up() {
    let now = epoch();
    let mut session = session(now, BfdProfile::new().interval(ms(300)));
    session.receive(now, &packet(State::Init));
    let said = session.poll_transmit(now).unwrap();
    assert_eq!((said.state, said.poll, said.desired_min_tx), (State::Up, true, 300_000));
    assert_eq!(session.transmit_interval(), ms(300), "sending faster needs no confirmation");
    // The session polls until it is answered.
    let again = run(&mut session, now, now + ms(800));
    assert!(again.len() >= 2 && again.iter().all(|(_, packet)| packet.poll), "{again:?}");
    session.receive(now + ms(800), &answer());
    let rest = run(&mut session, now + ms(800), now + ms(1_600));
    assert!(!rest.is_empty() && rest.iter().all(|(_, packet)| !packet.poll), "{rest:?}");
}

#[test]
fn slower_sending_waits_for_the_confirmation() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(300)));
    session.set_profile(now, BfdProfile::new().interval(ms(300)).transmit_interval(ms(2_000)));
    let said = session.poll_transmit(now).unwrap();
    assert_eq!((said.poll, said.desired_min_tx), (true, 2_000_000));
    assert_eq!(session.transmit_interval(), ms(300));
    session.receive(now + ms(10), &answer());
    assert_eq!(session.transmit_interval(), ms(2_000));
}

#[test]
fn a_shorter_detection_time_waits_for_the_confirmation() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(1_000)));
    assert_eq!(session.detection_time(), ms(3_000));
    session.set_profile(now, BfdProfile::new().interval(ms(300)));
    assert_eq!(session.poll_transmit(now).unwrap().required_min_rx, 300_000);
    assert_eq!(session.detection_time(), ms(3_000), "the router still sends as slowly");
    session.receive(now + ms(10), &answer());
    assert_eq!(session.detection_time(), ms(900));
}

#[test]
fn a_longer_detection_time_and_faster_sending_need_no_confirmation() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(1_000)));
    let milder = BfdProfile::new().transmit_interval(ms(400)).receive_interval(ms(5_000));
    session.set_profile(now, milder);
    assert_eq!(session.detection_time(), ms(15_000));
    assert_eq!(session.transmit_interval(), ms(400));
}

#[test]
fn a_second_change_waits_for_the_answer_to_the_first() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new().interval(ms(300)));
    session.set_profile(now, BfdProfile::new().interval(ms(500)));
    assert_eq!(session.poll_transmit(now).unwrap().desired_min_tx, 500_000);
    session.set_profile(now, BfdProfile::new().interval(ms(700)));
    session.receive(now + ms(10), &answer());
    assert_eq!(session.transmit_interval(), ms(500), "the interval that the answer confirms");
    let said = session.poll_transmit(now + ms(10)).unwrap();
    assert_eq!((said.poll, said.desired_min_tx), (true, 700_000));
    session.receive(now + ms(20), &answer());
    assert_eq!(session.transmit_interval(), ms(700));
}

#[test]
fn an_unsolicited_answer_changes_nothing() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new());
    let before = (session.transmit_interval(), session.detection_time());
    session.receive(now, &answer());
    assert_eq!((session.transmit_interval(), session.detection_time()), before);
    assert_eq!(session.poll_event(), None);
}

#[test]
fn outside_of_up_a_change_takes_effect_at_once() {
    let now = epoch();
    let mut session = session_in(State::Init, now, BfdProfile::new());
    session.set_profile(now, BfdProfile::new().interval(ms(2_000)));
    let said = session.poll_transmit(now).unwrap();
    assert_eq!(
        (said.poll, said.desired_min_tx, said.required_min_rx),
        (false, 2_000_000, 2_000_000)
    );
    assert_eq!(session.transmit_interval(), ms(2_000));
}

#[test]
fn another_multiplier_is_sent_at_once_and_needs_no_poll() {
    let now = epoch();
    let mut session = session_in(State::Up, now, BfdProfile::new());
    session.set_profile(now, BfdProfile::new().multiplier(10));
    let said = session.poll_transmit(now).unwrap();
    assert_eq!((said.poll, said.detect_multiplier), (false, 10));
    assert_eq!(session.remote_detection_time(), ms(3_000));
}
