//! The protection of the TCP listener: how the octets travel, and who may read.
//!
//! Owns the interfaces to both, which the crates above implement, and the answers to requests that are not allowed. Health checks
//! need no permission, since the kubelet has none to show. The Unix socket needs neither: its file has permissions.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ferrolb_api::ApiError;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::api;
use super::listener::Accept;

/// The protection of a TCP listener. By default, there is none: everyone who reaches the port may read.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the programs fill it")]
pub struct Protection {
    /// The encryption of connections.
    pub encryption: Option<Arc<dyn Encryption>>,
    /// The decision who may read.
    pub authorization: Option<Arc<dyn Authorization>>,
}

/// Encrypts the connections of a listener.
pub trait Encryption: fmt::Debug + Send + Sync {
    /// Performs the handshake of a connection, and returns the stream of its plain octets.
    fn accept(&self, stream: TcpStream) -> BoxFuture<'static, io::Result<BoxedStream>>;
}

/// The plain octets of a connection.
pub type BoxedStream = Box<dyn ByteStream>;

/// A stream of octets in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Decides who may read.
pub trait Authorization: fmt::Debug + Send + Sync {
    /// Decides whether the owner of this token may read this path.
    fn check<'a>(&'a self, token: &'a str, path: &'a str) -> BoxFuture<'a, Access>;
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each decision has an answer here")]
pub enum Access {
    /// The request may pass.
    Allowed,
    /// The token belongs to nobody.
    Unauthenticated,
    /// The user of this name must not read the path.
    Forbidden(String),
    /// The decision cannot be made now, for this reason. The request must not pass.
    Undecided(String),
}

/// The time at which the answer to an allowed request must end, if it would not end by itself. Its reader may ask again.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllowedUntil(pub(super) Instant);

/// Passes a request on if its token allows it.
pub(super) async fn check(
    State(authorization): State<Arc<dyn Authorization>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if HEALTH_CHECKS.contains(&path) {
        return next.run(request).await;
    }
    let Some(token) = bearer_token(&request) else {
        return unauthenticated(
            "the request has no token: expected the header \"Authorization: Bearer TOKEN\"",
        );
    };

    match authorization.check(token, path).await {
        Access::Allowed => {
            request.extensions_mut().insert(AllowedUntil(Instant::now() + STREAM_TIME));
            next.run(request).await
        }
        Access::Unauthenticated => unauthenticated("the API server does not know the token"),
        Access::Forbidden(user) => {
            let error = ApiError {
                error: format!("{user} must not get {path}"),
                hint: Some(
                    "a ClusterRole allows it with the verb get and the path in nonResourceURLs"
                        .to_owned(),
                ),
            };
            api::failure(StatusCode::FORBIDDEN, &error)
        }
        Access::Undecided(reason) => {
            let error = format!("whether the token allows this cannot be decided: {reason}");
            let mut response = api::failure(StatusCode::SERVICE_UNAVAILABLE, &ApiError::new(error));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
    }
}

fn unauthenticated(error: &str) -> Response {
    let mut response = api::failure(StatusCode::UNAUTHORIZED, &ApiError::new(error));
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

/// Returns the token of a request (RFC 6750, section 2.1). The name of the scheme has no case.
fn bearer_token(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The listener of encrypted connections.
#[derive(Debug)]
pub(super) struct EncryptedListener {
    /// The listener.
    pub(super) tcp: TcpListener,
    /// The encryption.
    pub(super) encryption: Arc<dyn Encryption>,
}

impl Accept for EncryptedListener {
    type Connection = TcpStream;
    type Stream = BoxedStream;

    async fn accept_connection(&self) -> io::Result<TcpStream> {
        self.tcp.accept_connection().await
    }

    fn open(
        &self,
        connection: TcpStream,
    ) -> impl Future<Output = io::Result<BoxedStream>> + Send + 'static {
        self.encryption.accept(connection)
    }
}

/// The time for which a stream runs before its reader must ask again.
const STREAM_TIME: Duration = Duration::from_secs(60);
/// The paths that need no permission. They reveal only whether the process works.
const HEALTH_CHECKS: [&str; 3] = ["/livez", "/healthz", "/readyz"];
