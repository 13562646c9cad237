//! Tests of relay groups: which paths they choose for each of their members.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::*;
use crate::policy::{Action, Match, Rule};
use crate::rib::{AdjRibOut, LocRib, PathSource, Pending};
use crate::rpki::Vrp;
use crate::wire::{AsPath, Community};
use crate::{Asn, BgpIdentifier};

fn prefix() -> IpNet {
    "192.0.2.0/24".parse().expect("a prefix")
}

/// A path of an external peer whose AS path is this long.
fn path(peer: u8, length: usize) -> Path<u8> {
    let mut as_path = AsPath::new();
    as_path.prepend(Asn(64_500 + u32::from(peer)), length);
    let attributes = PathAttributes {
        as_path,
        next_hop: Some(Ipv4Addr::new(10, 0, 0, peer).into()),
        med: Some(5),
        ..PathAttributes::default()
    };
    let address = Ipv4Addr::new(10, 0, 0, peer);
    let (identifier, peer_type) = (BgpIdentifier(address), PeerType::External);
    let asn = Asn(64_500 + u32::from(peer));
    let source = PathSource { peer, address: address.into(), asn, identifier, peer_type };
    Path { source: source.into(), path_id: 0, attributes: attributes.into() }
}

/// The group after these paths became those of the Loc-RIB.
fn group(rules: RelayRules, paths: &[Path<u8>]) -> RelayGroup {
    let mut group = RelayGroup::new(rules);
    update(&mut group, prefix(), paths);
    group
}

fn update(group: &mut RelayGroup, prefix: IpNet, paths: &[Path<u8>]) {
    let mut rib = LocRib::new();
    for path in paths {
        rib.insert(prefix, path.clone());
    }
    group.update(prefix, rib.get(&prefix), u32::from);
}

/// The peer whose path a member gets on a session with one path to a prefix.
fn given(group: &RelayGroup, member: u8) -> Option<u32> {
    let routes = group.routes_for(member.into());
    Some(routes.get(&prefix())?.as_path.first_as()?.0 - 64_500)
}

fn router() -> RelayRules {
    RelayRules::new(Relay::Router, PeerType::External)
}

fn route_server() -> RelayRules {
    RelayRules::new(Relay::RouteServer, PeerType::External)
}

#[test]
fn a_router_gives_the_best_path_to_all_but_the_peer_that_it_came_from() {
    let group = group(router(), &[path(1, 1), path(2, 2)]);
    assert_eq!([1, 2, 3].map(|member| given(&group, member)), [None, Some(1), Some(1)]);
    assert_eq!([1, 2].map(|member| group.routes_for(member).len()), [0, 1]);
}

#[test]
fn a_route_server_gives_the_best_of_the_other_peers_paths() {
    let paths = [path(1, 1), path(2, 2), path(3, 3)];
    let group = group(route_server(), &paths);
    let of = |group: &RelayGroup| [1, 2, 3, 4].map(|member| given(group, member));
    assert_eq!(of(&group), [Some(2), Some(1), Some(1), Some(1)]);

    let mut group = group;
    update(&mut group, prefix(), &paths[1..]);
    assert_eq!(of(&group), [Some(2), Some(3), Some(2), Some(2)]);
    update(&mut group, prefix(), &paths[2..]);
    assert_eq!(of(&group), [Some(3), Some(3), None, Some(3)]);
    update(&mut group, prefix(), &[]);
    assert!(group.is_empty() && (1..=4).all(|member| group.routes_for(member).is_empty()));
}

#[test]
fn a_path_that_the_clients_policy_rejects_hides_no_other() {
    let avoided = Match::PeerAs(Asn(64_501).into());
    let policy = Arc::new(Policy::accept_all().rule(Rule::reject(avoided)));
    let with = |rules: RelayRules| RelayRules { policy: Some(Arc::clone(&policy)), ..rules };
    let paths = [path(1, 1), path(2, 2), path(3, 3)];

    let of_server = group(with(route_server()), &paths);
    assert_eq!([1, 2, 3].map(|member| given(&of_server, member)), [Some(2), Some(3), Some(2)]);
    // A router passes on its best path or none.
    let of_router = group(with(router()), &paths);
    assert_eq!([1, 2, 3].map(|member| given(&of_router, member)), [None; 3]);
}

#[test]
fn the_clients_policy_may_prefer_another_path() {
    let preferred = Match::PeerAs(Asn(64_503).into());
    let rule = Rule::accept(preferred).action(Action::LocalPref(Some(200)));
    let policy = Some(Arc::new(Policy::accept_all().rule(rule)));
    let rules = RelayRules { policy, ..route_server() };
    let group = group(rules, &[path(1, 1), path(2, 2), path(3, 3)]);
    assert_eq!([1, 2, 3].map(|member| given(&group, member)), [Some(3), Some(3), Some(1)]);
}

