//! Tests of routes: exactly the routes that one peer should have arrive at the other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::net::Net;
use super::{prefix, secs};
use crate::Asn;
use crate::fsm::DownReason;
use crate::peer::{Import, Output, PrefixLimits};
use crate::policy::{Action, Match, Policy, Rule};
use crate::rib::{Route, RouteSet};
use crate::wire::{Community, ErrorCode, NextHop};

fn net() -> Net {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    let mut net = Net::new(configs, 3);
    net.bring_up();
    net
}

/// `n` host routes, each of its own.
fn hosts(n: u32) -> impl Iterator<Item = IpNet> {
    (0..n).map(|i| Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + i), 32).into())
}

/// The routes that node 1 has, as text.
fn held(net: &Net) -> BTreeMap<String, String> {
    net.nodes[1]
        .peer
        .adj_rib_in()
        .iter()
        .map(|(prefix, attributes)| {
            let next_hop = attributes.next_hop.map(|n| n.address().to_string()).unwrap_or_default();
            (prefix.to_string(), format!("{} via {next_hop}", attributes.as_path))
        })
        .collect()
}

#[test]
fn a_route_arrives_with_our_as_our_address_and_no_local_pref() {
    let mut net = net();
    let community = Community::new(64635, 100);
    let route = Route::new(prefix("172.22.35.70/32")).local_pref(100).community(community);
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from([route])));
    net.run(secs(1));
    let attributes = net.nodes[1].peer.adj_rib_in().get(&prefix("172.22.35.70/32")).expect("held");
    assert_eq!(attributes.as_path.to_string(), "64636");
    assert_eq!(attributes.next_hop, Some(NextHop::V4(Ipv4Addr::new(10, 0, 0, 1))));
    assert_eq!(attributes.local_pref, None);
    assert_eq!(attributes.communities, [community]);
}

#[test]
fn equal_attributes_that_come_in_several_updates_are_stored_once() {
    let low = Action::LocalPref(Some(50));
    let low = Policy::accept_all().rule(Rule::change(Match::all()).action(low));
    for policy in [None, Some(Arc::new(low))] {
        let mut configs = Net::configs();
        configs[1].import = Import::Keep;
        configs[1].policies.import = policy;
        let mut net = Net::new(configs, 3);
        net.bring_up();
        for (text, med) in [
            ("10.0.0.0/24", 1),
            ("10.0.1.0/24", 2),
            ("10.0.2.0/24", 1),
            ("2001:db8::/48", 1),
            ("2001:db8:1::/48", 2),
            ("2001:db8:2::/48", 1),
        ] {
            let route = Route::new(prefix(text)).med(med);
            let is_v6 = text.contains(':');
            let route =
                if is_v6 { route.next_hop(Ipv6Addr::from([0x20; 16]).into()) } else { route };
            net.mutate(0, |peer, _| peer.announce(&route));
            net.run(secs(1));
        }

        let held: Vec<_> = net.nodes[1].peer.adj_rib_in().iter().map(|(_, it)| it).collect();
        let [a, b, c, d, e, f] = held[..] else { panic!("{} routes", held.len()) };
        assert!(Arc::ptr_eq(a, c) && Arc::ptr_eq(d, f), "stored twice");
        assert!(b.med == Some(2) && e.med == Some(2));
    }
}

#[test]
fn an_internal_peer_gets_local_pref_and_an_empty_path() {
    let mut configs = Net::configs();
    configs[0].fsm.local_asn = Asn(64635);
    configs[1].fsm.remote_as = Asn(64635).into();
    configs[1].import = Import::Keep;
    let mut net = Net::new(configs, 1);
    let own = Route::new(prefix("10.1.0.0/16")).local_pref(7);
    let default = Route::new(prefix("10.2.0.0/16"));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from([own, default])));
    net.start();
    net.run(secs(5));
    let local_pref = |text| {
        let attributes = net.nodes[1].peer.adj_rib_in().get(&prefix(text)).expect("held");
        assert!(attributes.as_path.segments.is_empty());
        attributes.local_pref
    };
    assert_eq!(local_pref("10.1.0.0/16"), Some(7));
    assert_eq!(local_pref("10.2.0.0/16"), Some(100));
}

