//! The Adj-RIB-In and the Adj-RIB-Out, page by page.

use std::net::{IpAddr, Ipv4Addr};

use bgp_session::{
    Ipv4Net, Nlri, OutRoute, OutRouteState, PeerHandle, Route, RouteSet, SpeakerError, StateKind,
};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    pipes::{node_by_hand, pair, towards_pipe},
    scripted::Scripted,
    world::{both_up, routes, soon, table},
};

/// This number of host routes.
fn many(count: u32) -> RouteSet {
    let host = |n| Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + n), 32);
    (0..count).map(|n| Route::new(host(n).into())).collect()
}

/// All routes, in pages of this size, with the number of pages.
async fn all(peer: &PeerHandle, size: usize) -> (Vec<OutRoute>, usize) {
    let (mut routes, mut pages, mut from) = (Vec::new(), 0, None::<Nlri>);
    loop {
        let page = peer.adj_rib_out(from, size).await.unwrap();
        assert!(page.routes.len() <= size.min(1_024));
        routes.extend(page.routes);
        pages += 1;
        match page.next {
            Some(next) => from = Some(next),
            None => return (routes, pages),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_routes_are_listed_page_by_page_with_their_ages() {
    let (router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    at_node.set_routes(many(2_500)).await.unwrap();
    table(&router, "the routes", |table| table.len() == 2_500).await;
    sleep(Duration::from_secs(3_600)).await;

    let (listed, pages) = all(&at_node, 100).await;
    assert_eq!((listed.len(), pages), (2_500, 25));
    assert!(listed.iter().all(|route| route.state == OutRouteState::Sent));
    assert!(listed.is_sorted_by_key(|route| route.prefix));
    let age = Instant::now().into_std() - listed[0].since.unwrap();
    assert!(age >= Duration::from_secs(3_600) && age < Duration::from_secs(3_605), "{age:?}");
    let next_hop = listed[0].attributes.next_hop.unwrap().address();
    assert_eq!(next_hop, "192.0.2.7".parse::<IpAddr>().unwrap(), "the session's own address");

    // The other end has them in the same order.
    let (mut received, mut from) = (Vec::new(), None);
    loop {
        let page = at_router.adj_rib_in(from, 700).await.unwrap();
        received.extend(page.routes);
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert!(received.iter().map(|route| route.prefix).eq(listed.iter().map(|route| route.prefix)));
    assert_eq!(received[0].attributes.as_path.to_string(), "64636");
    assert!(received.iter().all(|route| !route.is_stale && route.path_id == 0));
    let page = at_router.adj_rib_in(None, usize::MAX).await.unwrap();
    assert_eq!(
        (page.routes.len(), page.next),
        (1_024, received.get(1_024).map(|it| it.prefix.into()))
    );
    assert_eq!(at_node.adj_rib_in(None, 1).await.unwrap().routes, [], "it keeps none");

    let (listed, pages) = all(&at_node, usize::MAX).await;
    assert_eq!((listed.len(), pages), (2_500, 3), "a page has at most 1,024 routes");
    let status = at_node.status();
    assert_eq!((status.routes, status.routes_pending), (2_500, false));
}

#[tokio::test(start_paused = true)]
async fn routes_that_the_peer_does_not_take_wait_and_are_listed_so() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(1_024));
    router.shake_hands(0).await;
    at_node.established().await.unwrap();
    // Each has attributes of its own, and therefore a message: more than the pipe and the outbox take.
    let routes: RouteSet = (0..4_000_u32)
        .map(|n| Route::new(Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + n), 32).into()).med(n))
        .collect();
    at_node.set_routes(routes).await.unwrap();
    sleep(Duration::from_secs(60)).await;

    let (listed, _) = all(&at_node, 500).await;
    let sent = listed.iter().filter(|route| route.state == OutRouteState::Sent).count();
    assert!(sent > 500 && sent < 2_000, "{sent} of {}", listed.len());
    let waiting = listed.last().unwrap();
    assert_eq!(waiting.state, OutRouteState::Pending { replaces: false });
    let age = Instant::now().into_std() - waiting.since.unwrap();
    assert!(age >= Duration::from_secs(59), "{age:?}");
    let status = at_node.status();
    assert!(status.routes_pending && status.octets_waiting > 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_session_routes_are_listed_as_waiting_for_one() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    at_node.set_routes(routes(&["172.22.35.70/32", "fd22::/64"])).await.unwrap();
    at_node.disable("").await.unwrap();
    let idle = at_node.wait_for(|status| status.state == StateKind::Idle);
    soon("the end", idle).await.unwrap();

    let (listed, _) = all(&at_node, 1).await;
    let states: Vec<_> = listed.iter().map(|route| (route.state, route.since)).collect();
    assert_eq!(states, [(OutRouteState::NoSession, None); 2]);
    let prefixes: Vec<_> = listed.iter().map(|route| route.prefix.to_string()).collect();
    assert_eq!(prefixes, ["172.22.35.70/32", "fd22::/64"]);

    let other = at_node.clone();
    at_node.shutdown("").await.unwrap();
    let error = other.adj_rib_out(None, 1).await.unwrap_err();
    assert!(matches!(error, SpeakerError::PeerShutDown { .. }), "{error}");
}
