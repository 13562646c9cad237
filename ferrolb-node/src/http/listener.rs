//! The two kinds of listeners, and the rules by which a process opens them.
//!
//! Owns what happens if an address or a socket is in use. [`super::serve`] serves the connections.

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::protection::Protection;
use super::socket::SocketFile;
use crate::Error;

/// The places where a process answers.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the programs fill it")]
pub struct Listen {
    /// The address.
    pub tcp: TcpListen,
    /// The Unix socket.
    pub socket: SocketListen,
    /// The names, besides IP addresses and `localhost`, that a request over TCP may have in `Host`.
    pub allowed_hosts: Vec<String>,
    /// The protection of the address.
    pub protection: Protection,
}

impl Listen {
    /// Returns no place at all.
    pub fn nowhere() -> Self {
        Self {
            tcp: TcpListen::Off,
            socket: SocketListen::Off,
            allowed_hosts: Vec::new(),
            protection: Protection::default(),
        }
    }
}

/// The TCP address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the programs choose one")]
pub enum TcpListen {
    /// None.
    Off,
    /// This one, which `flag` of the command line gives. It is an error if it cannot be used.
    Given {
        /// The address.
        address: SocketAddr,
        /// The flag.
        flag: &'static str,
    },
    /// The default, or none with a warning if it cannot be used.
    OrNone(SocketAddr),
    /// The default, or another port of the same address.
    OrAnyPort(SocketAddr),
}

/// The Unix socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the programs choose one")]
pub enum SocketListen {
    /// None.
    Off,
    /// This one, which the command line gives. It is an error if it cannot be used.
    Given(PathBuf),
    /// The socket of this name in the first usable directory, or none with a warning.
    Named(String),
}

impl TcpListen {
    /// Opens the listener.
    pub(super) async fn open(self) -> Result<Option<TcpListener>, Error> {
        match self {
            Self::Off => Ok(None),
            Self::Given { address, flag } => {
                let listener = TcpListener::bind(address).await;
                let listener = listener.map_err(|error| {
                    Error::new(format!("cannot listen on {address} ({flag}): {error}"))
                })?;
                Ok(Some(listener))
            }
            Self::OrNone(address) => match TcpListener::bind(address).await {
                Ok(listener) => Ok(Some(listener)),
                Err(error) => {
                    tracing::warn!(
                        %address,
                        "no HTTP, because the default address cannot be used: {error}; --http names another"
                    );
                    Ok(None)
                }
            },
            Self::OrAnyPort(address) => {
                let listener = match TcpListener::bind(address).await {
                    Ok(listener) => Ok(listener),
                    Err(_) => TcpListener::bind(SocketAddr::new(address.ip(), 0)).await,
                };

                if let Err(error) = &listener {
                    tracing::warn!(%address, "no HTTP: {error}");
                }
                Ok(listener.ok())
            }
        }
    }
}

impl SocketListen {
    /// Opens the listener.
    pub(super) async fn open(self) -> Result<Option<(SocketFile, UnixListener)>, Error> {
        match self {
            Self::Off => Ok(None),
            Self::Given(path) => match SocketFile::create(path.clone()).await {
                Ok(opened) => Ok(Some(opened)),
                Err(error) => {
                    let path = path.display();
                    Err(Error::new(format!("cannot listen on {path} (--socket): {error}")))
                }
            },
            Self::Named(name) => match SocketFile::create_named(&name).await {
                Ok(opened) => Ok(Some(opened)),
                Err(error) => {
                    tracing::warn!(
                        "no Unix socket, so that commands cannot act on this process: {error}"
                    );
                    Ok(None)
                }
            },
        }
    }
}

/// A listener whose connections are served.
pub trait Accept {
    /// A connection as it arrives.
    type Connection: Send + 'static;
    /// The octets of a connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for a connection. Cancel safe.
    ///
    /// # Errors
    ///
    /// No connection could be accepted. The next one may be.
    fn accept_connection(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    /// Makes a connection ready for requests. A client may take its time for that.
    ///
    /// # Errors
    ///
    /// The connection cannot be used.
    fn open(
        &self,
        connection: Self::Connection,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;
}

impl Accept for TcpListener {
    type Connection = TcpStream;
    type Stream = TcpStream;

    async fn accept_connection(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }

    fn open(
        &self,
        connection: TcpStream,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send + 'static {
        ready(Ok(connection))
    }
}

impl Accept for UnixListener {
    type Connection = UnixStream;
    type Stream = UnixStream;

    async fn accept_connection(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }

    fn open(
        &self,
        connection: UnixStream,
    ) -> impl Future<Output = io::Result<UnixStream>> + Send + 'static {
        ready(Ok(connection))
    }
}
