//! Unhealthy Services, and the attributes that Services request for their own routes.

use crate::model::{LinkBandwidth, MinReady, WhenUnhealthy};

use super::*;

/// A Service with policy Local and this many ready endpoints on kube1, and a changed pool.
fn cluster(ready: usize, change: impl FnOnce(&mut Pool)) -> Cluster {
    Cluster::default()
        .service("a", &vec!["kube1"; ready], local)
        .with(|cluster| change(&mut cluster.config.pools[0]))
}

/// Returns the plan of kube1 after this probe result.
fn probed(cluster: &Cluster, found: Option<ProbeStatus>) -> (Plan, Vec<NotAnnounced>) {
    let mut context = cluster.context("kube1");
    context.options.probing = true;
    let mut plan = Plan::new(context);
    let mut reasons = Vec::new();
    cluster.each(&cluster.services, |input| {
        let mut input = *input;
        input.probe_status = found.as_ref();
        plan.update(&input);
        reasons = service_routes(&plan.context, &input).not_announced;
    });
    (plan, reasons)
}

#[test]
fn a_process_that_probes_needs_an_answer_before_it_announces() {
    let cluster = cluster(1, |pool| pool.health.probe = Some("tcp:8080".parse().unwrap()));
    let why = |found| {
        let (plan, reasons) = probed(&cluster, found);
        assert_eq!(plan.peers[0].routes.is_empty(), !reasons.is_empty());
        reasons.first().map(|it| (it.reason.gate(), it.reason.to_string()))
    };
    let endpoints = |text: &str| Some((Gate::Endpoints, text.to_owned()));
    assert_eq!(why(None), endpoints("the probe tcp:8080 has no result yet"));
    assert_eq!(why(Some(ProbeStatus::Up)), None);
    let down = Some(ProbeStatus::Down("10.244.0.7:8080: refused".to_owned()));
    assert_eq!(why(down), endpoints("the probe tcp:8080 fails: 10.244.0.7:8080: refused"));
    assert_eq!(
        why(Some(ProbeStatus::HeldDown)),
        endpoints("the Service answers again, but must keep answering for 0ns first")
    );
    assert_eq!(
        cluster.plan("kube1").prefixes().len(),
        1,
        "without probing the probe counts as answered"
    );
}

#[test]
fn a_depreferenced_route_loses_against_routes_of_other_nodes() {
    let least = |pool: &mut Pool| {
        pool.health.min_ready = Some(MinReady::Count(2));
        pool.health.when_unhealthy = WhenUnhealthy::Depreference;
    };
    let attributes = |cluster: &Cluster| {
        let plan = cluster.plan("kube1");
        PathAttributes::clone(plan.route("172.22.35.64/32").attributes())
    };
    let external = attributes(&cluster(1, least));
    assert_eq!(external.origin, bgp_core::wire::Origin::Incomplete);
    assert_eq!((external.med, external.as_path.hop_count()), (Some(u32::MAX), 1));
    let internal = attributes(&cluster(1, least).with(|cluster| {
        cluster.config.peers[0].peer_asn = Asn(64636).into();
        cluster.config.bgp_advertisements[0].local_pref = Some(100);
    }));
    assert_eq!((internal.local_pref, internal.as_path.hop_count()), (Some(0), 0));
    assert_eq!(attributes(&cluster(2, least)), PathAttributes::default());
}

#[test]
fn a_shared_route_is_depreferenced_if_all_its_services_are() {
    let share = |service: &mut Service| {
        service.annotations.insert("metallb.io/allow-shared-ip".to_owned(), "k".to_owned());
    };
    let both = |a: &[&str], b: &[&str]| {
        let cluster =
            Cluster::default().service("a", a, share).service("b", b, share).with(|cluster| {
                let health = &mut cluster.config.pools[0].health;
                health.min_ready = Some(MinReady::Count(2));
                health.when_unhealthy = WhenUnhealthy::Depreference;
            });
        cluster.plan("kube1").route("172.22.35.64/32").is_depreferenced()
    };
    assert!(both(&["kube1"], &["kube2"]));
    assert!(!both(&["kube1"], &["kube1", "kube2"]));
}

