//! Following a hint leads to the announcement of the Service.

use crate::model::{
    ConfigFormat, IpFamily, IpFamilyPolicy, LabelSelector, Labels, MinReady, Protocol,
    ServiceAllocation, ServicePort, ServiceType, TransportProtocol,
};

use super::*;

/// A change that keeps kube1 from announcing Service `a`, a part of the hint, and the change that follows the hint.
struct Case {
    hint: &'static str,
    wrong: fn(&mut Cluster),
    follow: fn(&mut Cluster),
}

fn selector(key: &str, value: &str) -> Vec<LabelSelector> {
    let mut selector = LabelSelector::default();
    selector.match_labels.insert(key.to_owned(), value.to_owned());
    vec![selector]
}

fn annotate(service: &mut Service, name: &str, value: &str) {
    service.annotations.insert(name.to_owned(), value.to_owned());
}

fn port(number: u16) -> ServicePort {
    ServicePort { protocol: TransportProtocol::Tcp, port: number }
}

/// Another Service that holds the one address of the pool.
fn taken(cluster: &mut Cluster, key_of_a: &str) {
    cluster.config.pools[0].ranges = vec!["172.22.35.64/32".parse().unwrap()];
    let mut older = Service::new(key("older"));
    older.created = Some("2024-01-01T00:00:00Z".parse().unwrap());
    older.ports = vec![port(80)];
    annotate(&mut older, "metallb.io/allow-shared-ip", "shared");
    cluster.services.push(older);
    cluster.services[0].ports = vec![port(80)];
    annotate(&mut cluster.services[0], "metallb.io/allow-shared-ip", key_of_a);
}

const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

