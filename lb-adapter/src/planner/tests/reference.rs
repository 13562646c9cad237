//! The reference case: three nodes that announce their Services to one router.

use super::*;

/// `smtp` with its pod on kube2, a Service with policy Cluster, and one that requests the pool `public`.
fn reference() -> Cluster {
    let mut public = Pool::new("public", vec!["200.1.154.64/26".parse().unwrap()]);
    public.auto_assign = false;
    let smtp = |service: &mut Service| {
        local(service);
        service.load_balancer_ip = Some("172.22.35.70".to_owned());
        annotate(service, "allow-shared-ip", "ekvm");
        annotate(service, "address-pool", "default");
    };
    let mut cluster = Cluster::default()
        .service("smtp", &["kube2"], smtp)
        .service("web", &["kube1", "kube3"], |_| {})
        .service("www", &["kube3"], |service| annotate(service, "address-pool", "public"));
    cluster.config.pools.push(public);
    cluster.config.bgp_advertisements[0].local_pref = Some(100);
    cluster.next_hop = NextHopPolicy::NodeAddress;
    cluster
}

fn annotate(service: &mut Service, name: &str, value: &str) {
    service.annotations.insert(format!("metallb.universe.tf/{name}"), value.to_owned());
}

#[test]
fn smtp_is_routed_to_kube2_only_and_the_others_to_all_nodes() {
    let plans = reference().plans();
    let plans = plans.iter().map(|planned| &planned.plan);
    let table = expected_router_table(plans, ROUTER.parse().unwrap());
    let shown: Vec<_> = table
        .iter()
        .map(|(prefix, paths)| {
            let hops: Vec<_> = paths.iter().map(|path| path.next_hop.to_string()).collect();
            format!("{prefix} {}", hops.join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "172.22.35.64/32 172.22.35.25 172.22.35.26 172.22.35.27",
            "172.22.35.70/32 172.22.35.26",
            "200.1.154.64/32 172.22.35.25 172.22.35.26 172.22.35.27",
        ]
    );
    for path in table.iter().flat_map(|(_, paths)| paths) {
        assert_eq!(path.as_path, [Asn(64636)]);
        assert_eq!(path.local_pref, None, "no LOCAL_PREF to an external peer");
        assert!(path.communities.is_empty());
    }
}

#[test]
fn each_service_has_its_address_and_each_silent_node_its_reason() {
    let plans = reference().plans();
    let addresses: Vec<_> =
        plans[0].services.values().map(|(addresses, _)| addresses.clone()).collect();
    assert_eq!(addresses, [[ip("172.22.35.70")], [ip("172.22.35.64")], [ip("200.1.154.64")]]);
    let (gate, reason, hint) = plans[0].why_not("smtp");
    assert_eq!(gate, Gate::Endpoints);
    assert_eq!(
        reason,
        "externalTrafficPolicy is Local and no ready endpoint is on kube1, only on kube2"
    );
    assert_eq!(
        hint.as_deref(),
        Some("run a pod on kube1, or set externalTrafficPolicy to Cluster")
    );
    let route = plans[1].route("172.22.35.70/32");
    assert_eq!(route.next_hop(), Some(ip("172.22.35.26")));
    assert!(route.services().eq([&key("smtp")]));
}

#[test]
fn a_moved_endpoint_moves_the_route_and_a_deleted_service_withdraws_it() {
    let mut cluster = reference();
    cluster.slices[0].endpoints = vec![endpoint("kube3")];
    let announced = |cluster: &Cluster| -> Vec<_> {
        let has = |plan: &Planned| plan.peers[0].routes.contains_key(&net("172.22.35.70/32"));
        cluster.plans().iter().map(has).collect()
    };
    assert_eq!(announced(&cluster), [false, false, true]);
    cluster.services.remove(0);
    assert_eq!(announced(&cluster), [false, false, false]);
}

#[test]
fn a_local_pref_for_an_external_peer_causes_a_warning() {
    assert_eq!(
        reference().plan("kube1").warnings(),
        ["localpref 100 of advertisement default is not sent, since the peer is in another AS, \
             64635",]
    );
}
