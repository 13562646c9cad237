//! MikroTik RouterOS, whose versions 6 and 7 have little in common here.

use std::fmt::Write as _;

use super::facts::{Accepted, Neighbor, Router};
use lb_adapter::model::IpFamily;

/// Commands of RouterOS 6.
pub(super) fn write_6(router: &Router) -> String {
    let mut text = heading(router);
    let _ = writeln!(
        text,
        "/routing bgp instance set default as={} router-id={}",
        router.asn, router.identifier
    );
    for accepted in &router.accepted {
        let _ = writeln!(
            text,
            "/routing filter add chain=ferrolb-in prefix={} prefix-length={} action=accept",
            accepted.network,
            lengths(accepted)
        );
    }
    text.push_str("/routing filter add chain=ferrolb-in action=discard\n");
    text.push_str("/routing filter add chain=ferrolb-out action=discard\n");
    for neighbor in &router.neighbors {
        let most = neighbor.families.iter().map(|family| router.most(*family)).max();
        let _ = writeln!(
            text,
            "/routing bgp peer add name={} remote-address={} remote-as={} address-families={} \
             hold-time={}s passive=yes multihop={} in-filter=ferrolb-in out-filter=ferrolb-out \
             max-prefix-limit={}{}{}",
            neighbor.name,
            neighbor.address,
            neighbor.asn,
            families(neighbor),
            neighbor.hold_time,
            yes(neighbor.multihop),
            most.unwrap_or(0),
            password(neighbor),
            if neighbor.bfd.is_some() { " use-bfd=yes" } else { "" },
        );
    }
    text
}

/// Commands of RouterOS 7.
pub(super) fn write_7(router: &Router) -> String {
    let mut text = heading(router);
    for accepted in &router.accepted {
        let _ = writeln!(
            text,
            "/routing filter rule add chain=ferrolb-in rule=\"if (dst in {} && dst-len in {}) \
             {{ accept }}\"",
            accepted.network,
            lengths(accepted)
        );
    }
    text.push_str("/routing filter rule add chain=ferrolb-in rule=\"reject\"\n");
    text.push_str("/routing filter rule add chain=ferrolb-out rule=\"reject\"\n");

    let _ = writeln!(
        text,
        "/routing bgp template add name=ferrolb as={} router-id={}",
        router.asn, router.identifier
    );
    for neighbor in &router.neighbors {
        let role = if router.is_external(neighbor) { "ebgp" } else { "ibgp" };
        let mut limits = String::new();
        for family in &neighbor.families {
            let _ = write!(
                limits,
                " input.limit-process-routes-{}={}",
                match family {
                    IpFamily::Ipv4 => "ipv4",
                    IpFamily::Ipv6 => "ipv6",
                },
                router.most(*family)
            );
        }
        let _ = writeln!(
            text,
            "/routing bgp connection add name={} templates=ferrolb as={} local.role={role} \
             local.address={} remote.address={} remote.as={} address-families={} connect=no \
             listen=yes hold-time={}s multihop={} input.filter=ferrolb-in \
             output.filter-chain=ferrolb-out{limits}{}{}",
            neighbor.name,
            router.asn,
            neighbor.router,
            neighbor.address,
            neighbor.asn,
            families(neighbor),
            neighbor.hold_time,
            yes(neighbor.multihop),
            password(neighbor),
            if neighbor.bfd.is_some() { " use-bfd=yes" } else { "" },
        );
    }
    text
}

fn heading(router: &Router) -> String {
    let heading = router.heading("#", PORTS);
    format!(
        "{heading}\
         # Of several nodes for one prefix RouterOS may use one only: look for the flag E or several\n\
         # active routes in /ip route print, and see its manual for ECMP with BGP.\n"
    )
}

fn lengths(accepted: &Accepted) -> String {
    match accepted.shortest == accepted.longest {
        true => accepted.shortest.to_string(),
        false => format!("{}-{}", accepted.shortest, accepted.longest),
    }
}

fn families(neighbor: &Neighbor) -> String {
    let words: Vec<_> = neighbor
        .families
        .iter()
        .map(|family| match family {
            IpFamily::Ipv4 => "ip",
            IpFamily::Ipv6 => "ipv6",
        })
        .collect();
    words.join(",")
}

fn password(neighbor: &Neighbor) -> String {
    let key = |password: &String| format!(" tcp-md5-key=\"{password}\"");
    neighbor.password.as_ref().map(key).unwrap_or_default()
}

fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

const PORTS: &str =
    "RouterOS listens on port 179 only, as far as its manual says: leave peerPort out.";
