//! MetalLB's scenarios of selectors: the nodes, peers and Services that an advertisement is for.

use lb_adapter::recording::StepResult;
use serde_json::{Value, json};

use super::allocator::families;
use crate::world::*;

/// Three nodes, each with its number as the label `n`.
fn nodes(world: &mut World) {
    for number in 1..=3 {
        world.applied(labelled(number, json!({"n": number.to_string()})));
    }
}

fn labelled(number: usize, labels: Value) -> Value {
    let name = format!("kube{number}");
    let mut node = node(&name, "172.22.35.25");
    let addresses = json!([
        {"type": "InternalIP", "address": format!("172.22.35.2{number}")},
        {"type": "InternalIP", "address": format!("fd00:35::2{number}")},
    ]);
    node["status"]["addresses"] = addresses;
    node["metadata"]["labels"] = labels;
    node
}

/// The nodes that announce the prefix.
fn by(answer: &StepResult, prefix: &str) -> String {
    let rows = answer.routes.iter().filter(|row| row.prefix == prefix);
    let mut nodes: Vec<_> = rows.map(|row| row.node.trim_start_matches("kube")).collect();
    nodes.dedup();
    nodes.concat()
}

/// A selector of the nodes with these numbers. Without numbers, it selects no node.
fn selecting(numbers: &str) -> String {
    let numbers = if numbers.is_empty() { "9" } else { numbers };
    let each = numbers.chars().map(|number| format!("{{matchLabels: {{n: '{number}'}}}}"));
    format!("nodeSelectors: [{}]", each.collect::<Vec<_>>().join(", "))
}

struct Family {
    peer: &'static str,
    first: &'static str,
    second: &'static str,
    of: &'static str,
    host: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family {
        peer: "172.22.35.1",
        first: "192.0.2.",
        second: "198.51.100.",
        of: "IPv4",
        host: "32",
    },
    Family {
        peer: "fd00:35::1",
        first: "2001:db8::",
        second: "2001:db8:1::",
        of: "IPv6",
        host: "128",
    },
];

impl Family {
    /// Two pools, one peer, and a Service of each pool, `a` and `b`.
    fn world(&self) -> World {
        let length = if self.of == "IPv4" { 24 } else { 112 };
        let zero = if self.of == "IPv4" { "0" } else { "" };
        let mut world = World::of(&format!(
            "BGPPeer tor {{myASN: 64636, peerASN: 64636, peerAddress: '{}'}}
             IPAddressPool p {{addresses: ['{}{zero}/{length}']}}
             IPAddressPool q {{addresses: ['{}{zero}/{length}']}}",
            self.peer, self.first, self.second
        ));
        nodes(&mut world);
        for (name, pool) in [("a", "p"), ("b", "q")] {
            world.applied(slice(name, &["kube1"]));
            world.applied(self.service(name, pool));
        }
        world
    }

    fn service(&self, name: &str, pool: &str) -> Value {
        let service = families(service(name), "SingleStack", &[self.of]);
        let prefix = if pool == "p" { self.first } else { self.second };
        let last = if name == "a" { "1" } else { "2" };
        let service = annotated(service, "metallb.io/loadBalancerIPs", &format!("{prefix}{last}"));
        with(service, "/metadata/labels", json!({}))
    }

    /// The host route of `a`, or of `b`.
    fn route(&self, of: &str) -> String {
        match of {
            "a" => format!("{}1/{}", self.first, self.host),
            _ => format!("{}2/{}", self.second, self.host),
        }
    }
}

#[test]
fn two_advertisements_announce_two_pools_on_different_nodes() {
    for family in FAMILIES {
        for (first, second) in [("12", "12"), ("1", "12"), ("", "12"), ("1", "23")] {
            let mut world = family.world();
            world
                .have(&format!("BGPAdvertisement p {{ipAddressPools: [p], {}}}", selecting(first)));
            let answer = world.have(&format!(
                "BGPAdvertisement q {{ipAddressPools: [q], {}}}",
                selecting(second)
            ));
            let found = [by(&answer, &family.route("a")), by(&answer, &family.route("b"))];
            assert_eq!(found, [first, second], "{}", family.of);
        }
    }
}

#[test]
fn two_advertisements_announce_one_pool_on_different_nodes() {
    for family in FAMILIES {
        for (first, second, both) in
            [("12", "12", "12"), ("1", "12", "12"), ("", "12", "12"), ("1", "23", "123")]
        {
            let mut world = family.world();
            world.have(&format!(
                "BGPAdvertisement one {{ipAddressPools: [p], communities: ['1:1'], {}}}",
                selecting(first)
            ));
            let answer = world.have(&format!(
                "BGPAdvertisement two {{ipAddressPools: [p], communities: ['1:2'], {}}}",
                selecting(second)
            ));
            assert_eq!(by(&answer, &family.route("a")), both, "{}", family.of);
        }
    }
}

#[test]
fn a_node_announces_while_it_has_the_label() {
    for family in FAMILIES {
        let mut world = family.world();
        let answer =
            world.have("BGPAdvertisement one {nodeSelectors: [{matchLabels: {edge: yes-it-is}}]}");
        assert_eq!(by(&answer, &family.route("a")), "");
        let answer = world.applied(labelled(2, json!({"edge": "yes-it-is"})));
        assert_eq!(by(&answer, &family.route("a")), "2");
        let answer = world.applied(labelled(2, json!({})));
        assert_eq!(by(&answer, &family.route("a")), "");
    }
}

