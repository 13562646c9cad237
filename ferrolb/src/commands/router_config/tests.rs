use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::*;
use lb_adapter::manifest::{Source, parse_with};

fn routers(config: &str, with_passwords: bool) -> Result<Vec<Router>, String> {
    routers_with(config, &node("kube1", "", &["172.22.35.25", "fd00::25"]), &[], with_passwords)
}

/// Returns a Node with these labels and addresses.
fn node(name: &str, labels: &str, addresses: &[&str]) -> String {
    let addresses = addresses.iter().map(|it| format!("{{type: InternalIP, address: '{it}'}}"));
    let addresses = addresses.collect::<Vec<_>>().join(", ");
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nstatus: {{addresses: [{addresses}]}}\n"
    )
}

fn routers_with(
    config: &str,
    nodes: &str,
    peers: &[&str],
    with_passwords: bool,
) -> Result<Vec<Router>, String> {
    let source = Source { name: "f".to_owned(), octets: format!("{config}{nodes}").into_bytes() };
    let options = Options { lenient: true, ..Options::default() };
    let manifests = parse_with(&options, "f", &[source]).unwrap();
    let peers: Vec<String> = peers.iter().map(|it| (*it).to_owned()).collect();
    let selection = RouterSelection { peers: &peers, asn: None, with_passwords };
    collect::routers(&manifests, &selection)
}

const CONFIG: &str = "\
peers:
- my-asn: 64636
  peer-asn: 64635
  peer-address: 172.22.35.1
  password: hunter2
  bfd-profile: fast
  ebgp-multihop: true
  dual-stack-address-family: true
bfd-profiles: [{name: fast, receive-interval: 50, transmit-interval: 60}]
address-pools:
- name: a
  protocol: bgp
  addresses: [172.22.35.64/26, 10.0.0.2-10.0.0.3, 'fd00:1::/64']
  bgp-advertisements: [{}, {aggregation-length: 31, aggregation-length-v6: 64}]
- {name: b, protocol: layer2, addresses: [10.9.0.0/24]}
";