#[test]
fn a_policy_sees_what_a_router_would_send_so_that_it_can_set_it() {
    let rule = Rule::accept(Match::all()).action(Action::AddCommunity(Community::NO_PEER));
    let policy = Some(Arc::new(Policy::accept_all().rule(rule)));
    let group = group(RelayRules { policy, ..router() }, &[path(1, 1)]);
    let routes = group.routes_for(2);
    let sent = routes.get(&prefix()).expect("a route");
    assert_eq!((sent.med, sent.next_hop), (None, None));
    assert_eq!(sent.communities, [Community::NO_PEER]);

    // Without a policy the attributes are those of the Loc-RIB themselves.
    let path = path(1, 1);
    let group = self::group(router(), std::slice::from_ref(&path));
    let routes = group.routes_for(2);
    assert!(Arc::ptr_eq(routes.get(&prefix()).expect("a route"), &path.attributes));
}

#[test]
fn a_long_lived_stale_path_is_only_for_peers_with_long_lived_graceful_restart() {
    // RFC 9494, section 4.3.
    let stale = |peer, length| {
        let mut path = path(peer, length);
        Arc::make_mut(&mut path.attributes).communities.push(Community::LLGR_STALE);
        path
    };
    let policy = Some(Arc::new(Policy::accept_all()));
    for rules in [router(), route_server(), RelayRules { policy, ..route_server() }] {
        let paths = [stale(1, 1), stale(2, 2)];
        let without = group(rules.clone(), &paths);
        assert_eq!([1, 2, 3].map(|member| given(&without, member)), [None; 3]);
        let with = group(RelayRules { long_lived: true, ..rules }, &paths);
        assert_eq!(given(&with, 3), Some(1));
    }

    let group = group(route_server(), &[path(1, 1), stale(2, 2)]);
    assert_eq!([1, 2].map(|member| given(&group, member)), [None, Some(1)]);
}

#[test]
fn a_withdrawal_that_waits_while_all_routes_are_repeated_is_not_lost() {
    let other: IpNet = "198.51.100.0/24".parse().expect("a prefix");
    let mut group = group(route_server(), &[path(2, 1)]);
    update(&mut group, other, &[path(2, 1)]);
    let v4 = AfiSafi::IPV4_UNICAST;
    let mut rib = AdjRibOut::new();
    rib.session_up(&[v4], &[]);
    rib.set(&group.routes_for(1));
    while rib.take_reach(v4, |_, _| true) > 0 {}

    update(&mut group, other, &[]);
    rib.set(&group.routes_for(1));
    rib.repeat();
    assert_eq!(rib.pending(false), Some(Pending::Unreach(v4)));
}

#[test]
fn a_session_with_several_paths_gets_all_but_its_own_each_with_an_identifier() {
    let several_paths = vec![AfiSafi::IPV4_UNICAST];
    let numbered = |path_id| Path { path_id, ..path(2, 2) };
    for rules in [router(), route_server()] {
        for (member, expected) in [(1, 2), (2, 1), (3, 3)] {
            let (several_paths, only_member) = (several_paths.clone(), Some(member));
            let rules = RelayRules { several_paths, only_member, ..rules.clone() };
            let group = group(rules, &[path(1, 1), numbered(7), numbered(8)]);
            let routes = group.routes_for(member);
            let ids: BTreeSet<_> = routes.iter().with_path_ids().map(|(_, id, _)| id).collect();
            assert_eq!((routes.len(), ids.len()), (expected, expected));
        }
    }
}

#[test]
fn members_share_one_table_and_what_does_not_change_stays_shared() {
    let nth = |n: u16| -> IpNet {
        let [high, low] = n.to_be_bytes();
        format!("10.{high}.{low}.0/24").parse().expect("a prefix")
    };
    let (one, other) = (path(1, 1), path(2, 2));
    let mut group = RelayGroup::new(route_server());
    for n in 0..2_000 {
        update(&mut group, nth(n), &[one.clone(), other.clone()]);
    }
    let before = group.routes_for(3);
    update(&mut group, nth(7), &[one, other.clone()]);
    assert!(before.v4.is_same(&group.routes_for(3).v4), "an equal choice is no change");
    update(&mut group, nth(7), &[other]);
    assert_eq!(group.routes_for(3).len(), 3_999);
    assert_eq!((group.routes_for(1).len(), group.routes_for(2).len()), (2_000, 1_999));
}

#[test]
fn sessions_share_a_group_if_all_rules_are_equal_and_the_vrps_of_one_origin() {
    let vrps = || VrpTable::from([Vrp::new(prefix(), Asn(64_500))]);
    let with = |vrps: &VrpTable| RelayRules { vrps: vrps.clone(), ..router() };
    assert!(router().share_group(&router()), "there are no VRPs");
    assert!(!router().share_group(&route_server()));

    let (one, other) = (with(&vrps()), with(&vrps()));
    assert!(one.share_group(&with(&one.vrps)));
    assert!(one == other && !one.share_group(&other), "the tables are not compared");
}
