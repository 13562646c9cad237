//! Sessions over TCP on loopback addresses.

use std::time::Duration;

use bgp_session::{Community, DownReason, Route, RouteSet};
use tokio::{io::AsyncReadExt, net::TcpSocket};

use crate::world::{
    both_up, node, prefixes, router, routes, soon, table, towards_node, towards_router,
};

#[tokio::test]
async fn routes_are_announced_replaced_and_withdrawn() {
    let router = router("127.0.0.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.25")).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "127.0.0.25");
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;

    let smtp = "172.22.35.70/32".parse().unwrap();
    let community = Community::new(64_635, 100);
    let next_hop = "172.22.35.26".parse().unwrap();
    let route = Route::new(smtp).community(community).med(7).next_hop(next_hop);
    at_node.set_routes(RouteSet::from([route])).await.unwrap();
    at_node.announce(Route::new("172.22.35.71/32".parse().unwrap())).await.unwrap();
    let both = table(&router, "both routes", |table| table.len() == 2).await;
    let best = both.best(&smtp).unwrap();
    assert_eq!(best.peer, at_router.id());
    assert!(best.best && best.multipath);
    assert_eq!(best.attributes.as_path.to_string(), "64636");
    assert_eq!(best.attributes.communities, [community]);
    assert_eq!(best.attributes.med, Some(7));
    assert_eq!(best.attributes.local_pref, None, "LOCAL_PREF stays within an AS");
    assert_eq!(best.attributes.next_hop, Some(next_hop.into()));
    let own = &both.best(&"172.22.35.71/32".parse().unwrap()).unwrap().attributes;
    assert_eq!(own.next_hop, Some("127.0.0.25".parse::<std::net::IpAddr>().unwrap().into()));

    at_node.withdraw(smtp).await.unwrap();
    let one = table(&router, "the withdrawal", |table| table.len() == 1).await;
    assert_eq!(prefixes(&one), ["172.22.35.71/32"]);
    at_node.set_routes(routes(&["172.22.35.72/32"])).await.unwrap();
    table(&router, "the new set", |table| prefixes(table) == ["172.22.35.72/32"]).await;
}

#[tokio::test]
async fn two_nodes_with_one_prefix_share_its_traffic() {
    let router = router("127.0.0.1:0").await;
    let (mut handles, mut nodes) = (Vec::new(), Vec::new());
    for address in ["127.0.0.26", "127.0.0.27"] {
        handles.push(router.add_peer(towards_node(address)).await.unwrap());
        let node = node().await;
        let config = towards_router(router.listen_addr().unwrap(), address);
        let at_node = node.add_peer(config).await.unwrap();
        at_node.set_routes(routes(&["172.22.35.64/32"])).await.unwrap();
        handles.push(at_node);
        nodes.push(node);
    }

    let prefix = "172.22.35.64/32".parse().unwrap();
    let shared = table(&router, "two paths", |table| table.paths(&prefix).len() == 2).await;
    let paths = shared.paths(&prefix);
    assert!(paths.iter().all(|path| path.multipath));
    assert_eq!(paths.iter().filter(|path| path.best).count(), 1);

    handles.pop();
    let left = table(&router, "one path", |table| table.paths(&prefix).len() == 1).await;
    assert_eq!(left.best(&prefix).unwrap().peer.to_string(), "127.0.0.26");
}

#[tokio::test]
async fn sessions_run_over_ipv6_too() {
    let router = router("[::1]:0").await;
    let mut at_router = router.add_peer(towards_node("::1")).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "::1");
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    // The router would not accept a route through its own address, and ::1 is the node's too.
    let next_hop: std::net::IpAddr = "2001:db8::25".parse().unwrap();
    let prefix = "2001:db8:1::/64".parse().unwrap();
    at_node.announce(Route::new(prefix).next_hop(next_hop)).await.unwrap();
    let received = table(&router, "the route", |table| table.len() == 1).await;
    assert_eq!(received.best(&prefix).unwrap().attributes.next_hop, Some(next_hop.into()));
}

