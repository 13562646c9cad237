//! A BGP peer: a router to which the nodes announce routes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::selector::matches_any_or_empty;
use super::{Asn, BgpIdentifier, DisabledCapability, IpFamily, LabelSelector, Labels};

/// A router, and the parameters of the sessions with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Unique in the configuration: the configured name, or the address and port.
    pub name: String,
    /// The nodes' AS.
    pub my_asn: Asn,
    /// The router's AS.
    pub peer_asn: PeerAsn,
    /// Another AS that the nodes present to this router in place of their own.
    pub local_asn: Option<Asn>,
    /// The address of the router, or the interface that leads to it.
    pub address: PeerAddress,
    /// The router's TCP port.
    pub port: u16,
    /// The source address of the connection; if none, the speaker chooses.
    pub source_address: Option<IpAddr>,
    /// The hold time to propose, in whole seconds; zero means a session without keepalives.
    pub hold_time: Duration,
    /// The time between keepalives, in whole seconds; if none, a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// The time between attempts to connect, in whole seconds; if none, the speaker chooses.
    pub connect_time: Option<Duration>,
    /// The BGP Identifier; if none, the speaker uses the node's address.
    pub router_id: Option<BgpIdentifier>,
    /// The nodes that connect to the router: those selected by one of these, or all nodes if empty.
    pub node_selectors: Vec<LabelSelector>,
    /// The password of TCP MD5 signatures (RFC 2385).
    pub password: Option<Password>,
    /// The name of the Secret that contains the password, if there is one.
    pub password_secret: Option<String>,
    /// The name of the BFD profile; if none, there are no BFD sessions.
    pub bfd_profile: Option<String>,
    /// True if the router is asked to retain routes over a restart of the speaker (RFC 4724).
    pub graceful_restart: bool,
    /// True if a router in another AS may be more than one hop away.
    pub ebgp_multihop: bool,
    /// True if routes of both families are sent, not only those of the family that the session runs over.
    pub dual_stack: bool,
    /// The next hop of the routes; if none, the speaker chooses.
    pub next_hop: Option<NextHopPolicy>,
    /// The capabilities that are not offered, sorted and without duplicates. At least one address family remains.
    pub without_capabilities: Vec<DisabledCapability>,
}

impl Peer {
    /// The port of BGP (RFC 4271 section 4.2).
    pub const DEFAULT_PORT: u16 = 179;
    /// MetalLB's hold time, which RFC 4271 section 10 also suggests.
    pub const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(90);

    /// Makes a peer with all defaults, named by its address and port.
    pub fn new(my_asn: Asn, peer_asn: impl Into<PeerAsn>, address: impl Into<PeerAddress>) -> Self {
        let address = address.into();

        Self {
            name: address.with_port(Self::DEFAULT_PORT),
            my_asn,
            peer_asn: peer_asn.into(),
            local_asn: None,
            address,
            port: Self::DEFAULT_PORT,
            source_address: None,
            hold_time: Self::DEFAULT_HOLD_TIME,
            keepalive_time: None,
            connect_time: None,
            router_id: None,
            node_selectors: Vec::new(),
            password: None,
            password_secret: None,
            bfd_profile: None,
            graceful_restart: false,
            ebgp_multihop: false,
            dual_stack: false,
            next_hop: None,
            without_capabilities: Vec::new(),
        }
    }

    /// Returns true if a node with these labels connects to the router.
    pub fn selects(&self, labels: &Labels) -> bool {
        matches_any_or_empty(&self.node_selectors, labels)
    }

    /// The address and port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`. Two peers may have the same.
    pub fn endpoint(&self) -> String {
        self.address.with_port(self.port)
    }

    /// The address and port to connect to, if the address is configured.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address.ip()?, self.port))
    }

    /// The AS that the nodes present to the router.
    pub fn shown_asn(&self) -> Asn {
        self.local_asn.unwrap_or(self.my_asn)
    }

    /// The AS that the router must have; `None` accepts any but the nodes' own.
    pub fn expected_asn(&self) -> Option<Asn> {
        match self.peer_asn {
            PeerAsn::Number(asn) => Some(asn),
            PeerAsn::Internal => Some(self.shown_asn()),
            PeerAsn::External => None,
        }
    }

    /// Returns true if the session is internal. LOCAL_PREF is sent on internal sessions only.
    pub(crate) fn is_internal(&self) -> bool {
        self.expected_asn() == Some(self.shown_asn())
    }

    /// The next hop of the routes, given the default of the process. An interface always uses the session's address by
    /// default, since its link may have no others.
    pub(crate) fn next_hop_or<'a>(&'a self, default: &'a NextHopPolicy) -> &'a NextHopPolicy {
        match (&self.next_hop, &self.address) {
            (Some(configured), _) => configured,
            (None, PeerAddress::Interface(_)) => &NextHopPolicy::SessionAddress,
            (None, PeerAddress::Ip(_)) => default,
        }
    }

    /// Returns true if routes of this family are sent: those of the family that the session runs over, or both.
    /// Link-local sessions of an interface carry both.
    pub fn carries(&self, family: IpFamily) -> bool {
        self.dual_stack || self.address.ip().is_none_or(|address| IpFamily::of(address) == family)
    }
}

