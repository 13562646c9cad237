use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_session::bfd::{BfdProfile, State};
use bgp_session::{Asn, BgpIdentifier, PeerConfig, PeerHandle, Route, Speaker};

use super::*;

const NODE: Asn = Asn(64_600);

/// An address that only this process uses, since every BFD session has the same port.
fn address(host: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 128, low, host)
}

/// A passive router that monitors the node with BFD.
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
        let peer = speaker.add_peer(config.bfd(fast_bfd())).await.unwrap();
        Self { address, asn, speaker, peer }
    }

    /// Returns the node's side of the session.
    fn desired(&self, node: Ipv4Addr) -> DesiredSession {
        let peer = PeerConfig::new(self.speaker.listen_addr().unwrap(), self.asn)
            .local_address(node.into())
            .bfd(fast_bfd());
        let config =
            SessionConfig::new(NODE, BgpIdentifier::new(10, 77, 0, 11), RemotePeer::Address(peer));
        DesiredSession::new(config, RouteSet::default())
    }
}

fn fast_bfd() -> BfdProfile {
    BfdProfile::new().interval(Duration::from_millis(100)).multiplier(20)
}

fn key(router: &Router) -> SessionKey {
    SessionKey::new("n1", router.address.to_string())
}

async fn wait_for(sessions: &Sessions, what: &str, is_met: impl Fn(&Sessions) -> bool) {
    let met = async {
        while !is_met(sessions) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let met = tokio::time::timeout(Duration::from_secs(20), met).await;
    assert!(met.is_ok(), "{what}: {sessions:?}");
}

fn bfd_state(sessions: &Sessions, key: &SessionKey) -> Option<State> {
    Some(sessions.status(key)?.bfd?.state)
}

/// Starts a node with a session to each of three routers.
async fn three_sessions(
    hosts: [u8; 3],
    node: u8,
) -> (Vec<Router>, BTreeMap<SessionKey, DesiredSession>, Sessions) {
    let node = address(node);
    let mut routers = Vec::new();
    for host in hosts {
        routers.push(Router::start(host, node).await);
    }
    let desired: BTreeMap<_, _> =
        routers.iter().map(|router| (key(router), router.desired(node))).collect();

    let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "three sessions with BFD", |sessions| {
        desired.keys().all(|key| {
            sessions.status(key).unwrap().is_established()
                && bfd_state(sessions, key) == Some(State::Up)
        })
    })
    .await;
    (routers, desired, sessions)
}

#[tokio::test]
async fn one_speaker_of_a_node_monitors_all_of_its_routers() {
    let (_routers, _, mut sessions) = three_sessions([21, 22, 23], 20).await;
    assert_eq!(sessions.speakers.all().count(), 1);
    sessions.shutdown("").await;
}

#[tokio::test]
async fn a_changed_or_removed_peer_leaves_the_others_alone() {
    let (routers, mut desired, mut sessions) = three_sessions([25, 26, 27], 24).await;
    let since = |key: &SessionKey, sessions: &Sessions| {
        let status = sessions.status(key).unwrap();
        (status.peer.unwrap().since, status.bfd.unwrap().discriminator)
    };
    let [first, second, third] = [0, 1, 2].map(|at| key(&routers[at]));
    let before = since(&third, &sessions);

    // Another AS needs another session. The router refuses it, since it has no peer with this AS.
    let changed = desired.get_mut(&first).unwrap();
    changed.config.asn = Asn(64_601);
    let removed = desired.remove(&second).unwrap();
    assert!(sessions.apply(&desired).await.is_empty());
    assert!(sessions.status(&second).is_none());
    assert!(!sessions.status(&first).unwrap().is_established());
    assert_eq!(since(&third, &sessions), before);

    desired.get_mut(&first).unwrap().config.asn = NODE;
    desired.insert(second.clone(), removed);
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "all sessions again", |sessions| {
        [&first, &second].iter().all(|key| bfd_state(sessions, key) == Some(State::Up))
    })
    .await;
    assert_eq!(since(&third, &sessions), before);
    sessions.shutdown("").await;
}

#[tokio::test]
async fn two_sessions_with_one_router_need_two_speakers_and_one_bfd_session() {
    let node = address(28);
    let router = Router::start(29, node).await;
    let first = router.desired(node);
    let mut second = first.clone();
    second.config.remote = second.config.remote.map_config(|config| config.port(1));
    let other = SessionKey::new("n1", "other port");
    let desired = BTreeMap::from([(key(&router), first), (other.clone(), second)]);

    let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "the session at the right port", |sessions| {
        sessions.status(&key(&router)).unwrap().is_established()
    })
    .await;
    assert_eq!(sessions.speakers.all().count(), 2);
    assert!(!sessions.status(&other).unwrap().is_established());
    sessions.shutdown("").await;
}

