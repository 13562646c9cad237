//! Tests of several paths to a prefix (RFC 7911), long messages (RFC 8654), next hops of the other family (RFC 8950), and old
//! peers (RFC 6793).

use ipnet::IpNet;

use super::net::Net;
use super::{prefix, secs};
use crate::peer::{Import, PeerSettings};
use crate::rib::{Route, RouteSet};
use crate::wire::{AddPath, AddPathMode, AsPath};
use crate::{AfiSafi, Asn};

fn up(change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    configs[1].import = Import::Keep;
    change(&mut configs);
    let mut net = Net::new(configs, 9);
    net.bring_up();
    net
}

fn several(config: &mut PeerSettings, mode: AddPathMode) {
    config.fsm.extensions.add_path = vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode }];
}

fn held(net: &Net) -> Vec<(String, u32, Option<u32>)> {
    let routes = net.nodes[1].peer.adj_rib_in().iter().with_path_ids();
    routes.map(|(prefix, id, attributes)| (prefix.to_string(), id, attributes.med)).collect()
}

fn paths(ids: &[u32]) -> RouteSet {
    let path = |id: &u32| Route::new(prefix("10.0.0.0/24")).path(*id).med(*id * 10);
    ids.iter().map(path).collect()
}

#[test]
fn every_path_arrives_with_its_identifier_and_is_withdrawn_alone() {
    let mut net = up(|[a, b]| {
        several(a, AddPathMode::SEND);
        several(b, AddPathMode::RECEIVE);
    });
    let path = |id: u32| ("10.0.0.0/24".to_owned(), id, Some(id * 10));
    net.mutate(0, |peer, _| peer.set_routes(&paths(&[7, 3, 5])));
    net.run(secs(1));
    assert_eq!(held(&net), [path(3), path(5), path(7)]);
    net.mutate(0, |peer, _| peer.withdraw_path(prefix("10.0.0.0/24"), 3));
    net.run(secs(1));
    assert_eq!(held(&net), [path(5), path(7)]);
    net.mutate(0, |peer, _| peer.set_routes(&paths(&[7, 9])));
    net.run(secs(1));
    assert_eq!(held(&net), [path(7), path(9)]);
    net.mutate(0, |peer, _| peer.withdraw(prefix("10.0.0.0/24")));
    net.run(secs(1));
    assert_eq!(held(&net), []);
}

#[test]
fn a_peer_without_add_path_gets_the_path_with_the_lowest_identifier() {
    let mut net = up(|[a, _]| several(a, AddPathMode::SEND));
    net.mutate(0, |peer, _| peer.set_routes(&paths(&[7, 3, 5])));
    net.run(secs(1));
    let path = |id: u32| ("10.0.0.0/24".to_owned(), 0, Some(id * 10));
    assert_eq!(held(&net), [path(3)]);
    net.mutate(0, |peer, _| peer.withdraw_path(prefix("10.0.0.0/24"), 3));
    net.run(secs(1));
    assert_eq!(held(&net), [path(5)]);
    let sent = net.nodes[0].peer.stats().sent.update;
    net.mutate(0, |peer, _| peer.withdraw_path(prefix("10.0.0.0/24"), 7));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().sent.update, sent, "it was never told of that");
}

#[test]
fn a_long_message_carries_routes_that_would_need_several_messages() {
    for (long, updates) in [(true, 1), (false, 3)] {
        let mut net = up(|[a, _]| a.fsm.extensions.extended_messages = long);
        let sent = net.nodes[0].peer.stats().sent.update;
        let host = |i: u32| {
            Route::new(IpNet::new(std::net::Ipv4Addr::from(i << 8).into(), 32).expect("it"))
        };
        net.mutate(0, |peer, _| peer.set_routes(&(0x000a_0000..0x000a_07d0).map(host).collect()));
        net.run(secs(1));
        assert_eq!(net.nodes[1].peer.adj_rib_in().len(), 2_000);
        assert_eq!(net.nodes[0].peer.stats().sent.update - sent, updates);
    }
}

#[test]
fn ipv4_routes_take_ipv6_next_hops_where_both_ends_know_them() {
    for known in [true, false] {
        let mut net = up(|[a, _]| a.fsm.extensions.extended_next_hop = known);
        let next_hop = "2001:db8::1".parse().expect("an address");
        let route = Route::new(prefix("10.0.0.0/24")).next_hop(next_hop);
        net.mutate(0, |peer, _| peer.announce(&route));
        net.run(secs(1));
        let arrived = net.nodes[1].peer.adj_rib_in().get(&prefix("10.0.0.0/24"));
        let arrived = arrived.and_then(|it| it.next_hop).map(|it| it.address());
        assert_eq!(arrived, Some(next_hop).filter(|_| known));
        assert_eq!(net.nodes[0].peer.stats().prefixes_unsendable, u64::from(!known));
    }
}

#[test]
fn configured_next_hops_replace_the_local_address_of_the_session() {
    let mut net = up(|[a, _]| {
        a.next_hops.ipv4 = Some([10, 9, 9, 9].into());
        a.next_hops.ipv6 = Some("2001:db8::9".parse().expect("an address"));
    });
    let routes = ["10.0.0.0/24", "2001:db8::/64"].map(|text| Route::new(prefix(text)));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from(routes)));
    net.run(secs(1));
    let next_hop = |text: &str| {
        let attributes = net.nodes[1].peer.adj_rib_in().get(&prefix(text)).expect("held");
        attributes.next_hop.expect("one").to_string()
    };
    assert_eq!(next_hop("10.0.0.0/24"), "10.9.9.9");
    assert_eq!(next_hop("2001:db8::/64"), "2001:db8::9");
}

#[test]
fn long_as_numbers_in_a_path_survive_a_session_with_an_old_peer_at_either_end() {
    for old in 0..2 {
        let mut net = up(|configs| configs[old].fsm.four_octet_as = false);
        assert!(!net.nodes[0].peer.negotiated().expect("a session").four_octet_as);
        let as_path = AsPath::sequence([Asn(65001), Asn(4_200_000_002)]);
        let attributes = crate::wire::PathAttributes { as_path, ..Default::default() };
        let route = Route::with_attributes(prefix("10.0.0.0/24"), attributes.into());
        net.mutate(0, |peer, _| peer.announce(&route));
        net.run(secs(1));
        let arrived = net.nodes[1].peer.adj_rib_in().get(&prefix("10.0.0.0/24")).expect("held");
        assert_eq!(arrived.as_path.to_string(), "64636 65001 4200000002", "node {old} is old");
    }
}
