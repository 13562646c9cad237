//! The UDP sockets of BFD (RFC 5881 section 4): one for each local address to receive, one for each session to send,
//! from a port of its own.
//!
//! It opens them and moves datagrams. The module `bfd` of the crate reads them.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;

use super::{bind_device, explain, set_class};

/// A received datagram: its length, its sender, and the time to live that was left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) octets: usize,
    pub(crate) source: SocketAddr,
    pub(crate) ttl: u8,
}

/// Receives the datagrams to one local address.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: tokio::net::UdpSocket,
    /// The number of times that the system was asked for a datagram.
    #[cfg(test)]
    pub(crate) queries: std::sync::atomic::AtomicUsize,
}

impl Receiver {
    /// Binds `local`. No other process may receive there, because only one of the two would get the datagrams.
    pub(crate) fn bind(local: SocketAddr, device: Option<&str>) -> io::Result<Self> {
        let socket = Self::bound_socket(local, device)
            .map_err(|error| explain(error, format_args!("cannot receive BFD at {local}")))?;
        Ok(Self {
            socket,
            #[cfg(test)]
            queries: std::sync::atomic::AtomicUsize::new(0),
        })
    }

    fn bound_socket(local: SocketAddr, device: Option<&str>) -> io::Result<tokio::net::UdpSocket> {
        let socket = datagrams(local, device)?;
        receive_ttl(&socket, local)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&SockAddr::from(local))?;
        tokio::net::UdpSocket::from_std(socket.into())
    }

    /// The address at which it receives.
    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for a datagram.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    /// Returns the next datagram, or `WouldBlock`, after which [`Receiver::poll_ready`] waits.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.socket.try_io(Interest::READABLE, || self.receive_unnoticed(buffer))
    }

    /// Returns the next datagram, even if the runtime was too busy to notice it yet.
    pub(crate) fn receive_unnoticed(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        #[cfg(test)]
        self.queries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        receive(&self.socket, buffer)
    }
}

/// Sends to one peer.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Sender {
    /// Opens a socket to `remote`. Its port is in the range of RFC 5881 section 4, tried from `first` on. Without a
    /// local address the routing table selects one.
    pub(crate) fn connect(
        remote: SocketAddr,
        local: Option<IpAddr>,
        device: Option<&str>,
        first: u16,
    ) -> io::Result<Self> {
        let socket = Self::connected_socket(remote, local, device, first)
            .map_err(|error| explain(error, format_args!("cannot send BFD to {remote}")))?;
        Ok(Self { local: socket.local_addr()?, socket })
    }

    fn connected_socket(
        remote: SocketAddr,
        local: Option<IpAddr>,
        device: Option<&str>,
        first: u16,
    ) -> io::Result<UdpSocket> {
        let socket = datagrams(remote, device)?;
        bind_source(&socket, remote, local, first)?;
        socket.connect(&SockAddr::from(remote))?;
        Ok(socket.into())
    }

    /// Our end.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends a datagram, or fails.
    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<()> {
        match self.socket.send(octets) {
            // The error is about an earlier datagram, which the other end refused. This one has not been sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.socket.send(octets).map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

/// Opens a UDP socket. Its packets are marked as network control, and leave with a time to live of 255, by which a neighbour
/// knows that they come from the link.
fn datagrams(address: SocketAddr, device: Option<&str>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    match address {
        SocketAddr::V4(_) => socket.set_ttl_v4(255)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_unicast_hops_v6(255)?;
        }
    }

    bind_device(&socket, device)?;
    set_class(&socket, address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_source(
    socket: &Socket,
    remote: SocketAddr,
    local: Option<IpAddr>,
    first: u16,
) -> io::Result<()> {
    let mut source = super::source(remote, local, 0);
    let offset = first % SOURCE_PORTS;
    let ports = (0..SOURCE_PORTS).map(|n| FIRST_SOURCE_PORT + (offset + n) % SOURCE_PORTS);
    for port in ports {
        source.set_port(port);
        match socket.bind(&SockAddr::from(source)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(target_os = "linux")]
fn receive_ttl(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    match local {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?,
        SocketAddr::V6(_) => socket.set_recv_hoplimit_v6(true)?,
    }
    Ok(())
}

/// Receives a datagram with its time to live. Where the system does not report that, it counts as 0.
#[cfg(target_os = "linux")]
pub(super) fn receive(
    socket: &impl std::os::fd::AsRawFd,
    buffer: &mut [u8],
) -> io::Result<Arrival> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

    let mut control = [0; CONTROL_ROOM];
    let mut parts = [io::IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;

    let ttl = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => Some(ttl),
        _ => None,
    });
    let ttl = ttl.and_then(|ttl| u8::try_from(ttl).ok()).unwrap_or(0);

    let address = message.address.as_ref();
    let v4 = address
        .and_then(|address| address.as_sockaddr_in())
        .map(|address| SocketAddr::V4((*address).into()));
    let v6 = address
        .and_then(|address| address.as_sockaddr_in6())
        .map(|address| SocketAddr::V6((*address).into()));
    let source = v4.or(v6).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Arrival { octets: message.bytes, source, ttl })
}

#[cfg(not(target_os = "linux"))]
fn receive_ttl(_socket: &Socket, _local: SocketAddr) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "BFD needs Linux"))
}