#[test]
fn a_bandwidth_follows_the_ready_endpoints_once_they_have_moved_enough() {
    let with =
        |ready| cluster(ready, |pool| pool.health.link_bandwidth = Some(LinkBandwidth::new(100)));
    let mut plan = with(20).plan("kube1").plan;
    let mut after = |ready: usize| {
        let cluster = with(ready);
        cluster.each(&cluster.services, |input| {
            plan.update(input);
        });
        let attributes = plan.peers[0].routes.values().next().unwrap().attributes().clone();
        attributes.extended_communities[0].as_link_bandwidth().unwrap()
    };
    assert_eq!(after(20), (64636, 2_000.0));
    assert_eq!(after(21), (64636, 2_000.0), "less than 10 percent");
    assert_eq!(after(22), (64636, 2_200.0));
    assert_eq!(after(21), (64636, 2_200.0));
    assert_eq!(after(1), (64636, 100.0));
}

#[test]
fn services_that_contradict_each_other_about_one_route_are_named() {
    let wants = |value: &'static str| {
        move |service: &mut Service| {
            let annotations = [("ferrolb.io/med", value), ("metallb.io/allow-shared-ip", "k")];
            let owned = annotations.map(|(name, value)| (name.to_owned(), value.to_owned()));
            service.annotations.extend(owned);
        }
    };
    let cluster = Cluster::default()
        .service("a", &["kube1"], wants("10"))
        .service("b", &["kube1"], wants("20"))
        .with(|cluster| cluster.config.pools[0].permissions.med = Some(0..=100));
    let plan = cluster.plan("kube1");
    assert_eq!(plan.route("172.22.35.64/32").attributes().med, Some(10));
    assert_eq!(
        plan.warnings(),
        ["conflict for 172.22.35.64/32: med 10 of Service default/a is sent, med 20 of Service \
             default/b is not"]
    );
}

#[test]
fn services_that_contradict_each_other_about_local_pref_are_named_for_internal_peers_only() {
    let wants = |value: &'static str| {
        move |service: &mut Service| {
            let annotations =
                [("ferrolb.io/local-pref", value), ("metallb.io/allow-shared-ip", "k")];
            let owned = annotations.map(|(name, value)| (name.to_owned(), value.to_owned()));
            service.annotations.extend(owned);
        }
    };
    let cluster = Cluster::default()
        .service("a", &["kube1"], wants("10"))
        .service("b", &["kube1"], wants("20"))
        .with(|cluster| cluster.config.pools[0].permissions.local_pref = Some(0..=100));
    assert_eq!(cluster.plan("kube1").warnings(), [""; 0], "no external peer gets any");

    let internal = cluster.with(|cluster| cluster.config.peers[0].peer_asn = Asn(64636).into());
    let plan = internal.plan("kube1");
    assert_eq!(plan.route("172.22.35.64/32").local_pref(), Some(10));
    assert_eq!(
        plan.warnings(),
        [
            "conflict for 172.22.35.64/32: local-pref 10 of Service default/a is sent, local-pref 20 of \
          Service default/b is not"
        ]
    );
}

/// A pod of a dual-stack Service is in a slice of each family, and for a while one endpoint may be in two slices.
#[test]
fn a_pod_counts_once_for_any_number_of_slices() {
    let endpoint = |address: &str, pod: Option<u64>, ready: bool| Endpoint {
        address: Some(ip(address)),
        node_name: Some("kube1".into()),
        ready: Some(ready),
        target: pod,
        ..Endpoint::default()
    };
    for (endpoints, [all, ready]) in [
        (vec![endpoint("10.1.0.5", Some(1), true), endpoint("fd01::5", Some(1), true)], [1, 1]),
        (vec![endpoint("10.1.0.5", None, true), endpoint("10.1.0.5", None, true)], [1, 1]),
        (vec![endpoint("10.1.0.5", Some(1), true), endpoint("10.1.0.5", None, true)], [1, 1]),
        // One slice is older than the other.
        (vec![endpoint("10.1.0.5", Some(1), false), endpoint("10.1.0.5", Some(1), true)], [1, 1]),
        (vec![endpoint("10.1.0.5", Some(1), true), endpoint("10.1.0.6", Some(2), false)], [2, 1]),
        (vec![endpoint("10.1.0.5", None, true), endpoint("fd01::5", None, true)], [2, 2]),
    ] {
        for policy in [ExternalTrafficPolicy::Cluster, ExternalTrafficPolicy::Local] {
            let counted = ServiceEndpoints::of(&Service::new(key("a")), &endpoints);
            let count = counted.counting(policy, "kube1");
            assert_eq!([count.all, count.ready], [all, ready], "{policy:?} {endpoints:?}");
        }

        let cluster = cluster(0, |pool| {
            pool.health.min_ready = Some(MinReady::Count(2));
            pool.health.link_bandwidth = Some(LinkBandwidth::new(100));
        });
        let cluster = cluster.with(|cluster| cluster.slices[0].endpoints = endpoints);
        let plan = cluster.plan("kube1").plan;
        let route = plan.peers[0].routes.values().next();
        assert_eq!(route.is_some(), ready >= 2);
        let bandwidth =
            route.and_then(|it| it.attributes().extended_communities[0].as_link_bandwidth());
        assert!(bandwidth.is_none_or(|(_, octets)| octets == 200.0), "{bandwidth:?}");
    }
}

