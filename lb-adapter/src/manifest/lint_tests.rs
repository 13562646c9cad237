//! Warnings about a configuration before it is applied.

use super::tests::source;
use super::*;

/// Returns the problems of files that are only checked, without the file and position.
fn problems(text: &str) -> Vec<String> {
    let options = Options { lenient: true, ..Options::default() };
    let examined = examine(&options, "d", &[source("f", text)], Vec::new());
    examined
        .problems
        .iter()
        .map(|it| format!("{}: {}: {}", it.severity, it.path, it.message))
        .collect()
}

const BARE: &str = "\
peers:
- my-asn: 64636
  peer-asn: 64635
  peer-address: 172.22.35.1
";

fn pool(rest: &str) -> String {
    format!(
        "{BARE}address-pools:\n- name: a\n  protocol: bgp\n  addresses: [10.0.0.0/24]\n  {rest}\n"
    )
}

#[test]
fn a_bare_text_is_a_configuration_and_two_are_not() {
    assert_eq!(problems(&pool("")), [""; 0]);
    assert_eq!(
        problems(&format!("{BARE}---\n{BARE}")),
        ["error: : another configuration is at f:1"]
    );
}

#[test]
fn a_local_preference_for_external_peers_has_no_effect() {
    let advertisement = "bgp-advertisements: [{localpref: 100}]";
    let path = "address-pools[0].bgp-advertisements[0].localpref";
    assert_eq!(
        problems(&pool(advertisement)),
        [format!(
            "warning: {path}: no effect: the local preference 100 is only sent to internal peers, and all peers of this advertisement are external"
        )]
    );
    assert_eq!(
        problems(&pool(advertisement).replace("peer-asn: 64635", "peer-asn: 64636")),
        [""; 0]
    );
}

#[test]
fn unused_objects_are_reported() {
    let text = format!(
        "{}bgp-communities: {{gold: '1:1'}}\nbfd-profiles: [{{name: fast}}]\n",
        pool("bgp-advertisements: [{peers: [tor]}]")
    );
    assert_eq!(
        problems(&text),
        [
            "warning: peers[0]: unused peer: no advertisement selects it",
            "warning: address-pools[0].bgp-advertisements[0].peers[0]: no peer is named \"tor\"",
            "warning: bgp-communities.gold: unused community: no advertisement refers to it",
            "warning: bfd-profiles[0].name: unused BFD profile: no peer refers to it",
        ]
    );
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: kube1}\n";
    let selective =
        pool("").replace("peer-asn", "node-selectors: [{match-labels: {a: b}}]\n  peer-asn");
    assert_eq!(problems(&selective), [""; 0]);
    assert_eq!(
        problems(&format!("{selective}{node}")),
        ["warning: peers[0]: unused peer: its node selectors match none of the Nodes"]
    );
}

#[test]
fn pools_that_are_not_announced_are_reported() {
    assert_eq!(
        problems(&pool("").replace("protocol: bgp", "protocol: layer2")),
        [
            "warning: peers[0]: unused peer: no advertisement selects it",
            "warning: address-pools[0].name: FerroLB does not announce layer 2: it assigns the addresses, and something else must answer for them",
        ]
    );
    assert_eq!(
        problems(&pool("").replace(BARE, "")),
        ["warning: address-pools[0].name: no peer is configured, so nothing is announced"]
    );
    assert_eq!(
        problems(&pool("").replace("10.0.0.0/24", "'fd00::/64'")),
        [
            "warning: address-pools[0].name: no peer carries IPv6: add one with an IPv6 address, or set dual-stack-address-family: true"
        ]
    );
    let resources = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [10.0.0.0/24]}\n---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\nspec: {ipAddressPools: [aa]}\n---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 1, peerAddress: 10.9.9.9}\n";
    assert_eq!(
        problems(resources),
        [
            "warning: : IPAddressPool metallb-system/a: unused pool: no advertisement selects it, so it is not announced",
            "warning: spec.ipAddressPools[0]: no pool is named \"aa\"",
        ]
    );
}

#[test]
fn pool_addresses_in_use_are_reported() {
    let text = pool("").replace("10.0.0.0/24", "172.22.35.0/24");
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: kube1}\nstatus: {addresses: [{type: InternalIP, address: 172.22.35.25}]}\n";
    assert_eq!(
        problems(&format!("{text}{node}")),
        [
            "warning: address-pools[0].addresses[0]: 172.22.35.0/24 includes 172.22.35.1, the address of peer 172.22.35.1:179",
            "warning: address-pools[0].addresses[0]: 172.22.35.0/24 includes 172.22.35.25, the address of node kube1",
        ]
    );
}

