//! A port for a program that a test starts later, or for none.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpSocket;

/// A port that the kernel gives to nobody else. A connection to it is refused until a program that was told the port listens there.
pub(crate) struct ReservedPort(TcpSocket);

impl ReservedPort {
    /// Reserves a free port of this address, until the value is dropped.
    ///
    /// The socket is bound but does not listen. With SO_REUSEADDR, which every listener of ours sets too, a second socket can be bound
    /// beside it, but only by number: the kernel never chooses the port.
    pub(crate) fn of(address: IpAddr) -> Self {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::new(address, 0)).unwrap();
        Self(socket)
    }

    /// The address with the port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}
