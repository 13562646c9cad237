//! The operator's actions: disable, reset, reconfigure and drain.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bgp_session::{
    AfiSafi, Community, DrainStage, EventKind, Exceeded, GracefulShutdown, IpNet, PeerHandle,
    PrefixLimit, Route, RouteSet, Speaker, SpeakerError, StateKind,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    pipes::{pair, towards_pipe},
    world::{ROUTER, both_up, prefixes, routes, soon, table, towards_node},
};

const SMTP: &str = "172.22.35.70/32";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn smtp() -> IpNet {
    SMTP.parse().unwrap()
}

async fn why(peer: &mut PeerHandle) -> String {
    let down = peer.wait_for(|status| status.last_down.is_some() && !status.is_established());
    soon("the end", down).await.unwrap().last_down.unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_disabled_peer_stays_configured_and_comes_back_with_its_routes() {
    let (router, mut at_router, node, mut at_node) = pair().await;
    at_node.set_routes(routes(&[SMTP])).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    at_node.disable("rack 7 moves").await.unwrap();
    let reason = why(&mut at_router).await;
    assert_eq!(reason, "ended by the peer: Cease: administrative shutdown: \"rack 7 moves\"");

    table(&router, "no route", |table| table.is_empty()).await;
    sleep(secs(3_600)).await;
    assert!(at_node.status().disabled && node.peers().len() == 1);
    assert_eq!(at_node.status().state, StateKind::Idle);

    // Routes that are set while the peer is disabled are announced later.
    at_node.set_routes(routes(&["172.22.35.71/32"])).await.unwrap();
    let error = at_node.reset("").await.unwrap_err();
    assert!(matches!(error, SpeakerError::PeerDisabled { .. }), "{error}");
    sleep(secs(60)).await;
    assert_eq!(at_node.status().state, StateKind::Idle, "a reset does not start a session");

    at_node.enable().await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    assert!(!at_node.status().disabled);
    table(&router, "the new route", |table| prefixes(table) == ["172.22.35.71/32"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_carries_its_text_and_the_session_is_back_at_once() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let before = Instant::now();
    at_node.reset("new filter").await.unwrap();
    let again = |status: &bgp_session::PeerStatus| status.stats.established_transitions == 2;
    soon("another session", at_node.wait_for(again)).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    assert!(before.elapsed() < secs(2), "{:?}", before.elapsed());
    let reason = at_router.status().last_down.unwrap().to_string();
    assert_eq!(reason, "ended by the peer: Cease: administrative reset: \"new filter\"");
}

#[tokio::test(start_paused = true)]
async fn timers_and_limits_change_without_a_reset() {
    let (_router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let mut events = node.events();
    let config = towards_pipe().hold_time(secs(9)).maximum_prefixes(10).connect_timeout(secs(1));
    let updated = at_node.update(config.clone()).await.unwrap();
    let changed: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
    assert_eq!(changed, ["hold_time", "maximum_prefixes", "connect_timeout"]);
    assert!(!updated.reset && updated.needs_reset().next().is_none());

    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event.kind, EventKind::Updated(told) if *told == updated));
    sleep(secs(600)).await;
    assert_eq!(at_node.stats().sessions_lost, 0);
    assert_eq!(at_node.status().negotiated.unwrap().hold_time, secs(90));

    let again = at_node.update(config).await.unwrap();
    assert!(again.changes.is_empty() && !again.reset, "{again:?}");
    at_node.reset("").await.unwrap();
    let short = |status: &bgp_session::PeerStatus| {
        status.negotiated.as_ref().is_some_and(|terms| terms.hold_time == secs(9))
    };
    soon("the new hold time", at_node.wait_for(short)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_near_is_an_event_and_one_that_is_exceeded_the_end() {
    let (router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let limit = PrefixLimit { exceeded: Exceeded::Restart(secs(600)), ..PrefixLimit::new(4) };
    let updated = at_router.update(towards_node("192.0.2.7").maximum_prefixes(limit)).await;
    assert!(!updated.unwrap().reset);

    let mut events = router.events();
    let all = ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32", "10.0.0.4/32", "10.0.0.5/32"];
    at_node.set_routes(routes(&all[..3])).await.unwrap();
    let warned = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if let EventKind::PrefixWarning { family, held, limit } = event.kind {
                return (family, held, limit);
            }
        }
    };
    assert_eq!(soon("a warning", warned).await, (AfiSafi::IPV4_UNICAST, 3, 4));

    at_node.set_routes(routes(&all)).await.unwrap();
    let reason = why(&mut at_node).await;
    let end = "Cease: maximum number of prefixes reached (ipv4-unicast, limit 4)";
    assert_eq!(reason, format!("ended by the peer: {end}"));

    // `enable` ends the pause.
    at_node.set_routes(routes(&all[..4])).await.unwrap();
    sleep(secs(30)).await;
    assert_eq!(at_router.status().state, StateKind::Idle);

    at_router.enable().await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    table(&router, "four routes", |table| table.len() == 4).await;
    assert_eq!(at_router.status().prefixes_held, 4);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_needs_a_reset_gets_one_or_waits_as_requested() {
    let (router, mut at_router, _node, mut at_node) = pair().await;
    at_node.set_routes(routes(&[SMTP])).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    let config = towards_pipe().families([AfiSafi::IPV4_UNICAST]);
    let waiting = at_node.update_without_reset(config.clone()).await.unwrap();
    assert!(!waiting.reset && waiting.needs_reset().eq(["families"]));
    assert_eq!(at_node.status().negotiated.unwrap().families.len(), 2);

    let config = config.password("s3cret");
    let updated = at_node.update(config).await.unwrap();
    assert!(updated.reset && updated.needs_reset().eq(["password"]));
    let reason = why(&mut at_router).await;
    assert!(reason.contains("other configuration change"), "{reason}");
    both_up(&mut at_router, &mut at_node).await;
    assert_eq!(at_node.status().negotiated.unwrap().families.len(), 1);
    table(&router, "the route again", |table| table.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_reset_for_a_change_the_next_session_does_not_wait_for_the_pause_after_failures() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let before = Instant::now();
    let config = towards_pipe().families([AfiSafi::IPV4_UNICAST]).idle_hold(secs(30), secs(60));
    assert!(at_node.update(config).await.unwrap().reset);
    let again = |status: &bgp_session::PeerStatus| status.stats.established_transitions == 2;
    soon("another session", at_node.wait_for(again)).await.unwrap();
    assert!(before.elapsed() < secs(3), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn another_port_needs_a_new_session() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let updated = at_node.update(towards_pipe().port(1_179)).await.unwrap();
    assert!(updated.reset && updated.needs_reset().eq(["port"]), "{updated:?}");
    assert!(why(&mut at_router).await.contains("other configuration change"));
}

#[tokio::test(start_paused = true)]
async fn an_impossible_change_is_refused_and_changes_nothing() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let elsewhere: IpAddr = "192.0.2.99".parse().unwrap();
    for config in [
        bgp_session::PeerConfig::new(elsewhere, ROUTER),
        towards_pipe().hold_time(Duration::from_millis(100)),
    ] {
        let error = at_node.update(config).await.unwrap_err();
        assert!(matches!(error, SpeakerError::PeerConfig { .. }), "{error}");
    }
    assert!(at_node.status().is_established());
    assert_eq!(at_node.stats().sessions_lost, 0);
}

/// The route's community and LOCAL_PREF, as the router holds them.
async fn marked(router: &Speaker, wanted: bool) {
    let what = if wanted { "a marked route" } else { "an unmarked route" };
    table(router, what, |table| {
        table.best(&smtp()).is_some_and(|path| {
            path.attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN) == wanted
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_marks_then_withdraws_then_ends_the_sessions() {
    let (router, mut at_router, node, mut at_node) = pair().await;
    at_node.set_routes(routes(&[SMTP])).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    marked(&router, false).await;
    let mut events = node.events();
    let began = Instant::now();
    let how = GracefulShutdown::new()
        .marked_for(secs(15))
        .withdrawn_for(secs(10))
        .message("kernel upgrade");
    let draining = tokio::spawn(async move { node.drain(how).await });

    marked(&router, true).await;
    assert!(began.elapsed() < secs(1));

    // A route that is added during the drain is marked as well.
    at_node.announce(Route::new("172.22.35.71/32".parse().unwrap())).await.unwrap();
    let both = table(&router, "both", |table| table.len() == 2).await;
    let marks = both.iter().map(|(_, paths)| paths.best().unwrap().attributes.communities.len());
    assert!(marks.eq([1, 1]));

    table(&router, "no route", |table| table.is_empty()).await;
    assert!((15..=16).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(at_router.status().is_established(), "traffic under way still arrives");
    let reason = why(&mut at_router).await;
    assert!(reason.ends_with("administrative shutdown: \"kernel upgrade\""), "{reason}");
    assert!((25..=28).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    soon("the drain", draining).await.unwrap();

    let mut stages = Vec::new();
    while let Some(Ok(event)) = events.next().await {
        if let EventKind::Draining(stage) = event.kind {
            stages.push(stage);
        }
    }
    assert_eq!(stages, [DrainStage::Marked, DrainStage::Withdrawn]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drain_restores_all_routes() {
    let (router, mut at_router, node, mut at_node) = pair().await;
    at_node.set_routes(routes(&[SMTP, "172.22.35.71/32"])).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    let how = || GracefulShutdown::new().marked_for(secs(30)).withdrawn_for(secs(30));

    // While routes are marked, and while they are withdrawn.
    for after in [10, 40] {
        let called_off = timeout(secs(after), node.drain(how()));
        let meanwhile = async {
            sleep(secs(after - 1)).await;
            at_node.withdraw("172.22.35.71/32".parse().unwrap()).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(called_off, meanwhile);
        assert!(outcome.is_err());
        marked(&router, false).await;
        let held = table(&router, "one route", |table| table.len() == 1).await;
        assert_eq!(
            prefixes(&held),
            [SMTP],
            "a route that was withdrawn during the drain stays withdrawn"
        );
        assert_eq!(at_node.status().drain, DrainStage::Normal);
    }
    assert_eq!(at_node.stats().sessions_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_added_during_a_drain_is_drained_too() {
    let (_router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let node = Arc::new(node);
    let draining = Arc::clone(&node);
    tokio::spawn(async move { draining.drain(GracefulShutdown::new()).await });
    soon("the drain", at_node.wait_for(|status| status.drain == DrainStage::Marked)).await.unwrap();
    let mut late = node.add_peer(towards_node("192.0.2.8")).await.unwrap();
    soon("the mark", late.wait_for(|status| status.drain == DrainStage::Marked)).await.unwrap();
}

/// No action on one peer affects another.
#[tokio::test(start_paused = true)]
async fn adding_changing_and_removing_one_peer_touches_no_others_session() {
    let (router, mut at_router, node, mut at_node) = pair().await;
    at_node.set_routes(routes(&[SMTP])).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    table(&router, "the route", |table| table.len() == 1).await;
    let (ours, theirs) = (at_node.stats(), at_router.stats());
    let mut events = node.events();
    let (untouched, mut seed) = (at_node.id(), 7_u32);

    let mut others: Vec<PeerHandle> = Vec::new();
    for step in 0..500 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let choice = seed >> 16;
        let config = |octet: u32| {
            let address: IpAddr = format!("192.0.2.{}", 100 + octet).parse().unwrap();
            let config = bgp_session::PeerConfig::new(address, ROUTER);
            match choice % 5 {
                0 => config.passive(),
                1 => config.hold_time(secs(u64::from(3 + choice % 90))),
                2 => config.password(format!("secret {choice}")),
                3 => config.maximum_prefixes(choice),
                _ => config.role(bgp_session::Role::CUSTOMER),
            }
        };
        match choice % 7 {
            0..=2 => match node.add_peer(config(choice % 20)).await {
                Ok(peer) => others.push(peer),
                Err(error) => assert!(matches!(error, SpeakerError::PeerExists { .. }), "{error}"),
            },
            3 if !others.is_empty() => {
                others.swap_remove(choice as usize % others.len()).shutdown("").await.unwrap();
            }
            4 if !others.is_empty() => drop(others.pop()),
            _ => {
                if let Some(peer) = others.last() {
                    let octet = peer.id().to_string().rsplit('.').next().unwrap().parse::<u32>();
                    peer.update(config(octet.unwrap() - 100)).await.unwrap();
                    peer.disable("").await.unwrap();
                    peer.set_routes(RouteSet::from([Route::new(smtp())])).await.unwrap();
                    peer.enable().await.unwrap();
                }
            }
        }
        assert!(at_node.status().is_established(), "step {step}");
        while let Ok(Some(event)) = timeout(Duration::ZERO, events.next()).await {
            // A burst may overrun the reader. None of the events that are left may be of this peer.
            assert!(event.is_err() || event.unwrap().peer != untouched, "step {step}");
        }
    }
    for (before, after) in [(ours, at_node.stats()), (theirs, at_router.stats())] {
        assert_eq!(before.sessions_lost, after.sessions_lost);
        assert_eq!(before.sent.update, after.sent.update, "no additional UPDATE");
    }
    assert!(at_node.status().last_down.is_none());
}
