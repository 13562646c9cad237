//! A router that the nodes speak BGP to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::selector::any_or_none;
use super::{Asn, BgpIdentifier, DisabledCapability, IpFamily, LabelSelector, Labels};

/// One router, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Unique in the configuration: what it was named, or its address and port.
    pub name: String,
    /// The AS that the nodes are in.
    pub my_asn: Asn,
    /// The AS that the router is in.
    pub peer_asn: PeerAsn,
    /// Another AS that the nodes pretend to be in towards this router.
    pub local_asn: Option<Asn>,
    /// Where the router is.
    pub address: PeerAddress,
    /// The router's TCP port.
    pub port: u16,
    /// The address to dial from; none leaves it to the speaker.
    pub source_address: Option<IpAddr>,
    /// The hold time to propose, in whole seconds; zero is a session without keepalives.
    pub hold_time: Duration,
    /// The time between keepalives, in whole seconds; none is a third of the hold time agreed on.
    pub keepalive_time: Option<Duration>,
    /// The time between attempts to connect, in whole seconds; none leaves it to the speaker.
    pub connect_time: Option<Duration>,
    /// The BGP Identifier to use; none leaves it to the speaker (the node's address).
    pub router_id: Option<BgpIdentifier>,
    /// The nodes that speak to it: those that one of these selects, or all if there is none.
    pub node_selectors: Vec<LabelSelector>,
    /// The password of TCP MD5 signatures (RFC 2385).
    pub password: Option<Password>,
    /// The Secret that the password is from, if it is from one.
    pub password_secret: Option<String>,
    /// The profile of the BFD sessions that watch over it, by name; none is no BFD.
    pub bfd_profile: Option<String>,
    /// Whether the router is asked to keep routes over a restart of the speaker (RFC 4724).
    pub graceful_restart: bool,
    /// Whether an external router may be some hops away.
    pub ebgp_multihop: bool,
    /// Whether routes of the family that the session does not run over are sent too.
    pub dual_stack: bool,
    /// What routes to it name as their next hop; none leaves it to the speaker.
    pub next_hop: Option<NextHopPolicy>,
    /// Capabilities that are not offered, sorted, each once. At least one address family remains.
    pub without_capabilities: Vec<DisabledCapability>,
}

impl Peer {
    /// The port of BGP (RFC 4271 section 4.2).
    pub const DEFAULT_PORT: u16 = 179;
    /// MetalLB's hold time, also the one suggested by RFC 4271 section 10.
    pub const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(90);

    /// A peer with every default, named by its address and port.
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

    /// Whether a node with these labels speaks to it.
    pub fn selects(&self, labels: &Labels) -> bool {
        any_or_none(&self.node_selectors, labels)
    }

    /// Where it is, with its port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`. Two peers may
    /// be alike in it.
    pub fn endpoint(&self) -> String {
        self.address.with_port(self.port)
    }

    /// Address and port to dial, of a router whose address is configured.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address.ip()?, self.port))
    }

    /// The AS that the router sees.
    pub fn shown_asn(&self) -> Asn {
        self.local_asn.unwrap_or(self.my_asn)
    }

    /// The AS that the router must be in; `None` is any but the nodes' own.
    pub fn expected_asn(&self) -> Option<Asn> {
        match self.peer_asn {
            PeerAsn::Number(asn) => Some(asn),
            PeerAsn::Internal => Some(self.shown_asn()),
            PeerAsn::External => None,
        }
    }

    /// Whether the session is an internal one: LOCAL_PREF is for these only.
    pub fn is_internal(&self) -> bool {
        self.expected_asn() == Some(self.shown_asn())
    }

    /// What its routes name as their next hop, where a process has them name this by default. Over an interface that
    /// is always the session's address: its link may have no other ones.
    pub fn next_hop_or<'a>(&'a self, default: &'a NextHopPolicy) -> &'a NextHopPolicy {
        match (&self.next_hop, &self.address) {
            (Some(own), _) => own,
            (None, PeerAddress::Interface(_)) => &NextHopPolicy::SessionAddress,
            (None, PeerAddress::Ip(_)) => default,
        }
    }

    /// Whether routes of this family are sent to it: those of the family that the session runs
    /// over, or both. Link-local sessions of an interface carry both.
    pub fn carries(&self, family: IpFamily) -> bool {
        self.dual_stack || self.address.ip().is_none_or(|address| IpFamily::of(address) == family)
    }
}

/// The AS that a router is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these")]
pub enum PeerAsn {
    /// This one.
    Number(Asn),
    /// The nodes' own, whichever that is.
    Internal,
    /// Any other, as the router says.
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

/// Where a router is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these")]
pub enum PeerAddress {
    /// At this address.
    Ip(IpAddr),
    /// At the other end of this interface of the node, whatever its address is there (unnumbered).
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

    /// With a port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`.
    pub fn with_port(&self, port: u16) -> String {
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

/// What routes name as their next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NextHopPolicy {
    /// The address that the session itself uses, which need not be known here.
    #[default]
    SessionAddress,
    /// The node's first address of the prefix's family, for sessions that run between other
    /// addresses than the traffic.
    NodeAddress,
    /// The one of these addresses that is of the prefix's family; for the other family the session's address.
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

    fn at(address: &str) -> Peer {
        Peer::new(Asn(64636), Asn(64635), address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn debug_of_a_peer_does_not_show_its_password() {
        let mut peer = at("172.22.35.1");
        peer.password = Some(Password::new("opensesame"));
        let shown = format!("{peer:?}");
        assert!(!shown.contains("opensesame"), "{shown}");
        assert!(shown.contains("Password(...)"), "{shown}");
    }

    #[test]
    fn a_peer_is_named_by_address_and_port() {
        let v4 = at("172.22.35.1");
        let v6 = at("fd00::1");
        assert_eq!((v4.name.as_str(), v6.name.as_str()), ("172.22.35.1:179", "[fd00::1]:179"));
    }

    #[test]
    fn selectors_of_a_peer_are_alternatives_and_none_selects_all() {
        let mut peer = at("172.22.35.1");
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
    fn a_session_is_internal_by_the_as_that_the_router_sees() {
        let mut peer = at("172.22.35.1");
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
        let mut peer = at("fd00::1");
        assert!(peer.carries(IpFamily::Ipv6) && !peer.carries(IpFamily::Ipv4));
        peer.dual_stack = true;
        assert!(peer.carries(IpFamily::Ipv4));
        let unnumbered =
            Peer::new(Asn(1), PeerAsn::External, PeerAddress::Interface("eth1".to_owned()));
        assert!(unnumbered.carries(IpFamily::Ipv4) && unnumbered.carries(IpFamily::Ipv6));
        assert_eq!(unnumbered.endpoint(), "eth1:179");
    }
}
