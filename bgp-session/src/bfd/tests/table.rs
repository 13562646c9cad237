//! Every event in every state: a packet in each state of the other end, which may know us or not, silence, and
//! the operator's actions (RFC 5880 sections 6.8.4, 6.8.6 and 6.8.16).

use super::*;

enum Event {
    Packet(State),
    /// The other end doesn't know us: it has been restarted, or has never heard us.
    Stranger(State),
    Silence,
    Disable,
    Enable,
}

const EVENTS: [(&str, Event); 9] = [
    ("AdminDown", Event::Packet(State::AdminDown)),
    ("Down", Event::Packet(State::Down)),
    ("Init", Event::Packet(State::Init)),
    ("Up", Event::Packet(State::Up)),
    ("AdminDown, unknowing", Event::Stranger(State::AdminDown)),
    ("Down, unknowing", Event::Stranger(State::Down)),
    ("silence", Event::Silence),
    ("disable", Event::Disable),
    ("enable", Event::Enable),
];

/// Feeds every event to a new session in `state`, and returns its new state, the reason, and the packet that it sends at once.
fn check(state: State, expected: [&str; 9]) {
    let actual = EVENTS.map(|(name, event)| {
        let now = epoch();
        let mut session = session_in(state, now, BfdProfile::new());
        let mut then = now + ms(1);
        match event {
            Event::Packet(remote) => session.receive(then, &packet(remote)),
            Event::Stranger(remote) => {
                session.receive(then, &Packet { your_discriminator: 0, ..packet(remote) });
            }
            Event::Silence => {
                then = now + session.detection_time();
                session.handle_timeout(then);
            }
            Event::Disable => session.disable(then),
            Event::Enable => session.enable(then),
        }
        let transition = session.poll_event();
        assert_eq!(session.poll_event(), None);
        let said = (!matches!(event, Event::Silence) || transition.is_some())
            .then(|| session.poll_transmit(then))
            .flatten();
        let words = transition.map_or(String::new(), |it| {
            assert_eq!((it.from, it.to), (state, session.state()));
            let failure = if it.is_failure() { ", a failure" } else { "" };
            format!(" ({}{failure})", it.diagnostic)
        });
        let said = said.map_or(String::new(), |packet| {
            let poll = if packet.poll { " P" } else { "" };
            format!(", says {} to {}{poll}", packet.state, packet.your_discriminator)
        });
        format!("{name} -> {}{words}{said}", session.state())
    });
    assert_eq!(actual, expected, "in {state}");
}

#[test]
fn down() {
    check(
        State::Down,
        [
            "AdminDown -> Down",
            "Down -> Init (no diagnostic), says Init to 99",
            "Init -> Up (no diagnostic), says Up to 99 P",
            "Up -> Down",
            "AdminDown, unknowing -> Down",
            "Down, unknowing -> Init (no diagnostic), says Init to 99",
            "silence -> Down",
            "disable -> AdminDown (administratively down), says AdminDown to 99",
            "enable -> Down",
        ],
    );
}

#[test]
fn init() {
    check(
        State::Init,
        [
            "AdminDown -> Down (neighbor signaled session down), says Down to 99",
            "Down -> Init",
            "Init -> Up (no diagnostic), says Up to 99 P",
            "Up -> Up (no diagnostic), says Up to 99 P",
            "AdminDown, unknowing -> Down (neighbor signaled session down), says Down to 99",
            "Down, unknowing -> Init",
            "silence -> Down (control detection time expired), says Down to 0",
            "disable -> AdminDown (administratively down), says AdminDown to 99",
            "enable -> Init",
        ],
    );
}

#[test]
fn up() {
    check(
        State::Up,
        [
            "AdminDown -> Down (neighbor signaled session down), says Down to 99",
            "Down -> Down (neighbor signaled session down, a failure), says Down to 99",
            "Init -> Up",
            "Up -> Up",
            "AdminDown, unknowing -> Down (neighbor signaled session down), says Down to 99",
            "Down, unknowing -> Down (neighbor signaled session down, a failure), says Down to 99",
            "silence -> Down (control detection time expired, a failure), says Down to 0",
            "disable -> AdminDown (administratively down), says AdminDown to 99",
            "enable -> Up",
        ],
    );
}

#[test]
fn admin_down() {
    check(
        State::AdminDown,
        [
            "AdminDown -> AdminDown, says AdminDown to 99",
            "Down -> AdminDown, says AdminDown to 99",
            "Init -> AdminDown, says AdminDown to 99",
            "Up -> AdminDown, says AdminDown to 99",
            "AdminDown, unknowing -> AdminDown, says AdminDown to 99",
            "Down, unknowing -> AdminDown, says AdminDown to 99",
            "silence -> AdminDown",
            "disable -> AdminDown",
            "enable -> Down (no diagnostic), says Down to 0",
        ],
    );
}

#[test]
fn a_poll_is_answered_in_every_state_but_admin_down() {
    for state in State::ALL {
        for remote in [State::Init, State::Up] {
            let now = epoch();
            let mut session = session_in(state, now, BfdProfile::new());
            session.receive(now + ms(1), &Packet { poll: true, ..packet(remote) });
            let answer = session.poll_transmit(now + ms(1)).filter(|answer| answer.final_answer);
            assert_eq!(answer.is_some(), state != State::AdminDown, "in {state}");
            assert!(answer.is_none_or(|answer| !answer.poll), "never P and F at once");
        }
    }
}
