//! Events, and readers that are too slow for them.

use bgp_session::{Event, EventKind, Events, Missed, Speaker, StateKind};

use crate::{
    pipes::{node_by_hand, pair, patch_through, router_without_socket, towards_pipe},
    world::{both_up, routes, soon, table, towards_node},
};

async fn next(events: &mut Events) -> Event {
    soon("an event", events.next()).await.expect("the speaker lives").expect("none is missed")
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_session_come_in_order() {
    let router = router_without_socket().await;
    let (node, dials) = node_by_hand().await;
    let mut events = router.events();
    let at_router = router.add_peer(towards_node("192.0.2.7")).await.unwrap();
    patch_through(dials, &router);
    let at_node = node.add_peer(towards_pipe()).await.unwrap();
    at_node.set_routes(routes(&["172.22.35.70/32", "172.22.35.71/32"])).await.unwrap();
    table(&router, "the routes", |table| table.len() == 2).await;
    node.shutdown("bye").await;

    let mut seen = Vec::new();
    loop {
        let event = next(&mut events).await;
        assert_eq!(event.peer, at_router.id());
        let text = event.to_string();
        match event.kind {
            EventKind::Added => seen.push("added".to_owned()),
            EventKind::StateChange { to: StateKind::Established, .. } => {
                seen.push("established".to_owned());
            }
            EventKind::StateChange { .. } | EventKind::EndOfRib(_) => {}
            EventKind::Up(terms) => {
                seen.push(format!("up with {}", terms.remote_asn));
                let up = "the session with AS 64636, 172.22.35.25, is up";
                assert_eq!(text, format!("192.0.2.7: {up}: ipv4-unicast, ipv6-unicast"));
            }
            EventKind::RoutesChanged { announced, withdrawn } => {
                seen.push(format!("+{announced} -{withdrawn}"));
            }
            EventKind::Down(reason) => {
                seen.push(format!("down, {reason}"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }

    // The event of the state comes after the others of its transition.
    seen.retain(|entry| entry != "established");
    let down = "down, ended by the peer: Cease: administrative shutdown: \"bye\"";
    assert_eq!(seen, ["added", "up with 64636", "+2 -0", "+0 -2", down]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_learns_how_many_events_it_missed() {
    let identifier = bgp_session::BgpIdentifier::new(10, 0, 0, 1);
    let builder = Speaker::builder(crate::world::NODE, identifier).event_capacity(2);
    let speaker = builder.start().await.unwrap();
    let mut events = speaker.events();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let peer = speaker.add_peer(towards_node(address)).await.unwrap();
        // Added, Idle to Active and back, Removed.
        peer.shutdown("").await.unwrap();
    }

    let missed = events.next().await.unwrap().unwrap_err();
    assert!(matches!(missed, Missed { events: 4.., .. }), "{missed}");
    let newest = next(&mut events).await;
    assert_eq!(
        newest.peer.to_string(),
        "192.0.2.3",
        "the next event is the oldest one that is left"
    );

    drop(speaker);
    while let Some(event) = events.next().await {
        event.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_reader_of_the_status_sees_the_latest_facts() {
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    // One call covers several changes.
    let mut late = at_router.clone();
    let status = late.status();
    assert!(status.is_established());
    let terms = status.negotiated.unwrap();
    assert_eq!(terms.remote_identifier.to_string(), "172.22.35.25");
    assert_eq!(status.endpoints.unwrap().remote.to_string(), crate::pipes::AT_NODE);
    at_node.shutdown("").await.unwrap();
    let next = soon("a change", late.wait_for(|status| !status.is_established())).await.unwrap();
    assert!(next.since >= status.since);
}
