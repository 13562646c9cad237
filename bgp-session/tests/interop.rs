//! A [`Speaker`] against real BIRD and real FRR, over TCP on port 179, each side in a network
//! namespace of its own.
//!
//! Each story is told once, over any `Router`. They run when `FERROLB_TEST_INTEROP=1`, as root
//! (`make interop`); see the crate `test-peers` for how to write another.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, Community, Import, PeerConfig, PeerHandle, Route, RouteSet, Speaker,
};
use test_peers::{
    Bird, Frr, Host, Lan, Neighbor, Originated, Path, Router, RouterConfig, requested, wait_until,
};
use tokio::runtime::Runtime;

const ROUTER: &str = "172.22.35.1";
const ROUTER_AS: u32 = 64635;
const NODE: &str = "172.22.35.26";
const NODE_AS: u32 = 64636;
const NODE_IPV6: &str = "fd22::26";
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
    routes_arrive_with_the_attributes_they_were_given,
    what_changes_is_withdrawn_or_replaced_and_nothing_else,
    a_shutdown_and_its_message_reach_the_routers_operator,
    the_smaller_hold_time_holds_and_a_silent_link_ends_the_session,
    a_router_that_was_killed_gets_everything_again,
    the_routers_routes_are_received_and_withdrawn,
    a_router_that_dials_finds_a_passive_speaker,
    a_password_signs_the_session_and_a_wrong_one_prevents_it,
    a_session_over_ipv6_carries_both_families,
    an_internal_session_carries_local_pref_and_an_empty_as_path,
}

fn routes_arrive_with_the_attributes_they_were_given<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS)));
    on(&node, |runtime| {
        let (_speaker, peer) = runtime.block_on(listen_and_dial(peer_config()));
        let smtp = Route::new(prefix("172.22.35.70/32"))
            .community(Community::new(64635, 100))
            .community(Community::NO_EXPORT)
            .local_pref(100)
            .med(7);
        let ipv6 = Route::new(prefix("fd22:0:0:70::/64"))
            .next_hop(address(NODE_IPV6))
            .community(Community::new(64635, 6));
        let plain = Route::new(prefix("200.1.154.0/24")).next_hop(address("172.22.35.99"));
        let routes = RouteSet::from([smtp, ipv6, plain]);
        runtime.block_on(peer.set_routes(routes)).unwrap();

        let path = only_path(&router, "172.22.35.70/32");
        assert_eq!((path.from, path.next_hop), (address(NODE), address(NODE)));
        assert_eq!((path.as_path.as_slice(), path.med), (&[NODE_AS][..], Some(7)));
        assert_eq!(path.local_pref, None, "LOCAL_PREF has no place in an external session");
        assert_eq!(path.communities, [(64635, 100), (65535, 65281)]);
        let path = only_path(&router, "fd22:0:0:70::/64");
        assert_eq!((path.next_hop, path.communities), (address(NODE_IPV6), vec![(64635, 6)]));
        let path = only_path(&router, "200.1.154.0/24");
        assert_eq!(
            (path.next_hop, path.communities, path.med),
            (address("172.22.35.99"), vec![], None)
        );
    });
}

fn what_changes_is_withdrawn_or_replaced_and_nothing_else<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS)));
    on(&node, |runtime| {
        let (_speaker, peer) = runtime.block_on(dial(peer_config()));
        let routes = (64..96).map(|host| Route::new(prefix(&format!("172.22.35.{host}/32"))));
        let routes: Vec<Route> = routes.collect();
        let set = |routes: &[Route]| {
            runtime.block_on(peer.set_routes(routes.iter().cloned().collect::<RouteSet>()))
        };
        set(&routes).unwrap();
        for host in 64..96 {
            only_path(&router, &format!("172.22.35.{host}/32"));
        }
        let sent = peer.stats();
        // One goes, one changes, and the other thirty are not said again.
        let changed = routes[1].clone().community(Community::new(64635, 1));
        set(&[&[changed], &routes[2..]].concat()).unwrap();
        wait_until(SOON, "the withdrawal", || router.path_count("172.22.35.64/32", 0));
        wait_until(SOON, "the replacement", || {
            let path = router.path_count("172.22.35.65/32", 1)?.remove(0);
            if path.communities == [(64635, 1)] { Ok(()) } else { Err(format!("{path:?}")) }
        });
        let now = wait_until(SOON, "the counters", || {
            let now = peer.stats();
            let withdrawn = now.prefixes_withdrawn_out - sent.prefixes_withdrawn_out;
            if withdrawn == 1 { Ok(now) } else { Err(format!("{now:?}")) }
        });
        assert_eq!(now.prefixes_announced_out - sent.prefixes_announced_out, 1);
        runtime.block_on(peer.withdraw(prefix("172.22.35.95/32"))).unwrap();
        wait_until(SOON, "the last withdrawal", || router.path_count("172.22.35.95/32", 0));
        only_path(&router, "172.22.35.94/32");
    });
}

