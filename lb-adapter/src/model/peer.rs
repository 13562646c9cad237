//! A router that the nodes speak BGP to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Asn, BgpIdentifier, Labels, NodeSelector};

/// One router, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Unique in the configuration: what it was named, or its address and port.
    pub name: String,
    /// The AS that the nodes are in.
    pub my_asn: Asn,
    /// The AS that the router is in.
    pub peer_asn: Asn,
    /// The router's address.
    pub address: IpAddr,
    /// The router's TCP port.
    pub port: u16,
    /// The hold time to propose, in whole seconds; zero is a session without keepalives.
    pub hold_time: Duration,
    /// The BGP Identifier to use; none leaves it to the speaker (the node's address).
    pub router_id: Option<BgpIdentifier>,
    /// The nodes that speak to it: those that one of these selects, or all if there is none.
    pub node_selectors: Vec<NodeSelector>,
    /// The password of TCP MD5 signatures (RFC 2385).
    pub password: Option<Password>,
}

impl Peer {
    /// The port of BGP (RFC 4271 section 4.2).
    pub const DEFAULT_PORT: u16 = 179;
    /// MetalLB's hold time, also the one suggested by RFC 4271 section 10.
    pub const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(90);

    /// A peer with every default, named by its address and port.
    pub fn new(my_asn: Asn, peer_asn: Asn, address: IpAddr) -> Self {
        Self {
            name: SocketAddr::new(address, Self::DEFAULT_PORT).to_string(),
            my_asn,
            peer_asn,
            address,
            port: Self::DEFAULT_PORT,
            hold_time: Self::DEFAULT_HOLD_TIME,
            router_id: None,
            node_selectors: Vec::new(),
            password: None,
        }
    }

    /// Whether a node with these labels speaks to it.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.node_selectors.is_empty()
            || self.node_selectors.iter().any(|selector| selector.matches(labels))
    }
}

/// A password, which no log shows: `Debug` prints a row of dots whatever it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the password as it is, blanks included.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the socket and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_peer_does_not_show_its_password() {
        let mut peer = Peer::new(Asn(64636), Asn(64635), "172.22.35.1".parse().unwrap());
        peer.password = Some(Password::new("opensesame"));
        let shown = format!("{peer:?}");
        assert!(!shown.contains("opensesame"), "{shown}");
        assert!(shown.contains("Password(...)"), "{shown}");
    }

    #[test]
    fn a_peer_is_named_by_address_and_port() {
        let v4 = Peer::new(Asn(1), Asn(2), "172.22.35.1".parse().unwrap());
        let v6 = Peer::new(Asn(1), Asn(2), "fd00::1".parse().unwrap());
        assert_eq!((v4.name.as_str(), v6.name.as_str()), ("172.22.35.1:179", "[fd00::1]:179"));
    }

    #[test]
    fn selectors_of_a_peer_are_alternatives_and_none_selects_all() {
        let mut peer = Peer::new(Asn(1), Asn(2), "172.22.35.1".parse().unwrap());
        let labels = Labels::from([("rack".to_owned(), "b".to_owned())]);
        assert!(peer.selects(&labels));
        for value in ["a", "b"] {
            let mut selector = NodeSelector::default();
            selector.match_labels.insert("rack".to_owned(), value.to_owned());
            peer.node_selectors.push(selector);
            assert_eq!(peer.selects(&labels), value == "b");
        }
    }
}
