//! Connection collisions: if both peers dial at once, exactly one connection becomes the session (RFC 4271, section 6.8).

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::net::Net;
use super::secs;
use crate::fsm::{DownReason, EndedBy, StateKind, TransportError};
use crate::peer::{Endpoints, Output, Peer};
use crate::wire::{CeaseSubcode, ErrorCode, Notification, Open, encode_keepalive};
use crate::{Asn, BgpIdentifier, Direction};

/// Configurations in which either node has the higher identifier. The outcome must not depend on it.
fn configs(swapped: bool) -> [crate::peer::PeerSettings; 2] {
    let [mut a, mut b] = Net::configs();
    if swapped {
        a.fsm.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 2));
        b.fsm.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 1));
    }
    [a, b]
}

#[test]
fn simultaneous_connections_end_in_one_session_that_never_flaps() {
    for swapped in [false, true] {
        for seed in 0..500 {
            let mut net = Net::new(configs(swapped), seed);
            net.start();
            net.run(secs(60));
            assert!(net.is_up(), "seed {seed}: {:?}", net.states());
            for i in 0..2 {
                assert_eq!(net.open_connections(i), 1, "seed {seed}, node {i}");
                let stats = net.nodes[i].peer.stats();
                assert_eq!(stats.established_transitions, 1, "seed {seed}, node {i}");
                let lost = net.nodes[i].log.iter().any(|o| matches!(o, Output::Down(_)));
                assert!(!lost, "seed {seed}, node {i}: a collision is no loss");
            }
        }
    }
}

#[test]
fn after_a_collision_the_session_comes_back_on_either_connection() {
    for seed in 0..100 {
        let mut net = Net::new(Net::configs(), seed);
        net.start();
        net.run_until_up(secs(10));
        net.run(secs(40));
        net.inject((seed % 2) as usize, &[0; 19]);
        net.run(Duration::from_millis(50));
        net.run_until_up(secs(10));
        net.run(secs(5));
        assert_eq!(net.open_connections(0), 1, "seed {seed}");
        assert_eq!(net.nodes[0].peer.stats().established_transitions, 2, "seed {seed}");
    }
}

/// Our peer and a simulated router of AS 64635, whose identifier is above or below ours.
struct Router {
    peer: Peer,
    now: Instant,
    identifier: BgpIdentifier,
}

impl Router {
    fn new(above: bool) -> Self {
        let [mut config, _] = Net::configs();
        config.fsm.local_identifier = BgpIdentifier::new(10, 0, 0, 5);
        let identifier = BgpIdentifier::new(10, 0, 0, if above { 9 } else { 1 });
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let mut router = Self { peer: Peer::new(config), now: Instant::now(), identifier };
        router.peer.start(router.now);
        router
    }

    /// Opens a TCP connection.
    fn connect(&mut self, direction: Direction) {
        let at = |port| std::net::SocketAddr::from(([10, 0, 0, 5], port));
        let endpoints = Endpoints { local: at(179), remote: at(40_000) };
        self.peer.connected(self.now, direction, endpoints).expect("a connection that is wanted");
    }

    /// Lets time pass, and handles every deadline at its instant.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.peer.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.peer.handle_timeout(due);
        }
        self.now = end;
    }

    /// Sends octets of the router on one connection.
    fn say(&mut self, direction: Direction, octets: &[u8]) {
        self.peer.read_buffer(direction).extend_from_slice(octets);
        self.peer.received(self.now, direction);
    }

    fn open(&self) -> BytesMut {
        let mut octets = BytesMut::new();
        Open::new(Asn(64635), 90, self.identifier, vec![]).encode(&mut octets);
        octets
    }

    /// An OPEN and a KEEPALIVE in one packet, as from a router that does not wait for our OPEN.
    fn open_and_keepalive(&self) -> BytesMut {
        let mut octets = self.open();
        encode_keepalive(&mut octets);
        octets
    }

    /// Every NOTIFICATION that we have sent on the connection, as code and subcode, and the number of KEEPALIVEs.
    fn heard(&mut self, direction: Direction) -> (Vec<(u8, u8)>, usize) {
        let mut out = BytesMut::new();
        while self.peer.poll_transmit(self.now, direction, &mut out) {}
        let (mut notifications, mut keepalives, mut rest) = (Vec::new(), 0, out.as_ref());
        while rest.len() >= 19 {
            let length = usize::from(u16::from_be_bytes([rest[16], rest[17]]));
            match rest[18] {
                3 => notifications.push((rest[19], rest[20])),
                4 => keepalives += 1,
                _ => {}
            }
            rest = &rest[length..];
        }
        (notifications, keepalives)
    }

    fn failures(&mut self) -> Vec<DownReason> {
        let mut failures = Vec::new();
        while let Some(output) = self.peer.poll_output() {
            if let Output::Failed(reason) | Output::Down(reason) = output {
                failures.push(reason);
            }
        }
        failures
    }
}

/// The connection that would survive, on which the router never sends anything, and the other connection.
fn silent_and_good(above: bool) -> (Direction, Direction) {
    let silent = if above { Direction::Incoming } else { Direction::Outgoing };
    (silent, silent.opposite())
}

