//! Peers that go away and come back.
//!
//! Each test listens on addresses of its own, so that no other test gets a port that is
//! free for a moment.

use std::time::Duration;

use crate::world::{
    both_up, node, prefixes, router, routes, soon, table, towards_node, towards_router,
};

#[tokio::test]
async fn the_session_and_its_routes_come_back_with_the_router() {
    let first = router("127.0.60.1:0").await;
    let address = first.listen_addr().unwrap();
    let mut at_first = first.add_peer(towards_node("127.0.0.60")).await.unwrap();
    let node = node().await;
    let mut at_node = node.add_peer(towards_router(address, "127.0.0.60")).await.unwrap();
    at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    both_up(&mut at_first, &mut at_node).await;
    first.shutdown("upgrade").await;

    let down = at_node.wait_for(|status| !status.is_established());
    let down = soon("the session's end", down).await.unwrap();
    assert!(down.negotiated.is_none() && down.endpoints.is_none());
    assert!(down.last_down.unwrap().to_string().contains("upgrade"));

    // Routes that are set while there is no session are announced in the next one.
    at_node.set_routes(routes(&["172.22.35.71/32"])).await.unwrap();
    let second = router(&address.to_string()).await;
    let mut at_second = second.add_peer(towards_node("127.0.0.60")).await.unwrap();
    both_up(&mut at_second, &mut at_node).await;
    let received = table(&second, "the routes", |table| !table.is_empty()).await;
    assert_eq!(prefixes(&received), ["172.22.35.71/32"]);
    assert_eq!(at_node.stats().established_transitions, 2);
}

#[tokio::test]
async fn a_node_finds_a_router_that_starts_later() {
    let probe = router("127.0.61.1:0").await;
    let address = probe.listen_addr().unwrap();
    probe.shutdown("").await;
    let node = node().await;
    let mut at_node = node.add_peer(towards_router(address, "127.0.0.61")).await.unwrap();
    let refused = at_node.wait_for(|status| status.last_failure.is_some());
    let refused = soon("a refused connection", refused).await.unwrap().last_failure.unwrap();
    assert!(refused.to_string().contains("refused"), "{refused}");
    let router = router(&address.to_string()).await;
    let mut at_router = router.add_peer(towards_node("127.0.0.61")).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    assert!(at_node.status().last_failure.is_none(), "a session clears the last failure");
}

#[tokio::test]
async fn dropping_a_speaker_ends_its_sessions() {
    let router = router("127.0.0.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.62")).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "127.0.0.62");
    let mut at_node = node.add_peer(config.hold_time(Duration::ZERO)).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    drop(node);
    let down = soon("the end", at_router.wait_for(|status| status.last_down.is_some())).await;
    let reason = down.unwrap().last_down.unwrap().to_string();
    assert!(reason.contains("administrative shutdown"), "{reason}");
    assert!(soon("the peer's end", at_node.wait_for(|_| false)).await.is_err());
}
