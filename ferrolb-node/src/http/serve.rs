//! Serves connections so that no client can use up the time, memory or descriptors that sessions need.
//!
//! The head of a request must arrive soon, a connection is short, and there are few of them. A new connection replaces
//! the oldest, so that the kubelet's probes are answered however many clients connect. The responses are decided elsewhere.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::listener::Accept;
use crate::descriptors;

/// The limits for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// The number of connections.
    pub(super) connections: usize,
    /// The time for the head of a request, and for a connection to send its next request.
    pub(super) head: Duration,
    /// The time during which a connection may send requests.
    pub(super) lifetime: Duration,
    /// The time after that for the response that is still being sent.
    pub(super) last_response: Duration,
}

impl ConnectionLimits {
    /// Returns the limits for this process. Its limit of descriptors may be low, and most of them are for the sessions.
    pub(super) fn of_process() -> Self {
        Self {
            connections: MAX_CONNECTIONS.min(descriptors::limit() / 4).max(1),
            head: Duration::from_secs(5),
            lifetime: Duration::from_secs(20),
            last_response: Duration::from_secs(10),
        }
    }
}

/// Serves connections until it is dropped.
pub(super) async fn serve(listener: impl Accept, router: Router, limits: ConnectionLimits) {
    let mut tasks = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept_stream() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if is_persistent(&error) => {
                tracing::debug!(%error, "cannot accept an HTTP connection");
                sleep(ACCEPT_BACKOFF).await;
                continue;
            }
            Err(_) => continue,
        };

        oldest_first.retain(|task| !task.is_finished());
        while oldest_first.len() >= limits.connections
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        oldest_first.push_back(tasks.spawn(serve_connection(stream, router.clone(), limits)));
    }
}

async fn serve_connection<S>(stream: S, router: Router, limits: ConnectionLimits)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));

    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = sleep(limits.lifetime) => {
            serving.as_mut().graceful_shutdown();
            // A response that the client has not read by then is cut off.
            timeout(limits.last_response, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

/// Returns true if accepting would fail again at once, as without free descriptors.
fn is_persistent(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    ![ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind())
}

/// The most connections at a time: enough for probes, Prometheus and a few people.
const MAX_CONNECTIONS: usize = 32;
/// The octets for a request's head and for the part of a response that waits to be sent: the least that hyper accepts.
const BUFFER: usize = 8 << 10;
/// The pause after an error that would persist.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