#[test]
fn the_configuration_of_each_system_is_complete() {
    let router = &routers(CONFIG, false).unwrap()[0];
    for (system, words) in [
        (
            RouterSystem::Bird,
            &[
                "172.22.35.64/26{31,32}",
                "fd00:1::/64{64,128}",
                "as 64636",
                "multihop;",
                "bfd on;",
                "merge paths on",
                "import limit 66",
            ][..],
        ),
        (
            RouterSystem::Frr,
            &[
                "172.22.35.64/26 ge 31 le 32",
                "fd00:1::/64 le 128",
                "remote-as 64636",
                "ebgp-multihop 255",
                "bfd profile fast",
                "maximum-paths 64",
                "maximum-prefix 66",
            ],
        ),
        (
            RouterSystem::Routeros6,
            &[
                "prefix=172.22.35.64/26 prefix-length=31-32",
                "remote-as=64636",
                "multihop=yes",
                "use-bfd=yes",
                "max-prefix-limit=10000",
            ],
        ),
        (
            RouterSystem::Routeros7,
            &[
                "dst in 172.22.35.64/26 && dst-len in 31-32",
                "remote.as=64636",
                "multihop=yes",
                "use-bfd=yes",
                "limit-process-routes-ipv4=66",
            ],
        ),
        (
            RouterSystem::Junos,
            &[
                "172.22.35.64/26 prefix-length-range /31-/32",
                "peer-as 64636",
                "multihop",
                "minimum-receive-interval 60",
                "multipath",
                "prefix-limit maximum 66",
            ],
        ),
        (
            RouterSystem::Eos,
            &[
                "172.22.35.64/26 ge 31 le 32",
                "remote-as 64636",
                "ebgp-multihop 255",
                "min-rx 60",
                "maximum-paths 64",
                "maximum-routes 10000",
            ],
        ),
    ] {
        let text = system.write(router);
        for word in ["172.22.35.25", "64635", "PASSWORD"].iter().chain(words) {
            assert!(text.contains(word), "{system:?}: {word}\n{text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("10.9.0.0"), "{text}");
    }
    let graceful = CONFIG.replace("  password:", "  enable-graceful-restart: true\n  password:");
    let router = &routers(&graceful, true).unwrap()[0];
    assert!(RouterSystem::Bird.write(router).contains("bfd graceful;"));
    assert!(RouterSystem::Frr.write(router).contains("password hunter2"));
}

#[test]
fn bfd_of_internal_peers_is_single_hop() {
    let internal =
        CONFIG.replace("peer-asn: 64635", "peer-asn: 64636").replace("  ebgp-multihop: true\n", "");
    let router = &routers(&internal, false).unwrap()[0];
    assert!(RouterSystem::Bird.write(router).contains("  direct;\n"));
    assert!(RouterSystem::Junos.write(router).contains("session-mode single-hop"));
    let without = internal.replace("  bfd-profile: fast\n", "");
    let router = &routers(&without, false).unwrap()[0];
    assert!(
        !RouterSystem::Bird.write(router).contains("direct;"),
        "the peer may be some hops away"
    );
    let router = &routers(CONFIG, false).unwrap()[0];
    assert!(RouterSystem::Bird.write(router).contains("  multihop;\n"));
    assert!(!RouterSystem::Junos.write(router).contains("session-mode"));
}

#[test]
fn a_router_in_any_external_as_needs_an_option() {
    let external = CONFIG.replace("peer-asn: 64635", "dynamic-asn: external");
    assert_eq!(
        routers(&external, false).unwrap_err(),
        "peer 172.22.35.1:179 may be in any external AS: give its AS with --asn"
    );
}

const SYSTEMS: [RouterSystem; 6] = [
    RouterSystem::Bird,
    RouterSystem::Frr,
    RouterSystem::Routeros6,
    RouterSystem::Routeros7,
    RouterSystem::Junos,
    RouterSystem::Eos,
];

fn nodes() -> String {
    node("kube1", "rack: a", &["10.7.0.11", "fd07::11"])
        + &node("kube2", "rack: b", &["10.7.0.12", "fd07::12"])
}

#[test]
fn a_node_that_cannot_speak_to_a_router_is_listed_once() {
    let nodes = node("kube1", "", &["10.7.0.11"]) + &node("kube2", "", &["10.7.0.12"]);
    let two_ports = peers(&[("fd07::1", ""), ("fd07::1", ", peer-port: 1179")]);
    let routers = routers_with(&two_ports, &nodes, &[], false).unwrap();
    assert_eq!(routers[0].left_out.len(), 2, "{:?}", routers[0].left_out);
}

#[test]
fn the_identifier_of_an_ipv6_router_is_not_a_multicast_address() {
    let routers = routers_with(&peers(&[("fd07::e000:1", "")]), &nodes(), &[], false).unwrap();
    assert_eq!(routers[0].identifier, Ipv4Addr::new(99, 0, 0, 1));
}

/// Returns a peer for each of these addresses, with more keys, and a pool of both families.
fn peers(peers: &[(&str, &str)]) -> String {
    let peer = |(address, more): &(&str, &str)| {
        format!("- {{my-asn: 64901, peer-asn: 64900, peer-address: '{address}'{more}}}\n")
    };
    let peers: String = peers.iter().map(peer).collect();
    format!(
        "peers:\n{peers}address-pools: [{{name: p, protocol: bgp, addresses: [10.7.9.0/30, 'fd07:9::/124']}}]\n"
    )
}

#[test]
fn an_ipv4_and_an_ipv6_peer_of_one_as_are_one_router() {
    let config = peers(&[("fd07::1", ""), ("10.7.0.1", "")]);
    let routers = routers_with(&config, &nodes(), &[], false).unwrap();
    let [router] = routers.as_slice() else { panic!("{routers:?}") };
    assert_eq!(router.identifier, Ipv4Addr::new(10, 7, 0, 1));
    let names: BTreeSet<_> = router.neighbors.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["kube1-ipv4", "kube1-ipv6", "kube2-ipv4", "kube2-ipv6"]));
    for system in SYSTEMS {
        let text = system.write(router);
        for word in
            ["10.7.0.11", "10.7.0.12", "fd07::11", "fd07::12", "10.7.9.0/30", "fd07:9::/124"]
        {
            assert!(text.contains(word), "{system:?}: {word}\n{text}");
        }
        assert!(text.contains("router 10.7.0.1 and fd07::1, AS 64900: 2 nodes"), "{text}");
        // These lines may occur only once.
        for once in ["router id ", "protocol device", "router bgp ", "router-id ", "permit 10\n"] {
            assert!(text.matches(once).count() <= 1, "{system:?}: {once}\n{text}");
        }
    }
}

#[test]
fn addresses_are_joined_only_if_they_must_be_one_router() {
    let two = [("10.7.0.1", ""), ("10.7.0.2", ""), ("fd07::1", ""), ("fd07::2", "")];
    let four = routers_with(&peers(&two), &nodes(), &[], false).unwrap();
    assert_eq!(four.len(), 4);
    let named = ["10.7.0.2:179", "[fd07::2]:179"];
    let one = routers_with(&peers(&two), &nodes(), &named, false).unwrap();
    assert_eq!((one.len(), one[0].neighbors.len(), one[0].addresses.len()), (1, 4, 2));

    // Two racks, each with a router of both families.
    let rack = |rack: &str| format!(", node-selectors: [{{match-labels: {{rack: {rack}}}}}]");
    let (a, b) = (rack("a"), rack("b"));
    let racks = [("10.7.0.1", &*a), ("fd07::1", &*a), ("10.7.0.2", &*b), ("fd07::2", &*b)];
    let routers = routers_with(&peers(&racks), &nodes(), &[], false).unwrap();
    assert_eq!(routers.iter().map(|it| it.addresses.len()).collect::<Vec<_>>(), [2, 2]);
    let racks = [("10.7.0.1", &*a), ("fd07::2", &*b)];
    assert_eq!(routers_with(&peers(&racks), &nodes(), &[], false).unwrap().len(), 2);

    let other = peers(&[("10.7.0.1", ""), ("fd07::1", "")]).replacen("64900", "64899", 1);
    assert_eq!(routers_with(&other, &nodes(), &[], false).unwrap().len(), 2);
    let named = ["10.7.0.1:179", "[fd07::1]:179"];
    let why = routers_with(&other, &nodes(), &named, false).unwrap_err();
    assert!(why.contains("one AS, found 64899 and 64900"), "{why}");
}

