//! Juniper Junos, as `set` commands.

use std::fmt::Write as _;

use super::facts::{Neighbor, Router};
use lb_adapter::model::IpFamily;

/// What goes into configuration mode.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("#", PORTS);
    let mut set = |line: String| {
        let _ = writeln!(text, "set {line}");
    };
    set(format!("routing-options autonomous-system {}", router.asn));
    set(format!("routing-options router-id {}", router.identifier));

    for accepted in &router.accepted {
        set(format!(
            "policy-options policy-statement FERROLB-IN term pools from route-filter {} \
             prefix-length-range /{}-/{}",
            accepted.network, accepted.shortest, accepted.longest
        ));
    }
    if !router.accepted.is_empty() {
        set("policy-options policy-statement FERROLB-IN term pools then accept".to_owned());
    }
    set("policy-options policy-statement FERROLB-IN term rest then reject".to_owned());
    set("policy-options policy-statement FERROLB-OUT then reject".to_owned());
    // Several nodes for one prefix share its traffic, flow by flow in spite of the word.
    set("policy-options policy-statement FERROLB-ECMP then load-balance per-packet".to_owned());
    set("routing-options forwarding-table export FERROLB-ECMP".to_owned());

    let kinds = [(true, "external"), (false, "internal")];
    let of_kind = |kind| router.addresses.iter().map(move |address| (kind, *address));
    for ((external, kind), address) in kinds.into_iter().flat_map(of_kind) {
        let neighbors = router.neighbors.iter().filter(|it| it.router == address);
        let neighbors: Vec<_> = neighbors.filter(|it| router.is_external(it) == external).collect();
        if neighbors.is_empty() {
            continue;
        }

        // A group has one address of the router's own.
        let nth = router.addresses.iter().position(|it| *it == address).unwrap_or(0);
        let which = if nth == 0 { String::new() } else { format!("-{}", nth + 1) };
        let group = format!("protocols bgp group FERROLB-{}{which}", kind.to_uppercase());
        // Without multiple-as, only paths of one neighboring AS are used together.
        let multipath = if external && router.has_several_asns() {
            "multipath multiple-as"
        } else {
            "multipath"
        };

        for line in [
            format!("type {kind}"),
            format!("local-address {address}"),
            multipath.to_owned(),
            "passive".to_owned(),
            "import FERROLB-IN".to_owned(),
            "export FERROLB-OUT".to_owned(),
        ] {
            set(format!("{group} {line}"));
        }
        for it in neighbors {
            for line in neighbor(router, it) {
                set(format!("{group} neighbor {} {line}", it.address));
            }
        }
    }
    text
}

fn neighbor(router: &Router, neighbor: &Neighbor) -> Vec<String> {
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
        for line in [
            format!("transmit-interval minimum-interval {}", profile.receive_interval.as_millis()),
            format!("minimum-receive-interval {}", profile.transmit_interval.as_millis()),
            format!("multiplier {}", profile.detect_multiplier),
        ] {
            lines.push(format!("bfd-liveness-detection {line}"));
        }
        if !router.is_external(neighbor) {
            // Ours is the BFD of the link, also of internal peers.
            lines.push("bfd-liveness-detection session-mode single-hop".to_owned());
        }
    }
    for family in &neighbor.families {
        let word = match family {
            IpFamily::Ipv4 => "inet",
            IpFamily::Ipv6 => "inet6",
        };
        lines.push(format!("family {word} unicast prefix-limit maximum {}", router.most(*family)));
    }
    lines
}

const PORTS: &str =
    "Junos listens on port 179 only, as far as its manual says: leave peerPort out.";
