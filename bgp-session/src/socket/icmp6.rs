//! The raw socket of neighbour discovery: ICMPv6 on one interface, of which only router solicitations and
//! advertisements arrive.
//!
//! It moves octets. What is in them is the business of `discovery`.

use std::{io, net::Ipv6Addr};

use socket2::{Domain, Protocol, Socket, Type};
#[cfg(target_os = "linux")]
use tokio::io::Interest;

use super::{bfd::Arrival, explain};

/// An interface as its messages need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    /// Our link-local address on it.
    pub(crate) address: Ipv6Addr,
}

/// A socket for one interface.
pub(crate) struct Icmp6 {
    #[cfg(target_os = "linux")]
    /// To the runtime one socket of datagrams is as good as another.
    socket: tokio::net::UdpSocket,
    #[cfg(target_os = "linux")]
    index: u32,
}

/// A raw socket, or in words why not.
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
    /// The interface of that name, if it is there and has a link-local address.
    pub(crate) fn find(interface: &str) -> io::Result<Self> {
        let index = nix::net::if_::if_nametoindex(interface).map_err(|error| {
            explain(error.into(), format_args!("no interface {interface} is there"))
        })?;
        let own = nix::ifaddrs::getifaddrs()?.filter(|it| it.interface_name == interface);
        let addresses = own.filter_map(|it| Some(it.address?.as_sockaddr_in6()?.ip()));
        match addresses.into_iter().find(Ipv6Addr::is_unicast_link_local) {
            Some(address) => Ok(Self { index, address }),
            None => Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("the interface {interface} has no link-local address"),
            )),
        }
    }
}

#[cfg(target_os = "linux")]
impl Icmp6 {
    /// Whether this process may do that at all.
    pub(crate) fn permitted() -> io::Result<()> {
        raw().map(drop)
    }

    pub(crate) fn open(interface: &str, link: Link) -> io::Result<Self> {
        let socket = raw()?;
        super::bind_device(&socket, Some(interface))?;
        let open = || {
            socket.set_unicast_hops_v6(255)?;
            socket.set_multicast_hops_v6(255)?;
            socket.set_multicast_if_v6(link.index)?;
            socket.set_multicast_loop_v6(false)?;
            socket.set_recv_hoplimit_v6(true)?;
            super::option::set(&socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &filter())?;
            // Solicitations are for routers alone.
            let all_routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
            socket.join_multicast_v6(&all_routers, link.index)?;
            let own = std::net::SocketAddrV6::new(link.address, 0, 0, link.index);
            socket.bind(&own.into())?;
            socket.set_nonblocking(true)
        };
        open().map_err(|error| explain(error, format_args!("cannot advertise on {interface}")))?;
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

/// `struct icmp6_filter`: a bit for each type, set where it is not wanted.
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