#[cfg(not(target_os = "linux"))]
fn receive(_socket: &tokio::net::UdpSocket, _buffer: &mut [u8]) -> io::Result<Arrival> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "BFD needs Linux"))
}

const FIRST_SOURCE_PORT: u16 = 49_152;
const SOURCE_PORTS: u16 = 16_384;
/// The size of a receive buffer in octets, of which Linux grants twice as many and counts at least 500 for each datagram.
const RECEIVE_BUFFER: usize = 256 * 1_024;
/// More datagrams than can wait in a receive buffer.
pub(crate) const MOST_WAITING: usize = 2_048;
/// More octets than a header and a number need on any machine.
#[cfg(target_os = "linux")]
const CONTROL_ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_datagram_comes_with_its_time_to_live_and_its_source() {
        for (local, from) in [("127.0.0.77:0", "127.0.0.78"), ("[::1]:0", "::1")] {
            let receiver = Receiver::bind(local.parse().unwrap(), Some("lo")).unwrap();
            let remote = receiver.socket.local_addr().unwrap();
            let sender = Sender::connect(remote, Some(from.parse().unwrap()), None, 7).unwrap();
            sender.send(b"twenty-four octets, or so").unwrap();
            std::future::poll_fn(|cx| receiver.poll_ready(cx)).await.unwrap();
            let mut buffer = [0; 100];
            let arrival = receiver.receive(&mut buffer).unwrap();
            assert_eq!(arrival, Arrival { octets: 25, source: sender.local(), ttl: 255 });
            let empty = receiver.receive_unnoticed(&mut buffer).unwrap_err();
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        }
    }

    /// The driver judges deadlines after it has taken this many packets. If more could wait, a flood could hide the packet
    /// that keeps a session up.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_buffer_holds_fewer_datagrams_than_the_driver_takes_at_once() {
        let receiver = Receiver::bind("127.0.0.80:0".parse().unwrap(), None).unwrap();
        let remote = receiver.socket.local_addr().unwrap();
        let sender = Sender::connect(remote, None, None, 11).unwrap();
        for _ in 0..3 * MOST_WAITING {
            sender.send(&[0; 24]).unwrap();
        }

        let mut buffer = [0; 100];
        let mut waiting = 0;
        while receiver.receive_unnoticed(&mut buffer).is_ok() {
            waiting += 1;
        }
        assert!((100..MOST_WAITING).contains(&waiting), "{waiting}");
    }

    #[test]
    fn every_session_has_a_source_port_of_its_own_in_the_range() {
        let remote = "127.0.0.77:3784".parse().unwrap();
        let local = Some("127.0.0.79".parse().unwrap());
        let first = u16::MAX;
        let senders: Vec<_> =
            (0..20).map(|_| Sender::connect(remote, local, None, first).unwrap()).collect();
        let mut ports: Vec<u16> = senders.iter().map(|sender| sender.local().port()).collect();
        assert!(ports.iter().all(|port| *port >= FIRST_SOURCE_PORT), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_error_names_a_port_that_is_in_use() {
        let first = Receiver::bind("127.0.0.77:0".parse().unwrap(), None).unwrap();
        let taken = first.socket.local_addr().unwrap();
        let error = Receiver::bind(taken, None).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("cannot receive BFD at {taken}: ")),
            "{error}"
        );
    }
}
