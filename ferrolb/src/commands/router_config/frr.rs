//! FRRouting.

use std::fmt::Write as _;

use lb_adapter::model::{BfdProfile, IpFamily};

use super::ios::{self, family_word, permit, protocol};
use super::router::{Neighbor, Router};

/// Returns the content of frr.conf.
pub(super) fn write(router: &Router) -> String {
    let mut text = router.heading("!", PORTS);
    let mut profiles: Vec<_> =
        router.neighbors.iter().filter_map(|neighbor| neighbor.bfd.as_ref()).collect();
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    profiles.dedup();
    if !profiles.is_empty() {
        write_bfd_profiles(&mut text, &profiles);
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
        // Without this, only paths through the same ASes are used together.
        text.push_str(" bgp bestpath as-path multipath-relax\n");
    }

    for neighbor in &router.neighbors {
        write_neighbor(&mut text, router, neighbor);
    }
    for family in families {
        write_address_family(&mut text, router, family);
    }
    text.push_str("exit\n");
    text
}

fn write_bfd_profiles(text: &mut String, profiles: &[&BfdProfile]) {
    text.push_str("bfd\n");
    for profile in profiles {
        // The router receives at the interval at which the nodes transmit.
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

fn write_neighbor(text: &mut String, router: &Router, neighbor: &Neighbor) {
    let mut lines = ios::neighbor(router, neighbor, "password");
    if let Some(profile) = &neighbor.bfd {
        lines.extend(["bfd".to_owned(), format!("bfd profile {}", profile.name)]);
    }
    for line in lines {
        let _ = writeln!(text, " neighbor {} {line}", neighbor.address);
    }
}

fn write_address_family(text: &mut String, router: &Router, family: IpFamily) {
    let _ = writeln!(text, " !\n address-family {} unicast", family_word(family));
    let external = router.neighbors.iter().any(|neighbor| router.is_external(neighbor));
    let internal = router.neighbors.iter().any(|neighbor| !router.is_external(neighbor));

    // The nodes that announce a prefix share its traffic.
    if external {
        text.push_str("  maximum-paths 64\n");
    }
    if internal {
        text.push_str("  maximum-paths ibgp 64\n");
    }

    let neighbors = router.neighbors.iter();
    for neighbor in neighbors.filter(|neighbor| neighbor.families.contains(&family)) {
        let address = neighbor.address;
        for line in [
            "activate".to_owned(),
            "route-map FERROLB-IN in".to_owned(),
            "route-map FERROLB-OUT out".to_owned(),
            format!("maximum-prefix {}", router.prefix_limit(family)),
        ] {
            let _ = writeln!(text, "  neighbor {address} {line}");
        }
    }
    text.push_str(" exit-address-family\n");
}

const PORTS: &str = "FRR listens there if bgpd_options in /etc/frr/daemons has -p with the port.";
