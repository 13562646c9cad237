//! Tests of route refreshes on both sides, with and without their beginning and end (RFC 2918, RFC 7313).

use super::net::Net;
use super::{prefix, secs};
use crate::AfiSafi;
use crate::peer::{Import, Output, RefreshError};
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
    let received = &mut net.nodes[1].peer.adj_rib_in;
    received.gather(phantom, Some(attributes));
    received.apply_gathered(1);
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
    net.mutate(1, |peer, _| peer.request_refresh(AfiSafi::IPV4_UNICAST).expect("a session"));
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
    net.mutate(1, |peer, _| peer.request_refresh(AfiSafi::IPV4_UNICAST).expect("a session"));
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
fn the_reason_is_given_when_nothing_can_be_refreshed() {
    let mut configs = Net::configs();
    configs[0].fsm.route_refresh = false;
    let mut net = Net::new(configs, 1);
    let (ipv4, both) = (AfiSafi::IPV4_UNICAST, [0, 1]);
    let ask = |net: &mut Net, i: usize, family| {
        let mut answers = None;
        net.mutate(i, |peer, _| {
            answers = Some((peer.request_refresh(family), peer.resend(family)));
        });
        answers.expect("an answer")
    };
    let no_session = Err(RefreshError::NoSession);
    assert_eq!(both.map(|i| ask(&mut net, i, ipv4)), [(no_session, no_session); 2]);

    net.start();
    net.run_until_up(secs(5));
    let multicast = AfiSafi::new(crate::Afi::IPV4, crate::Safi::MULTICAST);
    let no_family = Err(RefreshError::FamilyNotNegotiated);
    assert_eq!(ask(&mut net, 1, multicast), (no_family, no_family));
    assert_eq!(ask(&mut net, 1, ipv4), (Err(RefreshError::NotSupported), Ok(())));
}

#[test]
fn routes_that_are_sent_again_without_a_request_replace_all_others() {
    for (enhanced, left) in [(true, 2), (false, 3)] {
        let mut net = net(enhanced);
        net.mutate(0, |peer, _| peer.resend(AfiSafi::IPV4_UNICAST).expect("a session"));
        net.run(secs(1));
        assert_eq!(held(&net), left, "with an end, the phantom is dropped");
        let stats = net.nodes[1].peer.stats();
        assert_eq!((stats.prefixes_announced_in, stats.prefixes_withdrawn_in), (4, 0));
        let markers = if enhanced { 2 } else { 0 };
        assert_eq!((stats.received.route_refresh, stats.sent.route_refresh), (markers, 0));
        assert!(net.is_up());
    }
}

#[test]
fn routes_are_sent_again_once_more_after_a_refresh_that_runs() {
    let mut net = net(true);
    net.mutate(0, |peer, _| {
        peer.resend(AfiSafi::IPV4_UNICAST).expect("a session");
        // Nothing of the first is sent yet. The next two are one.
        peer.resend(AfiSafi::IPV4_UNICAST).expect("a session");
        peer.resend(AfiSafi::IPV4_UNICAST).expect("a session");
    });
    net.run(secs(1));
    let stats = net.nodes[1].peer.stats();
    assert_eq!((stats.received.route_refresh, stats.prefixes_announced_in), (4, 6));
}

#[test]
fn a_request_of_the_peer_is_reported() {
    let mut net = net(true);
    net.mutate(1, |peer, _| peer.request_refresh(AfiSafi::IPV4_UNICAST).expect("a session"));
    net.run(secs(1));
    let asked = Output::RefreshRequested(AfiSafi::IPV4_UNICAST);
    assert_eq!(net.nodes[0].log.iter().filter(|output| **output == asked).count(), 1);
    assert!(!net.nodes[1].log.contains(&asked), "BoRR and EoRR are no requests");
}