#[tokio::test]
async fn a_bfd_port_in_use_is_reported_as_the_sessions_problem_and_wakes_the_loop() {
    let (node, router) = (address(38), Router::start(39, address(38)).await);
    let _another = std::net::UdpSocket::bind((node, 3_784)).unwrap();
    let wake = Arc::new(Notify::new());
    let mut sessions = Sessions::new(Arc::clone(&wake), EventLog::new());
    let desired = BTreeMap::from([(key(&router), router.desired(node))]);
    assert!(sessions.apply(&desired).await.is_empty());
    let problem = async {
        loop {
            let status = sessions.status(&key(&router)).unwrap();
            if let Some(problem) = status.bfd_problem().filter(|_| status.is_established()) {
                break problem.to_owned();
            }
            wake.notified().await;
        }
    };
    let problem = tokio::time::timeout(Duration::from_secs(20), problem).await.unwrap();
    assert!(problem.starts_with(&format!("cannot receive BFD at {node}:3784: ")), "{problem}");
    sessions.shutdown("").await;
}

#[tokio::test]
async fn the_routers_last_message_stays_the_reason_while_it_closes_later_attempts() {
    let node = address(40);
    let router = Router::start(41, node).await;
    let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
    let desired = BTreeMap::from([(key(&router), router.desired(node))]);
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "a session", |sessions| {
        sessions.status(&key(&router)).unwrap().is_established()
    })
    .await;

    let up = sessions.status(&key(&router)).unwrap();
    assert_eq!((up.down_since, up.hold_time()), (None, Some(Duration::from_secs(90))));

    router.peer.disable("new line card until noon").await.unwrap();
    let reason = |sessions: &Sessions| sessions.status(&key(&router)).unwrap().reason();
    wait_for(&sessions, "attempts that the router closes", |sessions| {
        reason(sessions).is_some_and(|reason| reason.contains("; since then: the peer closed"))
    })
    .await;
    let reason = reason(&sessions).unwrap();
    assert!(reason.contains("new line card until noon"), "{reason}");
    let down = sessions.status(&key(&router)).unwrap();
    assert!(down.last_down().unwrap().contains("until noon"));
    assert!(!down.last_down_kind().unwrap().contains("until noon"));
    assert!(down.down_for() > Duration::ZERO);
    sessions.shutdown("").await;
}

#[tokio::test]
async fn sessions_ended_by_a_drain_are_opened_again() {
    let (_routers, desired, mut sessions) = three_sessions([31, 32, 33], 30).await;
    let at_once = GracefulShutdown::new().marked_for(Duration::ZERO).withdrawn_for(Duration::ZERO);
    sessions.drain(&at_once).await;
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "three sessions again", |sessions| {
        desired.keys().all(|key| sessions.status(key).unwrap().is_established())
    })
    .await;
    sessions.shutdown("").await;
}

#[tokio::test]
async fn closing_for_a_restart_is_silent_where_graceful_restart_was_negotiated_and_ceases_elsewhere()
 {
    let node = address(34);
    let mut routers = [Router::start(35, node).await, Router::start(36, node).await];
    let graceful = PeerConfig::new(node, NODE).local_address(routers[0].address.into());
    routers[0].peer.update(graceful.passive().graceful_restart()).await.unwrap();
    let mut desired: BTreeMap<_, _> =
        routers.iter().map(|router| (key(router), router.desired(node))).collect();
    let restarts = desired.get_mut(&key(&routers[0])).unwrap();
    restarts.config.remote =
        restarts.config.remote.clone().map_config(|config| config.graceful_restart());
    restarts.routes.insert(Route::new("203.0.113.1/32".parse().unwrap()));

    let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
    assert!(sessions.apply(&desired).await.is_empty());
    wait_for(&sessions, "both sessions", |sessions| {
        desired.keys().all(|key| sessions.status(key).unwrap().is_established())
    })
    .await;

    for router in &mut routers {
        router.peer.established().await.unwrap();
    }

    sessions.close_for_restart("ferrolb is restarting").await;
    let mut reasons = Vec::new();
    for router in &mut routers {
        let down = router.peer.wait_for(|status| status.last_down.is_some());
        let down = tokio::time::timeout(Duration::from_secs(20), down).await.unwrap().unwrap();
        reasons.push(down.last_down.unwrap().to_string());
    }
    assert!(!reasons[0].contains("restarting"), "{reasons:?}");
    assert!(reasons[1].contains("ferrolb is restarting"), "{reasons:?}");
}

#[tokio::test]
async fn log_lines_have_the_name_of_the_configuration_also_after_a_change_of_it() {
    let (log, _guard) = test_log_lines::TestLog::begin();
    let node = address(60);
    let router = Router::start(61, node).await;
    let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
    let [tor, spine] = ["tor", "spine"].map(|name| SessionKey::new("n1", name));
    let desired = router.desired(node);
    assert!(sessions.apply(&BTreeMap::from([(tor.clone(), desired.clone())])).await.is_empty());
    wait_for(&sessions, "a session", |it| it.status(&tor).unwrap().is_established()).await;
    let since = sessions.status(&tor).unwrap().peer.unwrap().since;

    assert!(sessions.apply(&BTreeMap::from([(spine.clone(), desired)])).await.is_empty());
    assert_eq!(sessions.status(&spine).unwrap().peer.unwrap().since, since);
    sessions.shutdown("").await;
    let up = log.lines("session up");
    assert!(up.iter().any(|line| line.contains("name=\"tor\"")), "{up:?}");
    let down = log.lines("session down");
    assert!(down.iter().any(|line| line.contains("name=\"spine\"")), "{down:?}");
}
