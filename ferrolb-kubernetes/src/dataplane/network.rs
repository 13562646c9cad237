//! The connections that the checks of a dataplane open.
//!
//! Owns the sockets. It knows nothing of Services, and sets no time limits.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// A connection or a request under way.
pub type CheckFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The network of a node, as the checks of its dataplane use it.
pub trait DataplaneNetwork: fmt::Debug + Send + Sync {
    /// Requests `/healthz` over HTTP. Returns the status and the body of the answer, or the problem.
    fn healthz(&self, address: SocketAddr) -> CheckFuture<Result<(StatusCode, Bytes), String>>;

    /// Opens a TCP connection whose packets pass at most this number of hops, and closes it.
    fn connect(&self, address: SocketAddr, hops: u8) -> CheckFuture<io::Result<()>>;
}

/// The network of the host that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostNetwork;

/// The longest body that is read.
const BODY: usize = 8192;

impl DataplaneNetwork for HostNetwork {
    fn healthz(&self, address: SocketAddr) -> CheckFuture<Result<(StatusCode, Bytes), String>> {
        Box::pin(healthz(address))
    }

    fn connect(&self, address: SocketAddr, hops: u8) -> CheckFuture<io::Result<()>> {
        Box::pin(connect(address, hops))
    }
}

async fn healthz(address: SocketAddr) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| format!("is not reachable at {address}: {error}"))?;
    request_healthz(stream, address).await
}

/// Requests `/healthz` over HTTP from a server at this address, over a connection to it. Returns the status and the body of the
/// answer. There is no time limit.
///
/// # Errors
///
/// The problem, with the server as the subject left out.
pub async fn request_healthz<S>(
    stream: S,
    address: SocketAddr,
) -> Result<(StatusCode, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let not_http = |error: hyper::Error| format!("does not answer in HTTP: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(not_http)?;

    let request = Request::get("/healthz")
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, "ferrolb")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(not_http)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY).collect().await;
        let body = body.map_err(|error| format!("sends an unreadable body: {error}"))?;
        Ok((status, body.to_bytes()))
    };

    tokio::pin!(exchange, connection);
    tokio::select! {
        result = &mut exchange => result,
        // The exchange has the reason why the connection has ended.
        _ = &mut connection => exchange.await,
    }
}

async fn connect(address: SocketAddr, hops: u8) -> io::Result<()> {
    let socket = match address {
        SocketAddr::V4(_) => {
            let socket = TcpSocket::new_v4()?;
            sockopt::set_ip_ttl(&socket, hops.into())?;
            socket
        }
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            sockopt::set_ipv6_unicast_hops(&socket, Some(hops))?;
            socket
        }
    };
    socket.connect(address).await.map(drop)
}