#[test]
fn a_silent_connection_does_not_end_one_on_which_the_router_answers() {
    for above in [false, true] {
        let (silent, good) = silent_and_good(above);
        for age in [0, 900, 4_500, 60_000].map(Duration::from_millis) {
            let mut router = Router::new(above);
            router.connect(silent);
            router.pass(age);
            router.connect(good);
            let octets = router.open_and_keepalive();
            router.say(good, &octets);
            router.pass(secs(1));

            assert_eq!(router.peer.state(), StateKind::Established, "{silent:?}, {age:?}");
            let ours = router.failures().into_iter().filter(|it| it.ended_by() == EndedBy::Us);
            assert_eq!(ours.count(), 1, "only the silent one is closed");
            assert_eq!(router.heard(good), (vec![], 1));
            let collision = CeaseSubcode::CONNECTION_COLLISION_RESOLUTION.0;
            if silent == Direction::Incoming {
                assert_eq!(router.heard(silent).0, [(ErrorCode::CEASE.0, collision)]);
            }
        }
    }
}

#[test]
fn a_series_of_silent_connections_does_not_prolong_the_wait_of_the_good_one() {
    let mut router = Router::new(true);
    router.connect(Direction::Incoming);
    router.connect(Direction::Outgoing);
    let octets = router.open_and_keepalive();
    router.say(Direction::Outgoing, &octets);
    assert_eq!(router.peer.state(), StateKind::OpenSent);
    // The next silent connection replaces the first, which ends the wait.
    let at = |port| std::net::SocketAddr::from(([10, 0, 0, 5], port));
    let endpoints = Endpoints { local: at(179), remote: at(40_001) };
    let _ = router.peer.connected(router.now, Direction::Incoming, endpoints);
    assert_eq!(router.peer.state(), StateKind::Established);
}

#[test]
fn an_open_that_waits_gives_way_to_one_on_the_connection_that_survives() {
    for above in [false, true] {
        let (survivor, loser) = silent_and_good(above);
        let mut router = Router::new(above);
        router.connect(survivor);
        router.connect(loser);
        let octets = router.open_and_keepalive();
        router.say(loser, &octets);
        assert_eq!(router.heard(loser), (vec![], 0), "not confirmed before it is settled");
        router.pass(Duration::from_millis(500));
        router.say(survivor, &octets);
        assert_eq!(router.peer.state(), StateKind::Established);
        let collision = (ErrorCode::CEASE.0, CeaseSubcode::CONNECTION_COLLISION_RESOLUTION.0);
        assert_eq!(router.heard(loser), (vec![collision], 0));
        assert_eq!(router.heard(survivor), (vec![], 1));
        assert_eq!(router.peer.stats().established_transitions, 1);
    }
}

#[test]
fn an_open_does_not_wait_for_a_connection_that_is_lost() {
    for above in [false, true] {
        let (survivor, other) = silent_and_good(above);
        let mut router = Router::new(above);
        router.connect(survivor);
        router.connect(other);
        let octets = router.open_and_keepalive();
        router.say(other, &octets);
        router.peer.disconnected(router.now, survivor, TransportError::Reset);
        assert_eq!(router.peer.state(), StateKind::Established, "{other:?}");
    }
}

#[test]
fn a_notification_that_arrives_while_the_open_waits_is_the_reason() {
    let mut router = Router::new(true);
    router.connect(Direction::Incoming);
    router.connect(Direction::Outgoing);
    let mut octets = router.open_and_keepalive();
    let cease = Notification::cease(CeaseSubcode::CONNECTION_COLLISION_RESOLUTION);
    cease.encode(&mut octets);
    router.say(Direction::Outgoing, &octets);
    let closed = TransportError::ClosedByPeer;
    router.peer.disconnected(router.now, Direction::Outgoing, closed);
    assert_eq!(router.failures(), [DownReason::Remote(cease)]);
    assert_eq!(router.peer.stats().established_transitions, 0);
}

#[test]
fn a_router_that_does_not_wait_cannot_fill_our_memory() {
    let mut router = Router::new(true);
    router.connect(Direction::Incoming);
    router.connect(Direction::Outgoing);
    let octets = router.open_and_keepalive();
    router.say(Direction::Outgoing, &octets);
    let mut keepalive = BytesMut::new();
    encode_keepalive(&mut keepalive);
    router.say(Direction::Outgoing, &keepalive.repeat(1_000));
    assert_eq!(router.peer.state(), StateKind::Established);
    assert!(router.peer.read_buffer(Direction::Outgoing).is_empty());
}

#[test]
fn an_open_does_not_wait_beyond_its_own_connection() {
    let [mut config, _] = Net::configs();
    config.fsm.local_identifier = BgpIdentifier::new(10, 0, 0, 5);
    config.fsm.open_hold_time = Duration::from_millis(300);
    let mut router = Router::new(true);
    router.peer = Peer::new(config);
    router.peer.start(router.now);
    router.connect(Direction::Outgoing);
    router.pass(Duration::from_millis(200));
    router.connect(Direction::Incoming);
    let octets = router.open_and_keepalive();
    router.say(Direction::Outgoing, &octets);
    router.pass(Duration::from_millis(150));
    assert_eq!(router.peer.state(), StateKind::Established);
}
