//! The wait until all routes have been sent.

use std::{net::Ipv4Addr, time::Duration};

use bgp_session::{Ipv4Net, PeerHandle, Route, RouteSet, Speaker, SpeakerError};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    pipes::{node_by_hand, pair, towards_pipe},
    scripted::{Heard, Scripted},
    world::{both_up, routes, soon},
};

/// Routes that each need a message of their own.
fn different(count: u32) -> RouteSet {
    let route = |n| Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + n), 32).into();
    (0..count).map(|n| Route::new(route(n)).med(n)).collect()
}

fn waits_for_octets(peer: &PeerHandle) -> bool {
    let status = peer.status();
    status.routes_pending || status.octets_waiting > 0
}

/// An Established session with a router by hand, which proposes this hold time. Between them fit 1,024 octets that have not been
/// read. The speaker lives as long as the first value.
async fn session_with_a_small_pipe(hold_time: u16) -> (Speaker, PeerHandle, Scripted) {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(1_024));
    router.shake_hands(hold_time).await;
    at_node.established().await.unwrap();
    (node, at_node, router)
}

/// Reads at the router until the wait is over, and returns the number of UPDATEs.
async fn updates_until<T>(sent: &JoinHandle<T>, router: &mut Scripted) -> u32 {
    let mut heard = 0;
    while !sent.is_finished() {
        let message = soon("an UPDATE", router.hear()).await;
        heard += u32::from(message == Heard::Update);
        tokio::task::yield_now().await;
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_at_once_without_a_session_and_when_all_is_sent_with_one() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    assert!(!at_node.routes_sent().await.unwrap(), "there is no session yet");

    both_up(&mut at_router, &mut at_node).await;
    assert!(soon("the first routes", at_node.routes_sent()).await.unwrap());
    at_node.set_routes(different(3_000)).await.unwrap();
    assert!(soon("many routes", at_node.routes_sent()).await.unwrap());
    assert!(!waits_for_octets(&at_node));
    assert!(at_node.routes_sent().await.unwrap(), "nothing is left to send");

    at_node.disable("").await.unwrap();
    assert!(!soon("no session", at_node.routes_sent()).await.unwrap());
    let other = at_node.clone();
    at_node.shutdown("").await.unwrap();
    let gone = other.routes_sent().await;
    assert!(matches!(gone, Err(SpeakerError::PeerShutDown { .. })), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn the_wait_lasts_until_a_slow_peer_has_read_and_may_be_given_up() {
    let (_node, at_node, mut router) = session_with_a_small_pipe(0).await;

    at_node.set_routes(different(4_000)).await.unwrap();
    let minute = Duration::from_secs(60);
    assert!(timeout(minute, at_node.routes_sent()).await.is_err(), "the peer does not read");
    assert!(timeout(minute, at_node.routes_sent()).await.is_err(), "it still does not");
    assert!(waits_for_octets(&at_node));

    let waiting = at_node.clone();
    let sent = tokio::spawn(async move { waiting.routes_sent().await });
    let heard = updates_until(&sent, &mut router).await;
    assert!(sent.await.unwrap().unwrap());
    assert!(heard > 3_900, "all but the octets in the pipe have been read: {heard}");
    assert!(!waits_for_octets(&at_node));
}

#[tokio::test(start_paused = true)]
async fn later_routes_do_not_prolong_the_wait_for_those_that_are_on_their_way() {
    let (_node, at_node, mut router) = session_with_a_small_pipe(0).await;

    // They are in the outbox, which has room for these.
    at_node.set_routes(different(500)).await.unwrap();
    let waiting = at_node.clone();
    let sent = tokio::spawn(async move { waiting.routes_sent().await });
    sleep(Duration::from_secs(1)).await;
    at_node.set_routes(different(4_000)).await.unwrap();

    let heard = updates_until(&sent, &mut router).await;
    assert!(sent.await.unwrap().unwrap());
    assert!(heard < 600, "{heard}");
    assert!(waits_for_octets(&at_node));
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_the_session() {
    let (_node, at_node, router) = session_with_a_small_pipe(0).await;
    at_node.set_routes(different(4_000)).await.unwrap();

    let waiting = at_node.clone();
    let sent = tokio::spawn(async move { waiting.routes_sent().await });
    sleep(Duration::from_secs(1)).await;
    assert!(!sent.is_finished());
    drop(router);
    assert!(!soon("the end", sent).await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_ends_the_wait_with_its_session() {
    let (_node, at_node, mut router) = session_with_a_small_pipe(90).await;
    at_node.set_routes(different(4_000)).await.unwrap();

    let sent = at_node.routes_sent();
    let talks = async {
        loop {
            sleep(Duration::from_secs(20)).await;
            router.say_keepalive().await;
        }
    };
    let hour = Duration::from_secs(3_600);
    tokio::select! {
        sent = timeout(hour, sent) => assert!(!sent.expect("within an hour").unwrap()),
        () = talks => {}
    }
}
