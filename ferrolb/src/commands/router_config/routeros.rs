//! MikroTik RouterOS. Its versions 6 and 7 have little in common here.

use std::fmt::Write as _;

use lb_adapter::model::IpFamily;

use super::ios::family_word;
use super::router::{AcceptedRoutes, Neighbor, Router};

/// Returns the commands of RouterOS 6.
pub(super) fn write_version_6(router: &Router) -> String {
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
            yes_or_no(neighbor.multihop),
            neighbor.prefix_limit(router),
            password(neighbor),
            if neighbor.bfd.is_some() { " use-bfd=yes" } else { "" },
        );
    }
    text
}

/// Returns the commands of RouterOS 7.
pub(super) fn write_version_7(router: &Router) -> String {
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
                family_word(*family),
                router.prefix_limit(*family)
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
            yes_or_no(neighbor.multihop),
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
         # If several nodes announce a prefix, RouterOS may use only one: look for the flag E or several\n\
         # active routes in /ip route print, and see its manual for ECMP with BGP.\n"
    )
}

fn lengths(accepted: &AcceptedRoutes) -> String {
    let AcceptedRoutes { shortest, longest, .. } = accepted;
    if shortest == longest { shortest.to_string() } else { format!("{shortest}-{longest}") }
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
    match &neighbor.password {
        Some(password) => format!(" tcp-md5-key=\"{password}\""),
        None => String::new(),
    }
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

const PORTS: &str =
    "According to its manual, RouterOS listens only on port 179: leave peerPort out.";
