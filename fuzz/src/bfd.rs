//! BFD: any datagrams, pauses and commands leave a session in a state that RFC 5880 allows, with the timers that it needs.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bgp_session::bfd::{BfdProfile, Diagnostic, Packet, Session, State};

use crate::input::{Input, is_set};
use crate::judge::judge_text;

/// Our name for the session under test.
const OURS: NonZeroU32 = NonZeroU32::new(7).expect("7 is not 0");
/// The name that the honest router has for it.
const THEIRS: NonZeroU32 = NonZeroU32::new(99).expect("99 is not 0");
/// The most packets of one instant: one answers a poll, one is due.
const BURST: usize = 2;
/// The slowest interval before a session is up, in microseconds.
const SLOW: u32 = 1_000_000;

/// The input is a profile, and steps: datagrams, pauses, and commands. Afterwards an honest router brings the session up.
pub fn check(input: &[u8]) {
    judge_codec(input);

    let mut input = Input::new(input);
    let (profile, is_passive) = profile(&mut input);
    let mut driver = Driver::new(profile, is_passive);
    while !input.is_empty() {
        step(&mut driver, &mut input);
    }
    driver.heal();
}

/// What is read can be written and reads the same again; a packet depends on nothing behind it.
fn judge_codec(octets: &[u8]) {
    let packet = match Packet::decode(octets) {
        Ok(packet) => packet,
        Err(error) => return judge_text(&error.to_string()),
    };
    let written = packet.encode();
    assert_eq!(Packet::decode(&written), Ok(packet));
    for end in 0..Packet::LENGTH {
        Packet::decode(&octets[..end]).expect_err("a part of a packet is none");
    }
}

/// Reads a valid profile, and whether it is passive.
fn profile(input: &mut Input<'_>) -> (BfdProfile, bool) {
    let interval = |octet: u8| Duration::from_millis(10 + 235 * u64::from(octet));
    let (transmit, receive) = (interval(input.octet()), interval(input.octet()));
    let bits = input.octet();
    let profile = BfdProfile::new().transmit_interval(transmit).receive_interval(receive);
    let profile = profile.multiplier((bits >> 1).max(1));
    let is_passive = is_set(bits, 0);
    let profile = if is_passive { profile.passive() } else { profile };
    profile.check().expect("a valid profile");
    (profile, is_passive)
}

/// Performs one step: the low bits of an octet choose it, the high ones its details.
fn step(driver: &mut Driver, input: &mut Input<'_>) {
    let octet = input.octet();
    let how = octet >> 3;
    match octet & 7 {
        0 => {
            if let Ok(packet) = Packet::decode(input.take(Packet::LENGTH)) {
                driver.receive(&packet);
            }
        }
        1..=3 => driver.receive(&packet(how, input)),
        4 => driver.wait_for_deadline(),
        5 => driver.wait(Duration::from_millis(1 << (how % 16))),
        6 => {
            let (profile, is_passive) = profile(input);
            driver.set_profile(profile, is_passive);
        }
        _ if is_set(how, 0) => driver.disable(),
        _ => driver.enable(),
    }
}

/// A packet that a router could send in this session.
fn packet(how: u8, input: &mut Input<'_>) -> Packet {
    let bits = input.octet();
    let interval = |octet: u8| match octet {
        0 => 0,
        0xff => u32::MAX,
        octet => u32::from(octet) * 10_000,
    };
    let (desired, required) = (input.octet(), input.octet());
    Packet {
        diagnostic: Diagnostic(bits & 0x1f),
        state: State::ALL[usize::from(how & 3)],
        poll: is_set(how, 2),
        final_answer: is_set(how, 3),
        control_plane_independent: is_set(bits, 5),
        demand: is_set(bits, 6),
        detect_multiplier: if is_set(how, 4) { 255 } else { 3 },
        my_discriminator: THEIRS.get(),
        your_discriminator: OURS.get(),
        desired_min_tx: interval(desired),
        required_min_rx: interval(required),
        required_min_echo_rx: 0,
    }
}

/// What has just happened to the session. It decides which changes of state are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Packet(State),
    /// `true` if the detection time has passed.
    Time(bool),
    Disabled,
    Enabled,
    Profile,
}

/// A session with the model of it.
struct Driver {
    session: Session,
    now: Instant,
    state: State,
    is_passive: bool,
    /// The time of the last packet of the router, until the session forgets the router.
    heard: Option<Instant>,
    /// The router's last wish: 0 means that it wants no packets.
    required_min_rx: u32,
    ups: u64,
    failures: u64,
    sent: u64,
    /// The packets that the session has sent since they were last taken.
    outbox: Vec<Packet>,
}