#[test]
fn nodes_of_several_ases_share_the_traffic() {
    let rack = |rack: &str| format!(", node-selectors: [{{match-labels: {{rack: {rack}}}}}]");
    let config = peers(&[("10.7.0.1", &rack("a")), ("10.7.0.1", &rack("b"))]);
    let several = config.replacen("64901", "64902", 1);
    let words = [
        (RouterSystem::Frr, "bgp bestpath as-path multipath-relax"),
        (RouterSystem::Eos, "bgp bestpath as-path multipath-relax"),
        (RouterSystem::Junos, "multipath multiple-as"),
    ];
    for (system, word) in words {
        let text = |config: &str| {
            let routers = routers_with(config, &nodes(), &[], false).unwrap();
            assert_eq!((routers.len(), routers[0].neighbors.len()), (1, 2));
            system.write(&routers[0])
        };
        assert!(text(&several).contains(word), "{}", text(&several));
        assert!(!text(&config).contains(word), "{}", text(&config));
    }
}

#[test]
fn a_port_that_a_system_cannot_listen_on_is_in_a_comment() {
    let config = peers(&[("10.7.0.1", ", peer-port: 1179")]);
    let routers = routers_with(&config, &nodes(), &[], false).unwrap();
    assert!(RouterSystem::Bird.write(&routers[0]).contains("local 10.7.0.1 port 1179 as"));
    for system in SYSTEMS.into_iter().filter(|it| *it != RouterSystem::Bird) {
        let text = system.write(&routers[0]);
        let comment = text.lines().find(|line| line.contains("1179"));
        assert!(comment.is_some_and(|line| line.starts_with(['#', '!'])), "{system:?}: {text}");
    }
}

#[test]
fn nodes_that_cannot_speak_to_a_router_are_listed_with_the_reason() {
    let config = peers(&[("10.7.0.1", "")]);
    let nodes = node("kube1", "", &["10.7.0.11"]) + &node("bare", "", &["fd07::13"]);
    let routers = routers_with(&config, &nodes, &[], false).unwrap();
    let why = "bare, which has no IPv4 address of type InternalIP to reach 10.7.0.1 from";
    assert_eq!(routers[0].left_out, [why]);
    for system in SYSTEMS {
        let text = system.write(&routers[0]);
        assert!(text.contains(&format!(" Left out: {why}.\n")), "{system:?}: {text}");
        assert!(text.contains("AS 64900: 1 node."), "{text}");
    }
    let selects_none = peers(&[("10.7.0.1", ", node-selectors: [{match-labels: {rack: z}}]")]);
    let routers = routers_with(&selects_none, &nodes, &[], false).unwrap();
    assert_eq!(routers[0].left_out, ["peer 10.7.0.1:179, whose node selectors select no Node"]);
    assert!(routers[0].neighbors.is_empty());
}

#[test]
fn a_second_peer_at_another_port_of_a_router_is_left_out_with_the_reason() {
    let config = |port: u16| {
        format!(
            "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1}}\n\
             - {{my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1, peer-port: {port}}}\n"
        )
    };
    let routers = routers(&config(1790), false).unwrap();
    assert_eq!(routers.len(), 1);
    assert_eq!(routers[0].neighbors.len(), 1);
    assert_eq!(routers[0].neighbors[0].port, 179);
    let [left_out] = &routers[0].left_out[..] else { panic!("{:?}", routers[0].left_out) };
    let why = " at port 1790, since kube1 is a neighbor of 172.22.35.1 at port 179 already";
    assert!(left_out.ends_with(why), "{left_out}");
}

#[test]
fn names_that_are_the_same_in_bird_get_numbers() {
    let config = peers(&[("10.7.0.1", "")]);
    let nodes = node("a-b", "", &["10.7.0.11"]) + &node("a.b", "", &["10.7.0.12"]);
    let router = &routers_with(&config, &nodes, &[], false).unwrap()[0];
    let text = RouterSystem::Bird.write(router);
    let protocols: BTreeSet<_> = text.lines().filter(|it| it.starts_with("protocol bgp")).collect();
    assert_eq!(protocols.len(), 2, "{text}");
}
