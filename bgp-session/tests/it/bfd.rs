//! BFD between two speakers on loopback, and with a router whose BFD the test plays.
#![cfg(target_os = "linux")]

use std::{
    net::{Ipv4Addr, UdpSocket},
    num::NonZeroU32,
    time::Duration,
};

use bgp_session::{
    BgpIdentifier, ConfigChange, DownReason, ErrorCode, EventKind, PeerConfig, PeerHandle, Speaker,
    SpeakerError, TakesEffect,
    bfd::{BfdProfile, BfdStatus, Diagnostic, Packet, Session, State},
};
use tokio::{
    io::DuplexStream,
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    pipes::{ByHand, Dial},
    scripted::{Heard, Scripted},
    world::{NODE, ROUTER, both_up, soon, towards_node, towards_router},
};

/// BFD always uses the same port, so tests that run at the same time need different addresses.
fn address(host: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 128, low, host)
}

fn fast() -> BfdProfile {
    BfdProfile::new().interval(Duration::from_millis(50))
}

async fn bfd_state(peer: &mut PeerHandle, state: State) {
    soon("a state of BFD", peer.wait_for(|status| status.bfd == Some(state))).await.unwrap();
}

#[tokio::test]
async fn two_speakers_watch_each_other_and_one_stops() {
    let (at, from) = (address(1).to_string(), address(2).to_string());
    let router = crate::world::router(&format!("{at}:0")).await;
    let plain = towards_node(&from).local_address(at.parse().unwrap());
    let mut at_router = router.add_peer(plain.clone().bfd(BfdProfile::new())).await.unwrap();
    let node = crate::world::node().await;
    let config = towards_router(router.listen_addr().unwrap(), &from).bfd(BfdProfile::new());
    let mut at_node = node.add_peer(config).await.unwrap();
    let mut events = node.events();
    both_up(&mut at_router, &mut at_node).await;
    bfd_state(&mut at_router, State::Up).await;
    bfd_state(&mut at_node, State::Up).await;
    let transition = loop {
        if let EventKind::Bfd(transition) =
            soon("an event", events.next()).await.unwrap().unwrap().kind
        {
            if transition.to == State::Up {
                break transition;
            }
        }
    };
    assert!(!transition.is_failure());
    agrees(&at_node.bfd().unwrap(), &at_router.bfd().unwrap());

    let updated = at_router.update(plain.clone()).await.unwrap();
    let bfd = ConfigChange { field: "bfd", takes_effect: TakesEffect::AtOnce };
    assert_eq!((updated.changes, updated.reset), (vec![bfd], false));
    bfd_state(&mut at_node, State::Down).await;
    let facts = at_node.bfd().unwrap();
    assert_eq!((facts.remote_state, facts.stats.failures), (State::AdminDown, 0));
    let down = facts.last_down.unwrap();
    assert_eq!((down.from, down.diagnostic), (State::Up, Diagnostic::NEIGHBOR_SIGNALED_DOWN));
    assert_eq!(down.remote_diagnostic, Diagnostic::ADMINISTRATIVELY_DOWN);
    assert_eq!(facts.last_down_at, facts.since);
    assert_eq!(at_router.bfd(), None);
    at_router.update(plain.bfd(BfdProfile::new().passive())).await.unwrap();
    bfd_state(&mut at_node, State::Up).await;
    assert_eq!(at_node.stats().sessions_lost, 0, "BGP was left alone");

    node.shutdown("").await;
    bfd_state(&mut at_router, State::Down).await;
    let down = at_router.status().last_down.unwrap();
    assert!(matches!(down, DownReason::Remote(_)), "the Cease ends it, not BFD: {down}");
}

/// Checks that the facts of both ends of a session describe the same session.
fn agrees(ours: &BfdStatus, theirs: &BfdStatus) {
    let names = (ours.discriminator, ours.remote_discriminator);
    assert_eq!(names, (theirs.remote_discriminator, theirs.discriminator));
    assert_eq!((ours.multiplier, ours.remote_multiplier), (3, 3));
    assert_eq!(ours.receive_interval * 3, ours.detection_time);
    assert_eq!(ours.transmit_interval * 3, ours.remote_detection_time);
    assert!(ours.since.is_some() && ours.last_down.is_none());
}

