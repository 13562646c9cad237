//! What an operator agrees on with a real router and does to the session: roles, a local AS, limits, resets, a drain.
//!
//! Each story is told against BIRD and FRR, as in `interop.rs`, and runs when that does.

use std::net::IpAddr;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, EndedBy, Exceeded, GracefulShutdown, Import, PeerConfig, PeerHandle,
    PrefixLimit, ReceivedPath, RemoteAs, Role, Route, RouteSet, SentPath, Speaker,
};
use test_peers::{
    Bird, Frr, Host, Lan, Neighbor, Originated, Path, Router, RouterConfig, requested, wait_until,
};
use tokio::runtime::Runtime;

const ROUTER: &str = "172.22.35.1";
const ROUTER_AS: u32 = 64635;
const NODE: &str = "172.22.35.26";
const NODE_AS: u32 = 64636;
const SMTP: &str = "172.22.35.70/32";
/// Far more than anything takes; a test that passes never waits so long.
const SOON: Duration = Duration::from_secs(30);

macro_rules! against_bird_and_frr {
    ($($story:ident),* $(,)?) => {
        mod bird {
            $(#[test] fn $story() { if super::requested() { super::$story::<super::Bird>(); } })*
        }
        mod frr {
            $(#[test] fn $story() { if super::requested() { super::$story::<super::Frr>(); } })*
        }
    };
}

against_bird_and_frr! {
    roles_that_fit_make_a_session_and_others_are_refused_by_either_side,
    a_local_as_stands_in_the_path_with_or_without_the_speakers_own,
    a_router_of_any_external_as_is_met,
    a_router_that_sends_too_many_prefixes_is_told_and_left_alone,
    a_reset_and_its_message_reach_the_routers_operator_and_the_session_comes_back,
    a_drain_is_seen_by_the_router_step_by_step,
}

fn roles_that_fit_make_a_session_and_others_are_refused_by_either_side<R: Router>() {
    let neighbor = Neighbor::new(NODE, NODE_AS).passive().role(test_peers::Role::Provider);
    let (_router, node) = lan_with::<R>(router_config(neighbor));
    on(&node, |runtime| {
        runtime.block_on(async {
            let (speaker, peer) = dial(peer_config().strict_role(Role::CUSTOMER)).await;
            let agreed = peer.status().negotiated.expect("a session");
            assert_eq!(agreed.remote_role, Some(Role::PROVIDER));
            speaker.shutdown("").await;
            let (_speaker, mut peer) = add(peer_config().role(Role::PROVIDER)).await;
            let failed = peer.wait_for(|status| status.last_failure.is_some());
            let reason = tokio::time::timeout(SOON, failed).await.expect("a failure").unwrap();
            let told = reason.last_failure.unwrap().notification().expect("a NOTIFICATION");
            assert_eq!((told.code.0, told.subcode), (2, 11), "{told}");
            assert_eq!(reason.stats.established_transitions, 0);
        });
    });
}

fn a_local_as_stands_in_the_path_with_or_without_the_speakers_own<R: Router>() {
    // The router knows the node by this number alone.
    let shown = 65_100;
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, shown)));
    for (sent, path) in
        [(SentPath::BothAses, vec![shown, NODE_AS]), (SentPath::LocalAsAlone, vec![shown])]
    {
        on(&node, |runtime| {
            let config = peer_config().local_as(Asn(shown), sent, ReceivedPath::AsReceived);
            runtime.block_on(async {
                let (speaker, peer) = dial(config).await;
                peer.announce(Route::new(SMTP.parse().unwrap())).await.unwrap();
                assert_eq!(only_path(&router, SMTP).as_path, path);
                speaker.shutdown("").await;
            });
        });
        wait_until(SOON, "the route to go", || router.path_count(SMTP, 0));
    }
}

fn a_router_of_any_external_as_is_met<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS)));
    on(&node, |runtime| {
        runtime.block_on(async {
            let config = quick(PeerConfig::new(address(ROUTER), RemoteAs::External));
            let (_speaker, peer) = dial(config).await;
            let agreed = peer.status().negotiated.expect("a session");
            assert_eq!(agreed.remote_asn, Asn(ROUTER_AS));
            peer.announce(Route::new(SMTP.parse().unwrap())).await.unwrap();
            only_path(&router, SMTP);
        });
    });
}

