//! The attributes of routes: prefix, communities, LOCAL_PREF, next hop.

use bgp_core::wire::Community;

use super::*;
use crate::model::PeerAddress;

fn community(text: &str) -> Community {
    text.parse().unwrap()
}

fn advertisement(length: u8, local_pref: Option<u32>, communities: &[&str]) -> BgpAdvertisement {
    BgpAdvertisement {
        aggregation_length: length,
        local_pref,
        communities: communities.iter().map(|text| community(text)).collect(),
        ..BgpAdvertisement::new("a")
    }
}

/// A Service whose pool has these advertisements.
fn announced_by(advertisements: Vec<BgpAdvertisement>) -> Cluster {
    Cluster::default()
        .service("a", &["kube1"], |_| {})
        .with(|cluster| cluster.config.bgp_advertisements = advertisements)
}

fn internal(cluster: &mut Cluster) {
    cluster.config.peers[0].peer_asn = Asn(64636).into();
}

#[test]
fn an_address_is_masked_to_the_aggregation_length_of_each_advertisement() {
    let cluster =
        announced_by(vec![advertisement(32, None, &[]), advertisement(26, None, &["64635:26"])]);
    let plan = cluster.plan("kube1");
    assert_eq!(plan.prefixes(), ["172.22.35.64/26", "172.22.35.64/32"]);
    assert_eq!(plan.route("172.22.35.64/26").communities(), [community("64635:26")]);
    assert!(plan.route("172.22.35.64/32").communities().is_empty());
}

#[test]
fn an_ipv6_address_is_masked_to_the_length_for_ipv6() {
    let cluster = announced_by(vec![BgpAdvertisement::new("a")]).with(|cluster| {
        cluster.config.pools[0].ranges = vec!["fd00:0:0:1::7-fd00:0:0:1::9".parse().unwrap()];
        cluster.config.peers[0].dual_stack = true;
        cluster.nodes[0].addresses.push(ip("fd00::25"));
    });
    assert_eq!(cluster.plan("kube1").prefixes(), ["fd00:0:0:1::7/128"]);
    let cluster = cluster.with(|cluster| {
        cluster.config.bgp_advertisements[0].aggregation_length_v6 = 64;
    });
    assert_eq!(cluster.plan("kube1").prefixes(), ["fd00:0:0:1::/64"]);
}

#[test]
fn an_aggregate_and_a_shared_address_are_one_route_for_all_their_services() {
    let cluster = announced_by(vec![advertisement(26, None, &[])])
        .service("b", &["kube1"], local)
        .service("c", &["kube2"], local);
    let route = cluster.plan("kube1").route("172.22.35.64/26").clone();
    assert!(route.services().eq(&[key("a"), key("b")]));
    let share = |service: &mut Service| {
        service.annotations.insert("metallb.io/allow-shared-ip".to_owned(), "k".to_owned());
    };
    let cluster =
        Cluster::default().service("a", &["kube1"], share).service("b", &["kube1"], share);
    let plan = cluster.plan("kube1");
    assert_eq!(plan.prefixes(), ["172.22.35.64/32"]);
    assert_eq!(plan.route("172.22.35.64/32").services().count(), 2);
}

#[test]
fn communities_for_one_prefix_are_joined_and_sorted() {
    let cluster = announced_by(vec![
        advertisement(32, None, &["64635:200", "64635:100"]),
        advertisement(32, None, &["64635:50", "64635:100"]),
    ]);
    let plan = cluster.plan("kube1");
    let communities = plan.route("172.22.35.64/32").communities();
    assert_eq!(communities, ["64635:50", "64635:100", "64635:200"].map(community));
    assert!(plan.warnings().is_empty());
}

/// Returns the LOCAL_PREF that is sent, and the warnings.
fn preference(cluster: &Cluster) -> (Option<u32>, Vec<String>) {
    let plan = cluster.plan("kube1");
    (plan.route("172.22.35.64/32").local_pref(), plan.warnings())
}

#[test]
fn an_internal_peer_always_gets_a_local_pref_and_an_external_one_never() {
    let with = |local_pref| announced_by(vec![advertisement(32, local_pref, &[])]);
    assert_eq!(preference(&with(Some(150)).with(internal)), (Some(150), vec![]));
    assert_eq!(preference(&with(None).with(internal)), (Some(100), vec![]));
    assert_eq!(preference(&with(None)), (None, vec![]));
    let (sent, warnings) = preference(&with(Some(150)));
    assert_eq!((sent, warnings.len()), (None, 1));
}