/// A router that speaks BFD with the library's own state machine, and BGP by hand.
struct Router {
    socket: UdpSocket,
    session: Session,
    node: Ipv4Addr,
}

impl Router {
    fn new(own: Ipv4Addr, node: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((own, 3_784)).unwrap();
        socket.set_ttl(255).unwrap();
        socket.set_nonblocking(true).unwrap();
        let session = Session::new(Instant::now().into_std(), fast(), NonZeroU32::MIN, 1);
        Self { socket, session, node }
    }

    /// Sends packets until the session is up.
    async fn come_up(&mut self) {
        while self.session.state() != State::Up {
            self.speak();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.speak();
    }

    fn speak(&mut self) {
        let now = Instant::now().into_std();
        let mut datagram = [0; 64];
        while let Ok((octets, _)) = self.socket.recv_from(&mut datagram) {
            self.session.receive(now, &Packet::decode(&datagram[..octets]).unwrap());
        }
        self.session.handle_timeout(now);
        while let Some(packet) = self.session.poll_transmit(now) {
            self.socket.send_to(&packet.encode(), (self.node, 3_784)).unwrap();
        }
    }
}

/// A node whose session is monitored by BFD, with both up, and the router.
async fn watched(
    hosts: [u8; 2],
    profile: BfdProfile,
) -> (Router, Scripted, PeerHandle, mpsc::Receiver<Dial>, Speaker) {
    let [own, node_address] = hosts.map(address);
    let mut router = Router::new(own, node_address);
    let (connector, mut dials) = ByHand::new();
    let builder = Speaker::builder(NODE, BgpIdentifier::new(172, 22, 35, 25));
    let node = builder.connector(connector).start().await.unwrap();
    let config = PeerConfig::new(own, ROUTER).local_address(node_address.into()).bfd(profile);
    let mut at_node = node.add_peer(config).await.unwrap();
    let pipe: DuplexStream = soon("a dial", dials.recv()).await.unwrap().connect(65_536);
    let mut scripted = Scripted::new(pipe);
    scripted.shake_hands(90).await;
    soon("a session", at_node.established()).await.unwrap();
    soon("BFD at the router", router.come_up()).await;
    bfd_state(&mut at_node, State::Up).await;
    (router, scripted, at_node, dials, node)
}

#[tokio::test]
async fn silence_ends_the_session_and_none_is_tried_before_bfd_is_up_again() {
    let (mut router, mut scripted, mut at_node, mut dials, _node) = watched([3, 4], fast()).await;
    let down = at_node.wait_for(|status| !status.is_established());
    let status = soon("the end", down).await.unwrap();
    let left = status.bfd_hold_until.unwrap() - Instant::now().into_std();
    assert!(left <= Duration::from_secs(60), "{left:?}");
    let down = status.last_down.unwrap();
    let DownReason::Local(cease) = &down else { panic!("{down}") };
    assert_eq!((cease.code, cease.subcode), (ErrorCode::CEASE, 10), "RFC 9384");
    let told = loop {
        match scripted.hear_control().await {
            Heard::Keepalive => {}
            heard => break heard,
        }
    };
    assert_eq!(told, Heard::Notification(cease.clone()));
    let dial = timeout(Duration::from_millis(1_500), dials.recv()).await;
    assert!(dial.is_err(), "no dial while the path is down");
    soon("BFD at the router", router.come_up()).await;
    soon("a dial at once", dials.recv()).await.unwrap();

    let facts = at_node.bfd().unwrap();
    assert_eq!(facts.last_down.unwrap().diagnostic, Diagnostic::DETECTION_TIME_EXPIRED);
    assert!(facts.last_down_at < facts.since && at_node.status().bfd_hold_until.is_none());
}

#[tokio::test]
async fn a_router_whose_bfd_is_gone_for_good_is_dialled_after_the_hold() {
    let hold = Duration::from_millis(600);
    let (_router, _, mut at_node, mut dials, _node) = watched([5, 6], fast().hold(hold)).await;
    let down = at_node.wait_for(|status| !status.is_established());
    soon("the end", down).await.unwrap();
    let before = Instant::now();
    soon("a dial", dials.recv()).await.unwrap();
    assert!(before.elapsed() > hold / 2, "{:?}", before.elapsed());
}

/// Ends a session with a slow router, and checks that BFD is up until the router has closed its end too. Otherwise the router
/// could take the end of BFD for a failure.
async fn ends_before_bfd(hosts: [u8; 2], end: impl AsyncFnOnce(PeerHandle, Speaker)) {
    // The detection time of three seconds avoids false alarms on a busy machine.
    let calm = BfdProfile::new().interval(Duration::from_secs(1));
    let (mut router, mut scripted, at_node, _dials, node) = watched(hosts, calm).await;
    let slow_router = async {
        let told = loop {
            match scripted.hear_control().await {
                Heard::Keepalive => {}
                heard => break heard,
            }
        };
        assert_eq!(told, Heard::End, "no NOTIFICATION");

        let before = Instant::now();
        while before.elapsed() < Duration::from_millis(500) {
            router.speak();
            assert_eq!(router.session.state(), State::Up, "after {:?}", before.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }

        drop(scripted);
        while router.session.state() == State::Up {
            router.speak();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(router.session.remote_state(), State::AdminDown);
    };
    soon("the end", async { tokio::join!(slow_router, end(at_node, node)) }).await;
}

#[tokio::test]
async fn an_abandoned_session_ends_before_bfd() {
    ends_before_bfd([19, 20], async |at_node, _node| at_node.abandon().await.unwrap()).await;
}

#[tokio::test]
async fn the_sessions_of_an_abandoned_speaker_end_before_bfd() {
    ends_before_bfd([21, 22], async |_at_node, node| node.abandon().await).await;
}

#[tokio::test]
async fn packets_from_too_far_away_are_discarded() {
    let (router, _, at_node, _dials, _node) = watched([7, 8], fast().multiplier(20)).await;
    let (before, down) = (
        at_node.bfd().unwrap(),
        Packet {
            diagnostic: Diagnostic::PATH_DOWN,
            state: State::Down,
            poll: false,
            final_answer: false,
            control_plane_independent: false,
            demand: false,
            detect_multiplier: 3,
            my_discriminator: 1,
            your_discriminator: at_node.bfd().unwrap().discriminator,
            desired_min_tx: 50_000,
            required_min_rx: 50_000,
            required_min_echo_rx: 0,
        },
    );

    router.socket.set_ttl(254).unwrap();
    router.socket.send_to(&down.encode(), (router.node, 3_784)).unwrap();
    let discarded = async {
        while at_node.bfd().unwrap().stats.discarded == before.stats.discarded {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    soon("the packet", discarded).await;

    let problem = at_node.bfd().unwrap().problem.unwrap();
    assert!(problem.contains("TTL of 254, expected 255"), "{problem}");
}

/// A speaker at `node` with a BFD session to a peer at `router`.
async fn watching(router: Ipv4Addr, node: Ipv4Addr) -> (Speaker, PeerHandle, mpsc::Receiver<Dial>) {
    let (connector, dials) = ByHand::new();
    let builder = Speaker::builder(NODE, BgpIdentifier::new(172, 22, 35, 25));
    let speaker = builder.connector(connector).start().await.unwrap();
    let config = PeerConfig::new(router, ROUTER).local_address(node.into()).bfd(fast());
    let peer = speaker.add_peer(config).await.unwrap();
    (speaker, peer, dials)
}

async fn bfd_problem(peer: &PeerHandle, part: &str) {
    let named = async {
        while !peer.bfd().and_then(|it| it.problem).is_some_and(|it| it.contains(part)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let named = timeout(Duration::from_secs(20), named).await;
    assert!(named.is_ok(), "expected {part}, found {:?}", peer.bfd());
}

/// Lets the routers send packets until the returned set is dropped.
fn keep_speaking(mut routers: Vec<Router>) -> tokio::task::JoinSet<()> {
    let mut speaking = tokio::task::JoinSet::new();
    speaking.spawn(async move {
        loop {
            routers.iter_mut().for_each(Router::speak);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    speaking
}

#[tokio::test]
async fn two_speakers_of_a_process_watch_a_router_each_from_one_address() {
    let [one, other, node] = [10, 11, 12].map(address);
    let _speaking = keep_speaking(vec![Router::new(one, node), Router::new(other, node)]);
    let (first, mut at_first, _dials) = watching(one, node).await;
    let (_second, mut at_second, _others_dials) = watching(other, node).await;
    bfd_state(&mut at_first, State::Up).await;
    bfd_state(&mut at_second, State::Up).await;

    let before = at_second.bfd().unwrap().discriminator;
    let begin = Instant::now();
    first.shutdown("").await;
    assert!(begin.elapsed() < Duration::from_secs(3), "it waits for its own sessions only");
    bfd_state(&mut at_second, State::Up).await;
    assert_eq!(at_second.bfd().unwrap().discriminator, before, "the same session");
}

#[tokio::test]
async fn a_second_session_between_two_addresses_says_that_there_is_one_and_takes_its_place() {
    let [router, node] = [13, 14].map(address);
    let _speaking = keep_speaking(vec![Router::new(router, node)]);
    let (first, mut at_first, _dials) = watching(router, node).await;
    bfd_state(&mut at_first, State::Up).await;
    let (_second, mut at_second, _others_dials) = watching(router, node).await;
    bfd_problem(&at_second, "another peer of this process has the BFD session").await;
    assert_eq!(at_first.bfd().unwrap().state, State::Up);

    drop((first, at_first));
    bfd_state(&mut at_second, State::Up).await;
}

#[tokio::test]
async fn a_port_that_another_process_has_is_reported_and_tried_again() {
    let [router, node] = [15, 16].map(address);
    let another = UdpSocket::bind((node, 3_784)).unwrap();
    let mut theirs = Router::new(router, node);
    let (_speaker, mut peer, _dials) = watching(router, node).await;
    bfd_problem(&peer, &format!("cannot receive BFD at {node}:3784")).await;
    drop(another);
    soon("BFD at the router", theirs.come_up()).await;
    bfd_state(&mut peer, State::Up).await;
    assert_eq!(peer.bfd().unwrap().problem, None);
}

#[tokio::test]
async fn an_internal_peer_that_is_not_on_a_network_of_ours_is_watched_over_several_hops() {
    // One router is on a network of ours, the other on a network that no interface has.
    let [on_link, node] = [17, 18].map(address);
    let elsewhere = Ipv4Addr::new(198, 51, 100, 7);
    let speaker =
        Speaker::builder(NODE, BgpIdentifier::new(172, 22, 35, 25)).start().await.unwrap();
    // Both ports are taken, so the problem names the port that was tried.
    let _taken = [3_784, 4_784].map(|port| UdpSocket::bind((node, port)).unwrap());
    for (router, port) in [(on_link, 3_784), (elsewhere, 4_784)] {
        let config = PeerConfig::new(router, NODE).local_address(node.into()).bfd(fast());
        let peer = speaker.add_peer(config).await.unwrap();
        bfd_problem(&peer, &format!(":{port}: ")).await;
    }
}

#[tokio::test]
async fn a_profile_out_of_range_is_refused_with_its_field() {
    let node = crate::world::node().await;
    let bad = PeerConfig::new(address(9), ROUTER).bfd(fast().interval(Duration::from_millis(9)));
    let error = node.add_peer(bad).await.unwrap_err();
    let expected = "bfd.transmit_interval is 9ms, expected 10 ms to 60 s";
    assert!(error.to_string().ends_with(expected), "{error}");
    let plain = PeerConfig::new(address(9), ROUTER);
    let peer = node.add_peer(plain.clone()).await.unwrap();
    let error = peer.update(plain.bfd(fast().multiplier(0))).await.unwrap_err();
    assert!(matches!(error, SpeakerError::PeerConfig { field: "bfd.multiplier", .. }), "{error}");
}