#[test]
fn unusual_peers_are_reported() {
    for (line, expected) in [
        ("router-id: 10.0.0.1", "all nodes of this peer have the same router ID"),
        ("source-address: 172.22.35.9", "only the node with the source address can reach"),
        ("hold-time: 0s", "a dead router goes unnoticed"),
        ("next-hop: 192.0.2.1", "all nodes of this peer announce the same next hop"),
        ("local-asn: 64636", "the local AS number has no effect"),
    ] {
        let problems = problems(&pool("").replace("peer-asn", &format!("{line}\n  peer-asn")));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}");
    }
    let one = "router-id: 10.0.0.1\n  node-selectors: [{match-labels: {kubernetes.io/hostname: kube1}}]\n  peer-asn";
    assert_eq!(problems(&pool("").replace("peer-asn", one)), [""; 0]);
    let next_hop = one.replace("router-id: 10.0.0.1", "next-hop: '2001:db8::1,192.0.2.1'");
    assert_eq!(
        problems(&pool("").replace("peer-asn", &next_hop)),
        ["warning: peers[0]: the next hop 2001:db8::1 has no effect: the peer carries no IPv6"]
    );
}

#[test]
fn nodes_without_a_next_hop_for_the_second_family_are_reported() {
    let both = pool("").replace("10.0.0.0/24", "10.0.0.0/24, 'fd00:1::/64'");
    let dual = both.replace("peer-asn", "dual-stack-address-family: true\n  peer-asn");
    let node = |addresses: &str| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: kube1}}\nstatus: {{addresses: [{addresses}]}}\n"
        )
    };
    let v4 = "{type: InternalIP, address: 172.22.35.25}";
    let v6 = "{type: InternalIP, address: 'fd00::25'}";
    assert_eq!(
        problems(&format!("{dual}{}", node(v4))),
        ["warning: peers[0]: Node kube1 has no IPv6 address to be the next hop of its IPv6 routes"]
    );
    assert_eq!(problems(&format!("{dual}{}", node(&format!("{v4}, {v6}")))), [""; 0]);
    let only_v4 = dual.replace(", 'fd00:1::/64'", "");
    assert_eq!(problems(&format!("{only_v4}{}", node(v4))), [""; 0]);
}

#[test]
fn secrets_may_be_elsewhere_and_namespaces_may_be_missing() {
    let text = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 1, peerAddress: 10.9.9.9, passwordSecret: {name: s}}\n---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\n";
    assert_eq!(
        problems(text),
        [
            "warning: spec.passwordSecret.name: no Secret \"s\" of type kubernetes.io/basic-auth exists, the configuration is rejected without it"
        ]
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {config: ''}\n";
    assert_eq!(problems(map), [""; 0]);
}