#[test]
fn the_first_of_contradicting_local_prefs_is_sent_and_a_warning_names_both() {
    let cluster = announced_by(Vec::new()).with(internal).with(|cluster| {
        let advertisements = [None, Some(150), Some(200), Some(150)];
        let named = advertisements.into_iter().zip('a'..).map(|(local_pref, name)| {
            BgpAdvertisement { name: name.into(), ..advertisement(32, local_pref, &[]) }
        });
        cluster.announce("default", named.collect());
    });
    let conflict = "conflict for 172.22.35.64/32: localpref 150 of advertisement b of pool \
                    \"default\" is sent, localpref 200 of advertisement c of pool \"default\" is not";
    assert_eq!(preference(&cluster), (Some(150), vec![conflict.to_owned()]));
}

#[test]
fn between_two_pools_the_first_advertisement_decides_for_any_order_of_services() {
    let pool = |name: &str, range: &str| Pool::new(name, vec![range.parse().unwrap()]);
    let asks = |pool: &'static str| {
        move |service: &mut Service| {
            service.annotations.insert("metallb.io/address-pool".to_owned(), pool.to_owned());
        }
    };
    let cluster = Cluster::default()
        .service("a", &["kube1"], asks("second"))
        .service("z", &["kube1"], asks("first"))
        .with(internal)
        .with(|cluster| {
            cluster.config.pools =
                vec![pool("second", "10.0.0.0/30"), pool("first", "10.0.0.8/30")];
            cluster.config.bgp_advertisements.clear();
            cluster.announce("first", vec![advertisement(24, Some(1), &[])]);
            cluster.announce("second", vec![advertisement(24, Some(2), &[])]);
        });
    let plan = cluster.plan("kube1");
    assert_eq!(plan.route("10.0.0.0/24").local_pref(), Some(1));
    assert_eq!(plan.warnings().len(), 1);
}

#[test]
fn the_next_hop_is_the_sessions_address_unless_the_nodes_is_configured() {
    let cluster = announced_by(vec![BgpAdvertisement::new("a")])
        .with(|cluster| cluster.nodes[0].addresses = vec![ip("fd00::1"), ip("10.1.2.3")]);
    let next_hop = |cluster: &Cluster| cluster.plan("kube1").route("172.22.35.64/32").next_hop();
    assert_eq!(next_hop(&cluster), None);
    let cluster = cluster.with(|cluster| cluster.next_hop = NextHopPolicy::NodeAddress);
    assert_eq!(next_hop(&cluster), Some(ip("10.1.2.3")));
}

#[test]
fn the_next_hop_of_a_peer_overrides_that_of_the_process() {
    let planned = |next_hop: Option<NextHopPolicy>, address: &str, policy: NextHopPolicy| {
        let cluster = announced_by(vec![BgpAdvertisement::new("a")]).with(|cluster| {
            cluster.next_hop = policy;
            let peer = &mut cluster.config.peers[0];
            peer.next_hop = next_hop;
            peer.address = match address.parse() {
                Ok(address) => PeerAddress::Ip(address),
                Err(_) => PeerAddress::Interface(address.to_owned()),
            };
        });
        cluster.plan("kube1").route("172.22.35.64/32").next_hop()
    };
    let (session, node) = (NextHopPolicy::SessionAddress, NextHopPolicy::NodeAddress);
    let own = NextHopPolicy::Addresses(vec![ip("2001:db8::1"), ip("192.0.2.1")]);
    let other_family = NextHopPolicy::Addresses(vec![ip("2001:db8::1")]);
    let kube1 = Some(ip("172.22.35.25"));
    for (next_hop, address, policy, expected) in [
        (None, "172.22.35.1", &session, None),
        (None, "172.22.35.1", &node, kube1),
        (Some(&node), "172.22.35.1", &session, kube1),
        (Some(&session), "172.22.35.1", &node, None),
        (Some(&own), "172.22.35.1", &node, Some(ip("192.0.2.1"))),
        (Some(&other_family), "172.22.35.1", &session, None),
        (None, "eth1", &node, None),
        (Some(&node), "eth1", &session, kube1),
    ] {
        let found = planned(next_hop.cloned(), address, policy.clone());
        assert_eq!(found, expected, "{next_hop:?} {address} {policy}");
    }
}

