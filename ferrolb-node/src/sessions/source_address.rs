//! Which address to dial from.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};

/// Decides, and says once what it could not have.
#[derive(Debug, Default)]
pub struct SourceAddresses {
    told: BTreeSet<Vec<IpAddr>>,
}

impl SourceAddresses {
    /// The first of the node's addresses that this host has and that is of the peer's family;
    /// `None` leaves it to the kernel.
    pub fn for_peer(&mut self, node: &[IpAddr], peer: IpAddr) -> Option<IpAddr> {
        let mut of_family = node.iter().copied().filter(|it| it.is_ipv4() == peer.is_ipv4());
        let source = of_family.find(|address| is_here(*address));
        if source.is_none() && self.told.insert(node.to_vec()) {
            let addresses: Vec<_> = node.iter().map(ToString::to_string).collect();
            tracing::warn!(
                node_addresses = addresses.join(", "),
                "this host has no address of the Node for {peer}, dialling from what the kernel chooses"
            );
        }
        source
    }
}

/// Whether this host has the address: then a socket can be bound to it.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_node_is_taken_where_this_host_has_it() {
        let mut sources = SourceAddresses::default();
        let [here, elsewhere, v6] =
            ["127.0.0.7", "192.0.2.1", "::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let router = "127.0.0.1".parse().unwrap();
        assert_eq!(sources.for_peer(&[elsewhere, here], router), Some(here));
        assert_eq!(sources.for_peer(&[elsewhere], router), None);
        assert_eq!(sources.for_peer(&[v6], router), None, "of the other family");
    }
}
