//! What an operator asks about a peer: its status tells it, in virtual time.

use std::time::Duration;

use bgp_session::{
    Capability, CeaseSubcode, Direction, DownReason, ErrorCode, PeerTimer, StateKind, Timer,
};
use tokio::time::{Instant, sleep};

use crate::{
    pipes::{AT_NODE, AT_ROUTER, node_by_hand, pair, towards_pipe},
    scripted::Scripted,
    world::{NODE, ROUTER, both_up, soon},
};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The time since a moment of a status.
fn age(at: std::time::Instant) -> Duration {
    Instant::now().into_std().saturating_duration_since(at)
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_session_has_both_opens_the_endpoints_and_the_timers() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    sleep(secs(10)).await;

    let (node, router) = (at_node.status(), at_router.status());
    let endpoints = node.endpoints.unwrap();
    assert_eq!((endpoints.local.to_string(), endpoints.remote.to_string()), {
        (AT_NODE.to_owned(), AT_ROUTER.to_owned())
    });
    let directions = [node.direction, router.direction];
    assert_eq!(directions, [Some(Direction::Outgoing), Some(Direction::Incoming)]);

    let sent = &node.messages.open_sent.as_ref().unwrap();
    let received = &router.messages.open_received.as_ref().unwrap();
    assert_eq!((sent.message.asn, sent.message.hold_time), (NODE, 90));
    assert_eq!(sent.message, received.message);
    assert_eq!(node.messages.open_received.as_ref().unwrap().message.asn, ROUTER);
    let agreed = node.negotiated.as_ref().unwrap();
    assert_eq!(agreed.local_capabilities, sent.message.capabilities);
    assert!(sent.message.capabilities.contains(&Capability::ExtendedMessage));
    assert_eq!((agreed.hold_time, agreed.keepalive_time), (secs(90), secs(30)));

    let timer = |timer| PeerTimer::Connection(Direction::Outgoing, timer);
    let hold = node.time_left(timer(Timer::Hold)).unwrap();
    assert!(hold >= secs(79) && hold <= secs(80), "{hold:?}");
    assert!(node.time_left(timer(Timer::Keepalive)).unwrap() <= secs(20));
    assert_eq!(node.time_left(timer(Timer::ConnectRetry)), None);
    assert_eq!(node.timers.len(), 2);
    assert!(node.uptime().unwrap() >= secs(10) && node.time_in_state() < secs(11));

    sleep(secs(60)).await;
    let hold = at_node.status().time_left(timer(Timer::Hold)).unwrap();
    assert!(hold > secs(60), "the peer was heard: {hold:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_notification_and_error_keep_their_text_and_time() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    at_node.reset("new filter").await.unwrap();
    let down = at_router.wait_for(|status| status.last_down.is_some());
    soon("the end", down).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    sleep(secs(7)).await;

    let (node, router) = (at_node.status(), at_router.status());
    let sent = node.messages.notification_sent.as_ref().unwrap();
    let received = router.messages.notification_received.as_ref().unwrap();
    assert_eq!(sent.message, received.message);
    assert_eq!(received.message.message(), Some("new filter"));
    let expected = (ErrorCode::CEASE, CeaseSubcode::ADMINISTRATIVE_RESET.0);
    assert_eq!((received.message.code, received.message.subcode), expected);
    assert!(age(received.at) >= secs(7) && age(received.at) < secs(10));
    assert!(node.messages.notification_received.is_none());

    assert!(matches!(router.last_error, Some(DownReason::Remote(_))));
    assert_eq!(router.last_error_at, router.down_since);
    let reason = "ended by the peer: Cease: administrative reset: \"new filter\"";
    assert_eq!(router.reason().as_deref(), Some(reason));
    assert_eq!((router.stats.sessions_lost, node.stats.sessions_lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_counted_with_the_time_of_the_last_and_the_pause_before_the_next() {
    let (node, mut dials) = node_by_hand().await;
    let config = towards_pipe().idle_hold(secs(8), secs(8)).connect_retry(secs(60));
    let mut at_node = node.add_peer(config).await.unwrap();
    dials.recv().await.unwrap().refuse();
    let failed = at_node.wait_for(|status| status.last_failure.is_some());
    let first = soon("a failure", failed).await.unwrap();
    assert_eq!((first.connect_retry_counter, first.state), (1, StateKind::Idle));
    let pause = PeerTimer::Connection(Direction::Outgoing, Timer::IdleHold);
    let left = first.time_left(pause).unwrap();
    assert!(left >= secs(6) && left <= secs(8), "{left:?}");

    dials.recv().await.unwrap().refuse();
    let again = at_node.wait_for(|status| status.connect_retry_counter == 2);
    let second = soon("another failure", again).await.unwrap();
    let apart = second.last_failure_at.unwrap() - first.last_failure_at.unwrap();
    assert!(apart >= secs(6) && apart <= secs(9), "{apart:?}");
    assert_eq!(second.last_error_at, second.last_failure_at);
    assert_eq!(second.reason().as_deref(), Some("the peer refused the TCP connection"));

    let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
    router.shake_hands(90).await;
    let up = at_node.established().await.unwrap();
    assert_eq!((up.last_failure_at, up.last_error_at, up.reason()), (None, None, None));
}

#[tokio::test(start_paused = true)]
async fn a_disabled_peer_shows_the_text_until_it_is_enabled() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    at_node.disable("rack 7 moves").await.unwrap();
    let disabled = soon("it", at_node.wait_for(|status| status.disabled)).await.unwrap();
    assert_eq!(disabled.disabled_message, "rack 7 moves");
    assert!(disabled.timers.is_empty(), "{:?}", disabled.timers);

    at_node.enable().await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    assert_eq!(at_node.status().disabled_message, "");
}
