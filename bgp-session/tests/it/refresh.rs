//! Routes that are sent again on request, in both directions, and the events of an operator's actions.

use bgp_session::{
    AfiSafi, EventKind, Events, OperatorAction, PeerHandle, RefreshError, SpeakerError,
};
use tokio::time::{Duration, sleep};

use crate::{
    pipes::{node_by_hand, pair, patch_through, router_without_socket, towards_pipe},
    world::{both_up, routes, soon, table, towards_node},
};

const IPV4: AfiSafi = AfiSafi::IPV4_UNICAST;
const TWO: [&str; 2] = ["172.22.35.70/32", "172.22.35.71/32"];

/// Waits until the events have an operator's action or a request of the peer, and describes it.
async fn next_action(events: &mut Events) -> String {
    soon("an action", async {
        loop {
            match events.next().await.unwrap().unwrap().kind {
                EventKind::Operator(action) => return format!("{action:?}"),
                EventKind::RefreshRequested(family) => return format!("asked for {family}"),
                _ => {}
            }
        }
    })
    .await
}

/// Waits until the peer has been sent, or has sent, this number of prefixes since the first session.
async fn announced(peer: &PeerHandle, prefixes: u64) {
    let count = || peer.stats().prefixes_announced_out.max(peer.stats().prefixes_announced_in);
    soon("the routes again", async {
        while count() < prefixes {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn both_ends_can_have_the_routes_sent_again() {
    let (router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    at_node.set_routes(routes(&TWO)).await.unwrap();
    table(&router, "the routes", |table| table.len() == 2).await;

    let (mut at_routers, mut at_nodes) = (router.events(), node.events());
    at_router.refresh(IPV4).await.unwrap();
    assert_eq!(next_action(&mut at_routers).await, format!("{:?}", OperatorAction::Refresh(IPV4)));
    assert_eq!(next_action(&mut at_nodes).await, "asked for ipv4-unicast");
    announced(&at_node, 4).await;

    at_node.resend(IPV4).await.unwrap();
    assert_eq!(next_action(&mut at_nodes).await, format!("{:?}", OperatorAction::Resend(IPV4)));
    announced(&at_router, 6).await;
    let (node, router) = (at_node.stats(), at_router.stats());
    assert_eq!((node.prefixes_announced_out, router.prefixes_announced_in), (6, 6));
    assert_eq!(router.prefixes_withdrawn_in, 0);
    // The request, and twice the two markers of RFC 7313.
    assert_eq!((router.sent.route_refresh, node.sent.route_refresh), (1, 4));
    assert_eq!((node.sessions_lost, router.sessions_lost), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_impossible_refresh_is_an_error_with_the_reason() {
    let router = router_without_socket().await;
    let config = towards_node("192.0.2.7").route_refresh(false);
    let mut at_router = router.add_peer(config).await.unwrap();
    let (node, dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let error = at_node.resend(IPV4).await.unwrap_err();
    let no_session = "peer 192.0.2.1: ipv4-unicast cannot be refreshed: no session is up";
    assert_eq!(format!("{error:#}"), no_session);

    patch_through(dials, &router);
    both_up(&mut at_router, &mut at_node).await;
    let error = at_node.refresh(IPV4).await.unwrap_err();
    let SpeakerError::Refresh { family: IPV4, source, .. } = error else { panic!("{error}") };
    assert_eq!(source, RefreshError::NotSupported);
    at_node.resend(IPV4).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_action_of_an_operator_is_an_event_with_its_text() {
    let (_router, mut at_router, node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let mut events = node.events();
    at_node.reset("new filter").await.unwrap();
    at_node.disable("rack 7 moves").await.unwrap();
    let refused = at_node.reset("again").await;
    assert!(matches!(refused, Err(SpeakerError::PeerDisabled { .. })), "{refused:?}");
    at_node.enable().await.unwrap();

    let expected = [
        OperatorAction::Reset("new filter".into()),
        OperatorAction::Disable("rack 7 moves".into()),
        OperatorAction::Enable,
    ];
    for action in expected {
        assert_eq!(next_action(&mut events).await, format!("{action:?}"));
    }
}
