//! The short names of peers in texts for operators.

use crate::model::Peer;

/// Returns the name of a peer without BGP's default port.
pub fn peer_label(peer: &Peer) -> String {
    let address = peer.address.to_string();
    let after_address = peer
        .name
        .strip_prefix(&address)
        .or_else(|| peer.name.strip_prefix(&format!("[{address}]")));
    let Some(rest) = after_address.and_then(|rest| rest.strip_prefix(":179")) else {
        return peer.name.clone();
    };

    // `#2` marks the second peer at one address. Anything else belongs to a longer port.
    if rest.is_empty() || rest.starts_with('#') {
        format!("{address}{rest}")
    } else {
        peer.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::model::Asn;

    #[test]
    fn a_peer_label_omits_the_default_port() {
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
