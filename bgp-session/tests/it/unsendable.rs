//! Routes that a session cannot carry, and the reasons.

use bgp_session::{AfiSafi, EventKind, Route, RouteSet, Unsendable};

use crate::{
    pipes::{node_by_hand, patch_through, router_without_socket, towards_pipe},
    world::{both_up, routes, soon, table, towards_node},
};

const PREFIXES: [&str; 2] = ["172.22.35.70/32", "2001:db8::70/128"];

#[tokio::test(start_paused = true)]
async fn the_handle_the_status_and_an_event_report_a_family_that_the_router_does_not_offer() {
    let router = router_without_socket().await;
    let (node, dials) = node_by_hand().await;
    let only_v4 = towards_node("192.0.2.7").families([AfiSafi::IPV4_UNICAST]);
    let mut at_router = router.add_peer(only_v4).await.unwrap();
    patch_through(dials, &router);
    let mut events = node.events();
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    at_node.set_routes(routes(&PREFIXES)).await.unwrap();
    assert_eq!(at_node.unsendable().await.unwrap(), [], "there is no session yet");

    both_up(&mut at_node, &mut at_router).await;
    table(&router, "the IPv4 route", |table| table.len() == 1).await;
    let found = at_node.unsendable().await.unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.prefix.to_string(), it.why)).collect();
    let why = Unsendable::FamilyNotOffered { family: AfiSafi::IPV6_UNICAST };
    assert_eq!(found, [(PREFIXES[1].to_owned(), why)]);
    assert_eq!(at_node.status().unsendable, 1);
    let reported = soon("an event", async {
        loop {
            let event = events.next().await.expect("the speaker lives").expect("none is missed");
            if let EventKind::Unsendable { routes } = event.kind {
                return routes;
            }
        }
    });
    assert_eq!(reported.await, 1);

    at_node.set_routes(routes(&PREFIXES[..1])).await.unwrap();
    assert_eq!(at_node.unsendable().await.unwrap(), [], "asked after the routes were set");
    soon("the status", at_node.wait_for(|status| status.unsendable == 0)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_route_without_a_next_hop_of_its_family_is_reported_as_soon_as_it_is_set() {
    let router = router_without_socket().await;
    let (node, dials) = node_by_hand().await;
    let mut at_router = router.add_peer(towards_node("192.0.2.7")).await.unwrap();
    patch_through(dials, &router);
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    both_up(&mut at_node, &mut at_router).await;

    at_node.set_routes(routes(&PREFIXES)).await.unwrap();
    let found = at_node.unsendable().await.unwrap();
    assert!(
        matches!(found[..], [it] if matches!(it.why, Unsendable::NextHopFamily { .. })),
        "{found:?}"
    );

    let prefix = PREFIXES[1].parse().unwrap();
    let route = Route::new(prefix).next_hop("2001:db8::1".parse().unwrap());
    at_node.set_routes(RouteSet::from([route])).await.unwrap();
    table(&router, "the IPv6 route", |table| table.iter().any(|(it, _)| it == prefix)).await;
    assert_eq!(at_node.unsendable().await.unwrap(), []);
}