fn a_shutdown_and_its_message_reach_the_routers_operator<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS).passive()));
    on(&node, |runtime| {
        let (speaker, peer) = runtime.block_on(dial(peer_config()));
        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");

        runtime.block_on(speaker.shutdown("new kernel, back at noon"));
        wait_until(SOON, "the withdrawal", || router.path_count("172.22.35.70/32", 0));
        let session = router.session(address(NODE)).unwrap();
        let words = session.last_error.to_lowercase();
        assert!(words.contains("administrative shutdown"), "{session:?}");
        assert!(words.contains("new kernel, back at noon"), "{session:?}");
        assert_ne!(session.state, "Established");
    });
}

fn the_smaller_hold_time_holds_and_a_silent_link_ends_the_session<R: Router>() {
    let config = router_config(Neighbor::new(NODE, NODE_AS)).hold_time(3);
    let (router, node) = lan_with::<R>(config);
    on(&node, |runtime| {
        let (_speaker, mut peer) = runtime.block_on(dial(peer_config()));
        let negotiated = peer.status().negotiated.expect("the terms of a session");
        assert_eq!(negotiated.hold_time, Duration::from_secs(3));
        let session = wait_until(SOON, "the session there", || router.established(address(NODE)));
        assert_eq!(session.hold_time, Some(3));

        node.unplug();
        let status = runtime.block_on(async {
            let down = peer.wait_for(|status| !status.is_established());
            tokio::time::timeout(SOON, down).await.expect("the hold timer expires").unwrap()
        });
        let reason = status.last_down.expect("a reason").to_string().to_lowercase();
        assert!(reason.contains("ended by us") && reason.contains("hold timer"), "{reason}");
        node.plug();
        runtime.block_on(established(&mut peer));
    });
}

fn a_router_that_was_killed_gets_everything_again<R: Router>() {
    let (mut router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS)));
    on(&node, |runtime| {
        let (_speaker, mut peer) = runtime.block_on(dial(peer_config()));
        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");

        for stop in [R::kill, R::stop] {
            stop(&mut router);
            let lost = runtime.block_on(peer.wait_for(|status| !status.is_established()));
            assert!(lost.unwrap().last_down.is_some(), "a lost session has a reason");
            router.start_again();
            runtime.block_on(established(&mut peer));
            only_path(&router, "172.22.35.70/32");
        }
        assert_eq!(peer.stats().established_transitions, 3);
    });
}

fn the_routers_routes_are_received_and_withdrawn<R: Router>() {
    let default = Originated::new("0.0.0.0/0").community(64635, 1).community(64635, 2);
    let config = router_config(Neighbor::new(NODE, NODE_AS))
        .route(default.clone())
        .route(Originated::new("10.8.0.0/13"))
        .route(Originated::new("fd99::/48"));
    let (mut router, node) = lan_with::<R>(config);
    on(&node, |runtime| {
        let (speaker, _peer) = runtime.block_on(dial(peer_config().import(Import::Keep)));
        let received = |prefixes: &[&str]| {
            let seen: Vec<String> = speaker.loc_rib().iter().map(|(p, _)| p.to_string()).collect();
            if seen == prefixes { Ok(speaker.loc_rib()) } else { Err(format!("{seen:?}")) }
        };
        let routes = wait_until(SOON, "the router's routes", || {
            received(&["0.0.0.0/0", "10.8.0.0/13", "fd99::/48"])
        });
        let best = routes.best(&prefix("0.0.0.0/0")).expect("a path");
        assert_eq!(best.attributes.as_path.to_string(), ROUTER_AS.to_string());
        assert_eq!(best.attributes.next_hop, Some(address(ROUTER).into()));
        let communities = [Community::new(64635, 1), Community::new(64635, 2)];
        assert_eq!(best.attributes.communities, communities);
        let best = routes.best(&prefix("fd99::/48")).expect("a path");
        assert_eq!(best.attributes.next_hop, Some(address("fd22::1").into()));

        router.set_routes(vec![default]);
        wait_until(SOON, "the withdrawals", || received(&["0.0.0.0/0"]));
        router.stop();
        wait_until(SOON, "an empty table", || received(&[]));
    });
}

