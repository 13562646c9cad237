//! The loopback addresses that stand for real ones.
//!
//! Owns the mapping. An address stays as long as its endpoint is needed, so that a change of the files moves no other
//! endpoint.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The owner of a loopback address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    /// The router at this address.
    Router(SocketAddr),
    /// A node's end of a session.
    Node {
        name: String,
        address: Option<IpAddr>,
        /// The number of the session, from 0, among those of the node with the same router: a router distinguishes its
        /// peers by their addresses.
        nth: usize,
    },
}

impl Endpoint {
    fn real_address(&self) -> Option<IpAddr> {
        match self {
            Self::Router(address) => Some(address.ip()),
            Self::Node { address, .. } => *address,
        }
    }
}

/// The loopback addresses in use.
#[derive(Debug, Default)]
pub(super) struct LoopbackAddresses {
    by_endpoint: BTreeMap<Endpoint, Ipv4Addr>,
}

impl LoopbackAddresses {
    /// Returns the address of an endpoint: the real one with 127 as its first octet, or a free one if that is taken or
    /// does not exist.
    pub(super) fn address(&mut self, endpoint: &Endpoint) -> Ipv4Addr {
        if let Some(address) = self.by_endpoint.get(endpoint) {
            return *address;
        }

        let mapped = endpoint.real_address().and_then(mapped);
        let mapped = mapped.filter(|address| self.is_free(*address));
        let address = mapped.unwrap_or_else(|| self.first_free());
        self.by_endpoint.insert(endpoint.clone(), address);
        address
    }

    /// Frees the addresses of all endpoints but these.
    pub(super) fn retain(&mut self, is_needed: impl Fn(&Endpoint) -> bool) {
        self.by_endpoint.retain(|endpoint, _| is_needed(endpoint));
    }

    /// Returns a note for each node whose address does not follow from its real one.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.by_endpoint.iter().filter_map(|(endpoint, address)| match endpoint {
            Endpoint::Router(_) => None,
            _ if endpoint.real_address().and_then(mapped) == Some(*address) => None,
            Endpoint::Node { name, nth: 0, .. } => Some(format!("{name} dials from {address}")),
            Endpoint::Node { name, .. } => Some(format!("{name} dials from {address} too")),
        })
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        !self.by_endpoint.values().any(|used| *used == address)
    }

    fn first_free(&self) -> Ipv4Addr {
        let last = u32::from(Ipv4Addr::new(127, 255, 255, 254));
        let mut addresses = (u32::from(FIRST_UNMAPPED)..=last).map(Ipv4Addr::from);
        // No machine has room for eight million endpoints.
        addresses.find(|address| self.is_free(*address)).unwrap_or(FIRST_UNMAPPED)
    }
}

/// Returns the address with 127 as its first octet, if a host can have it.
fn mapped(real: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V4(real) = real else { return None };
    let [_, b, c, d] = real.octets();
    let is_host = !matches!([b, c, d], [0, 0, 0] | [255, 255, 255]);
    is_host.then(|| Ipv4Addr::new(127, b, c, d))
}

/// The first address that may be given to an endpoint without a mapped address.
const FIRST_UNMAPPED: Ipv4Addr = Ipv4Addr::new(127, 127, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;

    fn router(text: &str) -> Endpoint {
        Endpoint::Router(text.parse().unwrap())
    }

    fn node(name: &str, address: &str, nth: usize) -> Endpoint {
        Endpoint::Node { name: name.to_owned(), address: Some(address.parse().unwrap()), nth }
    }

    #[test]
    fn an_address_keeps_its_last_three_octets() {
        let mut loopback = LoopbackAddresses::default();
        assert_eq!(loopback.address(&router("172.22.35.1:179")), Ipv4Addr::new(127, 22, 35, 1));
        assert_eq!(
            loopback.address(&node("kube1", "172.22.35.25", 0)),
            Ipv4Addr::new(127, 22, 35, 25)
        );
        assert_eq!(loopback.notes().count(), 0);
    }

    #[test]
    fn an_endpoint_that_would_collide_or_has_no_ipv4_address_gets_a_free_address_and_keeps_it() {
        let mut loopback = LoopbackAddresses::default();
        let first = loopback.address(&node("a", "10.0.0.1", 0));
        let second = loopback.address(&node("b", "192.0.0.1", 0));
        let third = loopback.address(&router("[fd00::1]:179"));
        let again = loopback.address(&node("a", "10.0.0.1", 1));
        assert_eq!(first, Ipv4Addr::new(127, 0, 0, 1));
        assert_eq!(second, Ipv4Addr::new(127, 127, 0, 1));
        assert_eq!(third, Ipv4Addr::new(127, 127, 0, 2));
        assert_eq!(again, Ipv4Addr::new(127, 127, 0, 3));
        let notes: Vec<_> = loopback.notes().collect();
        assert_eq!(notes, ["a dials from 127.127.0.3 too", "b dials from 127.127.0.1",]);
        loopback.retain(|endpoint| *endpoint != node("a", "10.0.0.1", 0));
        assert_eq!(loopback.address(&node("b", "192.0.0.1", 0)), second, "the address stays");
    }

    #[test]
    fn the_network_and_broadcast_addresses_of_the_loopback_are_not_used() {
        assert_eq!(mapped("10.0.0.0".parse().unwrap()), None);
        assert_eq!(mapped("10.255.255.255".parse().unwrap()), None);
    }
}