impl Driver {
    fn new(profile: BfdProfile, is_passive: bool) -> Self {
        let now = Instant::now();
        let mut driver = Self {
            session: Session::new(now, profile, OURS, 1),
            now,
            state: State::Down,
            is_passive,
            heard: None,
            required_min_rx: 1,
            ups: 0,
            failures: 0,
            sent: 0,
            outbox: Vec::new(),
        };
        driver.settle(Cause::Profile);
        driver
    }

    fn receive(&mut self, packet: &Packet) {
        self.session.receive(self.now, packet);
        (self.heard, self.required_min_rx) = (Some(self.now), packet.required_min_rx);
        self.settle(Cause::Packet(packet.state));
    }

    fn wait_for_deadline(&mut self) {
        if let Some(deadline) = self.session.poll_timeout() {
            self.now = self.now.max(deadline);
            self.expire();
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.expire();
    }

    fn expire(&mut self) {
        let deadline = self.heard.map(|heard| heard + self.session.detection_time());
        let is_over = deadline.is_some_and(|deadline| deadline <= self.now);
        self.session.handle_timeout(self.now);
        if is_over {
            (self.heard, self.required_min_rx) = (None, 1);
            assert_eq!(self.session.remote_discriminator(), 0, "a silent router is forgotten");
        }
        self.settle(Cause::Time(is_over));
    }

    fn set_profile(&mut self, profile: BfdProfile, is_passive: bool) {
        self.is_passive = is_passive;
        self.session.set_profile(self.now, profile);
        self.settle_command(Cause::Profile);
    }

    fn disable(&mut self) {
        self.session.disable(self.now);
        self.settle_command(Cause::Disabled);
    }

    fn enable(&mut self) {
        self.session.enable(self.now);
        self.settle_command(Cause::Enabled);
    }

    /// Does the same as [`settle`](Self::settle) after a command. A shorter detection time comes into force with it, and may have
    /// passed already.
    fn settle_command(&mut self, cause: Cause) {
        self.settle(cause);
        self.expire();
    }

    /// Takes everything that a change has caused, and checks it.
    fn settle(&mut self, cause: Cause) {
        let expected = expected(self.state, cause);
        let mut events = 0;
        while let Some(event) = self.session.poll_event() {
            events += 1;
            assert_eq!((event.from, event.to), (self.state, expected), "after {cause:?}");
            judge_text(&event.to_string());
            self.ups += u64::from(event.to == State::Up);
            self.failures += u64::from(event.is_failure());
        }
        assert_eq!(events, usize::from(self.state != expected), "after {cause:?}");
        assert_eq!(self.session.state(), expected, "from {} after {cause:?}", self.state);
        self.state = expected;

        let mut burst = 0;
        while let Some(packet) = self.session.poll_transmit(self.now) {
            burst += 1;
            assert!(burst <= BURST, "endless packets");
            self.sent += 1;
            self.judge_packet(&packet);
            self.outbox.push(packet);
        }
        if !matches!(cause, Cause::Profile | Cause::Disabled | Cause::Enabled) {
            self.judge_timers();
        }

        let stats = self.session.stats();
        assert_eq!((stats.ups, stats.failures, stats.sent), (self.ups, self.failures, self.sent));
    }

    /// A packet that we send is one that a router accepts.
    fn judge_packet(&self, packet: &Packet) {
        assert_eq!(Packet::decode(&packet.encode()).as_ref(), Ok(packet));
        assert_eq!((packet.state, packet.my_discriminator), (self.state, OURS.get()));
        assert_eq!(packet.your_discriminator, self.session.remote_discriminator());
        assert!(!packet.poll || !packet.final_answer, "a packet polls or answers (section 6.8.7)");
        assert!(!packet.demand, "Demand mode is not implemented");
        let is_fast = packet.desired_min_tx < SLOW;
        assert!(!is_fast || self.state == State::Up, "at most once a second in {}", self.state);
        assert!(
            self.heard.is_some() || !self.is_passive,
            "a passive end waits for the router (section 6.1)"
        );
    }

    /// No timer stays due, and none is missing.
    fn judge_timers(&self) {
        let deadline = self.session.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.now), "a timer that stays due spins");

        // The detection time also counts in Down, until the router is forgotten (section 6.8.1).
        if let Some(heard) = self.heard {
            let silent = heard + self.session.detection_time();
            assert!(deadline.is_some_and(|at| at <= silent), "silence would go unnoticed");
        } else {
            assert!(matches!(self.state, State::Down | State::AdminDown), "without a router");
        }

