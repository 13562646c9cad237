//! Serving connections so that no client can take what sessions need: time, memory or descriptors.
//!
//! A request's head has to come soon, a connection does not last long, and there are few of them: a new one takes the
//! place of the oldest, so that the kubelet's probes are answered however many others connect. The answers are not decided
//! here.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::descriptors;

/// The limits of what clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many connections there may be.
    pub(super) connections: usize,
    /// How long a request's head may take, and how long a connection may wait for the next one.
    pub(super) head: Duration,
    /// How long a connection takes requests.
    pub(super) lifetime: Duration,
    /// How long the answer that is under way then may take.
    pub(super) last: Duration,
}

impl Limits {
    /// The limits in a process. Its own limit of descriptors may be low, and most of them are for the sessions.
    pub(super) fn of_process() -> Self {
        Self {
            connections: MOST.min(descriptors::limit() / 4).max(1),
            head: Duration::from_secs(5),
            lifetime: Duration::from_secs(20),
            last: Duration::from_secs(10),
        }
    }
}

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let mut tasks = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if is_shortage(&error) {
                    tracing::debug!(%error, "cannot accept an HTTP connection");
                    sleep(SHORTAGE).await;
                }
                continue;
            }
        };

        oldest_first.retain(|task| !task.is_finished());
        while oldest_first.len() >= limits.connections
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        oldest_first.push_back(tasks.spawn(connection(stream, router.clone(), limits)));
    }
}

async fn connection(stream: TcpStream, router: Router, limits: Limits) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = sleep(limits.lifetime) => {
            serving.as_mut().graceful_shutdown();
            // An answer that the client has not read by then is cut off.
            timeout(limits.last, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection has ended");
    }
}

/// Returns true if accepting again at once would fail again.
fn is_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    ![ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind())
}

/// Probes, Prometheus and a few people.
const MOST: usize = 32;
/// Octets of a request's head, and of an answer that waits to be sent: the least that hyper takes.
const BUFFER: usize = 8 << 10;
const SHORTAGE: Duration = Duration::from_millis(100);