#[test]
fn a_next_hop_of_the_route_is_kept() {
    let mut net = net();
    let next_hop = Ipv4Addr::new(172, 22, 35, 26);
    let route = Route::new(prefix("172.22.35.70/32")).next_hop(next_hop.into());
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from([route])));
    net.run(secs(1));
    assert_eq!(held(&net)["172.22.35.70/32"], "64636 via 172.22.35.26");
}

#[test]
fn ipv6_routes_need_a_next_hop_of_their_own_over_ipv4_and_harm_no_other_without() {
    let mut net = net();
    let routes = RouteSet::from([
        Route::new(prefix("2001:db8::1/128")).next_hop("fd00::1".parse().expect("an address")),
        Route::new(prefix("2001:db8::2/128")),
        Route::new(prefix("10.9.0.0/16")),
    ]);
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.run(secs(1));
    let held: Vec<_> = held(&net).into_iter().collect();
    let expected =
        [("10.9.0.0/16", "64636 via 10.0.0.1"), ("2001:db8::1/128", "64636 via fd00::1")];
    assert_eq!(held, expected.map(|(p, v)| (p.to_owned(), v.to_owned())));
    assert_eq!(net.nodes[0].peer.stats().prefixes_unsendable, 1);
    assert!(net.is_up());
}

#[test]
fn a_new_set_replaces_all_routes_and_repeats_none() {
    let mut net = net();
    let set = |prefixes: &[&str]| prefixes.iter().map(|p| Route::new(prefix(p))).collect();
    let first: RouteSet = set(&["10.0.0.0/24", "10.0.1.0/24"]);
    net.mutate(0, |peer, _| peer.set_routes(&first));
    net.run(secs(1));
    let sent = net.nodes[0].peer.stats().sent.update;
    net.mutate(0, |peer, _| peer.set_routes(&first));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().sent.update, sent, "the same again is nothing new");

    net.mutate(0, |peer, _| peer.set_routes(&set(&["10.0.1.0/24", "10.0.2.0/24"])));
    net.run(secs(1));
    assert_eq!(held(&net).into_keys().collect::<Vec<_>>(), ["10.0.1.0/24", "10.0.2.0/24"]);
    assert_eq!(net.nodes[0].peer.stats().sent.update, sent + 2, "one withdrawal, one announcement");
}

#[test]
fn a_change_that_the_peer_never_saw_costs_nothing() {
    let mut net = net();
    let sent = net.nodes[0].peer.stats().sent.update;
    // The peer is not driven in between, because the socket is full.
    let peer = &mut net.nodes[0].peer;
    for i in 0..1000 {
        let route = Route::new(prefix("10.0.0.0/24")).med(i);
        peer.announce(&route);
        peer.withdraw(route.prefix());
    }
    let last = Route::new(prefix("10.0.0.0/24")).med(1);
    peer.announce(&last);
    net.mutate(0, |_, _| {});
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().sent.update, sent + 1);
    assert_eq!(held(&net).len(), 1);
}

#[test]
fn equal_attributes_share_updates_and_a_thousand_withdrawals_fit_legal_messages() {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    configs[1].fsm.extensions.extended_messages = false;
    let mut net = Net::new(configs, 3);
    net.bring_up();
    let sent = net.nodes[0].peer.stats().sent.update;
    let routes: RouteSet = hosts(2000).map(Route::new).collect();
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.adj_rib_in().len(), 2000);
    let announced = net.nodes[0].peer.stats().sent.update - sent;
    assert_eq!(announced, 3, "about 800 host routes fit an UPDATE");
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::new()));
    net.run(secs(1));
    assert!(net.is_up());
    assert!(net.nodes[1].peer.adj_rib_in().is_empty());
    assert_eq!(net.nodes[0].peer.stats().sent.update - sent, 6);
}

#[test]
fn a_new_session_brings_everything_again_and_ends_with_end_of_rib() {
    let mut net = net();
    let routes: RouteSet = hosts(10).map(Route::new).collect();
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.run(secs(40));
    let before = net.nodes[1].peer.stats().received.update;
    net.inject(0, &[0; 19]);
    net.run(Duration::from_millis(50));
    assert!(net.nodes[1].peer.adj_rib_in().is_empty(), "a lost session takes its routes along");
    net.run_until_up(secs(5));
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.adj_rib_in().len(), 10);
    // The routes, and an End-of-RIB for each family.
    assert_eq!(net.nodes[1].peer.stats().received.update, before + 3);
}