#[expect(clippy::too_many_lines, reason = "one entry for each hint")]
fn cases() -> Vec<Case> {
    vec![
        Case {
            hint: "set spec.type to LoadBalancer",
            wrong: |it| it.services[0].type_ = ServiceType::NodePort,
            follow: |it| it.services[0].type_ = ServiceType::LoadBalancer,
        },
        Case {
            hint: "start FerroLB with --lb-class x/y",
            wrong: |it| it.services[0].load_balancer_class = Some("x/y".to_owned()),
            follow: |it| it.class = Some("x/y".to_owned()),
        },
        Case {
            hint: "recreate the Service with loadBalancerClass \"x/y\", or start FerroLB without --lb-class",
            wrong: |it| it.class = Some("x/y".to_owned()),
            follow: |it| it.class = None,
        },
        Case {
            hint: "add an IPAddressPool",
            wrong: |it| it.config.pools.clear(),
            follow: |it| it.config.pools = Cluster::default().config.pools,
        },
        Case {
            hint: "correct the annotation address-pool",
            wrong: |it| annotate(&mut it.services[0], "metallb.io/address-pool", "gold"),
            follow: |it| annotate(&mut it.services[0], "metallb.io/address-pool", "default"),
        },
        Case {
            hint: "set autoAssign to true on a pool",
            wrong: |it| it.config.pools[0].auto_assign = false,
            follow: |it| it.config.pools[0].auto_assign = true,
        },
        Case {
            hint: "change the serviceAllocation of a pool so that it selects the Service",
            wrong: |it| {
                let mut rule = ServiceAllocation::default();
                rule.namespaces.insert("other".to_owned());
                it.config.pools[0].allocation = Some(rule);
            },
            follow: |it| {
                let rule = it.config.pools[0].allocation.as_mut().unwrap();
                rule.namespaces.insert("default".to_owned());
            },
        },
        Case {
            hint: "add addresses of that IP family to a pool",
            wrong: |it| {
                it.nodes[0].addresses.push(ip("fd00::25"));
                it.services[0].cluster_ips = vec![ip("fd00::1")];
            },
            follow: |it| {
                it.config.pools[0].ranges.push("fd00:1::/64".parse().unwrap());
                it.config.peers[0].dual_stack = true;
            },
        },
        Case {
            hint: "use a port other than 80/TCP, which default/older uses",
            wrong: |it| taken(it, "shared"),
            follow: |it| it.services[0].ports = vec![port(81)],
        },
        Case {
            hint: "set the annotation metallb.io/allow-shared-ip to \"shared\", as on default/older",
            wrong: |it| {
                taken(it, "shraed");
                it.services[0].ports = vec![port(81)];
            },
            follow: |it| annotate(&mut it.services[0], "metallb.io/allow-shared-ip", "shared"),
        },
        Case {
            hint: "set externalTrafficPolicy to Cluster for this Service and default/older",
            wrong: |it| {
                taken(it, "shared");
                it.services[0].ports = vec![port(81)];
                local(&mut it.services[0]);
                it.services[0].selector = [("app".to_owned(), "a".to_owned())].into();
            },
            follow: |it| {
                it.services[0].external_traffic_policy = ExternalTrafficPolicy::Cluster;
            },
        },
        Case {
            hint: "add addresses to a pool, or let Services share an address with allow-shared-ip",
            wrong: |it| {
                taken(it, "shared");
                it.services[0].annotations = Labels::new();
            },
            follow: |it| {
                it.config.pools[0].ranges = vec!["172.22.35.64/31".parse().unwrap()];
            },
        },
        Case {
            hint: "request an address from a pool, or add this address to a pool",
            wrong: |it| it.services[0].load_balancer_ip = Some("10.0.0.1".to_owned()),
            follow: |it| it.services[0].load_balancer_ip = Some("172.22.35.65".to_owned()),
        },
        Case {
            hint: "request a different address",
            wrong: |it| {
                it.config.pools[0].ranges = vec!["172.22.35.0/24".parse().unwrap()];
                it.config.pools[0].avoid_buggy_ips = true;
                it.services[0].load_balancer_ip = Some("172.22.35.255".to_owned());
            },
            follow: |it| it.services[0].load_balancer_ip = Some("172.22.35.254".to_owned()),
        },
        Case {
            hint: "set the annotation metallb.io/allow-shared-ip to the same value on this Service and default/older",
            wrong: |it| {
                taken(it, "shared");
                it.services[0].annotations = Labels::new();
                it.services[0].ports = vec![port(81)];
                it.services[0].load_balancer_ip = Some("172.22.35.64".to_owned());
            },
            follow: |it| annotate(&mut it.services[0], "metallb.io/allow-shared-ip", "shared"),
        },
        Case {
            hint: "request either the address or the pool",
            wrong: |it| {
                it.config.pools.push(Pool::new("b", vec!["10.0.0.0/30".parse().unwrap()]));
                it.services[0].load_balancer_ip = Some("10.0.0.1".to_owned());
                annotate(&mut it.services[0], "metallb.io/address-pool", "default");
            },
            follow: |it| it.services[0].load_balancer_ip = None,
        },
        Case {
            hint: "request addresses of the Service's IP families",
            wrong: |it| {
                it.services[0].cluster_ips = vec![ip("10.96.0.1")];
                it.services[0].load_balancer_ip = Some("fd00::1".to_owned());
            },
            follow: |it| it.services[0].load_balancer_ip = Some("172.22.35.65".to_owned()),
        },
        Case {
            hint: "remove one of the two requests",
            wrong: |it| {
                it.services[0].load_balancer_ip = Some("172.22.35.65".to_owned());
                annotate(&mut it.services[0], "metallb.io/loadBalancerIPs", "172.22.35.65");
            },
            follow: |it| it.services[0].load_balancer_ip = None,
        },
        Case {
            hint: "set ipFamilyPolicy to PreferDualStack",
            wrong: |it| {
                it.services[0].cluster_ips = vec![ip("10.96.0.1")];
                it.services[0].ip_families = vec![IpFamily::Ipv4];
                it.services[0].ip_family_policy = Some(IpFamilyPolicy::RequireDualStack);
            },
            follow: |it| {
                it.services[0].ip_family_policy = Some(IpFamilyPolicy::PreferDualStack);
            },
        },
        Case {
            hint: "remove the label node.kubernetes.io/exclude",
            wrong: |it| it.nodes[0].labels.insert(EXCLUDE.to_owned(), String::new()),
            follow: |it| it.nodes[0].labels = Labels::new(),
        },
        Case {
            hint: "or start FerroLB with --ignore-exclude-lb",
            wrong: |it| it.nodes[0].labels.insert(EXCLUDE.to_owned(), String::new()),
            follow: |it| it.ignore_exclude_label = true,
        },
        Case {
            hint: "give kube1 an IPv4 address of type InternalIP",
            wrong: |it| {
                it.next_hop = NextHopPolicy::NodeAddress;
                it.nodes[0].addresses.clear();
            },
            follow: |it| it.nodes[0].addresses = vec![ip("172.22.35.25")],
        },
        Case {
            hint: "add a BGPPeer",
            wrong: |it| it.config.peers.clear(),
            follow: |it| it.config.peers = Cluster::default().config.peers,
        },
        Case {
            hint: "label kube1 so that a node selector of peer 172.22.35.1:179 selects it",
            wrong: |it| it.config.peers[0].node_selectors = selector("rack", "a"),
            follow: |it| it.nodes[0].labels.insert("rack".to_owned(), "a".to_owned()),
        },
        Case {
            hint: "add a BGPAdvertisement for pool \"default\", or leave it",
            wrong: |it| {
                it.config.bgp_advertisements.clear();
                it.config.pools[0].protocol = Protocol::Layer2;
            },
            // The reader of the resources finds that the pool is no longer for layer 2 alone.
            follow: |it| {
                it.config.bgp_advertisements.push(BgpAdvertisement::new("a"));
                it.config.pools[0].protocol = Protocol::Bgp;
            },
        },
        Case {
            hint: "add a BGPAdvertisement for pool \"default\"",
            wrong: |it| it.config.bgp_advertisements.clear(),
            follow: |it| it.config.bgp_advertisements.push(BgpAdvertisement::new("a")),
        },
        Case {
            hint: "label kube1 so that a node selector of an advertisement for pool \"default\" selects it",
            wrong: |it| it.config.bgp_advertisements[0].node_selectors = selector("rack", "a"),
            follow: |it| it.nodes[0].labels.insert("rack".to_owned(), "a".to_owned()),
        },
        Case {
            hint: "label the Service so that a service selector of an advertisement",
            wrong: |it| it.config.bgp_advertisements[0].service_selectors = selector("x", "y"),
            follow: |it| it.services[0].labels.insert("x".to_owned(), "y".to_owned()),
        },
        Case {
            hint: "label kube1 and the Service so that one advertisement",
            wrong: |it| {
                let mut other = BgpAdvertisement::new("b");
                other.service_selectors = selector("x", "y");
                it.config.bgp_advertisements[0].node_selectors = selector("rack", "a");
                it.config.bgp_advertisements.push(other);
            },
            follow: |it| it.services[0].labels.insert("x".to_owned(), "y".to_owned()),
        },
        Case {
            hint: "add 172.22.35.1:179 to the peers of an advertisement",
            wrong: |it| {
                it.config.bgp_advertisements[0].peers.insert("other".to_owned());
            },
            follow: |it| {
                it.config.bgp_advertisements[0].peers.insert("172.22.35.1:179".to_owned());
            },
        },
        Case {
            hint: "set the same localPref in both",
            wrong: |it| {
                let mut other = BgpAdvertisement::new("b");
                (other.service_selectors, other.local_pref) = (selector("x", "y"), Some(7));
                it.services[0].labels.insert("x".to_owned(), "y".to_owned());
                it.config.bgp_advertisements.push(other);
            },
            follow: |it| it.config.bgp_advertisements[0].local_pref = Some(7),
        },
        Case {
            hint: "check that the Service's selector matches",
            wrong: |it| it.slices[0].endpoints.clear(),
            follow: |it| it.slices[0].endpoints.push(endpoint("kube2")),
        },
        Case {
            hint: "check why the pods are not ready",
            wrong: |it| it.slices[0].endpoints[0].ready = Some(false),
            follow: |it| it.slices[0].endpoints[0].ready = Some(true),
        },
        Case {
            hint: "run a pod on kube1, or set externalTrafficPolicy to Cluster",
            wrong: |it| {
                local(&mut it.services[0]);
                it.slices[0].endpoints = vec![endpoint("kube2")];
            },
            follow: |it| {
                it.services[0].external_traffic_policy = ExternalTrafficPolicy::Cluster;
            },
        },
        Case {
            hint: "run more pods, or lower ferrolb.io/min-ready",
            wrong: |it| it.config.pools[0].health.min_ready = Some(MinReady::Count(2)),
            follow: |it| it.config.pools[0].health.min_ready = Some(MinReady::Count(1)),
        },
        Case {
            hint: "add an IPv6 peer, or set dualStackAddressFamily for 172.22.35.1:179",
            wrong: |it| {
                it.nodes[0].addresses.push(ip("fd00::25"));
                it.config.pools[0].ranges = vec!["fd00:1::/64".parse().unwrap()];
            },
            follow: |it| it.config.peers[0].dual_stack = true,
        },
        Case {
            hint: "check why the condition Ready of kube1 is not True",
            wrong: |it| it.nodes[0].ready = false,
            follow: |it| it.nodes[0].ready = true,
        },
        Case {
            hint: "check why the condition NetworkUnavailable of kube1 is True",
            wrong: |it| it.nodes[0].network_unavailable = true,
            follow: |it| it.nodes[0].network_unavailable = false,
        },
    ]
}

