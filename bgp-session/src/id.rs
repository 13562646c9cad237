//! [`PeerId`] and [`PeerAddress`]: a peer's name within a speaker, and the address to dial.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    str::FromStr,
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

impl From<Ipv4Addr> for PeerId {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<[u8; 4]> for PeerId {
    fn from(octets: [u8; 4]) -> Self {
        IpAddr::from(octets).into()
    }
}

impl From<Ipv6Addr> for PeerId {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<PeerAddress> for PeerId {
    fn from(address: PeerAddress) -> Self {
        address.id
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
            0 => self.address.fmt(f),
            scope_id => f.pad(&format!("{}%{scope_id}", self.address)),
        }
    }
}

/// Reads what [`Display`](fmt::Display) writes: `192.0.2.1`, `2001:db8::1`, or `fe80::1%2` with the index of an interface.
impl FromStr for PeerId {
    type Err = ParsePeerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParsePeerError { expected: "an IP address such as 192.0.2.1 or fe80::1%2" };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }

        let (address, scope_id) = text.split_once('%').ok_or_else(error)?;
        let address: Ipv6Addr = address.parse().map_err(|_| error())?;
        let scope_id = scope_id.parse().map_err(|_| error())?;
        if !address.is_unicast_link_local() {
            return Err(error());
        }
        Ok(Self { address: address.into(), scope_id })
    }
}

/// A peer and the TCP port to dial it on; made from an IP address (port 179) or a socket address.
///
/// ```
/// use bgp_session::PeerAddress;
///
/// let router: PeerAddress = "192.0.2.1".parse()?;
/// assert_eq!(router.to_string(), "192.0.2.1:179");
/// assert_eq!("[fe80::1%2]:1790".parse::<PeerAddress>()?.port(), 1790);
/// # Ok::<(), bgp_session::ParsePeerError>(())
/// ```
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

impl From<PeerId> for PeerAddress {
    fn from(id: PeerId) -> Self {
        Self::new(id, Self::BGP_PORT)
    }
}

impl From<PeerAddress> for SocketAddr {
    fn from(address: PeerAddress) -> Self {
        address.socket_addr()
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

/// Reads an address with a port, as in `192.0.2.1:1790` and `[fe80::1%2]:1790`, or without one, which stands for port 179.
impl FromStr for PeerAddress {
    type Err = ParsePeerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(with_port) = text.parse::<SocketAddr>() {
            return Ok(with_port.into());
        }

        let expected =
            "an IP address such as 192.0.2.1, or one with a port such as [2001:db8::1]:1790";
        text.parse::<PeerId>().map(Self::from).map_err(|_| ParsePeerError { expected })
    }
}

/// Serializes types as the text that they print, and reads what they parse.
#[cfg(feature = "serde")]
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error| {
                    serde::de::Error::custom(format_args!("{error}, found {text:?}"))
                })
            }
        }
    )+};
}

#[cfg(feature = "serde")]
as_text!(PeerId, PeerAddress);

/// The text was not the address of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParsePeerError {
    expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_prints_and_reads_back() {
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1%2"] {
            assert_eq!(text.parse::<PeerId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("::ffff:192.0.2.1".parse(), Ok(PeerId::from([192, 0, 2, 1])));
        assert_eq!(format!("{:<10}|", "fe80::1%2".parse::<PeerId>().unwrap()), "fe80::1%2 |");
        for text in ["192.0.2.1:1790", "[2001:db8::1]:179", "[fe80::1%2]:1790"] {
            let read = text.parse::<PeerAddress>().map(|address| address.to_string());
            assert_eq!(read, Ok(text.to_owned()));
        }
        assert_eq!("fe80::1%2".parse::<PeerAddress>().unwrap().id().scope_id(), 2);
    }

    #[test]
    fn text_that_is_no_address_is_refused_with_an_example() {
        for text in ["", "router", "192.0.2.1/32", "2001:db8::1%2", "fe80::1%eth0", "192.0.2.1%1"] {
            assert!(text.parse::<PeerId>().is_err(), "{text}");
            let error = text.parse::<PeerAddress>().unwrap_err();
            assert!(error.to_string().contains("such as 192.0.2.1"), "{error}");
        }
    }
}