#[test]
fn a_route_refresh_brings_everything_of_its_family_again() {
    let mut net = net();
    let routes: RouteSet = hosts(3).map(Route::new).collect();
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.run(secs(1));
    let before = net.nodes[1].peer.stats().prefixes_announced_in;
    let refresh = [&[0xff; 16][..], &[0, 23, 5, 0, 1, 0, 1]].concat();
    net.inject(0, &refresh);
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.stats().prefixes_announced_in, before + 3);

    let beginning_of_refresh = [&[0xff; 16][..], &[0, 23, 5, 0, 1, 1, 1]].concat();
    net.inject(0, &beginning_of_refresh);
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.stats().prefixes_announced_in, before + 3, "that is no request");
}

#[test]
fn too_many_prefixes_end_the_session_by_cease() {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    configs[1].maximum_prefixes = PrefixLimits::each(5);
    let mut net = Net::new(configs, 1);
    let routes: RouteSet = hosts(6).map(Route::new).collect();
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.start();
    net.run(secs(1));
    let reason = net.nodes[0].log.iter().find_map(|output| match output {
        Output::Down(DownReason::Remote(notification)) => Some(notification),
        _ => None,
    });
    let notification = reason.expect("ended by the peer");
    assert_eq!((notification.code, notification.subcode), (ErrorCode::CEASE, 1));
}

#[test]
fn a_path_through_our_own_as_is_rejected() {
    let mut net = net();
    let mut attributes = crate::wire::PathAttributes::default();
    attributes.as_path.prepend(Asn(64635), 1);
    let route = Route::with_attributes(prefix("10.0.0.0/24"), Arc::new(attributes));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from([route])));
    net.run(secs(1));
    assert!(held(&net).is_empty());
    assert_eq!(net.nodes[1].peer.stats().prefixes_rejected, 1);
}

#[test]
fn a_martian_next_hop_is_refused_and_counted_until_it_is_allowed_and_the_session_stays() {
    let mut net = net();
    let via = |text, next_hop: &str| {
        let next_hop = next_hop.parse().ok();
        let attributes = crate::wire::PathAttributes { next_hop, ..Default::default() };
        Route::with_attributes(prefix(text), Arc::new(attributes))
    };
    let routes = [via("10.0.0.0/24", "240.0.0.1"), via("10.1.0.0/24", "10.0.0.2")];
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.run(secs(1));
    assert!(held(&net).is_empty());
    // The second is the address of node 1 itself.
    assert_eq!(net.nodes[1].peer.stats().next_hops_rejected, 2);

    let mut settings = net.nodes[1].peer.settings().clone();
    settings.allow_martian_next_hops = true;
    net.mutate(1, |peer, now| peer.reconfigure(now, settings));
    net.run(secs(1));
    assert_eq!(held(&net).len(), 1);
    assert_eq!(net.nodes[1].peer.stats().established_transitions, 1);
}