fn a_router_that_dials_finds_a_passive_speaker<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, NODE_AS)));
    on(&node, |runtime| {
        let (_speaker, peer) = runtime.block_on(listen_and_dial(peer_config().passive()));
        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");
        let endpoints = peer.status().endpoints.expect("the ends of the connection");
        assert_eq!(endpoints.local.port(), 179);
    });
}

fn a_password_signs_the_session_and_a_wrong_one_prevents_it<R: Router>() {
    let neighbor = Neighbor::new(NODE, NODE_AS).passive().password("s3cret");
    let (router, node) = lan_with::<R>(router_config(neighbor));
    on(&node, |runtime| {
        // Segments with another key are dropped, so that nothing answers; shorter than the time to
        // connect again, which would hide that.
        let patience = Duration::from_millis(300);
        let wrong = peer_config().password("guess").connect_timeout(patience);
        runtime.block_on(async {
            let speaker = speaker().start().await.unwrap();
            let mut peer = speaker.add_peer(wrong).await.unwrap();
            let failed = peer.wait_for(|status| status.last_failure.is_some());
            let status = tokio::time::timeout(SOON, failed).await.expect("a failure").unwrap();
            assert_eq!(status.stats.established_transitions, 0);
            speaker.shutdown("").await;
        });
        let (_speaker, peer) = runtime.block_on(dial(peer_config().password("s3cret")));
        runtime.block_on(peer.announce(Route::new(prefix("172.22.35.70/32")))).unwrap();
        only_path(&router, "172.22.35.70/32");
    });
}

fn a_session_over_ipv6_carries_both_families<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE_IPV6, NODE_AS)));
    on(&node, |runtime| {
        let config = PeerConfig::new(address("fd22::1"), Asn(ROUTER_AS));
        let (_speaker, peer) = runtime.block_on(dial(quick(config)));
        let routes = RouteSet::from([
            Route::new(prefix("fd22:0:0:70::/64")),
            Route::new(prefix("172.22.35.70/32")).next_hop(address(NODE)),
        ]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        assert_eq!(only_path(&router, "fd22:0:0:70::/64").next_hop, address(NODE_IPV6));
        assert_eq!(only_path(&router, "172.22.35.70/32").next_hop, address(NODE));
    });
}

fn an_internal_session_carries_local_pref_and_an_empty_as_path<R: Router>() {
    let (router, node) = lan_with::<R>(router_config(Neighbor::new(NODE, ROUTER_AS)));
    on(&node, |runtime| {
        let (_speaker, peer) = runtime.block_on(dial(peer_config().local_asn(Asn(ROUTER_AS))));
        let preferred = Route::new(prefix("172.22.35.70/32")).local_pref(250);
        let plain = Route::new(prefix("172.22.35.71/32"));
        runtime.block_on(peer.set_routes(RouteSet::from([preferred, plain]))).unwrap();
        let path = only_path(&router, "172.22.35.70/32");
        assert_eq!((path.local_pref, path.as_path), (Some(250), vec![]));
        let path = only_path(&router, "172.22.35.71/32");
        assert_eq!((path.local_pref, path.next_hop), (Some(100), address(NODE)));
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

fn speaker() -> bgp_session::SpeakerBuilder {
    Speaker::builder(Asn(NODE_AS), BgpIdentifier::new(172, 22, 35, 26))
}

/// A speaker that only dials, and its session.
async fn dial(config: PeerConfig) -> (Speaker, PeerHandle) {
    let speaker = speaker().start().await.unwrap();
    let mut peer = speaker.add_peer(config).await.unwrap();
    established(&mut peer).await;
    (speaker, peer)
}

/// A speaker that listens on port 179, too, so that both may dial at once.
async fn listen_and_dial(config: PeerConfig) -> (Speaker, PeerHandle) {
    let speaker = speaker().listen(SocketAddr::new(address(NODE), 179)).start().await.unwrap();
    let mut peer = speaker.add_peer(config).await.unwrap();
    established(&mut peer).await;
    (speaker, peer)
}

async fn established(peer: &mut PeerHandle) {
    let up = tokio::time::timeout(SOON, peer.established()).await.map(Result::unwrap);
    assert!(up.is_ok(), "no session: {:?}", peer.status());
}

fn only_path<R: Router>(router: &R, prefix: &str) -> Path {
    wait_until(SOON, &format!("one path at {}", R::NAME), || router.path_count(prefix, 1)).remove(0)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

fn prefix<P: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> P {
    text.parse().expect("a prefix")
}