/// The AS of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these")]
pub enum PeerAsn {
    /// This AS.
    Number(Asn),
    /// The nodes' own AS.
    Internal,
    /// Any other AS; the router's OPEN says which.
    External,
}

impl From<Asn> for PeerAsn {
    fn from(asn: Asn) -> Self {
        Self::Number(asn)
    }
}

impl fmt::Display for PeerAsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(asn) => asn.fmt(f),
            Self::Internal => f.write_str("internal"),
            Self::External => f.write_str("external"),
        }
    }
}

/// The address of a router, or the interface that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these")]
pub enum PeerAddress {
    /// A router at this address.
    Ip(IpAddr),
    /// The router at the other end of this interface of the node, at an address that is not configured (unnumbered).
    Interface(String),
}

impl PeerAddress {
    /// The address, if it is configured.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Interface(_) => None,
        }
    }

    /// Formats the address with a port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`.
    fn with_port(&self, port: u16) -> String {
        match self {
            Self::Ip(address) => SocketAddr::new(*address, port).to_string(),
            Self::Interface(name) => format!("{name}:{port}"),
        }
    }
}

impl From<IpAddr> for PeerAddress {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Interface(name) => f.write_str(name),
        }
    }
}

/// The next hop of announced routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NextHopPolicy {
    /// The local address of the session, which need not be configured.
    #[default]
    SessionAddress,
    /// The node's first address of the prefix's family, for sessions that do not use the addresses of the traffic.
    NodeAddress,
    /// The one of these addresses that is of the prefix's family. If there is none, the session's address.
    Addresses(Vec<IpAddr>),
}

impl fmt::Display for NextHopPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionAddress => f.write_str("session"),
            Self::NodeAddress => f.write_str("node"),
            Self::Addresses(addresses) => {
                let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

/// A password. `Debug` does not print it, so that no log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Makes a password of a text, blanks included.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the password, for the socket only.
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

    fn peer_at(address: &str) -> Peer {
        Peer::new(Asn(64636), Asn(64635), address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn debug_of_a_peer_does_not_show_its_password() {
        let mut peer = peer_at("172.22.35.1");
        peer.password = Some(Password::new("opensesame"));
        let shown = format!("{peer:?}");
        assert!(!shown.contains("opensesame"), "{shown}");
        assert!(shown.contains("Password(...)"), "{shown}");
    }

    #[test]
    fn a_peer_is_named_by_address_and_port() {
        let v4 = peer_at("172.22.35.1");
        let v6 = peer_at("fd00::1");
        assert_eq!((v4.name.as_str(), v6.name.as_str()), ("172.22.35.1:179", "[fd00::1]:179"));
    }

    #[test]
    fn selectors_of_a_peer_are_alternatives_and_none_selects_all() {
        let mut peer = peer_at("172.22.35.1");
        let labels = Labels::from([("rack".to_owned(), "b".to_owned())]);
        assert!(peer.selects(&labels));
        for value in ["a", "b"] {
            let mut selector = LabelSelector::default();
            selector.match_labels.insert("rack".to_owned(), value.to_owned());
            peer.node_selectors.push(selector);
            assert_eq!(peer.selects(&labels), value == "b");
        }
    }

    #[test]
    fn a_session_is_internal_by_the_as_presented_to_the_router() {
        let mut peer = peer_at("172.22.35.1");
        assert!(!peer.is_internal());
        peer.local_asn = Some(Asn(64635));
        assert!(peer.is_internal());
        peer.peer_asn = PeerAsn::Number(Asn(64636));
        assert!(!peer.is_internal());
        peer.peer_asn = PeerAsn::Internal;
        assert!(peer.is_internal() && peer.expected_asn() == Some(Asn(64635)));
        peer.peer_asn = PeerAsn::External;
        assert!(!peer.is_internal() && peer.expected_asn().is_none());
    }

    #[test]
    fn a_session_carries_the_family_that_it_runs_over_or_both() {
        let mut peer = peer_at("fd00::1");
        assert!(peer.carries(IpFamily::Ipv6) && !peer.carries(IpFamily::Ipv4));
        peer.dual_stack = true;
        assert!(peer.carries(IpFamily::Ipv4));
        let unnumbered =
            Peer::new(Asn(1), PeerAsn::External, PeerAddress::Interface("eth1".to_owned()));
        assert!(unnumbered.carries(IpFamily::Ipv4) && unnumbered.carries(IpFamily::Ipv6));
        assert_eq!(unnumbered.endpoint(), "eth1:179");
    }
}