        // It sends at the negotiated interval, unless it must not (section 6.8.7).
        let must_send = self.required_min_rx > 0
            && (self.heard.is_some() || !self.is_passive && self.state != State::AdminDown);
        if must_send {
            let latest = self.now + self.session.transmit_interval();
            assert!(deadline.is_some_and(|at| at <= latest), "it has stopped sending");
        }
    }

    /// An honest router appears, and both ends come up and stay up.
    fn heal(&mut self) {
        self.enable();
        self.outbox.clear();
        let mut router = Session::new(self.now, BfdProfile::new(), THEIRS, 2);
        let (up_by, end) = (self.now + COMES_UP, self.now + STAYS_UP);
        while self.now < end {
            router.handle_timeout(self.now);
            self.expire();
            for packet in std::mem::take(&mut self.outbox) {
                router.receive(self.now, &packet);
            }
            while let Some(packet) = router.poll_transmit(self.now) {
                self.receive(&packet);
            }
            for packet in std::mem::take(&mut self.outbox) {
                router.receive(self.now, &packet);
            }

            let is_up = self.state == State::Up && router.state() == State::Up;
            assert!(is_up || self.now < up_by, "{} and {}", self.state, router.state());
            let deadlines = [self.session.poll_timeout(), router.poll_timeout()];
            let next = deadlines.into_iter().flatten().min().expect("an active end has a timer");
            // What was received at this instant may be answered in it.
            self.now = next.max(self.now + Duration::from_millis(1));
        }
    }
}

/// The state that RFC 5880 demands after a state and a cause: the table of section 6.8.6, and sections 6.8.4 and 6.8.16.
fn expected(state: State, cause: Cause) -> State {
    use State::{AdminDown, Down, Init, Up};
    match (cause, state) {
        (Cause::Disabled, _) => AdminDown,
        (Cause::Enabled, AdminDown) => Down,
        (Cause::Profile | Cause::Packet(_) | Cause::Time(_), AdminDown) => AdminDown,
        (Cause::Packet(AdminDown), _) => Down,
        (Cause::Packet(Down), Down) => Init,
        (Cause::Packet(Init), Down) => Up,
        (Cause::Packet(Init | Up), Init) => Up,
        (Cause::Packet(Down), Up) => Down,
        (Cause::Time(true), Init | Up) => Down,
        (Cause::Packet(_) | Cause::Time(_) | Cause::Enabled | Cause::Profile, state) => state,
    }
}

/// The time by which both ends are up with an honest router: what is not urgent waits for the longest interval of a profile, a
/// minute.
const COMES_UP: Duration = Duration::from_secs(125);
/// The time for which they are observed.
const STAYS_UP: Duration = Duration::from_secs(200);

/// Sessions that come up, poll, fall silent and are disabled, and datagrams that are discarded.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    // The default profile: 300 ms and a multiplier of 3.
    let head = [1, 1, 6];
    let packet = |state: u8, more: u8| [1 | (state | more) << 3, 0, 30, 30];
    let (down, init, up) = (packet(1, 0), packet(2, 0), packet(3, 0));
    let [poll, answer] = [packet(3, 4), packet(3, 8)];
    let comes_up = [&head[..], &down, &init, &answer, &[4, 4], &up].concat();
    let datagram = Packet {
        diagnostic: Diagnostic::NONE,
        state: State::Init,
        poll: true,
        final_answer: false,
        control_plane_independent: true,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: THEIRS.get(),
        your_discriminator: OURS.get(),
        desired_min_tx: 300_000,
        required_min_rx: 300_000,
        required_min_echo_rx: 0,
    };

    vec![
        ("datagram".to_owned(), datagram.encode().to_vec()),
        ("datagram-step".to_owned(), [&head[..], &[0], &datagram.encode()].concat()),
        ("silence".to_owned(), [&comes_up[..], &[4; 12]].concat()),
        ("poll".to_owned(), [&comes_up[..], &poll, &[6, 9, 2, 6], &answer, &[4, 4]].concat()),
        ("passive".to_owned(), [&[1, 1, 7, 4, 0x6d][..], &down, &up, &[4, 4]].concat()),
        ("disabled".to_owned(), [&comes_up[..], &[0x0f], &up, &down, &[7, 4], &down].concat()),
        ("no-packets".to_owned(), [&comes_up[..], &[0x19, 0, 0, 0, 4, 4, 4], &up].concat()),
        ("slow".to_owned(), [&head[..], &[0x89, 0, 0xff, 0xff], &init, &[4, 0x7d, 4]].concat()),
    ]
}
