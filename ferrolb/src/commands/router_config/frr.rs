//! FRRouting.

use std::fmt::Write as _;

use super::facts::{Neighbor, Router};
use super::ios::{self, permit, protocol, word};
use lb_adapter::model::IpFamily;

/// What goes into frr.conf.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("!", PORTS);
    let mut profiles: Vec<_> = router.neighbors.iter().filter_map(|it| it.bfd.as_ref()).collect();
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    profiles.dedup();
    if !profiles.is_empty() {
        text.push_str("bfd\n");
        for profile in profiles {
            // What the nodes send is what the router receives.
            let _ = writeln!(
                text,
                " profile {}\n  receive-interval {}\n  transmit-interval {}\n  detect-multiplier {}\n exit",
                profile.name,
                profile.transmit_interval.as_millis(),
                profile.receive_interval.as_millis(),
                profile.detect_multiplier
            );
        }
        text.push_str("exit\n!\n");
    }

    let families = router.families();
    for family in &families {
        for (sequence, accepted) in (1..).zip(router.accepted_of(*family)) {
            let permit = permit(accepted);
            let _ = writeln!(
                text,
                "{} prefix-list FERROLB seq {} permit {permit}",
                protocol(*family),
                sequence * 5
            );
        }
    }

    for family in &families {
        let _ = writeln!(
            text,
            "route-map FERROLB-IN permit {}\n match {} address prefix-list FERROLB\nexit",
            ios::sequence(*family),
            protocol(*family)
        );
    }
    text.push_str("route-map FERROLB-OUT deny 10\nexit\n!\n");

    let _ = writeln!(text, "router bgp {}", router.asn);
    let _ = writeln!(text, " bgp router-id {}\n no bgp default ipv4-unicast", router.identifier);
    if router.has_several_asns() {
        // Without it, only paths through the same ASes are used together.
        text.push_str(" bgp bestpath as-path multipath-relax\n");
    }
    for it in &router.neighbors {
        neighbor(&mut text, router, it);
    }
    for family in families {
        address_family(&mut text, router, family);
    }
    text.push_str("exit\n");
    text
}

fn neighbor(text: &mut String, router: &Router, neighbor: &Neighbor) {
    let mut lines = ios::neighbor(router, neighbor, "password");
    if let Some(profile) = &neighbor.bfd {
        lines.extend(["bfd".to_owned(), format!("bfd profile {}", profile.name)]);
    }
    for line in lines {
        let _ = writeln!(text, " neighbor {} {line}", neighbor.address);
    }
}

fn address_family(text: &mut String, router: &Router, family: IpFamily) {
    let _ = writeln!(text, " !\n address-family {} unicast", word(family));
    let external = router.neighbors.iter().any(|neighbor| router.is_external(neighbor));
    let internal = router.neighbors.iter().any(|neighbor| !router.is_external(neighbor));
    // Several nodes for one prefix share its traffic.
    for (some, kind) in [(external, ""), (internal, "ibgp ")] {
        if some {
            let _ = writeln!(text, "  maximum-paths {kind}64");
        }
    }
    for neighbor in router.neighbors.iter().filter(|it| it.families.contains(&family)) {
        let address = neighbor.address;
        for line in [
            "activate".to_owned(),
            "route-map FERROLB-IN in".to_owned(),
            "route-map FERROLB-OUT out".to_owned(),
            format!("maximum-prefix {}", router.most(family)),
        ] {
            let _ = writeln!(text, "  neighbor {address} {line}");
        }
    }
    text.push_str(" exit-address-family\n");
}

const PORTS: &str = "FRR listens there if bgpd is started with -p and the port, by bgpd_options in /etc/frr/daemons.";
