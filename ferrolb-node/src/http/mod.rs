//! The HTTP server of a process: health checks, metrics, and the objects that the process knows.
//!
//! The main loop answers every request, so that a process whose loop hangs does not count as alive. Large responses are
//! produced while they are read, a few at a time. This module owns the listener and the paths, and does not know the
//! content of the responses.

mod body;
mod serve;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::Error;
use crate::metrics;
use lb_adapter::recording::ProcessSnapshot;

use serve::{ConnectionLimits, serve};

/// A request to the main loop, with the channel for its reply.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum StatusRequest {
    /// `/livez`: a reply proves that the loop runs.
    Live(oneshot::Sender<()>),
    /// `/readyz`: an error says why the process is not ready.
    Ready(oneshot::Sender<Result<(), String>>),
    /// `/metrics`: the text that Prometheus scrapes.
    Metrics(oneshot::Sender<String>),
    /// `/objects`: everything the process knows, to be written as a recording. An error says why it does not keep that.
    Objects(oneshot::Sender<Result<ProcessSnapshot, String>>),
}

/// The HTTP server. Dropping it closes the listener.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// The response to `/objects` of a process that reads its objects from a cluster and does not keep them.
pub const OBJECTS_NOT_KEPT: &str = "this process does not keep the objects of its cluster: read them from the API server, with --cluster or --kubeconfig";
/// The number of requests that may wait for the main loop.
const QUEUE: usize = 16;
/// The time after which a main loop that has not replied counts as hanging.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of `/metrics` responses in progress at a time: each is kept in memory until it is read.
const MAX_SCRAPES: usize = 8;
/// The number of `/objects` responses in progress at a time.
const MAX_RECORDINGS: usize = 2;

impl HttpServer {
    /// Listens, and passes requests on to the receiver.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub async fn listen(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<StatusRequest>)> {
        Self::listen_with(address, ConnectionLimits::of_process()).await
    }

    async fn listen_with(
        address: SocketAddr,
        limits: ConnectionLimits,
    ) -> io::Result<(Self, mpsc::Receiver<StatusRequest>)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;

        let (requests, receiver) = mpsc::channel(QUEUE);
        let state = ServerState {
            requests,
            scrapes: Arc::new(Semaphore::new(MAX_SCRAPES)),
            recordings: Arc::new(Semaphore::new(MAX_RECORDINGS)),
        };
        let router = Router::new()
            .route("/livez", get(live))
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .route("/objects", get(objects))
            .with_state(state);
        let task = tokio::spawn(serve(listener, router, limits));
        Ok((Self { address, task }, receiver))
    }

    /// Listens if there is an address; without one, no request ever arrives. `flag` is the command-line flag of the address.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub async fn listen_if(
        address: Option<SocketAddr>,
        flag: &str,
    ) -> Result<(Option<Self>, mpsc::Receiver<StatusRequest>), Error> {
        let Some(address) = address else {
            let (_, receiver) = mpsc::channel(1);
            return Ok((None, receiver));
        };
        let (server, receiver) = Self::listen(address)
            .await
            .map_err(|error| Error::new(format!("cannot listen on {address} ({flag}): {error}")))?;
        tracing::info!(address = %server.address(), "serving health checks and metrics");
        Ok((Some(server), receiver))
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for the next request, and never returns if there is no listener.
pub async fn next_request(requests: &mut mpsc::Receiver<StatusRequest>) -> StatusRequest {
    match requests.recv().await {
        Some(request) => request,
        None => std::future::pending().await,
    }
}

/// The state that all paths share.
#[derive(Clone)]
struct ServerState {
    requests: mpsc::Sender<StatusRequest>,
    scrapes: Arc<Semaphore>,
    recordings: Arc<Semaphore>,
}

async fn live(State(state): State<ServerState>) -> Response {
    match state.ask(StatusRequest::Live).await {
        Some(()) => "ok\n".into_response(),
        None => no_reply(),
    }
}

async fn ready(State(state): State<ServerState>) -> Response {
    match state.ask(StatusRequest::Ready).await {
        Some(Ok(())) => "ok\n".into_response(),
        Some(Err(reason)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
        }
        None => no_reply(),
    }
}

async fn scrape(State(state): State<ServerState>) -> Response {
    let Some(permit) = try_acquire(&state.scrapes) else { return too_many_requests() };
    match state.ask(StatusRequest::Metrics).await {
        Some(text) => body::text_response(metrics::CONTENT_TYPE, text, permit),
        None => no_reply(),
    }
}

async fn objects(State(state): State<ServerState>) -> Response {
    let Some(permit) = try_acquire(&state.recordings) else { return too_many_requests() };
    match state.ask(StatusRequest::Objects).await {
        Some(Ok(known)) => body::recording_response(RECORDING_TYPE, known, permit).await,
        Some(Err(reason)) => (StatusCode::NOT_FOUND, format!("{reason}\n")).into_response(),
        None => no_reply(),
    }
}

/// The media type of JSON on each line.
const RECORDING_TYPE: &str = "application/x-ndjson";

fn try_acquire(permits: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(permits).try_acquire_owned().ok()
}

fn no_reply() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the main loop does not respond\n").into_response()
}

fn too_many_requests() -> Response {
    let retry_after = [(header::RETRY_AFTER, "5")];
    let text = "too many clients are reading this page: try again in a few seconds\n";
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, text).into_response()
}

impl ServerState {
    /// Sends a request to the main loop. Returns its reply, or nothing if it hangs.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> StatusRequest) -> Option<T> {
        let (sender, reply) = oneshot::channel();
        let asking = async {
            self.requests.send(request(sender)).await.ok()?;
            reply.await.ok()
        };
        tokio::time::timeout(REPLY_TIMEOUT, asking).await.ok().flatten()
    }
}