#[test]
fn a_changed_next_hop_changes_the_routes_of_that_peer_only() {
    let mut cluster = announced_by(vec![BgpAdvertisement::new("a")]);
    cluster.config.peers.push(Peer::new(Asn(64636), Asn(64635), ip("172.22.35.2")));
    let mut plan = cluster.plan("kube1").plan;
    let before = plan.peers[1].routes.clone();
    cluster.config.peers[0].next_hop = Some(NextHopPolicy::Addresses(vec![ip("192.0.2.1")]));
    plan.set_context(cluster.context("kube1"));
    let mut changed = BTreeSet::new();
    cluster.each(&cluster.services, |input| changed.extend(plan.update(input)));
    let peer = plan.peers[0].peer.name.as_str().into();
    assert_eq!(changed, [RouteKey { peer, prefix: net("172.22.35.64/32") }].into());
    assert_eq!(plan.peers[1].routes, before);
    assert_eq!(plan, cluster.plan("kube1").plan, "the same as a new plan");
}

#[test]
fn a_route_key_names_the_same_peer_after_peers_are_reordered() {
    let mut cluster = announced_by(vec![BgpAdvertisement::new("a")]);
    cluster.config.peers.push(Peer::new(Asn(64636), Asn(64635), ip("172.22.35.2")));
    let mut plan = Plan::new(cluster.context("kube1"));
    let mut keys = BTreeSet::new();
    cluster.each(&cluster.services, |input| keys.extend(plan.update(input)));
    let addresses = |plan: &Plan| -> Vec<PeerAddress> {
        let peers = keys.iter().map(|key| plan.peer(&key.peer).unwrap());
        peers.map(|peer_plan| peer_plan.peer.address.clone()).collect()
    };
    let before = addresses(&plan);
    assert_eq!(before, ["172.22.35.1", "172.22.35.2"].map(|address| PeerAddress::Ip(ip(address))));

    cluster.config.peers.reverse();
    plan.set_context(cluster.context("kube1"));
    assert_eq!(plan.peers[0].peer.address, PeerAddress::Ip(ip("172.22.35.2")), "reordered");
    assert_eq!(addresses(&plan), before);
    for key in &keys {
        assert!(plan.peer(&key.peer).unwrap().routes.contains_key(&key.prefix), "{key:?}");
    }
}

#[test]
fn the_order_of_services_and_slices_does_not_matter() {
    let mut cluster =
        announced_by(vec![advertisement(32, Some(1), &[]), advertisement(26, None, &[])])
            .service("b", &["kube2"], local)
            .service("c", &["kube1"], |_| {});
    let before = cluster.plans();
    cluster.services.reverse();
    cluster.slices.reverse();
    assert_eq!(cluster.plans(), before);
}

#[test]
fn a_session_gets_the_routes_with_an_empty_path_and_shared_attributes() {
    let cluster = announced_by(vec![advertisement(32, Some(150), &["64635:200", "64635:100"])])
        .service("b", &["kube1"], |_| {})
        .with(internal)
        .with(|cluster| cluster.next_hop = NextHopPolicy::NodeAddress);
    let routes = cluster.plan("kube1").peers[0].route_set();
    assert_eq!(routes.len(), 2);
    let [a, b] = ["172.22.35.64/32", "172.22.35.65/32"].map(|text| routes.get(&net(text)).unwrap());
    assert!(Arc::ptr_eq(a, b));
    let expected = PathAttributes {
        next_hop: Some(ip("172.22.35.25").into()),
        local_pref: Some(150),
        communities: ["64635:100", "64635:200"].map(community).into(),
        ..PathAttributes::default()
    };
    assert_eq!(**a, expected);
    assert!(a.as_path.segments.is_empty() && a.med.is_none());
}

