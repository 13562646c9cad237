//! The raw socket of neighbour discovery: ICMPv6 on one interface, which receives only router solicitations and
//! advertisements.
//!
//! It moves octets. The module `discovery` reads them.

use std::{io, net::Ipv6Addr};

use socket2::{Domain, Protocol, Socket, Type};
#[cfg(target_os = "linux")]
use tokio::io::Interest;

use super::{bfd::Arrival, explain};

/// An interface: the facts that its messages need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    /// Our link-local address on it.
    pub(crate) address: Ipv6Addr,
}

/// A socket for one interface.
pub(crate) struct Icmp6 {
    #[cfg(target_os = "linux")]
    /// The runtime treats all datagram sockets alike.
    socket: tokio::net::UdpSocket,
    #[cfg(target_os = "linux")]
    index: u32,
}

/// Opens a raw socket. The error explains the missing permission.
fn raw() -> io::Result<Socket> {
    Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).map_err(|error| {
        match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                "router advertisements need the capability NET_RAW, which this process doesn't have",
            ),
            _ => explain(error, format_args!("cannot open a socket for router advertisements")),
        }
    })
}

#[cfg(target_os = "linux")]
impl Link {
    /// Finds the interface of this name, if it exists and has a link-local address.
    pub(crate) fn find(interface: &str) -> io::Result<Self> {
        let index = nix::net::if_::if_nametoindex(interface).map_err(|error| {
            explain(error.into(), format_args!("there is no interface {interface}"))
        })?;

        let link_local = nix::ifaddrs::getifaddrs()?
            .filter(|own| own.interface_name == interface)
            .filter_map(|own| Some(own.address?.as_sockaddr_in6()?.ip()))
            .find(Ipv6Addr::is_unicast_link_local);
        let Some(address) = link_local else {
            let text = format!("the interface {interface} has no link-local address");
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        };
        Ok(Self { index, address })
    }
}

#[cfg(target_os = "linux")]
impl Icmp6 {
    /// Fails if this process may not open such a socket.
    pub(crate) fn permitted() -> io::Result<()> {
        raw().map(drop)
    }

    pub(crate) fn open(interface: &str, link: Link) -> io::Result<Self> {
        let socket = raw()?;
        super::bind_device(&socket, Some(interface))?;
        prepare(&socket, link)
            .map_err(|error| explain(error, format_args!("cannot advertise on {interface}")))?;

        let socket = tokio::net::UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, index: link.index })
    }

    /// Waits for the next message. May be dropped at any time without loss.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.socket.async_io(Interest::READABLE, || super::bfd::receive(&self.socket, buffer)).await
    }

    pub(crate) fn send(&self, octets: &[u8], to: Ipv6Addr) -> io::Result<()> {
        let to = std::net::SocketAddrV6::new(to, 0, 0, self.index);
        self.socket.try_send_to(octets, to.into()).map(drop)
    }
}

/// Sets the options and binds the socket to our address on the link.
#[cfg(target_os = "linux")]
fn prepare(socket: &Socket, link: Link) -> io::Result<()> {
    socket.set_unicast_hops_v6(255)?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(link.index)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_recv_hoplimit_v6(true)?;
    super::option::set(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &filter())?;

    // Solicitations go to this group.
    let all_routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
    socket.join_multicast_v6(&all_routers, link.index)?;

    let own = std::net::SocketAddrV6::new(link.address, 0, 0, link.index);
    socket.bind(&own.into())?;
    socket.set_nonblocking(true)
}

/// `struct icmp6_filter`: a bit for each type, set if it is not wanted.
#[cfg(target_os = "linux")]
fn filter() -> [u8; 32] {
    let mut words = [u32::MAX; 8];
    for kind in [133_usize, 134] {
        words[kind / 32] &= !(1 << (kind % 32));
    }
    let mut octets = [0; 32];
    for (place, word) in octets.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    octets
}

#[cfg(target_os = "linux")]
const ICMP6_FILTER: libc::c_int = 1;

#[cfg(not(target_os = "linux"))]
impl Link {
    pub(crate) fn find(_interface: &str) -> io::Result<Self> {
        Err(unsupported())
    }
}

#[cfg(not(target_os = "linux"))]
impl Icmp6 {
    pub(crate) fn permitted() -> io::Result<()> {
        raw().and(Err(unsupported()))
    }

    pub(crate) fn open(_interface: &str, _link: Link) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) async fn receive(&self, _buffer: &mut [u8]) -> io::Result<Arrival> {
        std::future::pending().await
    }

    pub(crate) fn send(&self, _octets: &[u8], _to: Ipv6Addr) -> io::Result<()> {
        Err(unsupported())
    }
}

#[cfg(not(target_os = "linux"))]
fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "peers by interface need Linux")
}
