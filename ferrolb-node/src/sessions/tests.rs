use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_session::bfd::{BfdProfile, State};
use bgp_session::{Asn, BgpIdentifier, PeerConfig, PeerHandle, Route, Speaker};

use super::*;

const NODE: Asn = Asn(64_600);

/// An address of this process: BFD has the same port everywhere.
fn address(host: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 128, low, host)
}

/// A router that waits for the node, and watches it.
struct Router {
    address: Ipv4Addr,
    asn: Asn,
    speaker: Speaker,
    peer: PeerHandle,
}

impl Router {
    async fn start(host: u8, node: Ipv4Addr) -> Self {
        let (address, asn) = (address(host), Asn(64_500 + u32::from(host)));
        let builder = Speaker::builder(asn, BgpIdentifier::new(10, 77, 0, host));
        let speaker = builder.listen((address, 0).into()).start().await.unwrap();
        let config = PeerConfig::new(node, NODE).local_address(address.into()).passive();
        let peer = speaker.add_peer(config.bfd(fast())).await.unwrap();
        Self { address, asn, speaker, peer }
    }

    /// The node's side of the session.
    fn wanted(&self, node: Ipv4Addr) -> Wanted {
        let config = PeerConfig::new(self.speaker.listen_addr().unwrap(), self.asn);
        let config = config.local_address(node.into()).bfd(fast());
        let terms = Terms::new(NODE, BgpIdentifier::new(10, 77, 0, 11), Remote::Address(config));
        Wanted::new(terms, RouteSet::default())
    }
}

fn fast() -> BfdProfile {
    BfdProfile::new().interval(Duration::from_millis(100)).multiplier(20)
}

fn key(router: &Router) -> SessionKey {
    SessionKey::new("n1", router.address.to_string())
}

async fn soon(sessions: &Sessions, what: &str, is_so: impl Fn(&Sessions) -> bool) {
    let so = async {
        while !is_so(sessions) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let so = tokio::time::timeout(Duration::from_secs(20), so).await;
    assert!(so.is_ok(), "{what}: {sessions:?}");
}

fn bfd(sessions: &Sessions, key: &SessionKey) -> Option<State> {
    Some(sessions.status(key)?.bfd?.state)
}

/// A node with a session to each of three routers.
async fn three(hosts: [u8; 3], node: u8) -> (Vec<Router>, BTreeMap<SessionKey, Wanted>, Sessions) {
    let node = address(node);
    let mut routers = Vec::new();
    for host in hosts {
        routers.push(Router::start(host, node).await);
    }
    let wanted: BTreeMap<_, _> = routers.iter().map(|it| (key(it), it.wanted(node))).collect();
    let mut sessions = Sessions::new(Arc::new(Notify::new()));
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "three sessions with BFD", |sessions| {
        wanted.keys().all(|key| {
            sessions.status(key).unwrap().is_established() && bfd(sessions, key) == Some(State::Up)
        })
    })
    .await;
    (routers, wanted, sessions)
}

#[tokio::test]
async fn one_speaker_of_a_node_watches_all_of_its_routers() {
    let (_routers, _, mut sessions) = three([21, 22, 23], 20).await;
    assert_eq!(sessions.speakers.all().count(), 1);
    sessions.shutdown("").await;
}

#[tokio::test]
async fn a_peer_that_changes_or_goes_leaves_the_others_alone() {
    let (routers, mut wanted, mut sessions) = three([25, 26, 27], 24).await;
    let since = |key: &SessionKey, sessions: &Sessions| {
        let status = sessions.status(key).unwrap();
        (status.peer.unwrap().since, status.bfd.unwrap().discriminator)
    };
    let [first, second, third] = [0, 1, 2].map(|at| key(&routers[at]));
    let before = since(&third, &sessions);

    // Another AS takes another session: the router refuses it, since it knows no such AS.
    let changed = wanted.get_mut(&first).unwrap();
    changed.terms.asn = Asn(64_601);
    let gone = wanted.remove(&second).unwrap();
    assert!(sessions.apply(&wanted).await.is_empty());
    assert!(sessions.status(&second).is_none());
    assert!(!sessions.status(&first).unwrap().is_established());
    assert_eq!(since(&third, &sessions), before);

    wanted.get_mut(&first).unwrap().terms.asn = NODE;
    wanted.insert(second.clone(), gone);
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "all of them again", |sessions| {
        [&first, &second].iter().all(|key| bfd(sessions, key) == Some(State::Up))
    })
    .await;
    assert_eq!(since(&third, &sessions), before);
    sessions.shutdown("").await;
}

