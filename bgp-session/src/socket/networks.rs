//! The networks that the host's interfaces are on.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Returns true if no router is between the host and this address: an interface has a network that contains it, or is a
/// point-to-point link to it.
#[cfg(target_os = "linux")]
pub(crate) fn is_on_link(address: IpAddr) -> io::Result<bool> {
    Ok(nix::ifaddrs::getifaddrs()?.any(|interface| {
        let own = interface.address.and_then(ip).zip(interface.netmask.and_then(ip));
        own.is_some_and(|(own, mask)| is_same_network(own, address, mask))
            || interface.destination.and_then(ip) == Some(address)
    }))
}

/// Returns true: elsewhere than on Linux we do not look at the interfaces.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_on_link(_address: IpAddr) -> io::Result<bool> {
    Ok(true)
}

#[cfg(target_os = "linux")]
fn ip(address: nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
}

fn is_same_network(one: IpAddr, other: IpAddr, mask: IpAddr) -> bool {
    match (one, other, mask) {
        (IpAddr::V4(one), IpAddr::V4(other), IpAddr::V4(mask)) => {
            let [one, other, mask] = [one, other, mask].map(Ipv4Addr::to_bits);
            one & mask == other & mask
        }
        (IpAddr::V6(one), IpAddr::V6(other), IpAddr::V6(mask)) => {
            let [one, other, mask] = [one, other, mask].map(Ipv6Addr::to_bits);
            one & mask == other & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_loopback_network_is_on_link_and_a_documentation_prefix_is_not() {
        for on_link in ["127.4.5.6", "::1"] {
            assert!(is_on_link(on_link.parse().unwrap()).unwrap(), "{on_link}");
        }
        for elsewhere in ["198.51.100.7", "2001:db8::1"] {
            assert!(!is_on_link(elsewhere.parse().unwrap()).unwrap(), "{elsewhere}");
        }
    }

    #[test]
    fn a_network_is_what_the_mask_leaves() {
        let same = |one: &str, other: &str, mask: &str| {
            is_same_network(one.parse().unwrap(), other.parse().unwrap(), mask.parse().unwrap())
        };
        assert!(same("10.77.0.11", "10.77.0.1", "255.255.255.0"));
        assert!(!same("10.77.0.11", "10.77.1.1", "255.255.255.0"));
        assert!(!same("10.77.0.11", "10.77.0.1", "255.255.255.255"), "a host has no network");
        assert!(same("fd00::11", "fd00::1", "ffff:ffff:ffff:ffff::"));
        assert!(!same("fd00::11", "fd00:0:0:1::1", "ffff:ffff:ffff:ffff::"));
        assert!(!same("10.77.0.11", "fd00::1", "0.0.0.0"));
    }
}