#[test]
fn the_first_service_that_prepends_decides_for_a_shared_route() {
    let share = |prepend: Option<&'static str>| {
        move |service: &mut Service| {
            let annotations = &mut service.annotations;
            annotations.insert("metallb.io/allow-shared-ip".to_owned(), "k".to_owned());
            annotations.insert("ferrolb.io/med".to_owned(), "7".to_owned());
            if let Some(times) = prepend {
                annotations.insert("ferrolb.io/prepend".to_owned(), times.to_owned());
            }
        }
    };
    let hops = |a, b, c| {
        let cluster = Cluster::default()
            .service("a", &["kube1"], share(a))
            .service("b", &["kube1"], share(b))
            .service("c", &["kube1"], share(c))
            .with(|cluster| {
                cluster.config.pools[0].permissions.prepend = 5;
                cluster.config.pools[0].permissions.med = Some(7..=7);
            });
        let plan = cluster.plan("kube1");
        let path = plan.route("172.22.35.64/32").attributes().as_path.clone();
        path.hop_count()
    };
    assert_eq!(hops(None, None, None), 0);
    assert_eq!(hops(None, Some("3"), Some("2")), 3, "a Service that does not prepend asks nothing");
    assert_eq!(hops(Some("0"), Some("0"), Some("1")), 1);
    assert_eq!(hops(Some("5"), None, Some("2")), 5);
}

#[test]
fn a_warning_names_the_pool_of_an_advertisement_only_if_it_has_one() {
    let several = |change: fn(&mut PoolSelection)| {
        let cluster = announced_by(Vec::new()).with(|cluster| {
            let mut advertisement = advertisement(32, Some(150), &[]);
            change(&mut advertisement.pools);
            cluster.config.bgp_advertisements = vec![advertisement];
        });
        cluster.plan("kube1").warnings().concat()
    };
    let one = several(|pools| *pools = PoolSelection::only("default"));
    assert!(one.contains("of advertisement a of pool \"default\""), "{one}");
    for change in [
        |_: &mut PoolSelection| {},
        |pools: &mut PoolSelection| pools.names.extend(["default".into(), "other".into()]),
        |pools: &mut PoolSelection| {
            pools.names.extend(["default".into()]);
            pools.selectors.push(crate::model::LabelSelector::default());
        },
    ] {
        let warning = several(change);
        assert!(warning.contains("of advertisement a "), "{warning}");
        assert!(!warning.contains("of pool"), "{warning}");
    }
}

/// A node with an address of each family, and the next hop that the session of a peer gives to routes of a family.
#[test]
fn a_session_gives_routes_of_its_family_its_own_address_and_others_the_nodes() {
    let mut dual = node("kube1", "10.0.0.1");
    dual.addresses.push(ip("fd00::1"));
    let ipv6_only = node("kube2", "fd00::2");
    let (v4, v6) = (IpFamily::Ipv4, IpFamily::Ipv6);
    let hop = |node: &Node, router: &str, source: Option<&str>, family| {
        let mut peer = Peer::new(Asn(64636), Asn(64635), ip(router));
        peer.source_address = source.map(ip);
        session_next_hop(node, &peer, family).map(|it| it.to_string())
    };

    for (router, family, expected) in [
        ("172.22.35.1", v4, "10.0.0.1"),
        ("172.22.35.1", v6, "fd00::1"),
        ("fd00::ff", v6, "fd00::1"),
        ("fd00::ff", v4, "10.0.0.1"),
    ] {
        assert_eq!(
            hop(&dual, router, None, family).as_deref(),
            Some(expected),
            "{router} {family}"
        );
    }
    assert_eq!(hop(&dual, "172.22.35.1", Some("10.0.0.9"), v4).as_deref(), Some("10.0.0.9"));
    assert_eq!(hop(&dual, "fd00::ff", Some("fd00::9"), v6).as_deref(), Some("fd00::9"));
    assert_eq!(hop(&dual, "fd00::ff", Some("fd00::9"), v4).as_deref(), Some("10.0.0.1"));

    // RFC 8950: without an IPv4 address, the IPv6 address of the session is the next hop.
    assert_eq!(hop(&ipv6_only, "fd00::ff", None, v4).as_deref(), Some("fd00::2"));
    assert_eq!(hop(&ipv6_only, "fd00::ff", Some("fd00::9"), v4).as_deref(), Some("fd00::9"));
    assert_eq!(hop(&ipv6_only, "172.22.35.1", None, v4), None);
}