const AROUND: &str = "---
apiVersion: v1
kind: Node
metadata: {name: kube1, labels: {rack: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {expose: 'yes'}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
";

/// Returns the messages about one advertisement, one pool and one peer, each with this in its spec.
fn selections(advertisement: &str, pool: &str, peer: &str) -> Vec<String> {
    let object = |version: &str, kind: &str, spec: String| {
        format!(
            "---\napiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {{name: x, labels: {{tier: gold}}}}\nspec: {{{spec}}}\n"
        )
    };
    let text = [
        AROUND.to_owned(),
        object(
            "v1beta2",
            "BGPPeer",
            format!("myASN: 1, peerASN: 2, peerAddress: 10.9.0.1, {peer}"),
        ),
        object("v1beta1", "IPAddressPool", format!("addresses: [10.0.0.0/24], {pool}")),
        object("v1beta1", "BGPAdvertisement", advertisement.to_owned()),
    ];
    problems(&text.concat())
}

#[test]
fn selectors_that_match_nothing_are_reported() {
    let one = |label: &str| format!("[{{matchLabels: {{{label}}}}}]");
    let two = |a: &str, b: &str| format!("[{{matchLabels: {{{a}}}}}, {{matchLabels: {{{b}}}}}]");
    for (key, good, bad, expected) in [
        (
            "nodeSelectors",
            "rack: a",
            "rack: z",
            "no effect: its node selectors match none of the Nodes",
        ),
        (
            "serviceSelectors",
            "expose: 'yes'",
            "expose: 'no'",
            "no effect: its service selectors match none of the Services",
        ),
        ("ipAddressPoolSelectors", "tier: gold", "tier: tin", "no effect: it selects no pool"),
    ] {
        let of = |selectors: String| selections(&format!("{key}: {selectors}"), "", "");
        assert_eq!(of(one(good)), [""; 0], "{key}");
        let found = of(one(bad));
        assert!(found.iter().any(|it| it.contains(expected)), "{key}: {found:?}");
        let named = format!("BGPAdvertisement metallb-system/x: {expected}");
        assert!(found.iter().any(|it| it.contains(&named)), "{found:?}");
        let found = of(two(good, bad));
        assert!(
            found.len() == 1 && found[0].contains(&format!("{key}[1] matches none")),
            "{found:?}"
        );
    }

    let named = format!("ipAddressPools: [x], ipAddressPoolSelectors: {}", one("tier: tin"));
    let found = selections(&named, "", "");
    assert!(found.len() == 1 && found[0].contains("ipAddressPoolSelectors[0]"), "{found:?}");

    let found = selections("", "", &format!("nodeSelectors: {}", two("rack: a", "rack: z")));
    assert!(found.len() == 1 && found[0].contains("BGPPeer metallb-system/x: nodeSelectors[1]"));
}

#[test]
fn a_pool_for_missing_namespaces_or_services_is_reported() {
    for (rule, expected) in [
        ("namespaces: [shop]", ""),
        ("namespaces: [shop, shpo]", "no Namespace is named \"shpo\", did you mean \"shop\"?"),
        ("namespaceSelectors: [{matchLabels: {team: shop}}]", ""),
        ("namespaceSelectors: [{matchLabels: {team: x}}]", "namespaceSelectors[0] matches none"),
        ("serviceSelectors: [{matchLabels: {expose: 'yes'}}]", ""),
        ("serviceSelectors: [{matchLabels: {expose: x}}]", "serviceSelectors[0] matches none"),
    ] {
        let found = selections("", &format!("serviceAllocation: {{{rule}}}"), "");
        let found: Vec<_> = found.iter().filter(|it| it.contains("serviceAllocation: ")).collect();
        assert_eq!(found.len(), usize::from(!expected.is_empty()), "{rule}: {found:?}");
        assert!(found.iter().all(|it| it.contains(expected)), "{rule}: {found:?}");
    }
}

#[test]
fn an_advertisement_from_nodes_that_speak_to_none_of_its_peers_is_reported() {
    let other = "---
apiVersion: v1
kind: Node
metadata: {name: kube2, labels: {rack: b}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: b}
spec: {myASN: 1, peerASN: 2, peerAddress: 10.9.0.2, nodeSelectors: [{matchLabels: {rack: b}}]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p}
spec: {addresses: [10.0.0.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: a}
spec: {peers: [b], nodeSelectors: [{matchLabels: {rack: a}}]}
";
    let found = problems(&format!("{AROUND}{other}"));
    let expected = "warning: : BGPAdvertisement metallb-system/a: no effect: the Nodes that it selects speak to none of its peers";
    assert!(found.iter().any(|it| it == expected), "{found:?}");
    let corrected = other.replace("{rack: a}}]}", "{rack: b}}]}");
    assert!(!problems(&format!("{AROUND}{corrected}")).iter().any(|it| it == expected));
}

#[test]
fn encrypted_and_unrendered_texts_are_reported_with_a_hint() {
    let peer =
        |more: &str| format!("peers: [{{my-asn: 1, peer-asn: 2, peer-address: 10.9.0.1, {more}}}]");
    for (text, expected) in [
        (
            peer("password: '${PASSWORD}'"),
            "password: this is probably not the password: it contains a variable",
        ),
        (peer("password: 'ENC[AES256_GCM,data:hunter2]'"), "it is encrypted by SOPS"),
        (peer("password: '{{ .Values.hunter2 }}'"), "run helm template first"),
        (peer("peer-port: '${PORT}'"), "found \"${PORT}\": it contains a variable"),
        (peer("hold-time: '{{ .hold }}'"), "it contains a template"),
        (peer("source-address: 10.9.0.010"), "addresses have no leading zeros, write 10.9.0.10"),
        (peer("peer-port: 0179"), "expected a number from 0 to 65535, found 0179"),
        (peer("peer-port: 0170"), "the leading zero makes 0170 octal: it is read as 120"),
        (pool("").replace("10.0.0.0/24", "10.0.010.0/24"), "write 10.0.10.0/24"),
        (pool("").replace("10.0.0.0/24", "10.0.0.01-10.0.0.09"), "write 10.0.0.1-10.0.0.9"),
        ("peers: {{ toYaml .Values.peers }}\n".to_owned(), "render the template first"),
    ] {
        let found = problems(&text);
        assert!(found.iter().any(|it| it.contains(expected)), "{text}: {found:?}");
        assert!(!found.iter().any(|it| it.contains("hunter2")), "{found:?}");
    }

    for key in ["stringData", "data"] {
        let found = problems(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: kubernetes.io/basic-auth\n{key}: {{password: 'ENC[AES256_GCM,hunter2]'}}\n---\n{BARE}"
        ));
        assert!(found.iter().any(|it| it.contains("encrypted by SOPS")), "{found:?}");
        assert!(!found.iter().any(|it| it.contains("hunter2")), "{found:?}");
    }
}
