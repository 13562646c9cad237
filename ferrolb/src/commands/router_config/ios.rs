//! What FRRouting and Arista EOS have in common: the words of Cisco's IOS.

use super::facts::{Accepted, Neighbor, Router};
use lb_adapter::model::IpFamily;

/// What follows `neighbor ADDRESS`, up to what each system says in its own way. `password` stands before a password.
pub(super) fn neighbor(router: &Router, neighbor: &Neighbor, password: &str) -> Vec<String> {
    let mut lines = vec![
        format!("remote-as {}", neighbor.asn),
        format!("description {}", neighbor.node),
        "passive".to_owned(),
        format!("timers {} {}", neighbor.keepalive_time, neighbor.hold_time),
    ];
    lines.extend(neighbor.password.as_ref().map(|secret| format!("{password} {secret}")));
    if neighbor.multihop && router.is_external(neighbor) {
        lines.push("ebgp-multihop 255".to_owned());
    }
    lines
}

/// `NETWORK`, with the lengths where they are others than its own.
pub(super) fn permit(accepted: &Accepted) -> String {
    let Accepted { network, shortest, longest } = accepted;
    let own = network.prefix_len();
    let ge = if *shortest > own { format!(" ge {shortest}") } else { String::new() };
    let le = if *longest > own { format!(" le {longest}") } else { String::new() };
    format!("{network}{ge}{le}")
}

/// The entry of a family in a route-map, the same for every set of families.
pub(super) fn sequence(family: IpFamily) -> u32 {
    match family {
        IpFamily::Ipv4 => 10,
        IpFamily::Ipv6 => 20,
    }
}

/// Before `prefix-list`.
pub(super) fn protocol(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ip",
        IpFamily::Ipv6 => "ipv6",
    }
}

/// After `address-family`.
pub(super) fn word(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ipv4",
        IpFamily::Ipv6 => "ipv6",
    }
}
