//! The timers through the whole stack, in virtual time: hours pass in milliseconds.

use std::time::Duration;

use bgp_core::wire::ErrorCode;
use bgp_session::{PathAttributes, Route, RouteSet};
use tokio::time::{Instant, advance, timeout};

use crate::{
    pipes::{node_by_hand, pair, towards_pipe},
    scripted::{Heard, Scripted},
    world::{both_up, routes},
};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_silent_peer_expires_the_hold_timer_after_ninety_seconds() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
    router.shake_hands(180).await;
    at_node.established().await.unwrap();

    let last_word = Instant::now();
    let notification = loop {
        match router.hear_control().await {
            Heard::Keepalive => {}
            Heard::Notification(notification) => break notification,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(notification.code, ErrorCode::HOLD_TIMER_EXPIRED);
    assert_eq!(last_word.elapsed(), Duration::from_secs(90), "the smaller hold time applies");
    assert_eq!(router.hear().await, Heard::End);

    let down = at_node.wait_for(|status| status.last_down.is_some()).await.unwrap();
    let reason = down.last_down.unwrap().to_string();
    assert!(reason.contains("Hold timer expired"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_is_sent_in_each_third_of_the_hold_time() {
    let (node, mut dials) = node_by_hand().await;
    let _at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
    router.shake_hands(30).await;
    let mut last = Instant::now();
    for _ in 0..100 {
        assert_eq!(router.hear_control().await, Heard::Keepalive);
        // With jitter it is at least three quarters of the time (RFC 4271 section 10).
        let pause = last.elapsed();
        assert!(pause <= Duration::from_secs(10), "{pause:?}");
        last = Instant::now();
        router.say_keepalive().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_session_lasts() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let end = timeout(24 * HOUR, at_node.wait_for(|status| !status.is_established())).await;
    assert!(end.is_err(), "a day passes");
    assert_eq!(at_router.stats().established_transitions, 1);
    let keepalives = at_router.status().stats.received.keepalive;
    assert!((2_880..4_000).contains(&keepalives), "one in 22.5 to 30 s, not {keepalives}");
}

/// The pauses between the first dials when each is refused.
async fn pauses(seed: u64) -> Vec<Duration> {
    let (node, mut dials) = node_by_hand().await;
    let config = towards_pipe()
        .jitter_seed(seed)
        .idle_hold(Duration::from_secs(1), Duration::from_secs(60))
        .connect_retry(Duration::from_secs(60));
    let _at_node = node.add_peer(config).await.unwrap();
    dials.recv().await.unwrap().refuse();
    let mut last = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let dial = dials.recv().await.unwrap();
        pauses.push(last.elapsed());
        last = Instant::now();
        dial.refuse();
    }
    pauses
}

#[tokio::test(start_paused = true)]
async fn a_refused_dial_is_repeated_with_growing_pauses_and_jitter() {
    let measured = pauses(1).await;
    assert!(measured[0] <= Duration::from_secs(1), "soon at first: {measured:?}");
    let last = measured[11];
    assert!((44..=60).contains(&last.as_secs()), "bounded in the end: {measured:?}");
    let sums = [&measured[..4], &measured[4..8], &measured[8..]]
        .map(|pauses| pauses.iter().sum::<Duration>());
    assert!(sums.is_sorted(), "{measured:?}");
    assert_eq!(measured, pauses(1).await, "a seed gives the same run");
    assert_ne!(measured, pauses(2).await, "two peers don't dial in step");
}

#[tokio::test(start_paused = true)]
async fn a_session_comes_back_after_its_connection_was_cut() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    for session in 1..=5 {
        let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
        router.shake_hands(90).await;
        let up = at_node.established().await.unwrap();
        assert_eq!(up.stats.established_transitions, session);
        drop(router);
        let down = at_node.wait_for(|status| !status.is_established()).await.unwrap();
        let reason = down.last_down.unwrap().to_string();
        assert!(reason.contains("without a NOTIFICATION"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_are_obeyed_while_a_connection_is_being_made() {
    let (node, mut dials) = node_by_hand().await;
    let at_node = node.add_peer(towards_pipe()).await.unwrap();
    let _unanswered = dials.recv().await.unwrap();
    let before = Instant::now();
    for _ in 0..1_000 {
        at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    }
    at_node.shutdown("").await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_dial_is_given_up_and_repeated() {
    let (node, mut dials) = node_by_hand().await;
    // The test's dials do not time out, so the ConnectRetryTimer expires.
    let config = towards_pipe().connect_retry(Duration::from_secs(20));
    let _at_node = node.add_peer(config).await.unwrap();
    let _hanging = dials.recv().await.unwrap();
    let before = Instant::now();
    let _next = dials.recv().await.unwrap();
    assert!((15..=20).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
}

#[test]
fn a_dial_is_given_up_before_the_connect_retry_timer_can_expire() {
    let config = towards_pipe();
    assert_eq!(config.connect_limit(), Duration::from_secs(3));
    let slower = config.connect_retry(Duration::from_secs(120));
    assert_eq!(
        slower.connect_limit(),
        Duration::from_secs(72),
        "with jitter at least 90 s are left"
    );
    let never = slower.clone().connect_retry(Duration::MAX);
    assert!(never.connect_limit() > HOUR, "{:?}", never.connect_limit());
    assert_eq!(slower.connect_timeout(Duration::from_secs(1)).connect_limit().as_secs(), 1);
}

/// Routes that share no UPDATE, each with at least 30 octets of attributes.
fn many_routes(count: u32) -> RouteSet {
    let prefixes = (0..count).map(|n| ipnet::Ipv4Net::new((0x0a00_0000 | n).into(), 32).unwrap());
    let routes = prefixes.zip(0..).map(|(prefix, med)| {
        let attributes = PathAttributes { med: Some(med), ..PathAttributes::default() };
        Route::with_attributes(prefix.into(), attributes.into())
    });
    routes.collect()
}

#[tokio::test(start_paused = true)]
async fn little_is_composed_for_a_peer_that_does_not_read() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(4_096));
    router.shake_hands(90).await;
    at_node.established().await.unwrap();

    at_node.set_routes(many_routes(20_000)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    at_node.set_routes(many_routes(20_001)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    let composed = at_node.stats().prefixes_announced_out;
    assert!((100..3_000).contains(&composed), "about 64 KiB and the pipe's capacity: {composed}");

    // The router reads again, and gets everything.
    let mut updates = 0;
    while updates < 20_001 {
        match router.hear().await {
            Heard::Update => updates += 1,
            Heard::Keepalive => {}
            other => panic!("{other:?} after {updates} UPDATEs"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_peer_that_does_not_read() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(64));
    router.shake_hands(90).await;
    at_node.established().await.unwrap();
    at_node.set_routes(many_routes(1_000)).await.unwrap();
    let before = Instant::now();
    node.shutdown("maintenance").await;
    assert!(before.elapsed() <= Duration::from_secs(2), "{:?}", before.elapsed());
}
