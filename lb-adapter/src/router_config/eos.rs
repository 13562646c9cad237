//! Arista EOS.

use std::fmt::Write as _;

use super::facts::{Neighbor, Router};
use super::frr::{permit, protocol, word};

/// What goes into the running configuration.
pub(super) fn write(router: &Router) -> String {
    let mut text = format!("! {}. Made by ferrolb router-config.\n", router.title());
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
    for (sequence, family) in (1..).zip(&families) {
        let _ = writeln!(
            text,
            "route-map FERROLB-IN permit {}\n   match {} address prefix-list FERROLB-{}",
            sequence * 10,
            protocol(*family),
            word(*family)
        );
    }
    text.push_str("route-map FERROLB-OUT deny 10\n!\n");
    let _ = writeln!(text, "router bgp {}", router.asn);
    let _ = writeln!(text, "   router-id {}", router.identifier);
    // Several nodes for one prefix share its traffic.
    text.push_str("   maximum-paths 64 ecmp 64\n");
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
    let mut set = |line: String| {
        let _ = writeln!(text, "   neighbor {} {line}", neighbor.address);
    };
    set(format!("remote-as {}", neighbor.asn));
    set(format!("description {}", neighbor.name));
    set("passive".to_owned());
    set(format!("timers {} {}", neighbor.keepalive_time, neighbor.hold_time));
    if let Some(password) = &neighbor.password {
        set(format!("password 0 {password}"));
    }
    if neighbor.multihop && router.is_external(neighbor) {
        set("ebgp-multihop 255".to_owned());
    }
    if let Some(profile) = &neighbor.bfd {
        set("bfd".to_owned());
        set(format!(
            "bfd interval {} min-rx {} multiplier {}",
            profile.receive_interval.as_millis(),
            profile.transmit_interval.as_millis(),
            profile.detect_multiplier
        ));
    }
    set("route-map FERROLB-IN in".to_owned());
    set("route-map FERROLB-OUT out".to_owned());
    let most = neighbor.families.iter().map(|family| router.most(*family)).max();
    set(format!("maximum-routes {}", most.unwrap_or(0)));
}
