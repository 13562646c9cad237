//! [`Connector`]: opens connections to peers, and [`Transport`]: an open connection.
//!
//! The default connector dials TCP. Another one may use a pipe in a test, a proxy or a namespace.

use std::{fmt, future::Future, io, pin::Pin};

use bgp_core::peer::Endpoints;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use crate::{PeerConfig, socket};

/// An attempt to open a connection.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// Opens connections to peers.
pub trait Connector: Send + Sync + 'static {
    /// Starts to connect to the peer. The speaker drops the future when it no longer wants the connection. The future
    /// should give up after the peer's [`connect_limit`](PeerConfig::connect_limit).
    fn connect(&self, peer: &PeerConfig) -> Connecting;
}

/// The default connector, which dials TCP with the peer's socket options.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(&self, peer: &PeerConfig) -> Connecting {
        let limit = peer.connect_limit();
        let remote = peer.address();
        let socket = socket::dialling(peer);
        Box::pin(async move {
            let stream = timeout(limit, socket?.connect(remote))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            stream.try_into()
        })
    }
}

/// An open connection: two halves of a reliable byte stream, and the addresses of its ends.
pub struct Transport {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) endpoints: Endpoints,
}

impl Transport {
    /// A connection made of two halves. Written octets must leave without a flush. Routes without a next hop of their own
    /// get the address of `endpoints.local`.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        endpoints: Endpoints,
    ) -> Self {
        Self { reader: Box::new(reader), writer: Box::new(writer), endpoints }
    }

    /// The addresses of the two ends.
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints
    }
}

impl TryFrom<TcpStream> for Transport {
    type Error = io::Error;

    /// # Errors
    ///
    /// The connection has been reset already, so it has no addresses.
    fn try_from(stream: TcpStream) -> io::Result<Self> {
        let endpoints = Endpoints { local: stream.local_addr()?, remote: stream.peer_addr()? };
        let (reader, writer) = stream.into_split();
        Ok(Self::new(reader, writer, endpoints))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
