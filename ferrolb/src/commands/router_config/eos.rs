//! Arista EOS.

use std::fmt::Write as _;

use lb_adapter::model::IpFamily;

use super::ios::{self, family_word, permit, protocol};
use super::router::{Neighbor, Router};

/// Returns the lines of the running configuration.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("!", PORTS);
    let families = router.families();
    for family in &families {
        write_prefix_list(&mut text, router, *family);
    }

    for family in &families {
        let _ = writeln!(
            text,
            "route-map FERROLB-IN permit {}\n   match {} address prefix-list FERROLB-{}",
            ios::sequence(*family),
            protocol(*family),
            family_word(*family)
        );
    }
    text.push_str("route-map FERROLB-OUT deny 10\n!\n");

    let _ = writeln!(text, "router bgp {}", router.asn);
    let _ = writeln!(text, "   router-id {}", router.identifier);
    // The nodes that announce a prefix share its traffic.
    text.push_str("   maximum-paths 64 ecmp 64\n");
    if router.has_several_asns() {
        // Without this, only paths through the same ASes are used together.
        text.push_str("   bgp bestpath as-path multipath-relax\n");
    }

    for neighbor in &router.neighbors {
        write_neighbor(&mut text, router, neighbor);
    }
    for family in families {
        let _ = writeln!(text, "   address-family {}", family_word(family));
        let neighbors = router.neighbors.iter();
        for neighbor in neighbors.filter(|neighbor| neighbor.families.contains(&family)) {
            let _ = writeln!(text, "      neighbor {} activate", neighbor.address);
        }
    }
    text
}

fn write_prefix_list(text: &mut String, router: &Router, family: IpFamily) {
    let name = format!("FERROLB-{}", family_word(family));
    let accepted = router.accepted_of(family).map(permit);
    match family {
        IpFamily::Ipv4 => {
            for (number, permit) in (1..).zip(accepted) {
                let sequence = number * 10;
                let _ = writeln!(text, "ip prefix-list {name} seq {sequence} permit {permit}");
            }
        }
        IpFamily::Ipv6 => {
            let _ = writeln!(text, "ipv6 prefix-list {name}");
            for (number, permit) in (1..).zip(accepted) {
                let _ = writeln!(text, "   seq {} permit {permit}", number * 10);
            }
        }
    }
}

fn write_neighbor(text: &mut String, router: &Router, neighbor: &Neighbor) {
    let mut lines = ios::neighbor(router, neighbor, "password 0");
    if let Some(profile) = &neighbor.bfd {
        lines.push("bfd".to_owned());
        lines.push(format!(
            "bfd interval {} min-rx {} multiplier {}",
            profile.receive_interval.as_millis(),
            profile.transmit_interval.as_millis(),
            profile.detect_multiplier
        ));
    }

    lines.extend(["route-map FERROLB-IN in", "route-map FERROLB-OUT out"].map(str::to_owned));
    lines.push(format!("maximum-routes {}", neighbor.prefix_limit(router)));

    for line in lines {
        let _ = writeln!(text, "   neighbor {} {line}", neighbor.address);
    }
}

const PORTS: &str = "According to its manual, EOS listens only on port 179: leave peerPort out.";
