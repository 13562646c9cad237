//! The client of a running process: HTTP over TCP or over its Unix socket.
//!
//! Owns connections, time limits, the bounds of answers, and the search for the process. Every command that asks a process
//! uses it. It knows neither the command line nor any output.

mod connection;
mod error;
mod events;
mod pages;
mod place;
mod sockets;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use ferrolb_api::ApiError;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use error::ClientError;
pub(crate) use events::{EventStream, StreamItem};
pub(crate) use pages::Pages;
pub(crate) use place::Place;
pub(crate) use sockets::Sockets;

use connection::Connection;

/// A process to ask. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    place: Place,
}

impl Client {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the answer to a GET.
    ///
    /// # Errors
    ///
    /// The process does not answer, or not with what the path promises, or it refuses the request.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let octets = self.get_raw(path, MAX_ANSWER).await?;
        self.parse(path, &octets)
    }

    /// Returns the answer to a GET as it is.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); also an answer of more than `limit` octets.
    pub(crate) async fn get_raw(&self, path: &str, limit: usize) -> Result<Bytes, ClientError> {
        #[cfg(feature = "kubernetes")]
        if let Place::Pod(pod) = &self.place {
            return self.get_from_pod(pod, path, limit).await;
        }
        self.exchange(Method::GET, path, Bytes::new(), limit).await
    }

    #[cfg(feature = "kubernetes")]
    async fn get_from_pod(
        &self,
        pod: &ferrolb_kubernetes::SpeakerPod,
        path: &str,
        limit: usize,
    ) -> Result<Bytes, ClientError> {
        let answer = pod.get(path, limit).await.map_err(|error| ClientError::Unreachable {
            place: self.place.to_string(),
            error: error.to_string(),
        })?;
        match StatusCode::from_u16(answer.status) {
            Ok(StatusCode::OK) => Ok(answer.body),
            Ok(status) => Err(self.refused(path, status, &answer.body)),
            Err(error) => Err(self.invalid(path, error)),
        }
    }

    /// Returns the answer to a POST of this value.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(value).map_err(|error| self.invalid(path, error))?;
        let octets = self.exchange(Method::POST, path, body.into(), MAX_ANSWER).await?;
        self.parse(path, &octets)
    }

    /// Opens the stream of events after the one with this number.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub(crate) async fn events(&self, since: Option<u64>) -> Result<EventStream, ClientError> {
        let path = match since {
            Some(since) => format!("/v1/events?since={since}"),
            None => "/v1/events".to_owned(),
        };

        let request = self.request(Method::GET, &path, Bytes::new(), "text/event-stream")?;
        let mut connection = Connection::open(&self.place).await?;
        let status = connection.send(request).await?;
        if status != StatusCode::OK {
            let body = connection.body(MAX_ERROR).await.unwrap_or_default();
            return Err(self.refused(&path, status, &body));
        }
        Ok(EventStream::new(connection))
    }

    /// Returns the number of the process behind a socket. `None` over TCP, and for a process of another PID namespace.
    #[cfg(feature = "bundle")]
    pub(crate) async fn process_id(&self) -> Option<i32> {
        let Place::Socket(path) = &self.place else { return None };
        let id = sockets::process_id(path).await?;
        (id > 0).then_some(id)
    }

    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        path: &str,
        octets: &[u8],
    ) -> Result<T, ClientError> {
        serde_json::from_slice(octets).map_err(|error| self.invalid(path, error))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: usize,
    ) -> Result<Bytes, ClientError> {
        let request = self.request(method, path, body, "application/json")?;
        let mut connection = Connection::open(&self.place).await?;
        let status = connection.send(request).await?;
        if status != StatusCode::OK {
            // The text of an error is welcome and not required.
            let body = connection.body(MAX_ERROR).await.unwrap_or_default();
            return Err(self.refused(path, status, &body));
        }
        connection.body(limit).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        accepted: &str,
    ) -> Result<connection::Outgoing, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.place.host())
            .header("accept", accepted)
            .header("connection", "close");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        request.body(body.into()).map_err(|error| self.invalid(path, error))
    }

    fn invalid(&self, path: &str, error: impl ToString) -> ClientError {
        ClientError::Invalid {
            place: self.place.to_string(),
            path: path.to_owned(),
            error: error.to_string(),
        }
    }

    fn refused(&self, path: &str, status: StatusCode, body: &[u8]) -> ClientError {
        let answer = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text: String =
                String::from_utf8_lossy(body).trim().chars().take(MAX_SHOWN).collect();
            ApiError::new(format!("{}{path}: {} {text}", self.place, status.as_u16()).trim_end())
        });
        ClientError::Refused { status: status.as_u16(), answer }
    }
}

/// Writes a value so that it can be a part of a path or a value of a query.
pub(crate) fn escaped(text: &str) -> impl Display {
    utf8_percent_encode(text, ESCAPED)
}

/// The characters that have no meaning in a URL stay.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
/// The most octets of an answer of the API.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The most octets of an error.
const MAX_ERROR: usize = 64 * 1024;
/// The part of an error response of another program that is shown.
const MAX_SHOWN: usize = 300;
