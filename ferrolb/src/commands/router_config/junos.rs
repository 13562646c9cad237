//! Juniper Junos, as `set` commands.

use std::fmt::Write as _;
use std::net::IpAddr;

use lb_adapter::model::IpFamily;

use super::router::{Neighbor, Router};

/// Returns the commands of configuration mode.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("#", PORTS);
    for command in policy(router) {
        let _ = writeln!(text, "set {command}");
    }

    for (is_external, kind) in [(true, "external"), (false, "internal")] {
        for (position, address) in router.addresses.iter().enumerate() {
            let neighbors: Vec<_> = router
                .neighbors
                .iter()
                .filter(|neighbor| neighbor.router == *address)
                .filter(|neighbor| router.is_external(neighbor) == is_external)
                .collect();
            if neighbors.is_empty() {
                continue;
            }

            // A group has one local address, so each further address has a group of its own.
            let suffix = if position == 0 { String::new() } else { format!("-{}", position + 1) };
            let group = format!("protocols bgp group FERROLB-{}{suffix}", kind.to_uppercase());
            for line in group_lines(router, kind, *address) {
                let _ = writeln!(text, "set {group} {line}");
            }
            for neighbor in neighbors {
                for line in neighbor_lines(router, neighbor) {
                    let _ = writeln!(text, "set {group} neighbor {} {line}", neighbor.address);
                }
            }
        }
    }
    text
}

fn policy(router: &Router) -> Vec<String> {
    let mut commands = vec![
        format!("routing-options autonomous-system {}", router.asn),
        format!("routing-options router-id {}", router.identifier),
    ];

    let import = "policy-options policy-statement FERROLB-IN";
    for accepted in &router.accepted {
        commands.push(format!(
            "{import} term pools from route-filter {} prefix-length-range /{}-/{}",
            accepted.network, accepted.shortest, accepted.longest
        ));
    }
    if !router.accepted.is_empty() {
        commands.push(format!("{import} term pools then accept"));
    }
    commands.push(format!("{import} term rest then reject"));
    commands.push("policy-options policy-statement FERROLB-OUT then reject".to_owned());

    // The nodes that announce a prefix share its traffic. In spite of its name, per-packet works by flow.
    let ecmp = "policy-options policy-statement FERROLB-ECMP then load-balance per-packet";
    commands.push(ecmp.to_owned());
    commands.push("routing-options forwarding-table export FERROLB-ECMP".to_owned());
    commands
}

fn group_lines(router: &Router, kind: &str, address: IpAddr) -> Vec<String> {
    // Without multiple-as, only paths through one neighboring AS are used together.
    let multipath = if kind == "external" && router.has_several_asns() {
        "multipath multiple-as"
    } else {
        "multipath"
    };
    vec![
        format!("type {kind}"),
        format!("local-address {address}"),
        multipath.to_owned(),
        "passive".to_owned(),
        "import FERROLB-IN".to_owned(),
        "export FERROLB-OUT".to_owned(),
    ]
}

fn neighbor_lines(router: &Router, neighbor: &Neighbor) -> Vec<String> {
    let mut lines =
        vec![format!("description {}", neighbor.node), format!("hold-time {}", neighbor.hold_time)];
    if router.is_external(neighbor) {
        lines.push(format!("peer-as {}", neighbor.asn));
    }
    if neighbor.multihop {
        lines.push("multihop".to_owned());
    }
    if let Some(password) = &neighbor.password {
        lines.push(format!("authentication-key \"{password}\""));
    }

    if let Some(profile) = &neighbor.bfd {
        let transmit = profile.receive_interval.as_millis();
        let receive = profile.transmit_interval.as_millis();
        let multiplier = profile.detect_multiplier;
        let bfd = "bfd-liveness-detection";
        lines.push(format!("{bfd} transmit-interval minimum-interval {transmit}"));
        lines.push(format!("{bfd} minimum-receive-interval {receive}"));
        lines.push(format!("{bfd} multiplier {multiplier}"));
        if !router.is_external(neighbor) {
            // Our BFD is single-hop, for internal peers too.
            lines.push(format!("{bfd} session-mode single-hop"));
        }
    }

    for family in &neighbor.families {
        let word = match family {
            IpFamily::Ipv4 => "inet",
            IpFamily::Ipv6 => "inet6",
        };
        let limit = router.prefix_limit(*family);
        lines.push(format!("family {word} unicast prefix-limit maximum {limit}"));
    }
    lines
}

const PORTS: &str = "According to its manual, Junos listens only on port 179: leave peerPort out.";