#[tokio::test]
async fn a_shutdown_sends_its_text_to_the_peer() {
    let router = router("127.0.0.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.28")).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "127.0.0.28");
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    soon("the shutdown", node.shutdown("rack 7 moves")).await;
    let down = soon("the end", at_router.wait_for(|status| status.last_down.is_some())).await;
    let reason = down.unwrap().last_down.unwrap();
    assert!(matches!(reason, DownReason::Remote(_)), "{reason}");
    assert!(reason.to_string().contains("administrative shutdown"), "{reason}");
    assert!(reason.to_string().contains("rack 7 moves"), "{reason}");
    assert!(matches!(at_node.status().last_down, Some(DownReason::Local(_))));
    assert!(at_node.set_routes(routes(&[])).await.is_err(), "the peer is gone");
    assert!(node.peers().is_empty());
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_session_with_a_cease() {
    let router = router("127.0.0.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.29")).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "127.0.0.29");
    let mut at_node = node.add_peer(config.clone()).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;

    let second = at_node.clone();
    drop(at_node);
    second.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    table(&router, "the route by the handle left", |table| table.len() == 1).await;
    drop(second);
    let down = soon("the end", at_router.wait_for(|status| status.last_down.is_some())).await;
    let reason = down.unwrap().last_down.unwrap().to_string();
    assert!(reason.contains("peer de-configured"), "{reason}");

    table(&router, "the route is gone", |table| table.is_empty()).await;
    // The address is free for another.
    let mut again = soon("its successor", node.add_peer(config)).await.unwrap();
    both_up(&mut at_router, &mut again).await;
}

#[tokio::test]
async fn a_stranger_is_closed_at_once() {
    let router = router("127.0.0.1:0").await;
    let at_router = router.add_peer(towards_node("127.0.0.30")).await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.66:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(router.listen_addr().unwrap()).await.unwrap();
    let read = soon("the end of the stranger's connection", stream.read_u8()).await;
    assert!(read.is_err());
    assert_eq!(router.strangers(), 1);
    assert_eq!(at_router.stats().received.total(), 0);
}

#[tokio::test]
async fn removing_one_peer_leaves_the_others_alone() {
    let router = router("127.0.0.1:0").await;
    let node = node().await;
    let mut stays = router.add_peer(towards_node("127.0.0.31")).await.unwrap();
    let mut goes = router.add_peer(towards_node("127.0.0.32")).await.unwrap();
    let address = router.listen_addr().unwrap();
    let mut stays_at_node = node.add_peer(towards_router(address, "127.0.0.31")).await.unwrap();
    let other = crate::world::node().await;
    let mut goes_at_node = other.add_peer(towards_router(address, "127.0.0.32")).await.unwrap();
    both_up(&mut stays, &mut stays_at_node).await;
    both_up(&mut goes, &mut goes_at_node).await;
    soon("one peer's shutdown", goes.shutdown("")).await.unwrap();
    assert_eq!(router.peers().len(), 1);
    stays_at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    table(&router, "a route of the peer that stays", |table| table.len() == 1).await;
    assert_eq!(stays.stats().sessions_lost, 0);
}

#[tokio::test]
async fn the_port_is_free_after_a_shutdown() {
    let first = router("127.0.33.1:0").await;
    let address = first.listen_addr().unwrap();
    let peer = first.add_peer(towards_node("127.0.0.33")).await.unwrap();
    soon("the shutdown", first.shutdown("")).await;
    let second = router(&address.to_string()).await;
    assert_eq!(second.listen_addr(), Some(address));
    assert!(peer.announce(Route::new("10.0.0.0/8".parse().unwrap())).await.is_err());
    tokio::time::timeout(Duration::from_secs(1), first.shutdown("")).await.unwrap();
}
