//! The syntax that FRRouting and Arista EOS share: that of Cisco's IOS.

use lb_adapter::model::IpFamily;

use super::router::{AcceptedRoutes, Neighbor, Router};

/// Returns the lines after `neighbor ADDRESS` that are the same in both systems. `password` is the keyword for a password.
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

/// Returns the network, with the accepted lengths unless they are its own.
pub(super) fn permit(accepted: &AcceptedRoutes) -> String {
    let AcceptedRoutes { network, shortest, longest } = accepted;
    let length = network.prefix_len();
    let ge = if *shortest > length { format!(" ge {shortest}") } else { String::new() };
    let le = if *longest > length { format!(" le {longest}") } else { String::new() };
    format!("{network}{ge}{le}")
}

/// Returns the number of a family's entry in a route-map.
pub(super) fn sequence(family: IpFamily) -> u32 {
    match family {
        IpFamily::Ipv4 => 10,
        IpFamily::Ipv6 => 20,
    }
}

/// Returns the word before `prefix-list`.
pub(super) fn protocol(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ip",
        IpFamily::Ipv6 => "ipv6",
    }
}

/// Returns the word after `address-family`.
pub(super) fn family_word(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ipv4",
        IpFamily::Ipv6 => "ipv6",
    }
}