fn a_router_that_sends_too_many_prefixes_is_told_and_left_alone<R: Router>() {
    let originated = (1..=6).map(|n| Originated::new(&format!("10.{n}.0.0/16")));
    let config = originated.fold(router_config(Neighbor::new(NODE, NODE_AS)), RouterConfig::route);
    let (router, node) = lan_with::<R>(config);
    on(&node, |runtime| {
        let limit = PrefixLimit { exceeded: Exceeded::Stop, ..PrefixLimit::new(5) };
        let config = peer_config().import(Import::Keep).maximum_prefixes(limit);
        runtime.block_on(async {
            let (_speaker, mut peer) = add(config).await;
            let down = peer.wait_for(|status| status.last_down.is_some());
            let down = tokio::time::timeout(SOON, down).await.expect("an end").unwrap();
            let reason = down.last_down.unwrap();
            assert_eq!(reason.ended_by(), EndedBy::Us);
            assert!(reason.to_string().ends_with("(ipv4-unicast, limit 5)"), "{reason}");
            let said = || {
                let error = router.session(address(NODE))?.last_error;
                let words = error.to_lowercase();
                if words.contains("max") && words.contains("prefix") { Ok(()) } else { Err(error) }
            };
            wait_until(SOON, "the router to know why", said);
            assert_eq!(peer.status().stats.established_transitions, 1);
        });
    });
}

fn a_reset_and_its_message_reach_the_routers_operator_and_the_session_comes_back<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS).passive()));
    on(&node, |runtime| {
        runtime.block_on(async {
            let (_speaker, mut peer) = dial(peer_config()).await;
            peer.set_routes(RouteSet::from([Route::new(SMTP.parse().unwrap())])).await.unwrap();
            only_path(&router, SMTP);
            peer.reset("new filter").await.unwrap();
            let again = peer.wait_for(|status| status.stats.established_transitions == 2);
            tokio::time::timeout(SOON, again).await.expect("another session").unwrap();
            let log = || {
                let log = router.log();
                if log.contains("new filter") { Ok(()) } else { Err(log) }
            };
            wait_until(SOON, "the message in the router's log", log);
            only_path(&router, SMTP);
        });
    });
}

fn a_drain_is_seen_by_the_router_step_by_step<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS).passive()));
    on(&node, |runtime| {
        let (speaker, peer) = runtime.block_on(dial(peer_config()));
        let routes = RouteSet::from([Route::new(SMTP.parse().unwrap())]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        assert_eq!(only_path(&router, SMTP).communities, []);
        let how = GracefulShutdown::new()
            .marked_for(Duration::from_secs(4))
            .withdrawn_for(Duration::from_secs(2))
            .message("kernel upgrade");
        let draining = runtime.spawn(async move { speaker.drain(how).await });
        let marked = || {
            let path = router.path_count(SMTP, 1)?.remove(0);
            // GRACEFUL_SHUTDOWN (RFC 8326).
            if path.communities == [(65_535, 0)] { Ok(()) } else { Err(format!("{path:?}")) }
        };
        wait_until(SOON, "the mark", marked);
        wait_until(SOON, "the withdrawal", || router.path_count(SMTP, 0));
        assert!(router.established(address(NODE)).is_ok(), "the session outlives its routes");
        let log = || {
            let log = router.log();
            if log.contains("kernel upgrade") { Ok(()) } else { Err(log) }
        };
        wait_until(SOON, "the message in the router's log", log);
        runtime.block_on(draining).unwrap();
    });
}

/// A LAN with a router that runs, and the node on which the speaker will.
fn lan_with<R: Router>(config: RouterConfig) -> (R, Host) {
    let lan = Lan::new();
    let router = lan.host("router", &["172.22.35.1/24", "fd22::1/64"]);
    let node = lan.host("node", &["172.22.35.26/24", "fd22::26/64"]);
    (R::start(&router, config), node)
}

fn router_config(neighbor: Neighbor) -> RouterConfig {
    RouterConfig::new(ROUTER, ROUTER_AS).neighbor(neighbor)
}

/// Tells a story on a host, with a runtime whose threads are there.
fn on(host: &Host, story: impl FnOnce(&Runtime) + Send) {
    host.enter(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        story(&builder.worker_threads(1).enable_all().build().expect("a runtime"));
    });
}

fn peer_config() -> PeerConfig {
    quick(PeerConfig::new(address(ROUTER), Asn(ROUTER_AS)))
}

/// With little patience, since the router may just be starting.
fn quick(config: PeerConfig) -> PeerConfig {
    let second = Duration::from_secs(1);
    config.connect_retry(second).connect_timeout(second).idle_hold(second / 10, second)
}

async fn add(config: PeerConfig) -> (Speaker, PeerHandle) {
    let identifier = BgpIdentifier::new(172, 22, 35, 26);
    let speaker = Speaker::builder(Asn(NODE_AS), identifier).start().await.unwrap();
    let peer = speaker.add_peer(config).await.unwrap();
    (speaker, peer)
}

async fn dial(config: PeerConfig) -> (Speaker, PeerHandle) {
    let (speaker, mut peer) = add(config).await;
    let up = tokio::time::timeout(SOON, peer.established()).await.map(Result::unwrap);
    assert!(up.is_ok(), "no session: {:?}", peer.status());
    (speaker, peer)
}

fn only_path<R: Router>(router: &R, prefix: &str) -> Path {
    wait_until(SOON, &format!("one path at {}", R::NAME), || router.path_count(prefix, 1)).remove(0)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}