#[test]
fn following_a_hint_gets_the_service_announced() {
    for case in cases() {
        let mut cluster = Cluster::default().service("a", &["kube1"], |_| {});
        cluster.config.format = ConfigFormat::Resources;
        assert!(announced(&cluster), "{}", case.hint);

        (case.wrong)(&mut cluster);
        assert!(!announced(&cluster), "{}", case.hint);
        let hints = hints(&cluster);
        assert!(hints.iter().any(|hint| hint.contains(case.hint)), "{}: {hints:?}", case.hint);

        (case.follow)(&mut cluster);
        assert!(announced(&cluster), "{}: {:?}", case.hint, self::hints(&cluster));
    }
}

#[test]
fn hints_use_the_words_of_the_format() {
    let resources = [
        "BGPPeer",
        "BGPAdvertisement",
        "IPAddressPool",
        "autoAssign",
        "serviceAllocation",
        "localPref",
        "AddressFamily",
    ];
    for case in cases() {
        let mut cluster = Cluster::default().service("a", &["kube1"], |_| {});
        (case.wrong)(&mut cluster);
        for hint in hints(&cluster) {
            assert!(!resources.iter().any(|word| hint.contains(word)), "{hint}");
        }
    }
}

fn announced(cluster: &Cluster) -> bool {
    cluster.plan("kube1").is_announced(&key("a"))
}

/// Returns the hints about Service `a` on kube1.
fn hints(cluster: &Cluster) -> Vec<String> {
    let mut allocator = cluster.class.clone().map_or_else(Allocator::new, Allocator::for_class);
    allocator.reconcile(&cluster.config.pools, &cluster.services, &HeldAddresses::new());
    let service = &cluster.services[0];
    let slices = cluster.slices.iter().filter(|slice| slice.service == service.key);
    let endpoints = ServiceEndpoints::of(service, slices.flat_map(|slice| &slice.endpoints));
    let refusal = allocator.explain_refusal(&service.key);
    let held = allocator.assignment(&service.key).ok_or(refusal.as_ref());
    let input = ServiceInput::new(service, held, &endpoints);
    let routes = service_routes(&cluster.context("kube1"), &input);
    let reasons = routes.not_announced.iter().map(|entry| &entry.reason);
    reasons.filter_map(|reason| reason.hint(cluster.config.format)).collect()
}
