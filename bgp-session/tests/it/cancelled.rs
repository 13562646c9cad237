//! Futures that are dropped before they are done: each does what its documentation says.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use bgp_session::{PeerHandle, Route};

use crate::{
    pipes::pair,
    world::{both_up, prefixes, routes, soon, table},
};

const FIRST: &str = "172.22.35.70/32";
const SECOND: &str = "172.22.35.71/32";

/// Polls the future once, and drops it. Returns true if it was done.
async fn cancelled<T>(future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

/// Waits for the end of the session, and returns its reason.
async fn why(peer: &mut PeerHandle) -> String {
    let down = peer.wait_for(|status| status.last_down.is_some() && !status.is_established());
    soon("the end", down).await.unwrap().last_down.unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_no_room_is_taken_back() {
    let (router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;

    // The peer's task does not run before this one waits, so that its queue fills.
    let prefix = FIRST.parse().unwrap();
    while cancelled(at_node.announce(Route::new(prefix))).await {}
    assert!(!cancelled(at_node.set_routes(routes(&[SECOND]))).await);
    assert!(!cancelled(at_node.withdraw(prefix)).await);

    at_node.announce(Route::new("172.22.35.72/32".parse().unwrap())).await.unwrap();
    let table = table(&router, "the last route", |table| table.len() == 2).await;
    assert_eq!(prefixes(&table), [FIRST, "172.22.35.72/32"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_without_a_reader_leaves_the_session_alone() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    assert!(!cancelled(at_node.unsendable()).await);
    assert!(!cancelled(at_node.adj_rib_out(None, 10)).await);
    assert!(!cancelled(at_node.wait_for(|status| status.stats.sessions_lost > 0)).await);
    assert_eq!(at_node.unsendable().await.unwrap(), []);
    assert!(at_node.status().is_established());
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_was_requested_happens_without_its_caller() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    assert!(!cancelled(at_node.reset("new filter")).await);
    let reason = why(&mut at_router).await;
    assert_eq!(reason, "ended by the peer: Cease: administrative reset: \"new filter\"");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_has_begun_goes_on_in_the_background() {
    let (_router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let other = at_node.clone();
    assert!(!cancelled(at_node.shutdown("rack 7 moves")).await);
    let reason = why(&mut at_router).await;
    assert_eq!(reason, "ended by the peer: Cease: administrative shutdown: \"rack 7 moves\"");
    assert!(other.is_shut_down() && node.peers().is_empty());

    let (_router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    assert!(!cancelled(node.shutdown("kernel upgrade")).await);
    let reason = why(&mut at_router).await;
    assert_eq!(reason, "ended by the peer: Cease: administrative shutdown: \"kernel upgrade\"");
}