#[test]
fn a_selector_that_no_longer_selects_a_node_withdraws_only_its_own_routes() {
    for family in FAMILIES {
        let mut world = family.world();
        world.have(&format!("BGPAdvertisement p {{ipAddressPools: [p], {}}}", selecting("123")));
        let before = world
            .have(&format!("BGPAdvertisement q {{ipAddressPools: [q], {}}}", selecting("123")));
        assert_eq!(by(&before, &family.route("a")), "123");
        let answer =
            world.have(&format!("BGPAdvertisement p {{ipAddressPools: [p], {}}}", selecting("")));
        assert_eq!([by(&answer, &family.route("a")), by(&answer, &family.route("b"))], ["", "123"]);
    }
}

/// A line for each announced Service with its communities, such as `a 1:1 1:2`.
fn announced(answer: &StepResult, family: &Family) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["a", "b"] {
        let rows = answer.routes.iter().filter(|row| row.node == "kube1");
        for row in rows.filter(|row| row.prefix == family.route(name)) {
            let mut words = vec![name.to_owned()];
            words.extend(row.communities.iter().cloned());
            lines.push(words.join(" "));
        }
    }
    lines
}

#[test]
fn service_selectors_choose_among_the_services_of_a_pool() {
    let of = |environments: &[&str]| {
        let each = environments.iter().map(|it| format!("{{matchLabels: {{env: {it}}}}}"));
        format!("serviceSelectors: [{}]", each.collect::<Vec<_>>().join(", "))
    };
    for family in FAMILIES {
        let mut world = family.world();
        let label = |world: &mut World, name: &str, environment: &str| {
            let pool = if name == "a" { "p" } else { "q" };
            world.applied(with(
                family.service(name, pool),
                "/metadata/labels",
                json!({"env": environment}),
            ))
        };
        label(&mut world, "a", "prod");
        label(&mut world, "b", "staged");

        // One selector, then two that each suffice, then another one.
        let answer = world.have(&format!("BGPAdvertisement x {{{}}}", of(&["prod"])));
        assert_eq!(announced(&answer, &family), ["a"]);
        assert_eq!(answer.withheld("kube1", "default/b").gate, "advertisement");
        let answer = world.have(&format!("BGPAdvertisement x {{{}}}", of(&["prod", "staged"])));
        assert_eq!(announced(&answer, &family), ["a", "b"]);
        let answer = world.have(&format!("BGPAdvertisement x {{{}}}", of(&["staged"])));
        assert_eq!(announced(&answer, &family), ["b"]);

        // The labels of the Services change.
        assert_eq!(announced(&label(&mut world, "a", "staged"), &family), ["a", "b"]);
        assert_eq!(announced(&label(&mut world, "b", "prod"), &family), ["a"]);

        // A pool and a selector: both must hold.
        let answer =
            world.have(&format!("BGPAdvertisement x {{ipAddressPools: [q], {}}}", of(&["staged"])));
        assert_eq!(announced(&answer, &family), [""; 0]);
        let answer =
            world.have(&format!("BGPAdvertisement x {{ipAddressPools: [q], {}}}", of(&["prod"])));
        assert_eq!(announced(&answer, &family), ["b"]);

        // An advertisement for all and one for some add up.
        world.have(&format!("BGPAdvertisement x {{communities: ['1:1'], {}}}", of(&["prod"])));
        let answer = world.have("BGPAdvertisement y {communities: ['1:2']}");
        assert_eq!(announced(&answer, &family), ["a 1:2", "b 1:1 1:2"]);
        let answer = world
            .have(&format!("BGPAdvertisement y {{communities: ['1:2'], {}}}", of(&["staged"])));
        assert_eq!(announced(&answer, &family), ["a 1:2", "b 1:1"]);
    }
}

#[test]
fn host_routes_for_some_services_and_an_aggregate_for_all() {
    for (family, length, aggregate) in [
        (&FAMILIES[0], "aggregationLength: 24", "192.0.2.0/24"),
        (&FAMILIES[1], "aggregationLengthV6: 124", "2001:db8::/124"),
    ] {
        let mut world = family.world();
        let service = |name: &str, environment: &str| {
            let service = family.service(name, "p");
            with(service, "/metadata/labels", json!({"env": environment}))
        };
        world.have("BGPAdvertisement some {ipAddressPools: [p], serviceSelectors: [{matchLabels: {env: prod}}]}");
        world.have(&format!("BGPAdvertisement all {{ipAddressPools: [p], {length}}}"));
        world.applied(service("a", "prod"));
        let answer = world.applied(service("b", "staged"));
        let rows = answer.routes.iter().filter(|row| row.node == "kube1");
        let prefixes: Vec<_> = rows.map(|row| row.prefix.as_str()).collect();
        let mut expected = [aggregate.to_owned(), family.route("a")];
        expected.sort();
        let mut found = prefixes.clone();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", family.of);
    }
}

#[test]
fn a_service_with_two_contradicting_advertisements_is_not_announced() {
    let family = &FAMILIES[0];
    let mut world = family.world();
    world.have("BGPAdvertisement all {localPref: 100}");
    let answer = world.have(
        "BGPAdvertisement some {localPref: 200, serviceSelectors: [{matchLabels: {env: prod}}]}",
    );
    assert_eq!(announced(&answer, family), ["a", "b"]);
    let label = with(family.service("a", "p"), "/metadata/labels", json!({"env": "prod"}));
    let answer = world.applied(label);
    assert_eq!(announced(&answer, family), ["b"]);
    assert_eq!(answer.withheld("kube1", "default/a").gate, "advertisement");
}
