//! Socket options: what BGP wants of TCP and what a peer's configuration asks for.
//!
//! It makes and prepares sockets. It does not connect, accept, read or write.

use std::{fmt, io, net::SocketAddr, time::Duration};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
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
        md5::set_key(&socket, remote, password.as_bytes())
            .map_err(|error| explain(error, format_args!("cannot set the TCP MD5 password")))?;
    }
    if let Some(local) = config.transport.local_address {
        socket
            .bind(SocketAddr::new(local, 0))
            .map_err(|error| explain(error, format_args!("cannot dial from {local}")))?;
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
    socket.set_tcp_keepalive(&probes())?;
    if let Some(hops) = config.transport.ttl {
        match remote {
            SocketAddr::V4(_) => socket.set_ttl_v4(hops.into())?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(hops.into())?,
        }
    }
    set_class(socket, remote)
}

/// TCP's own question whether the other end still knows of the connection. A router that lost its
/// power answers with a reset as soon as it is back, so that no dead connection stands in the way
/// of its next one. Silence is the HoldTimer's business: ten minutes of it pass before TCP gives
/// up, which is for connections without that timer.
fn probes() -> TcpKeepalive {
    TcpKeepalive::new().with_time(PROBE_TIME).with_interval(PROBE_TIME).with_retries(PROBES_MOST)
}

/// Marks what is sent as network control, as routing protocols are (RFC 4594 section 3.1).
fn set_class(socket: SockRef<'_>, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(CLASS_SELECTOR_6),
        SocketAddr::V6(_) => socket.set_tclass_v6(CLASS_SELECTOR_6),
    }
}

/// The same kind of error with what was tried, since an operator sees only its text.
fn explain(error: io::Error, tried: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(error.kind(), format!("{tried}: {error}"))
}

/// DSCP CS6 in the place where the octet of RFC 2474 has it.
const CLASS_SELECTOR_6: u32 = 0b110_000 << 2;
const BACKLOG: i32 = 128;
const PROBE_TIME: Duration = Duration::from_secs(5);
/// The most that Linux takes.
const PROBES_MOST: u32 = 127;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use bgp_core::Asn;

    use super::*;

    fn config(address: &str) -> PeerConfig {
        PeerConfig::new(address.parse::<IpAddr>().unwrap(), Asn(64_500))
    }

    #[tokio::test]
    async fn a_dialling_socket_is_marked_prompt_and_bound() {
        let local = "127.0.0.9".parse().unwrap();
        let socket = dialling(&config("127.0.0.1").local_address(local).ttl(3)).unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), local);
        let options = SockRef::from(&socket);
        assert!(options.tcp_nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), PROBE_TIME);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), PROBE_TIME);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), PROBES_MOST);
        assert_eq!(options.tos_v4().unwrap(), 0xC0);
        assert_eq!(options.ttl_v4().unwrap(), 3);
    }

    #[tokio::test]
    async fn an_ipv6_socket_has_the_same_options_by_other_names() {
        let socket = dialling(&config("::1").ttl(255)).unwrap();
        let options = SockRef::from(&socket);
        assert_eq!(options.tclass_v6().unwrap(), 0xC0);
        assert_eq!(options.unicast_hops_v6().unwrap(), 255);
    }

    #[tokio::test]
    async fn without_a_ttl_the_systems_own_is_left_alone() {
        let plain = TcpSocket::new_v4().unwrap();
        let dialling = dialling(&config("127.0.0.1")).unwrap();
        let ttl = |socket: &TcpSocket| SockRef::from(socket).ttl_v4().unwrap();
        assert_eq!(ttl(&dialling), ttl(&plain));
    }

    #[tokio::test]
    async fn both_wildcard_addresses_share_a_port() {
        let v4 = listening("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = v4.local_addr().unwrap().port();
        assert!(listening(SocketAddr::new("::".parse().unwrap(), port)).is_ok());
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_named() {
        let foreign = "192.0.2.99".parse().unwrap();
        let error = dialling(&config("127.0.0.1").local_address(foreign)).unwrap_err();
        assert!(error.to_string().starts_with("cannot dial from 192.0.2.99: "), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_password_goes_on_and_comes_off_a_listener() {
        for (listen, peer) in [("127.0.0.1:0", "127.0.0.2:179"), ("[::1]:0", "[2001:db8::1]:179")] {
            let listener = listening(listen.parse().unwrap()).unwrap();
            let peer = peer.parse().unwrap();
            md5::set_key(&listener, peer, b"s3cret").unwrap();
            md5::remove_key(&listener, peer).unwrap();
            assert!(md5::remove_key(&listener, peer).is_err(), "there was one to remove");
        }
    }
}