#[tokio::test]
async fn two_sessions_with_one_router_take_two_speakers_and_one_watches() {
    let node = address(28);
    let router = Router::start(29, node).await;
    let first = router.wanted(node);
    let mut second = first.clone();
    second.terms.remote = second.terms.remote.config(|config| config.port(1));
    let other = SessionKey::new("n1", "other port");
    let wanted = BTreeMap::from([(key(&router), first), (other.clone(), second)]);
    let mut sessions = Sessions::new(Arc::new(Notify::new()));
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "the session at the right port", |sessions| {
        sessions.status(&key(&router)).unwrap().is_established()
    })
    .await;
    assert_eq!(sessions.speakers.all().count(), 2);
    assert!(!sessions.status(&other).unwrap().is_established());
    sessions.shutdown("").await;
}

#[tokio::test]
async fn a_port_of_bfd_that_another_program_has_is_the_sessions_problem_and_rings_the_bell() {
    let (node, router) = (address(38), Router::start(39, address(38)).await);
    let _another = std::net::UdpSocket::bind((node, 3_784)).unwrap();
    let bell = Arc::new(Notify::new());
    let mut sessions = Sessions::new(Arc::clone(&bell));
    let wanted = BTreeMap::from([(key(&router), router.wanted(node))]);
    assert!(sessions.apply(&wanted).await.is_empty());
    let told = async {
        loop {
            let status = sessions.status(&key(&router)).unwrap();
            if let Some(problem) = status.bfd_problem().filter(|_| status.is_established()) {
                break problem.to_owned();
            }
            bell.notified().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
    assert!(told.starts_with(&format!("cannot receive BFD at {node}:3784: ")), "{told}");
    sessions.shutdown("").await;
}

#[tokio::test]
async fn what_the_router_says_at_the_end_stays_the_reason_though_it_closes_what_follows() {
    let node = address(40);
    let router = Router::start(41, node).await;
    let mut sessions = Sessions::new(Arc::new(Notify::new()));
    let wanted = BTreeMap::from([(key(&router), router.wanted(node))]);
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "a session", |sessions| {
        sessions.status(&key(&router)).unwrap().is_established()
    })
    .await;
    router.peer.disable("new line card until noon").await.unwrap();
    let reason = |sessions: &Sessions| sessions.status(&key(&router)).unwrap().reason();
    soon(&sessions, "attempts that the router closes", |sessions| {
        reason(sessions).is_some_and(|reason| reason.contains("; since then: the peer closed"))
    })
    .await;
    let reason = reason(&sessions).unwrap();
    assert!(reason.contains("new line card until noon"), "{reason}");
    assert!(sessions.status(&key(&router)).unwrap().last_down().unwrap().contains("until noon"));
    sessions.shutdown("").await;
}

#[tokio::test]
async fn sessions_that_a_drain_has_ended_are_opened_again() {
    let (_routers, wanted, mut sessions) = three([31, 32, 33], 30).await;
    let at_once = GracefulShutdown::new().marked_for(Duration::ZERO).withdrawn_for(Duration::ZERO);
    sessions.drain(&at_once).await;
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "three sessions again", |sessions| {
        wanted.keys().all(|key| sessions.status(key).unwrap().is_established())
    })
    .await;
    sessions.shutdown("").await;
}

#[tokio::test]
async fn leaving_for_a_restart_says_nothing_where_it_was_agreed_on_and_ceases_elsewhere() {
    let node = address(34);
    let mut routers = [Router::start(35, node).await, Router::start(36, node).await];
    let graceful = PeerConfig::new(node, NODE).local_address(routers[0].address.into());
    routers[0].peer.update(graceful.passive().graceful_restart()).await.unwrap();
    let mut wanted: BTreeMap<_, _> = routers.iter().map(|it| (key(it), it.wanted(node))).collect();
    let restarts = wanted.get_mut(&key(&routers[0])).unwrap();
    restarts.terms.remote = restarts.terms.remote.clone().config(|it| it.graceful_restart());
    restarts.routes.insert(Route::new("203.0.113.1/32".parse().unwrap()));
    let mut sessions = Sessions::new(Arc::new(Notify::new()));
    assert!(sessions.apply(&wanted).await.is_empty());
    soon(&sessions, "both sessions", |sessions| {
        wanted.keys().all(|key| sessions.status(key).unwrap().is_established())
    })
    .await;
    for router in &mut routers {
        router.peer.established().await.unwrap();
    }

    sessions.leave_for_restart("ferrolb is restarting").await;
    let mut reasons = Vec::new();
    for router in &mut routers {
        let down = router.peer.wait_for(|status| status.last_down.is_some());
        let down = tokio::time::timeout(Duration::from_secs(20), down).await.unwrap().unwrap();
        reasons.push(down.last_down.unwrap().to_string());
    }
    assert!(!reasons[0].contains("restarting"), "{reasons:?}");
    assert!(reasons[1].contains("ferrolb is restarting"), "{reasons:?}");
}
