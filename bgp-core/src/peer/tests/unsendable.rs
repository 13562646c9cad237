//! Tests of routes that a session cannot carry, and of the reasons that [`Peer::unsendable`] gives.

use super::net::Net;
use super::{prefix, secs};
use crate::AfiSafi;
use crate::peer::{Peer, PeerSettings};
use crate::rib::{Route, RouteSet, Unsendable};
use crate::wire::{CeaseSubcode, Community, Notification};

const V4: AfiSafi = AfiSafi::IPV4_UNICAST;
const V6: AfiSafi = AfiSafi::IPV6_UNICAST;

/// Two peers with changed configurations, of which the first has an IPv4 and an IPv6 route.
fn net(change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    change(&mut configs);
    let mut net = Net::new(configs, 1);
    let routes = ["10.1.0.0/16", "2001:db8::1/128"].map(|text| {
        let route = Route::new(prefix(text));
        if text.contains(':') { route.next_hop("fd00::1".parse().expect("it")) } else { route }
    });
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.start();
    net.run(secs(5));
    assert!(net.is_up());
    net
}

/// The result of [`Peer::unsendable`] without the path identifiers.
fn told(peer: &Peer) -> Vec<(String, Unsendable)> {
    let found = peer.unsendable();
    assert_eq!(found.len(), peer.unsendable_len());
    found.into_iter().map(|it| (it.prefix.to_string(), it.why)).collect()
}

#[test]
fn a_family_left_out_by_either_end_is_reported_with_that_end() {
    for (theirs, ours, family, prefix) in [
        (vec![V4], vec![V4, V6], V6, "2001:db8::1/128"),
        (vec![V6], vec![V4, V6], V4, "10.1.0.0/16"),
    ] {
        let net = net(|[a, b]| (a.fsm.families, b.fsm.families) = (ours, theirs));
        let peer = &net.nodes[0].peer;
        assert_eq!(told(peer), [(prefix.to_owned(), Unsendable::FamilyNotOffered { family })]);
        assert_eq!(peer.stats().prefixes_unsendable, 1);
        assert_eq!(peer.unsendable_reasons(), peer.unsendable());
    }
    let net = net(|[a, _]| a.fsm.families = vec![V4]);
    let left_out = Unsendable::FamilyLeftOut { family: V6 };
    assert_eq!(told(&net.nodes[0].peer), [("2001:db8::1/128".to_owned(), left_out)]);
}

#[test]
fn later_announcements_and_withdrawals_count_too() {
    let mut net = net(|[_, b]| b.fsm.families = vec![V4]);
    let second = prefix("2001:db8::2/128");
    let changes = net.nodes[0].peer.unsendable_changes();
    net.mutate(0, |peer, _| peer.announce(&Route::new(second)));
    assert_eq!(told(&net.nodes[0].peer).len(), 2);
    assert_eq!(net.nodes[0].peer.stats().prefixes_unsendable, 2);
    assert_ne!(net.nodes[0].peer.unsendable_changes(), changes);
    net.mutate(0, |peer, _| peer.withdraw(second));
    assert_eq!(told(&net.nodes[0].peer).len(), 1);
    assert_eq!(net.nodes[0].peer.unsendable_reasons().len(), 1, "one reason, kept once");
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::new()));
    assert_eq!(told(&net.nodes[0].peer), []);
}

#[test]
fn a_next_hop_of_the_other_family_and_attributes_that_fit_no_message_are_reasons() {
    let mut net = net(|[_, b]| b.fsm.extensions.extended_messages = false);
    assert_eq!(told(&net.nodes[0].peer), []);
    let v6 = prefix("2001:db8::3/128");
    let crowded = prefix("10.2.0.0/16");
    let many = (0..1_100).fold(Route::new(crowded), |it, i| it.community(Community::new(1, i)));
    net.mutate(0, |peer, _| {
        peer.announce(&Route::new(v6));
        peer.announce(&many);
    });
    net.run(secs(1));
    let next_hop = "10.0.0.1".parse().expect("an address");
    let expected = [
        ("10.2.0.0/16".to_owned(), Unsendable::TooLong { limit: 4_096 }),
        ("2001:db8::3/128".to_owned(), Unsendable::NextHopFamily { family: V6, next_hop }),
    ];
    assert_eq!(told(&net.nodes[0].peer), expected);
    assert_eq!(net.nodes[0].peer.unsendable_reasons().len(), 2);

    net.mutate(0, |peer, _| peer.announce(&Route::new(crowded)));
    net.run(secs(1));
    assert_eq!(told(&net.nodes[0].peer).len(), 1, "it fits now");
}

#[test]
fn extended_messages_carry_routes_that_other_messages_cannot() {
    let mut net = net(|_| {});
    let crowded = Route::new(prefix("10.2.0.0/16"));
    let crowded = (0..1_100).fold(crowded, |it, i| it.community(Community::new(1, i)));
    net.mutate(0, |peer, _| peer.announce(&crowded));
    net.run(secs(1));
    assert_eq!(told(&net.nodes[0].peer), []);
}

#[test]
fn without_a_session_no_route_is_unsendable() {
    let mut net = net(|[_, b]| b.fsm.families = vec![V4]);
    net.mutate(0, |peer, now| {
        peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
    });
    assert_eq!(told(&net.nodes[0].peer), []);
}
