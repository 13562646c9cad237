//! How nodes and peers are called: on the wire and where people read it.

use std::net::{IpAddr, Ipv4Addr};

use bgp_core::BgpIdentifier;

use crate::model::{Node, Peer};

/// The BGP Identifier of a node towards a peer: the configured one, the node's first IPv4 address, or
/// for a node without one a number made of its name.
pub fn identifier(node: &Node, peer: &Peer) -> BgpIdentifier {
    let own = || {
        node.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    };
    let address = peer.router_id.map(|configured| configured.0).or_else(own);
    BgpIdentifier(address.unwrap_or_else(|| made_of(&node.name)))
}

/// Makes an identifier of a name that looks like the address of a host, as routers before RFC 6286 expect.
fn made_of(name: &str) -> Ipv4Addr {
    let [first, second, third, fourth] = fnv1a(name).to_be_bytes();
    let first = match first {
        0 | 127 | 224.. => first % 126 + 1,
        // A node keeps the identifier that it always had.
        _ => first,
    };
    Ipv4Addr::new(first, second, third, fourth)
}

/// How a peer is called where people read it: its name without the port of BGP.
pub fn peer_label(peer: &Peer) -> String {
    let [plain, bracketed] = [format!("{}", peer.address), format!("[{}]", peer.address)];
    let with_port = |address: &str| {
        let rest = peer.name.strip_prefix(address)?.strip_prefix(":179")?;
        (rest.is_empty() || rest.starts_with('#')).then(|| format!("{plain}{rest}"))
    };
    with_port(&plain).or_else(|| with_port(&bracketed)).unwrap_or_else(|| peer.name.clone())
}

/// The hash FNV-1a, the same on every host and in every version, unlike those of the library.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Asn;

    #[test]
    fn an_identifier_made_of_a_name_looks_like_the_address_of_a_host() {
        for n in 0..20_000 {
            let name = format!("node-{n}");
            let (made, hash) = (made_of(&name), fnv1a(&name));
            let [first, ..] = made.octets();
            assert!((1..=223).contains(&first) && first != 127, "{name}: {made}");
            let [before, ..] = hash.to_be_bytes();
            if (1..=223).contains(&before) && before != 127 {
                assert_eq!(u32::from(made), hash, "{name} keeps its identifier");
            }
        }
    }

    #[test]
    fn a_peer_is_called_by_its_address_where_the_port_says_nothing() {
        let label = |address: &str, name: &str| {
            let mut peer = Peer::new(Asn(1), Asn(2), address.parse::<IpAddr>().unwrap());
            peer.name = name.to_owned();
            peer_label(&peer)
        };
        assert_eq!(label("172.22.35.1", "172.22.35.1:179"), "172.22.35.1");
        assert_eq!(label("172.22.35.1", "172.22.35.1:179#2"), "172.22.35.1#2");
        assert_eq!(label("172.22.35.1", "172.22.35.1:1790"), "172.22.35.1:1790");
        assert_eq!(label("fd00::1", "[fd00::1]:179"), "fd00::1");
        assert_eq!(label("172.22.35.1", "tor"), "tor");
    }
}
