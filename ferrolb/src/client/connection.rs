//! [`Connection`]: one request and its response, with limits on time and size.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::ClientError;
use super::place::Place;

/// A request.
pub(super) type Outgoing = Request<Full<Bytes>>;

/// A connection to a process, for one request.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// The body, once the head of the response has arrived.
    body: Option<Incoming>,
    /// The time at which the response must be complete.
    deadline: Instant,
    place: String,
    /// The task that drives the connection, which ends with it.
    _driver: JoinSet<()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The process cannot be reached in time.
    pub(super) async fn open(place: &Place) -> Result<Self, ClientError> {
        let connected = async {
            match place {
                Place::Socket(path) => Self::over(UnixStream::connect(path).await?, place).await,
                Place::Tcp { authority, .. } => {
                    Self::over(TcpStream::connect(authority).await?, place).await
                }
                #[cfg(feature = "kubernetes")]
                Place::Pod(_) => {
                    let error = "the API server passes on single answers only";
                    Err(io::Error::new(io::ErrorKind::Unsupported, error))
                }
            }
        };

        let connected = timeout(CONNECT_TIMEOUT, connected).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| ClientError::Unreachable {
            place: place.to_string(),
            error: error.to_string(),
        })
    }

    async fn over<S>(stream: S, place: &Place) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;

        let mut drivers = JoinSet::new();
        drivers.spawn(async move {
            // The request and its body report the error.
            let _ = driver.await;
        });
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        Ok(Self { sender, body: None, deadline, place: place.to_string(), _driver: drivers })
    }

    /// Sends the request. Returns the status of the response.
    ///
    /// # Errors
    ///
    /// The connection breaks, the time runs out, or the response is not HTTP.
    pub(super) async fn send(&mut self, request: Outgoing) -> Result<StatusCode, ClientError> {
        let response = match timeout_at(self.deadline, self.sender.send_request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => return Err(self.late()),
        };

        let status = response.status();
        self.body = Some(response.into_body());
        Ok(status)
    }

    /// Returns the body of the response.
    ///
    /// # Errors
    ///
    /// The connection breaks, the time runs out, or the body has more than `limit` octets.
    pub(super) async fn body(&mut self, limit: usize) -> Result<Bytes, ClientError> {
        let mut body = Vec::new();
        let deadline = self.deadline;
        while let Some(part) = self.part(deadline).await? {
            if body.len() + part.len() > limit {
                return Err(self.unreachable(format!("the response has more than {limit} octets")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.into())
    }

    /// Returns the next part of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// The connection breaks, or the time runs out.
    pub(super) async fn part(&mut self, deadline: Instant) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some(body) = &mut self.body else { return Ok(None) };
            match timeout_at(deadline, body.frame()).await {
                Ok(None) => return Ok(None),
                // Trailers have no data.
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => return Err(self.broken(&error)),
                Err(_) => return Err(self.late()),
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> ClientError {
        let text = if error.is_parse() {
            "the response is not HTTP".to_owned()
        } else if error.is_incomplete_message() || error.is_canceled() {
            "the process closed the connection without a response".to_owned()
        } else if error.is_body_write_aborted() || is_truncated(error) {
            "the response is truncated".to_owned()
        } else {
            error.to_string()
        };
        self.unreachable(text)
    }

    fn late(&self) -> ClientError {
        let seconds = RESPONSE_TIMEOUT.as_secs();
        self.unreachable(format!("the response is not complete after {seconds} seconds"))
    }

    fn unreachable(&self, error: String) -> ClientError {
        ClientError::Unreachable { place: self.place.clone(), error }
    }
}

/// Returns true if the connection ended before the end of the body.
fn is_truncated(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::UnexpectedEof;
        }
        cause = error.source();
    }
    false
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
