//! [`PeerId`] and [`PeerAddress`]: a peer's name within a speaker, and the address to dial.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

/// The name of a peer within a speaker: its address, and for a link-local one the interface too.
///
/// An IPv4-mapped IPv6 address is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    address: IpAddr,
    scope_id: u32,
}

impl PeerId {
    /// The peer's IP address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The index of the interface that a link-local address is on, otherwise 0.
    pub fn scope_id(self) -> u32 {
        self.scope_id
    }

    /// The address with a port.
    pub(crate) fn with_port(self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V4(address) => (address, port).into(),
            IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, self.scope_id).into(),
        }
    }
}

impl From<IpAddr> for PeerId {
    fn from(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), scope_id: 0 }
    }
}

impl From<SocketAddr> for PeerId {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
                Self { address: address.ip(), scope_id: v6.scope_id() }
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip().into(),
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope_id {
            0 => write!(f, "{}", self.address),
            scope_id => write!(f, "{}%{scope_id}", self.address),
        }
    }
}

/// A peer and the TCP port to dial it on; made from an IP address (port 179) or a socket address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    id: PeerId,
    port: u16,
}

impl PeerAddress {
    /// The port that RFC 4271 gives to BGP.
    pub const BGP_PORT: u16 = 179;

    /// The peer `id` at the TCP port `port`.
    pub fn new(id: PeerId, port: u16) -> Self {
        Self { id, port }
    }

    /// The peer.
    pub fn id(self) -> PeerId {
        self.id
    }

    /// The port.
    pub fn port(self) -> u16 {
        self.port
    }

    /// The address and port as the system takes them.
    pub fn socket_addr(self) -> SocketAddr {
        self.id.with_port(self.port)
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.into(), address.port())
    }
}

impl From<IpAddr> for PeerAddress {
    fn from(address: IpAddr) -> Self {
        Self::new(address.into(), Self::BGP_PORT)
    }
}

impl From<Ipv4Addr> for PeerAddress {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<Ipv6Addr> for PeerAddress {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::from(address).into()
    }
}
