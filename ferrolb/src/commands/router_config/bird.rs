//! BIRD 2.

use std::fmt::Write as _;

use lb_adapter::model::{IpFamily, Peer};

use super::router::{AcceptedRoutes, Neighbor, Router, bird_name};

/// Returns a complete configuration.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("#", "");
    let _ = writeln!(text, "router id {};", router.identifier);
    text.push_str("protocol device { }\nprotocol direct { ipv4; ipv6; }\n");

    for family in router.families() {
        let channel = channel(family);
        // The nodes that announce a prefix share its traffic.
        let _ = writeln!(
            text,
            "protocol kernel ferrolb_kernel_{channel} {{ {channel} {{ import none; export all; }}; \
             merge paths on; }}"
        );

        let accepted: Vec<String> = router.accepted_of(family).map(pattern).collect();
        let accepted = match accepted.as_slice() {
            [] => "reject;".to_owned(),
            accepted => format!("if net ~ [ {} ] then accept; reject;", accepted.join(", ")),
        };
        let _ = writeln!(text, "filter ferrolb_{channel} {{ {accepted} }}");
    }

    let profile = router.neighbors.iter().find_map(|neighbor| neighbor.bfd.as_ref());
    if let Some(profile) = profile {
        let _ = writeln!(
            text,
            "protocol bfd {{ interface \"*\" {{ min rx interval {} ms; min tx interval {} ms; \
             multiplier {}; }}; multihop {{ min rx interval {0} ms; min tx interval {1} ms; \
             multiplier {2}; }}; }}",
            profile.transmit_interval.as_millis(),
            profile.receive_interval.as_millis(),
            profile.detect_multiplier
        );
    }

    for neighbor in &router.neighbors {
        protocol(&mut text, router, neighbor);
    }
    text
}

fn protocol(text: &mut String, router: &Router, neighbor: &Neighbor) {
    let _ = writeln!(text, "protocol bgp ferrolb_{} {{", bird_name(&neighbor.name));
    let port = match neighbor.port {
        Peer::DEFAULT_PORT => String::new(),
        port => format!(" port {port}"),
    };
    let _ = writeln!(text, "  local {}{port} as {};", neighbor.router, router.asn);
    let _ = writeln!(text, "  neighbor {} as {};", neighbor.address, neighbor.asn);

    if neighbor.multihop {
        text.push_str("  multihop;\n");
    } else if router.is_external(neighbor) || neighbor.bfd.is_some() {
        // BIRD expects internal peers some hops away, and would use multihop BFD for them. Ours is single-hop.
        text.push_str("  direct;\n");
    }

    let _ = writeln!(text, "  passive on;\n  hold time {};", neighbor.hold_time);
    if let Some(password) = &neighbor.password {
        let _ = writeln!(text, "  password \"{password}\";");
    }
    if neighbor.bfd.is_some() {
        // With `on`, BFD would end a graceful restart, because our BFD ends with the process.
        text.push_str(if neighbor.graceful_restart { "  bfd graceful;\n" } else { "  bfd on;\n" });
    }

    for family in &neighbor.families {
        let channel = channel(*family);
        let limit = router.prefix_limit(*family);
        let _ = writeln!(
            text,
            "  {channel} {{ import filter ferrolb_{channel}; export none; import limit {limit} \
             action block; }};"
        );
    }
    text.push_str("}\n");
}

fn channel(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ipv4",
        IpFamily::Ipv6 => "ipv6",
    }
}

fn pattern(accepted: &AcceptedRoutes) -> String {
    let AcceptedRoutes { network, shortest, longest } = accepted;
    format!("{network}{{{shortest},{longest}}}")
}
