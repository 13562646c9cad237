//! Sockets with the options that BGP needs and that a peer's configuration asks for.
//!
//! It opens and prepares sockets. It does not connect, accept, read or write.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::PeerConfig;

pub(crate) mod authentication;
pub(crate) mod bfd;
pub(crate) mod icmp6;
mod networks;
mod option;

pub(crate) use networks::is_on_link;

/// Opens a socket to dial the peer with, sets its options and binds the local address.
pub(crate) fn dialling(config: &PeerConfig) -> io::Result<TcpSocket> {
    let remote = config.address();
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    prepare(&SockRef::from(&socket), remote, config)?;
    authentication::set(&socket, remote.into(), &config.transport)?;
    bind_source(&socket, remote, config)?;
    Ok(socket)
}

/// Checks that the kernel supports the peer's authentication. A later attempt would not change that.
pub(crate) fn probe(config: &PeerConfig) -> io::Result<()> {
    if !config.transport.has_authentication() {
        return Ok(());
    }
    let remote = config.address();
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    authentication::set(&socket, remote.into(), &config.transport)
}

/// Sets the peer's options on an accepted connection, which has the listener's.
pub(crate) fn accepted(stream: &TcpStream, config: &PeerConfig) -> io::Result<()> {
    prepare(&SockRef::from(stream), config.address(), config)
}

/// Opens a listening socket. One for IPv6 accepts IPv6 connections only, so that a speaker may listen on
/// both wildcard addresses.
pub(crate) fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }

    // A restarted speaker must not wait until the old connections have left TIME-WAIT.
    socket.set_reuse_address(true)?;
    // The listener answers SYNs, and a peer with TTL security (RFC 5082) accepts no lower value.
    set_ttl(&socket, address, Some(255))?;
    set_class(&socket, address)?;

    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn prepare(socket: &Socket, remote: SocketAddr, config: &PeerConfig) -> io::Result<()> {
    let transport = &config.transport;
    // Whole messages are written at once, so there is nothing to wait for.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&probes())?;
    #[cfg(target_os = "linux")]
    if let Some(time) = transport.user_timeout {
        socket.set_tcp_user_timeout(Some(time))?;
    }

    set_ttl(socket, remote, transport.reach.ttl())?;
    if let Some(ttl) = transport.reach.minimum_ttl() {
        set_minimum_ttl(socket, remote, ttl)
            .map_err(|error| explain(error, format_args!("cannot set the least TTL to {ttl}")))?;
    }

    bind_device(socket, transport.device.as_deref())?;
    set_code_point(socket, remote, transport.dscp.unwrap_or(CLASS_SELECTOR_6))
}

/// Binds the local address and one of the ports, if they are configured.
fn bind_source(socket: &TcpSocket, remote: SocketAddr, config: &PeerConfig) -> io::Result<()> {
    let local = config.transport.local_address;
    let Some(ports) = &config.transport.source_ports else {
        return if local.is_some() { bind(socket, source(remote, local, 0)) } else { Ok(()) };
    };

    // A port may be used again while its last connection is still in TIME-WAIT.
    socket.set_reuseaddr(true)?;
    let first = fastrand::u16(ports.clone());
    let in_turn = (first..=*ports.end()).chain(*ports.start()..first);
    for port in in_turn {
        match bind(socket, source(remote, local, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
    }

    let text = format!("every port of {} to {} is in use", ports.start(), ports.end());
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

fn bind(socket: &TcpSocket, source: SocketAddr) -> io::Result<()> {
    socket.bind(source).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => error,
        _ => explain(error, format_args!("cannot dial from {}", source.ip())),
    })
}

/// The address to send from. A link-local one has the interface of the remote address.
fn source(remote: SocketAddr, local: Option<IpAddr>, port: u16) -> SocketAddr {
    let unspecified: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut source = SocketAddr::new(local.unwrap_or(unspecified), port);
    if let (SocketAddr::V6(source), SocketAddr::V6(remote)) = (&mut source, remote) {
        if source.ip().is_unicast_link_local() {
            source.set_scope_id(remote.scope_id());
        }
    }
    source
}

/// Sets the time to live of our packets. `None` is the system's own, which an accepted connection would not have otherwise.
fn set_ttl(socket: &Socket, address: SocketAddr, ttl: Option<u8>) -> io::Result<()> {
    let ttl = match ttl {
        Some(ttl) => u32::from(ttl),
        // On Linux, -1 stands for the system's own in both options.
        None if cfg!(target_os = "linux") => u32::MAX,
        None => return Ok(()),
    };
    match address {
        SocketAddr::V4(_) => socket.set_ttl_v4(ttl),
        SocketAddr::V6(_) => socket.set_unicast_hops_v6(ttl),
    }
}

/// Makes the kernel drop packets that arrive with a lower time to live (RFC 5082 section 3).
#[cfg(target_os = "linux")]
fn set_minimum_ttl(socket: &Socket, address: SocketAddr, ttl: u8) -> io::Result<()> {
    let (level, name) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MINTTL),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
    };
    option::set(socket, level, name, &i32::from(ttl).to_ne_bytes())
}

#[cfg(not(target_os = "linux"))]
fn set_minimum_ttl(_socket: &Socket, _address: SocketAddr, _ttl: u8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Binds the socket to an interface, if one is named.
fn bind_device(socket: &Socket, name: Option<&str>) -> io::Result<()> {
    let Some(name) = name else { return Ok(()) };
    #[cfg(target_os = "linux")]
    let bound = socket.bind_device(Some(name.as_bytes()));
    #[cfg(not(target_os = "linux"))]
    let bound = Err::<(), io::Error>(io::ErrorKind::Unsupported.into());
    let _ = &socket;
    bound.map_err(|error| explain(error, format_args!("cannot bind to the interface {name}")))
}

/// The keepalive probes of TCP. A router that lost its power answers one with a reset as soon as it is back, so that no dead
/// connection blocks its next one. The HoldTimer ends connections to silent routers. Without that timer TCP gives up
/// after ten minutes of silence.
fn probes() -> TcpKeepalive {
    TcpKeepalive::new().with_time(PROBE_TIME).with_interval(PROBE_TIME).with_retries(PROBES_MOST)
}

/// Marks our packets as network control, the class of routing protocols (RFC 4594 section 3.1).
fn set_class(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    set_code_point(socket, address, CLASS_SELECTOR_6)
}

/// Sets the Differentiated Services Code Point (RFC 2474): the upper six bits of an octet.
fn set_code_point(socket: &Socket, address: SocketAddr, dscp: u8) -> io::Result<()> {
    let octet = u32::from(dscp) << 2;
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(octet),
        SocketAddr::V6(_) => socket.set_tclass_v6(octet),
    }
}

/// Adds the attempted operation to an error, because an operator sees only its text.
fn explain(error: io::Error, tried: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(error.kind(), format!("{tried}: {error}"))
}

/// DSCP CS6.
const CLASS_SELECTOR_6: u8 = 0b110_000;
/// The number of connections that may wait to be accepted. When a router restarts, all its peers connect at once, and a SYN
/// that finds no room is repeated only after a second. Linux limits it to `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;
const PROBE_TIME: Duration = Duration::from_secs(5);
/// The most that Linux accepts.
const PROBES_MOST: u32 = 127;

#[cfg(test)]
mod tests;
