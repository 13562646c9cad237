//! The networks of the host's interfaces.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Returns true if no router is between the host and this address: an interface has a network that contains it, or is a
/// point-to-point link to it. With a device only its own interface counts, or those of a VRF.
#[cfg(target_os = "linux")]
pub(crate) fn is_on_link(address: IpAddr, device: Option<&str>) -> io::Result<bool> {
    for interface in nix::ifaddrs::getifaddrs()? {
        if device.is_some_and(|device| !belongs_to(&interface.interface_name, device)) {
            continue;
        }

        let own = interface.address.and_then(ip).zip(interface.netmask.and_then(ip));
        if own.is_some_and(|(own, mask)| is_same_network(own, address, mask))
            || interface.destination.and_then(ip) == Some(address)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns true, because we look at the interfaces on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_on_link(_address: IpAddr, _device: Option<&str>) -> io::Result<bool> {
    Ok(true)
}

/// Returns true if traffic through the device, which may be a VRF, uses this interface.
#[cfg(target_os = "linux")]
fn belongs_to(interface: &str, device: &str) -> bool {
    if interface == device {
        return true;
    }
    let vrf = std::fs::read_link(format!("/sys/class/net/{interface}/master"));
    vrf.is_ok_and(|vrf| vrf.file_name().is_some_and(|name| name == device))
}

#[cfg(target_os = "linux")]
fn ip(address: nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
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
            assert!(is_on_link(on_link.parse().unwrap(), None).unwrap(), "{on_link}");
        }
        for elsewhere in ["198.51.100.7", "2001:db8::1"] {
            assert!(!is_on_link(elsewhere.parse().unwrap(), None).unwrap(), "{elsewhere}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_networks_of_the_bound_device_are_on_link() {
        let loopback = "127.4.5.6".parse().unwrap();
        assert!(is_on_link(loopback, Some("lo")).unwrap());
        assert!(!is_on_link(loopback, Some("nowhere0")).unwrap());
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
