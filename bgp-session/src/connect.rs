//! [`Connector`]: how a connection to a peer comes into being, and [`Transport`], what it is then.
//!
//! The default dials TCP. Another one may go through a pipe in a test, a proxy or a namespace.

use std::{fmt, future::Future, io, pin::Pin};

use bgp_core::peer::Endpoints;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use crate::{PeerConfig, socket};

/// A connection in the making.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// Opens connections to peers.
pub trait Connector: Send + Sync + 'static {
    /// Starts to connect to the peer. The future is dropped when the attempt is no longer wanted,
    /// and should give up by itself after the peer's
    /// [`connect_limit`](PeerConfig::connect_limit).
    fn connect(&self, peer: &PeerConfig) -> Connecting;
}

/// Dials by TCP with the peer's socket options. What a speaker uses unless told otherwise.
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

/// An open connection: two halves of a reliable byte stream and who is at its ends.
pub struct Transport {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) endpoints: Endpoints,
}

impl Transport {
    /// A connection of the two halves. Whatever is written must leave without a flush. Next hops
    /// that are left to the session are taken from `endpoints.local`.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        endpoints: Endpoints,
    ) -> Self {
        Self { reader: Box::new(reader), writer: Box::new(writer), endpoints }
    }

    /// Who is at the ends.
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints
    }
}

impl TryFrom<TcpStream> for Transport {
    type Error = io::Error;

    /// # Errors
    ///
    /// When the connection has been reset already, so that it has no addresses.
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
