//! Which loopback address stands for which real one.
//!
//! Owns the mapping, which stays as it is for as long as somebody needs it, so that a change of the
//! files moves nobody else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Whose TCP endpoint it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    /// The router at this address.
    Router(SocketAddr),
    /// A node's end.
    Node {
        name: String,
        address: Option<IpAddr>,
        /// 0, or the number of sessions that the node has with the same router besides: a router
        /// tells its peers apart by their addresses.
        nth: usize,
    },
}

impl Endpoint {
    fn real(&self) -> Option<IpAddr> {
        match self {
            Self::Router(address) => Some(address.ip()),
            Self::Node { address, .. } => *address,
        }
    }
}

/// The loopback addresses in use.
#[derive(Debug, Default)]
pub(super) struct Loopback {
    given: BTreeMap<Endpoint, Ipv4Addr>,
}

impl Loopback {
    /// The address of an endpoint: the real one with 127 for its first octet, or if that is taken
    /// or there is none such, one that is free.
    pub(super) fn address(&mut self, endpoint: &Endpoint) -> Ipv4Addr {
        if let Some(address) = self.given.get(endpoint) {
            return *address;
        }
        let natural = endpoint.real().and_then(natural).filter(|it| self.is_free(*it));
        let address = natural.unwrap_or_else(|| self.first_free());
        self.given.insert(endpoint.clone(), address);
        address
    }

    /// Frees the addresses of all other endpoints.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Endpoint) -> bool) {
        self.given.retain(|endpoint, _| wanted(endpoint));
    }

    /// The nodes that are not where one would look for them: a sentence for each.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.given.iter().filter_map(|(endpoint, address)| match endpoint {
            Endpoint::Router(_) => None,
            _ if endpoint.real().and_then(natural) == Some(*address) => None,
            Endpoint::Node { name, nth: 0, .. } => Some(format!("{name} dials from {address}")),
            Endpoint::Node { name, .. } => Some(format!("{name} dials from {address} too")),
        })
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        !self.given.values().any(|given| *given == address)
    }

    fn first_free(&self) -> Ipv4Addr {
        let last = u32::from(Ipv4Addr::new(127, 255, 255, 254));
        let mut addresses = (u32::from(FIRST_CHOSEN)..=last).map(Ipv4Addr::from);
        // Eight million endpoints on one machine are beyond anything else here.
        addresses.find(|address| self.is_free(*address)).unwrap_or(FIRST_CHOSEN)
    }
}

/// The address with its first octet replaced, where that is a host's.
fn natural(real: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V4(real) = real else { return None };
    let [_, b, c, d] = real.octets();
    (!matches!([b, c, d], [0, 0, 0] | [255, 255, 255])).then(|| Ipv4Addr::new(127, b, c, d))
}

/// From here on up addresses are looked for that stand for no real one.
const FIRST_CHOSEN: Ipv4Addr = Ipv4Addr::new(127, 127, 0, 1);

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
        let mut loopback = Loopback::default();
        assert_eq!(loopback.address(&router("172.22.35.1:179")), Ipv4Addr::new(127, 22, 35, 1));
        assert_eq!(
            loopback.address(&node("kube1", "172.22.35.25", 0)),
            Ipv4Addr::new(127, 22, 35, 25)
        );
        assert_eq!(loopback.notes().count(), 0);
    }

    #[test]
    fn who_would_collide_or_has_no_ipv4_address_gets_a_free_one_and_keeps_it() {
        let mut loopback = Loopback::default();
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
        assert_eq!(loopback.address(&node("b", "192.0.0.1", 0)), second, "nobody is moved");
    }

    #[test]
    fn network_and_broadcast_address_of_the_loopback_are_nobody_s() {
        assert_eq!(natural("10.0.0.0".parse().unwrap()), None);
        assert_eq!(natural("10.255.255.255".parse().unwrap()), None);
    }
}
