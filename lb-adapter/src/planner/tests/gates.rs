//! Each gate stops a Service, in the order of the gates, and gives its reason.

use crate::model::{IpFamilyPolicy, LabelSelector, Labels, Protocol, ServiceType};

use super::*;

/// Returns the gate and the sentence for Service `a` on kube1.
fn stopped(cluster: Cluster) -> (Gate, String) {
    let plan = cluster.plan("kube1");
    assert!(plan.peers.iter().all(|peer| peer.routes.is_empty()));
    let (gate, reason, _) = plan.why_not("a");
    (gate, reason)
}

fn with_a(change: impl FnOnce(&mut Service)) -> Cluster {
    Cluster::default().service("a", &["kube1"], change)
}

#[test]
fn a_service_of_another_type_or_class_stops_at_its_gate() {
    let node_port = with_a(|service| service.type_ = ServiceType::NodePort);
    assert_eq!(stopped(node_port), (Gate::Type, "the Service is of type NodePort".to_owned()));
    let other = with_a(|service| service.load_balancer_class = Some("x/y".to_owned()));
    assert_eq!(
        stopped(other),
        (
            Gate::Class,
            r#"the Service has the class "x/y", but FerroLB serves Services with no class"#
                .to_owned()
        )
    );
    let none = with_a(|_| {}).with(|cluster| cluster.class = Some("x/y".to_owned()));
    assert_eq!(stopped(none).0, Gate::Class);
}

