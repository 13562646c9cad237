//! The choice of the address to dial a peer from.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};

/// Chooses source addresses, and warns once about each node that has none here.
#[derive(Debug, Default)]
pub struct SourceAddresses {
    /// The addresses of the nodes that a warning was logged about.
    warned: BTreeSet<Vec<IpAddr>>,
}

impl SourceAddresses {
    /// Returns the first of the node's addresses that this host has and that is of the peer's family; `None` leaves the
    /// choice to the kernel.
    pub fn for_peer(&mut self, node: &[IpAddr], peer: IpAddr) -> Option<IpAddr> {
        let mut of_family =
            node.iter().copied().filter(|address| address.is_ipv4() == peer.is_ipv4());
        let source = of_family.find(|address| is_local(*address));

        if source.is_none() && self.warned.insert(node.to_vec()) {
            let addresses: Vec<_> = node.iter().map(ToString::to_string).collect();
            tracing::warn!(
                node_addresses = addresses.join(", "),
                "this host has none of the Node's addresses that could reach {peer}: the kernel chooses the source address"
            );
        }
        source
    }
}

/// Returns true if this host has the address, so that a socket can be bound to it.
fn is_local(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_an_address_of_the_node_that_this_host_has() {
        let mut sources = SourceAddresses::default();
        let [here, elsewhere, v6] =
            ["127.0.0.7", "192.0.2.1", "::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let router = "127.0.0.1".parse().unwrap();

        assert_eq!(sources.for_peer(&[elsewhere, here], router), Some(here));
        assert_eq!(sources.for_peer(&[elsewhere], router), None);
        assert_eq!(sources.for_peer(&[v6], router), None, "of the other family");
    }
}