#[test]
fn announcements_wait_for_the_advertisement_interval_and_withdrawals_do_not() {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    configs[0].min_route_advertisement_interval = secs(30);
    let mut net = Net::new(configs, 3);
    net.bring_up();
    let change = |net: &mut Net, prefixes: &[&str]| {
        let routes: RouteSet = prefixes.iter().map(|p| Route::new(prefix(p))).collect();
        net.mutate(0, |peer, _| peer.set_routes(&routes));
        net.run(secs(1));
        held(net).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(change(&mut net, &["10.0.0.0/24"]), ["10.0.0.0/24"]);
    assert!(change(&mut net, &["10.0.1.0/24"]).is_empty(), "withdrawn at once, announced later");
    net.run(secs(30));
    assert_eq!(held(&net).into_keys().collect::<Vec<_>>(), ["10.0.1.0/24"]);
}

#[test]
fn the_end_of_rib_does_not_wait_for_the_advertisement_interval() {
    let mut configs = Net::configs();
    configs[0].min_route_advertisement_interval = secs(3_600);
    configs[0].fsm.hold_time = Duration::ZERO;
    let mut net = Net::new(configs, 3);
    let routes = RouteSet::from([Route::new(prefix("10.0.0.0/24"))]);
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    net.bring_up();
    // The route, and an End-of-RIB for each family.
    assert_eq!(net.nodes[0].peer.stats().sent.update, 3);
}

#[test]
fn one_update_with_routes_of_both_families_gives_each_its_own_next_hop() {
    let mut net = net();
    let attributes = "40010100 4002060201 0000fc7c 4003040a000001 \
                      800e1e 0002 01 10 fd000000000000000000000000000001 00 40 20010db800000000";
    let hex: String = attributes.chars().filter(|c| !c.is_whitespace()).collect();
    let mut body = vec![0, 0, 0, u8::try_from(hex.len() / 2).expect("short")];
    body.extend(
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")),
    );
    body.extend([16, 10, 9]);
    let length = u16::try_from(19 + body.len()).expect("short").to_be_bytes();
    let message = [&[0xff; 16][..], &length, &[2], &body].concat();
    net.inject(1, &message);
    let held: Vec<_> = held(&net).into_iter().collect();
    let expected = [("10.9.0.0/16", "64636 via 10.0.0.1"), ("2001:db8::/64", "64636 via fd00::1")];
    assert_eq!(held, expected.map(|(p, v)| (p.to_owned(), v.to_owned())));
}

#[test]
fn routes_are_counted_alike_whether_they_are_kept_or_dropped() {
    for import in [Import::Keep, Import::Drop] {
        let mut configs = Net::configs();
        configs[1].import = import;
        let mut net = Net::new(configs, 3);
        net.start();
        net.run_until_up(secs(5));
        let routes: RouteSet = hosts(3).map(Route::new).collect();
        net.mutate(0, |peer, _| peer.set_routes(&routes));
        net.run(secs(1));
        net.mutate(0, |peer, _| peer.withdraw(hosts(1).next().expect("one")));
        net.run(secs(1));
        let peer = &net.nodes[1].peer;
        let stats = peer.stats();
        assert_eq!(
            (stats.prefixes_announced_in, stats.prefixes_withdrawn_in),
            (3, 1),
            "{import:?}"
        );
        assert_eq!(peer.adj_rib_in().len(), if import == Import::Keep { 2 } else { 0 });
    }
}

/// A session of which node 1 keeps routes, and the direction of its connection at node 1.
fn behind() -> (Net, crate::Direction) {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    configs[1].fsm.hold_time = secs(9);
    let mut net = Net::new(configs, 3);
    net.bring_up();
    let direction = net.nodes[1].peer.established().expect("a session");
    (net, direction)
}

/// UPDATEs with one prefix each, one after the other.
fn updates(count: u8) -> bytes::BytesMut {
    let mut octets = bytes::BytesMut::new();
    for n in 0..count {
        let attributes =
            [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7c, 0x40, 3, 4, 10, 0, 0, 1];
        octets.extend_from_slice(&[0xff; 16]);
        octets.extend_from_slice(&[0, 48, 2, 0, 0, 0, 20]);
        octets.extend_from_slice(&attributes);
        octets.extend_from_slice(&[32, 10, 9, 9, n]);
    }
    octets
}

#[test]
fn messages_are_taken_in_slices_and_none_is_lost() {
    let (mut net, direction) = behind();
    let peer = &mut net.nodes[1].peer;
    peer.read_buffer(direction).extend_from_slice(&updates(10));
    let mut turns = 0;
    while peer.received_some(net.now, direction, 100) {
        turns += 1;
        assert_eq!(
            peer.adj_rib_in().len(),
            turns * 3,
            "each slice ends with the message that fills it"
        );
    }
    assert_eq!((turns, peer.adj_rib_in().len()), (3, 10));
    assert!(peer.read_buffer(direction).is_empty());
}

#[test]
fn a_complete_unread_message_keeps_the_session_and_an_incomplete_one_does_not() {
    for whole in [true, false] {
        let (mut net, direction) = behind();
        let octets = updates(1);
        let octets = if whole { &octets[..] } else { &octets[..30] };
        let peer = &mut net.nodes[1].peer;
        peer.read_buffer(direction).extend_from_slice(octets);
        let late = net.now + secs(20);
        peer.handle_timeout(late);
        assert_eq!(peer.negotiated().is_some(), whole);

        if whole {
            assert!(!peer.received_some(late, direction, usize::MAX));
            peer.handle_timeout(late + secs(10));
            assert!(peer.negotiated().is_none(), "a peer that is silent from then on is lost");
        }
    }
}
