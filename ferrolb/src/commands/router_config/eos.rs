//! Arista EOS.

use std::fmt::Write as _;

use super::facts::{Neighbor, Router};
use super::ios::{self, permit, protocol, word};

/// What goes into the running configuration.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("!", PORTS);
    let families = router.families();
    for family in &families {
        let (protocol, name) = (protocol(*family), format!("FERROLB-{}", word(*family)));
        let accepted = router.accepted_of(*family).map(permit);
        match protocol {
            "ip" => {
                for (sequence, permit) in (1..).zip(accepted) {
                    let sequence = sequence * 10;
                    let _ = writeln!(text, "ip prefix-list {name} seq {sequence} permit {permit}");
                }
            }
            _ => {
                let _ = writeln!(text, "ipv6 prefix-list {name}");
                for (sequence, permit) in (1..).zip(accepted) {
                    let _ = writeln!(text, "   seq {} permit {permit}", sequence * 10);
                }
            }
        }
    }

    for family in &families {
        let _ = writeln!(
            text,
            "route-map FERROLB-IN permit {}\n   match {} address prefix-list FERROLB-{}",
            ios::sequence(*family),
            protocol(*family),
            word(*family)
        );
    }
    text.push_str("route-map FERROLB-OUT deny 10\n!\n");

    let _ = writeln!(text, "router bgp {}", router.asn);
    let _ = writeln!(text, "   router-id {}", router.identifier);
    // Several nodes for one prefix share its traffic.
    text.push_str("   maximum-paths 64 ecmp 64\n");
    if router.has_several_asns() {
        // Without it, only paths through the same ASes are used together.
        text.push_str("   bgp bestpath as-path multipath-relax\n");
    }
    for it in &router.neighbors {
        neighbor(&mut text, router, it);
    }
    for family in families {
        let _ = writeln!(text, "   address-family {}", word(family));
        for neighbor in router.neighbors.iter().filter(|it| it.families.contains(&family)) {
            let _ = writeln!(text, "      neighbor {} activate", neighbor.address);
        }
    }
    text
}

fn neighbor(text: &mut String, router: &Router, neighbor: &Neighbor) {
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
    let most = neighbor.families.iter().map(|family| router.most(*family)).max();
    lines.push(format!("maximum-routes {}", most.unwrap_or(0)));
    for line in lines {
        let _ = writeln!(text, "   neighbor {} {line}", neighbor.address);
    }
}

const PORTS: &str = "EOS listens on port 179 only, as far as its manual says: leave peerPort out.";
