//! The BGP Identifiers of nodes, and the rule that makes a BGP Identifier from any 32 bits.

use std::net::{IpAddr, Ipv4Addr};

use bgp_core::BgpIdentifier;

use crate::model::{Node, Peer};

/// Returns the BGP Identifier of a node towards a peer: the configured one, or the node's first IPv4 address, or a
/// number derived from the node's name.
pub fn bgp_identifier(node: &Node, peer: &Peer) -> BgpIdentifier {
    if let Some(configured) = peer.router_id {
        return configured;
    }
    for address in &node.addresses {
        if let IpAddr::V4(address) = address {
            return BgpIdentifier(*address);
        }
    }
    BgpIdentifier(host_identifier(fnv1a(&node.name).to_be_bytes()))
}

/// Makes an identifier from four octets. It looks like the address of a host, as routers before RFC 6286 expect; octets
/// that look like one already stay as they are.
pub fn host_identifier([first, second, third, fourth]: [u8; 4]) -> Ipv4Addr {
    let first = match first {
        0 | 127 | 224.. => first % 126 + 1,
        _ => first,
    };
    Ipv4Addr::new(first, second, third, fourth)
}

/// Returns the FNV-1a hash, which is the same on every host and in every version, unlike the standard library's.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_from_a_name_looks_like_the_address_of_a_host() {
        for n in 0..20_000 {
            let name = format!("node-{n}");
            let hash = fnv1a(&name);
            let identifier = host_identifier(hash.to_be_bytes());
            let [first, ..] = identifier.octets();
            assert!((1..=223).contains(&first) && first != 127, "{name}: {identifier}");
            let [before, ..] = hash.to_be_bytes();
            if (1..=223).contains(&before) && before != 127 {
                assert_eq!(u32::from(identifier), hash, "{name} keeps its identifier");
            }
        }
    }
}
