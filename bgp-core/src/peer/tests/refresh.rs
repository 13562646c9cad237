//! Tests of route refreshes on both sides, with and without their beginning and end (RFC 2918, RFC 7313).

use super::net::Net;
use super::{prefix, secs};
use crate::AfiSafi;
use crate::peer::Import;
use crate::rib::{Nlri, Route, RouteSet};
use crate::wire::{RouteRefresh, RouteRefreshSubtype};

/// Two nodes of which node 1 has two routes of node 0, and one that node 0 does not have.
fn net(enhanced: bool) -> Net {
    let mut configs = Net::configs();
    configs[0].fsm.extensions.enhanced_refresh = enhanced;
    configs[1].import = Import::Keep;
    let mut net = Net::new(configs, 3);
    let routes = ["10.0.0.0/24", "10.0.1.0/24"].map(|text| Route::new(prefix(text)));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.bring_up();
    let phantom = Nlri::from(prefix("10.9.0.0/16"));
    let attributes = net.nodes[1].peer.adj_rib_in().iter().next().expect("a route").1.clone();
    net.nodes[1].peer.adj_rib_in.announce(phantom, &attributes);
    net
}

fn held(net: &Net) -> usize {
    net.nodes[1].peer.adj_rib_in().len()
}

fn mark(subtype: RouteRefreshSubtype) -> Vec<u8> {
    let mut octets = bytes::BytesMut::new();
    RouteRefresh { family: AfiSafi::IPV4_UNICAST, subtype }.encode(&mut octets);
    octets.to_vec()
}

#[test]
fn a_refresh_with_an_end_removes_routes_that_were_not_repeated() {
    let mut net = net(true);
    net.mutate(1, |peer, _| assert!(peer.request_refresh(AfiSafi::IPV4_UNICAST)));
    net.run(secs(1));
    assert_eq!(held(&net), 2);
    let stats = net.nodes[1].peer.stats();
    assert_eq!((stats.sent.route_refresh, stats.received.route_refresh), (1, 2));
    assert_eq!(stats.prefixes_announced_in, 4);
    assert_eq!(net.nodes[1].peer.adj_rib_in().stale(AfiSafi::IPV4_UNICAST), 0);
}

#[test]
fn a_refresh_without_an_end_repeats_and_removes_nothing() {
    let mut net = net(false);
    net.mutate(1, |peer, _| assert!(peer.request_refresh(AfiSafi::IPV4_UNICAST)));
    net.run(secs(1));
    assert_eq!(held(&net), 3);
    let stats = net.nodes[1].peer.stats();
    assert_eq!((stats.received.route_refresh, stats.prefixes_announced_in), (0, 4));
    // RFC 7313, section 5: markers that were not negotiated are ignored.
    net.inject(1, &mark(RouteRefreshSubtype::BEGIN));
    net.inject(1, &mark(RouteRefreshSubtype::END));
    assert_eq!(held(&net), 3);
}

#[test]
fn a_refresh_whose_end_never_comes_ends_in_time() {
    let mut net = net(true);
    net.inject(1, &mark(RouteRefreshSubtype::END));
    assert_eq!(held(&net), 3, "an end without a beginning");
    net.inject(1, &mark(RouteRefreshSubtype::BEGIN));
    net.run(secs(359));
    assert_eq!(held(&net), 3);
    net.run(secs(2));
    assert_eq!(held(&net), 0, "nothing was repeated");
    assert!(net.is_up());
}

#[test]
fn a_refresh_is_not_requested_without_a_session_or_its_family() {
    let mut net = Net::new(Net::configs(), 1);
    net.mutate(1, |peer, _| assert!(!peer.request_refresh(AfiSafi::IPV4_UNICAST)));
    net.start();
    net.run_until_up(secs(5));
    let multicast = AfiSafi::new(crate::Afi::IPV4, crate::Safi::MULTICAST);
    net.mutate(1, |peer, _| assert!(!peer.request_refresh(multicast)));
}
