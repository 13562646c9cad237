//! What is told before a configuration is applied.

use super::tests::source;
use super::*;

/// What is said about files that are only looked at, without what comes before the path.
fn said(text: &str) -> Vec<String> {
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
    assert_eq!(said(&pool("")), [""; 0]);
    assert_eq!(said(&format!("{BARE}---\n{BARE}")), ["error: : another configuration is at f:1"]);
}

#[test]
fn a_local_preference_for_external_peers_has_no_effect() {
    let advertisement = "bgp-advertisements: [{localpref: 100}]";
    let path = "address-pools[0].bgp-advertisements[0].localpref";
    assert_eq!(
        said(&pool(advertisement)),
        [format!(
            "warning: {path}: without effect: a local preference, 100, is never sent to external peers, and no peer of this advertisement is internal"
        )]
    );
    assert_eq!(said(&pool(advertisement).replace("peer-asn: 64635", "peer-asn: 64636")), [""; 0]);
}

#[test]
fn what_nobody_uses_is_told() {
    let text = format!(
        "{}bgp-communities: {{gold: '1:1'}}\nbfd-profiles: [{{name: fast}}]\n",
        pool("bgp-advertisements: [{peers: [tor]}]")
    );
    assert_eq!(
        said(&text),
        [
            "warning: peers[0]: unused peer: no advertisement is for it",
            "warning: address-pools[0].bgp-advertisements[0].peers[0]: no peer is named \"tor\"",
            "warning: bgp-communities.gold: unused community: no advertisement names it",
            "warning: bfd-profiles[0].name: unused BFD profile: no peer names it",
        ]
    );
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: kube1}\n";
    let selective =
        pool("").replace("peer-asn", "node-selectors: [{match-labels: {a: b}}]\n  peer-asn");
    assert_eq!(said(&selective), [""; 0]);
    assert_eq!(
        said(&format!("{selective}{node}")),
        ["warning: peers[0]: unused peer: its node selectors select none of the Nodes"]
    );
}

#[test]
fn pools_that_nobody_hears_of_are_told() {
    assert_eq!(
        said(&pool("").replace("protocol: bgp", "protocol: layer2")),
        [
            "warning: peers[0]: unused peer: no advertisement is for it",
            "warning: address-pools[0].name: layer 2 is not announced by FerroLB: addresses are given out, and something else must answer for them",
        ]
    );
    assert_eq!(
        said(&pool("").replace(BARE, "")),
        ["warning: address-pools[0].name: no peer is configured: nothing is announced to anybody"]
    );
    assert_eq!(
        said(&pool("").replace("10.0.0.0/24", "'fd00::/64'")),
        [
            "warning: address-pools[0].name: no peer carries IPv6: add one with an IPv6 address, or say dual-stack-address-family: true"
        ]
    );
    let resources = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [10.0.0.0/24]}\n---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\nspec: {ipAddressPools: [aa]}\n---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 1, peerAddress: 10.9.9.9}\n";
    assert_eq!(
        said(resources),
        [
            "warning: : unused pool: no advertisement is for it, nobody hears of it",
            "warning: spec.ipAddressPools[0]: no pool is named \"aa\"",
        ]
    );
}

#[test]
fn addresses_that_somebody_has_are_told() {
    let text = pool("").replace("10.0.0.0/24", "172.22.35.0/24");
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: kube1}\nstatus: {addresses: [{type: InternalIP, address: 172.22.35.25}]}\n";
    assert_eq!(
        said(&format!("{text}{node}")),
        [
            "warning: address-pools[0].addresses[0]: 172.22.35.0/24 has the address of peer 172.22.35.1:179, 172.22.35.1",
            "warning: address-pools[0].addresses[0]: 172.22.35.0/24 has the address of node kube1, 172.22.35.25",
        ]
    );
}

#[test]
fn odd_peers_are_told() {
    for (line, expected) in [
        ("router-id: 10.0.0.1", "the router ID is the same on every node"),
        ("source-address: 172.22.35.9", "only the node that has the source address can reach"),
        ("hold-time: 0s", "a router that dies is noticed by nothing"),
        ("next-hop: 192.0.2.1", "the next hop is the same for every node"),
        ("local-asn: 64636", "the local AS is the nodes' own, which has no effect"),
    ] {
        let said = said(&pool("").replace("peer-asn", &format!("{line}\n  peer-asn")));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
    }
    let one = "router-id: 10.0.0.1\n  node-selectors: [{match-labels: {kubernetes.io/hostname: kube1}}]\n  peer-asn";
    assert_eq!(said(&pool("").replace("peer-asn", one)), [""; 0]);
    let next_hop = one.replace("router-id: 10.0.0.1", "next-hop: '2001:db8::1,192.0.2.1'");
    assert_eq!(
        said(&pool("").replace("peer-asn", &next_hop)),
        ["warning: peers[0]: the next hop 2001:db8::1 is without effect: the peer carries no IPv6"]
    );
}

#[test]
fn nodes_that_cannot_be_the_next_hop_of_a_second_family_are_told() {
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
        said(&format!("{dual}{}", node(v4))),
        ["warning: peers[0]: Node kube1 has no IPv6 address to be the next hop of its IPv6 routes"]
    );
    assert_eq!(said(&format!("{dual}{}", node(&format!("{v4}, {v6}")))), [""; 0]);
    let only_v4 = dual.replace(", 'fd00:1::/64'", "");
    assert_eq!(said(&format!("{only_v4}{}", node(v4))), [""; 0]);
}

#[test]
fn secrets_may_be_elsewhere_and_namespaces_may_be_missing() {
    let text = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 1, peerAddress: 10.9.9.9, passwordSecret: {name: s}}\n---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\n";
    assert_eq!(
        said(text),
        [
            "warning: spec.passwordSecret.name: the Secret \"s\" is not there, without it the configuration is not taken"
        ]
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {config: ''}\n";
    assert_eq!(said(map), [""; 0]);
}
