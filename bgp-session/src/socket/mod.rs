//! Socket options: what BGP wants of TCP and what a peer's configuration asks for.
//!
//! It makes and prepares sockets. It does not connect, accept, read or write.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::PeerConfig;

pub(crate) mod md5;

/// A socket to dial the peer with, all options set and the local address bound.
pub(crate) fn dialling(config: &PeerConfig) -> io::Result<TcpSocket> {
    let remote = config.address();
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    prepare(SockRef::from(&socket), remote, config)?;
    if let Some(password) = &config.transport.password {
        md5::set_key(&socket, remote, password.as_bytes())?;
    }
    if let Some(local) = config.transport.local_address {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    Ok(socket)
}

/// Sets the peer's options on an accepted connection.
pub(crate) fn accepted(stream: &TcpStream, config: &PeerConfig) -> io::Result<()> {
    prepare(SockRef::from(stream), config.address(), config)
}

/// A listening socket. One of IPv6 takes IPv6 connections only, so that a speaker may listen on
/// both wildcard addresses.
pub(crate) fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted speaker must not wait for the connections of the one before it to fade.
    socket.set_reuse_address(true)?;
    // Answers to SYNs are sent by the listener.
    set_class(SockRef::from(&socket), address)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn prepare(socket: SockRef<'_>, remote: SocketAddr, config: &PeerConfig) -> io::Result<()> {
    // Whole messages are written at once; there is nothing to wait for.
    socket.set_tcp_nodelay(true)?;
    if let Some(hops) = config.transport.ttl {
        match remote {
            SocketAddr::V4(_) => socket.set_ttl_v4(hops.into())?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(hops.into())?,
        }
    }
    set_class(socket, remote)
}

/// Marks what is sent as network control, as routing protocols are (RFC 4594 section 3.1).
fn set_class(socket: SockRef<'_>, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(CLASS_SELECTOR_6),
        SocketAddr::V6(_) => socket.set_tclass_v6(CLASS_SELECTOR_6),
    }
}

/// DSCP CS6 in the place where the octet of RFC 2474 has it.
const CLASS_SELECTOR_6: u32 = 0b110_000 << 2;
const BACKLOG: i32 = 128;
