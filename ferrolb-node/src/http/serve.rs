//! Serves connections so that no client can use up the time, memory or descriptors that sessions need.
//!
//! The head of a request must arrive soon, a connection is short, and there are few of them. A new connection replaces
//! the oldest, so that the kubelet's probes are answered however many clients connect. A stream of events may live on as long as it
//! is read, and does not count: there are few of them. The responses are decided elsewhere.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::listener::Accept;
use super::streaming::Streaming;
use crate::descriptors;

/// The limits for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// The number of connections.
    pub(super) connections: usize,
    /// The time for a handshake, for the head of a request, and for a connection to send its next request.
    pub(super) head: Duration,
    /// The time during which a connection may send requests.
    pub(super) lifetime: Duration,
    /// The time after that for the response that is still being sent.
    pub(super) last_response: Duration,
    /// The time after which a stream is cut off whose reader takes nothing. After a third of it without events, a stream sends a
    /// comment.
    pub(super) unread_stream: Duration,
}

impl ConnectionLimits {
    /// Returns the limits for this process. Its limit of descriptors may be low, and most of them are for the sessions.
    pub(super) fn of_process() -> Self {
        Self {
            connections: MAX_CONNECTIONS.min(descriptors::limit() / 4).max(1),
            head: Duration::from_secs(5),
            lifetime: Duration::from_secs(20),
            last_response: Duration::from_secs(10),
            unread_stream: Duration::from_secs(45),
        }
    }
}

/// Serves connections until it is dropped.
pub(super) async fn serve(listener: impl Accept, router: Router, limits: ConnectionLimits) {
    let mut tasks = JoinSet::new();
    let mut oldest_first: VecDeque<(AbortHandle, Streaming)> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept_connection() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let connection = match accepted {
            Ok(connection) => connection,
            Err(error) if is_persistent(&error) => {
                tracing::debug!(%error, "cannot accept an HTTP connection");
                sleep(ACCEPT_BACKOFF).await;
                continue;
            }
            Err(_) => continue,
        };

        // Streams have a limit of their own.
        let is_counted = |(task, streaming): &(AbortHandle, Streaming)| {
            !task.is_finished() && streaming.read_at().is_none()
        };
        oldest_first.retain(is_counted);
        while oldest_first.len() >= limits.connections
            && let Some((oldest, _)) = oldest_first.pop_front()
        {
            oldest.abort();
        }

        let streaming = Streaming::new(limits.unread_stream / 3);
        let opening = listener.open(connection);
        let serving = serve_connection(opening, router.clone(), streaming.clone(), limits);
        oldest_first.push_back((tasks.spawn(serving), streaming));
    }
}

async fn serve_connection<S>(
    opening: impl Future<Output = io::Result<S>>,
    router: Router,
    streaming: Streaming,
    limits: ConnectionLimits,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = match timeout(limits.head, opening).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "an HTTP connection failed");
            return;
        }
        Err(_) => return,
    };

    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER);
    let (router, extension) = (TowerToHyperService::new(router), streaming.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(extension.clone());
        router.call(request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));

    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = lifetime_over(&streaming, limits) => {
            serving.as_mut().graceful_shutdown();
            // A response that the client has not read by then is cut off.
            timeout(limits.last_response, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

/// Waits for the end of a connection's lifetime. A stream extends it as long as it is read.
async fn lifetime_over(streaming: &Streaming, limits: ConnectionLimits) {
    sleep(limits.lifetime).await;
    while let Some(read_at) = streaming.read_at() {
        if read_at.elapsed() >= limits.unread_stream {
            return;
        }
        sleep(limits.unread_stream / 3).await;
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