/// One endpoint has the address of one pod and the target of the other: the first two are the same pod.
#[test]
fn the_order_of_endpoints_does_not_change_the_count() {
    let endpoint = |address: &str, pod: u64, node: &str| Endpoint {
        address: Some(ip(address)),
        node_name: Some(node.into()),
        target: Some(pod),
        ..Endpoint::default()
    };
    let endpoints = [
        endpoint("10.1.0.5", 1, "kube1"),
        endpoint("fd01::5", 2, "kube2"),
        endpoint("10.1.0.5", 2, "kube1"),
        endpoint("10.1.0.6", 3, "kube2"),
    ];

    for first in 0..4 {
        for second in (0..4).filter(|it| *it != first) {
            for third in (0..4).filter(|it| ![first, second].contains(it)) {
                let fourth = 6 - first - second - third;
                let order = [first, second, third, fourth];
                let endpoints = order.map(|at| &endpoints[at]);
                let counted = ServiceEndpoints::of(&Service::new(key("a")), endpoints);
                let cluster = counted.counting(ExternalTrafficPolicy::Cluster, "kube1");
                let on = ["kube1", "kube2"].map(|node| counted.on(node).all);
                assert_eq!((cluster.all, on), (2, [1, 2]), "{order:?}");
            }
        }
    }
}

/// An endpoint that joins two pods joins their states: a pod takes traffic if one of its endpoints does.
#[test]
fn a_merged_pod_is_ready_if_one_of_the_two_was() {
    let endpoint = |address: &str, pod: u64, ready: bool| Endpoint {
        address: Some(ip(address)),
        node_name: Some("kube1".into()),
        ready: Some(ready),
        serving: Some(ready),
        target: Some(pod),
        ..Endpoint::default()
    };
    for (first, second) in [(true, false), (false, true)] {
        let endpoints = [
            endpoint("10.1.0.5", 1, first),
            endpoint("fd01::5", 2, second),
            endpoint("10.1.0.5", 2, false),
        ];
        let counted = ServiceEndpoints::of(&Service::new(key("a")), &endpoints);
        let count = counted.on("kube1");
        assert_eq!((count.all, count.usable, count.ready), (1, 1, 1), "{first} {second}");
    }
}

#[test]
fn only_a_usable_endpoint_of_another_node_is_one_beside_this_node() {
    let endpoint = |node: &str, ready: bool| Endpoint {
        ready: Some(ready),
        serving: Some(ready),
        ..endpoint(node)
    };
    let beside = |endpoints: &[Endpoint]| {
        let mut endpoints = endpoints.to_vec();
        for (endpoint, last) in endpoints.iter_mut().zip(1..) {
            endpoint.address = Some(IpAddr::from([10, 1, 0, last]));
        }
        ServiceEndpoints::of(&Service::new(key("a")), &endpoints).are_usable_beside("kube1")
    };
    assert!(!beside(&[]));
    assert!(!beside(&[endpoint("kube1", true), endpoint("kube2", false)]));
    assert!(beside(&[endpoint("kube1", true), endpoint("kube2", true)]));
    assert!(beside(&[endpoint("kube2", true), endpoint("kube2", true)]));
}