#[test]
fn a_service_without_an_address_has_the_allocators_reason() {
    let unknown = with_a(|service| {
        service.annotations.insert("metallb.io/address-pool".to_owned(), "gold".to_owned());
    });
    assert_eq!(
        stopped(unknown),
        (Gate::Pool, r#"there is no pool "gold", only pool "default""#.to_owned())
    );
    let outside = with_a(|service| service.load_balancer_ip = Some("10.0.0.1".to_owned()));
    assert_eq!(stopped(outside), (Gate::Address, "10.0.0.1 is in no pool".to_owned()));
    let no_pools = with_a(|_| {}).with(|cluster| cluster.config.pools.clear());
    assert_eq!(stopped(no_pools), (Gate::Pool, "no address pool is configured".to_owned()));
}

#[test]
fn a_service_that_the_allocator_has_not_seen_has_no_address() {
    let cluster = with_a(|_| {});
    let endpoints = ServiceEndpoints::default();
    let input = ServiceInput::new(&cluster.services[0], Err(None), &endpoints);
    let routes = service_routes(&cluster.context("kube1"), &input);
    assert_eq!(routes.not_announced[0].reason, Reason::NoAddress);
}

#[test]
fn a_node_with_the_exclude_label_announces_nothing_for_any_value_of_it() {
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    for value in ["", "false"] {
        let cluster = with_a(|_| {}).with(|cluster| {
            cluster.nodes[0].labels.insert(label.to_owned(), value.to_owned());
        });
        assert_eq!(cluster.plan("kube2").prefixes(), ["172.22.35.64/32"]);
        assert_eq!(stopped(cluster), (Gate::Node, format!("kube1 has the label {label}")));
    }
}

#[test]
fn a_node_without_an_address_of_the_family_cannot_be_the_next_hop() {
    let cluster = with_a(|_| {}).with(|cluster| cluster.nodes[0].addresses = vec![ip("fd00::1")]);
    assert_eq!(cluster.plan("kube1").prefixes().len(), 1, "the session has an address of its own");
    let cluster = cluster.with(|cluster| cluster.next_hop = NextHopPolicy::NodeAddress);
    assert_eq!(
        stopped(cluster),
        (Gate::Node, "kube1 has no IPv4 address to use as the next hop".to_owned())
    );
}

#[test]
fn a_peer_may_configure_another_next_hop_for_a_node_without_an_address_of_the_family() {
    let cluster = with_a(|_| {}).with(|cluster| {
        cluster.nodes[0].addresses = vec![ip("fd00::1")];
        cluster.next_hop = NextHopPolicy::NodeAddress;
        let mut second = Peer::new(Asn(64636), Asn(64635), ip("172.22.35.2"));
        second.next_hop = Some(NextHopPolicy::SessionAddress);
        cluster.config.peers.push(second);
    });
    let plan = cluster.plan("kube1");
    let counts: Vec<_> = plan.peers.iter().map(|peer| peer.routes.len()).collect();
    assert_eq!(counts, [0, 1]);
    let mut withheld = Vec::new();
    let context = cluster.context("kube1");
    cluster.each(&cluster.services, |input| {
        withheld.extend(service_routes(&context, input).not_announced);
    });
    let [first] = withheld.as_slice() else { panic!("{withheld:?}") };
    assert_eq!(first.peer.as_deref(), Some("172.22.35.1:179"));
    assert_eq!(first.reason.to_string(), "kube1 has no IPv4 address to use as the next hop");
}

#[test]
fn a_peer_is_for_the_nodes_that_its_selectors_match() {
    let rack = |value: &str| {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert("rack".to_owned(), value.to_owned());
        selector
    };
    let cluster = with_a(|_| {}).with(|cluster| {
        let mut second = Peer::new(Asn(64636), Asn(64635), ip("172.22.35.2"));
        second.node_selectors = vec![rack("b")];
        cluster.config.peers[0].node_selectors = vec![rack("a"), rack("c")];
        cluster.config.peers.push(second);
        cluster.nodes[1].labels.insert("rack".to_owned(), "c".to_owned());
    });
    let kube1 = cluster.plan("kube1");
    assert!(kube1.peers.is_empty());
    assert_eq!(kube1.services[&key("a")].1.len(), 2);
    let (gate, reason, _) = kube1.why_not("a");
    assert_eq!(gate, Gate::Peer);
    assert_eq!(reason, "no node selector of peer 172.22.35.1:179 matches the labels of kube1");
    let kube2 = cluster.plan("kube2");
    assert_eq!(kube2.prefixes(), ["172.22.35.64/32"]);
    assert_eq!(kube2.announced_to(&key("a"), ROUTER), Ok([net("172.22.35.64/32")].into()));
    assert_eq!(kube2.services[&key("a")].1, [], "a node without one of the peers needs no reason");
}

#[test]
fn a_configuration_without_peers_is_a_reason() {
    let cluster = with_a(|_| {}).with(|cluster| cluster.config.peers.clear());
    assert_eq!(stopped(cluster), (Gate::Peer, "no peer is configured".to_owned()));
}

#[test]
fn a_pool_for_layer_2_or_without_advertisement_has_addresses_that_are_not_announced() {
    let layer2 = with_a(|_| {}).with(|cluster| {
        cluster.config.pools[0].protocol = Protocol::Layer2;
        cluster.config.bgp_advertisements.clear();
    });
    assert_eq!(layer2.plan("kube1").addresses("a"), [ip("172.22.35.64")]);
    assert_eq!(
        stopped(layer2),
        (
            Gate::Advertisement,
            r#"pool "default" is for layer 2, which FerroLB does not announce"#.to_owned()
        )
    );
    let none = with_a(|_| {}).with(|cluster| cluster.config.bgp_advertisements.clear());
    assert_eq!(
        stopped(none),
        (Gate::Advertisement, r#"pool "default" has no advertisement"#.to_owned())
    );
}

#[test]
fn without_endpoints_nothing_is_announced() {
    let no_slice = with_a(|_| {}).with(|cluster| cluster.slices.clear());
    let no_endpoints = (Gate::Endpoints, "the Service has no endpoints".to_owned());
    assert_eq!(stopped(no_slice), no_endpoints);
    assert_eq!(stopped(Cluster::default().service("a", &[], |_| {})), no_endpoints);
}

#[test]
fn with_policy_cluster_one_usable_endpoint_is_enough_for_every_node() {
    let cluster = Cluster::default().service("a", &["kube2"], |_| {});
    for plan in cluster.plans() {
        assert_eq!(plan.prefixes(), ["172.22.35.64/32"], "{}", plan.node());
    }
    let cluster = cluster.with(|cluster| cluster.slices[0].endpoints[0].node_name = None);
    assert_eq!(cluster.plan("kube1").prefixes().len(), 1);
}

#[test]
fn with_policy_local_an_endpoint_without_a_node_belongs_to_no_node() {
    let cluster = Cluster::default()
        .service("a", &["kube1"], local)
        .with(|cluster| cluster.slices[0].endpoints[0].node_name = None);
    assert_eq!(
        stopped(cluster),
        (
            Gate::Endpoints,
            "externalTrafficPolicy is Local and no ready endpoint is on kube1".to_owned()
        )
    );
}

/// Returns true if a Service with policy Local is announced on kube1 because of an endpoint with these conditions.
fn usable(ready: Option<bool>, serving: Option<bool>, change: impl FnOnce(&mut Cluster)) -> bool {
    let cluster = Cluster::default().service("a", &["kube1"], local).with(|cluster| {
        let endpoint = &mut cluster.slices[0].endpoints[0];
        (endpoint.ready, endpoint.serving) = (ready, serving);
        change(cluster);
    });
    !cluster.plan("kube1").prefixes().is_empty()
}

#[test]
fn an_endpoint_counts_if_it_is_ready_or_serving_and_has_an_address() {
    assert!(usable(None, None, |_| {}));
    assert!(usable(Some(true), Some(false), |_| {}));
    assert!(usable(Some(false), Some(true), |_| {}), "terminating, but still serving");
    assert!(!usable(Some(false), None, |_| {}));
    assert!(!usable(Some(false), Some(false), |_| {}));
    assert!(!usable(Some(true), None, |cluster| {
        cluster.slices[0].endpoints[0].address = None;
    }));
}

#[test]
fn a_service_that_publishes_unready_addresses_counts_them() {
    assert!(usable(Some(false), Some(false), |cluster| {
        cluster.services[0].publish_not_ready_addresses = true;
    }));
}

#[test]
fn endpoints_of_all_slices_count_and_unready_ones_do_not_matter() {
    let cluster = Cluster::default().service("a", &["kube1"], local).with(|cluster| {
        cluster.slices[0].endpoints[0].ready = Some(false);
        let mut second = EndpointSlice::new("a-2", key("a"));
        second.endpoints = vec![endpoint("kube1")];
        cluster.slices.push(second);
    });
    assert_eq!(cluster.plan("kube1").prefixes().len(), 1);
}

#[test]
fn unready_endpoints_are_counted_in_the_reason() {
    for (nodes, reason) in [
        (&["kube1"][..], "the Service's only endpoint is not ready"),
        (&["kube1", "kube2"], "none of the Service's 2 endpoints is ready"),
    ] {
        let cluster = Cluster::default().service("a", nodes, |_| {}).with(|cluster| {
            let endpoints = &mut cluster.slices[0].endpoints;
            endpoints.iter_mut().for_each(|endpoint| endpoint.ready = Some(false));
        });
        assert_eq!(stopped(cluster), (Gate::Endpoints, reason.to_owned()));
    }
}

#[test]
fn the_reason_is_the_first_gate_that_fails() {
    let everything_wrong = || {
        Cluster::default().service("a", &[], |_| {}).with(|cluster| {
            let label = "node.kubernetes.io/exclude-from-external-load-balancers";
            cluster.nodes[0].labels.insert(label.to_owned(), String::new());
            cluster.config.bgp_advertisements.clear();
            cluster.config.peers.clear();
        })
    };
    assert_eq!(stopped(everything_wrong()).0, Gate::Node);
    let fix_node = |cluster: &mut Cluster| cluster.nodes[0].labels = Labels::new();
    assert_eq!(stopped(everything_wrong().with(fix_node)).0, Gate::Peer);
    let fix_peer = |cluster: &mut Cluster| {
        fix_node(cluster);
        cluster.config.peers = Cluster::default().config.peers;
    };
    assert_eq!(stopped(everything_wrong().with(fix_peer)).0, Gate::Advertisement);
    let fix_advertisement = |cluster: &mut Cluster| {
        fix_peer(cluster);
        cluster.config.bgp_advertisements.push(BgpAdvertisement::new("b"));
    };
    assert_eq!(stopped(everything_wrong().with(fix_advertisement)).0, Gate::Endpoints);
}

#[test]
fn a_node_without_an_ipv6_address_has_the_same_reason_with_any_default_next_hop() {
    for next_hop in [NextHopPolicy::SessionAddress, NextHopPolicy::NodeAddress] {
        for (dual_stack, gate, reason) in [
            (true, Gate::Node, "kube1 has no IPv6 address to use as the next hop"),
            (
                false,
                Gate::Policy,
                "no session of the node carries IPv6 routes, so fd00:: is not announced",
            ),
        ] {
            let dual = |service: &mut Service| {
                service.ip_families = vec![IpFamily::Ipv4, IpFamily::Ipv6];
                service.ip_family_policy = Some(IpFamilyPolicy::RequireDualStack);
                service.cluster_ips = vec![ip("10.96.0.1"), ip("fd00:96::1")];
            };
            let cluster = Cluster::default().service("a", &["kube1"], dual).with(|cluster| {
                cluster.next_hop = next_hop.clone();
                cluster.config.peers[0].dual_stack = dual_stack;
                cluster.config.pools[0].ranges.push("fd00::/124".parse().unwrap());
            });
            assert_eq!(cluster.plan("kube1").prefixes(), ["172.22.35.64/32"], "{next_hop}");
            let mut withheld = Vec::new();
            let context = cluster.context("kube1");
            cluster.each(&cluster.services, |input| {
                withheld.extend(service_routes(&context, input).not_announced);
            });
            let [only] = withheld.as_slice() else { panic!("{withheld:?}") };
            assert_eq!((only.peer.as_deref(), only.reason.gate()), (None, gate));
            assert_eq!(only.reason.to_string(), reason, "{next_hop}");
        }
    }
}

#[test]
fn the_reason_says_why_each_advertisement_does_not_apply() {
    let selector = |key: &str, value: &str| {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert(key.to_owned(), value.to_owned());
        vec![selector]
    };
    let cluster = with_a(|_| {}).with(|cluster| {
        let (mut a, mut b) = (BgpAdvertisement::new("a"), BgpAdvertisement::new("b"));
        a.node_selectors = selector("rack", "z");
        b.service_selectors = selector("expose", "yes");
        cluster.config.bgp_advertisements = vec![a, b];
    });
    assert_eq!(
        stopped(cluster),
        (
            Gate::Advertisement,
            "no advertisement of pool \"default\" selects both kube1 and the Service: a does not select kube1, b does not select the Service"
                .to_owned()
        )
    );
}

#[test]
fn the_reason_for_a_node_without_endpoints_names_only_nodes_with_usable_ones() {
    let cluster = Cluster::default().service("a", &["kube2", "kube3"], local).with(|cluster| {
        cluster.slices[0].endpoints[1].ready = Some(false);
        cluster.slices[0].endpoints[1].serving = Some(false);
    });
    let plan = cluster.plan("kube1");
    let Err(Some(reason)) = plan.announced_to(&key("a"), ROUTER) else { panic!("announced") };
    let elsewhere = ["kube2".to_owned()].into();
    assert_eq!(*reason, Reason::NoneLocal { node: "kube1".to_owned(), elsewhere, more: 0 });
}

/// Without its pool, a Service holds an address that no advertisement can be about.
#[test]
fn an_address_without_a_pool_has_a_reason_that_says_what_is_missing() {
    let cluster = with_a(|_| {});
    let why = |pools: &[Pool], pool: &str, addresses: &[&str]| {
        let mut cluster = Cluster { config: cluster.config.clone(), ..Cluster::default() };
        cluster.config.pools = pools.to_vec();
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| ip(address)).collect();
        let held = Assignment { addresses: addresses.into(), pool: pool.into() };
        let service = Service::new(key("a"));
        let slices = [endpoint("kube1")];
        let endpoints = ServiceEndpoints::of(&service, &slices);
        let input = ServiceInput::new(&service, Ok(&held), &endpoints);
        let routes = service_routes(&cluster.context("kube1"), &input);
        routes.not_announced[0].reason.to_string()
    };
    let pools = &cluster.config.pools;
    assert!(why(pools, "gone", &["10.0.0.1"]).contains("\"gone\""));
    assert_eq!(why(pools, "", &["10.0.0.1"]), "10.0.0.1 is in no pool");
    assert_eq!(why(&[], "", &["10.0.0.1"]), "no address pool is configured");
    assert_eq!(why(pools, "", &[]), "no address pool is configured");
}

/// Reasons that pass by themselves, or that somebody has decided, need nothing.
#[test]
fn an_operator_acts_on_what_neither_passes_nor_is_intended() {
    let node = || "kube1".to_owned();
    for (needed, reason) in [
        (false, Reason::NotSynced),
        (false, Reason::OtherType(ServiceType::NodePort)),
        (false, Reason::NodeExcluded { node: node() }),
        (
            false,
            Reason::NoneLocal { node: node(), elsewhere: ["kube2".to_owned()].into(), more: 0 },
        ),
        (true, Reason::NoneLocal { node: node(), elsewhere: BTreeSet::new(), more: 0 }),
        (true, Reason::NoConfig),
        (true, Reason::NoPeers),
        (true, Reason::NoEndpoints),
        (true, Reason::NodeNotReady { node: node() }),
        (true, Reason::PoolGone("default".to_owned())),
    ] {
        assert_eq!(reason.needs_action(), needed, "{reason}");
    }
}

/// Advertisements that a selector of Services brings together may contradict each other only then.
#[test]
fn advertisements_that_meet_at_a_service_with_different_local_prefs_announce_nothing() {
    let selecting = |local_pref, peers: &[&str], length| BgpAdvertisement {
        service_selectors: vec![LabelSelector::default()],
        local_pref,
        peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        aggregation_length: length,
        ..BgpAdvertisement::new("selecting")
    };
    let open = || BgpAdvertisement { local_pref: Some(2), ..BgpAdvertisement::new("open") };
    let announced = |advertisements: [BgpAdvertisement; 2]| {
        let cluster = with_a(|_| {}).with(|cluster| {
            cluster.config.bgp_advertisements = advertisements.into();
        });
        let plan = cluster.plan("kube1");
        match plan.announced_to(&key("a"), ROUTER) {
            Ok(_) => true,
            Err(Some(Reason::Conflicting { .. })) => false,
            Err(other) => panic!("{other:?}"),
        }
    };

    assert!(!announced([selecting(Some(1), &[], 32), open()]));
    assert!(!announced([open(), selecting(Some(1), &[], 32)]));
    assert!(!announced([selecting(Some(1), &[ROUTER], 32), open()]));
    assert!(!announced([
        selecting(None, &[ROUTER, "other"], 32),
        selecting(Some(1), &[ROUTER], 32)
    ]));

    assert!(announced([selecting(Some(2), &[], 32), open()]), "they agree");
    assert!(announced([selecting(Some(1), &[], 26), open()]), "other prefixes");
    assert!(announced([selecting(Some(1), &["other"], 32), selecting(Some(2), &[ROUTER], 32)]));
    let without = BgpAdvertisement { local_pref: Some(1), ..BgpAdvertisement::new("without") };
    assert!(
        announced([without, open()]),
        "the configuration's own contradiction is an error there"
    );
}

#[test]
fn a_process_may_fall_back_to_the_sessions_address_if_the_peer_says_nothing_else() {
    let cluster = with_a(|_| {}).with(|cluster| {
        cluster.nodes[0].addresses = vec![ip("fd00::1")];
        cluster.next_hop = NextHopPolicy::NodeAddress;
    });
    let is_announced = |peer_policy: Option<NextHopPolicy>| {
        let cluster = Cluster { config: cluster.config.clone(), ..Cluster::default() }.with(|it| {
            it.config.peers[0].next_hop = peer_policy;
            it.nodes.clone_from(&cluster.nodes);
            it.services.clone_from(&cluster.services);
            it.slices.clone_from(&cluster.slices);
        });
        let mut context = cluster.context("kube1");
        context.options.next_hop = NextHopPolicy::NodeAddress;
        context.options.or_session_address = true;
        let mut plan = Plan::new(context);
        cluster.each(&cluster.services, |input| {
            plan.update(input);
        });
        !plan.peers[0].routes.is_empty()
    };
    assert!(is_announced(None));
    assert!(
        !is_announced(Some(NextHopPolicy::NodeAddress)),
        "the peer asks for the node's address"
    );
}
