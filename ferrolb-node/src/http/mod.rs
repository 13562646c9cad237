//! The HTTP server of a process, over TCP and over a Unix socket: health checks, metrics, the objects that the process knows, and
//! its answers about itself under `/v1`.
//!
//! The main loop answers every request, so that a process whose loop hangs does not count as alive. Large responses are
//! produced while they are read, a few at a time. This module owns the listeners and the paths, and does not know the
//! content of the responses. TCP only reads: nothing that changes the process is on its router.

mod actions;
mod api;
mod body;
#[cfg(test)]
mod event_tests;
mod events;
mod guard;
mod listener;
mod log;
mod looking_glass;
mod parameters;
mod protection;
mod serve;
mod socket;
mod streaming;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::Error;
use crate::actions::{Action, ActionReply};
use crate::api::{Identity, Query, Reply};
use crate::events::EventLog;
use crate::log::RecentLines;
use crate::{metrics, page};
use lb_adapter::recording::ProcessSnapshot;

use guard::AllowedHosts;
use protection::EncryptedListener;
use serve::{ConnectionLimits, serve};

pub use listener::{Accept, Listen, SocketListen, TcpListen};
pub use protection::{Access, Authorization, BoxedStream, ByteStream, Encryption, Protection};
pub use socket::{SocketFile, socket_directories, sockets};

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
    /// A path of `/v1`.
    Api(Query, oneshot::Sender<Reply>),
    /// An action of an operator, from the Unix socket.
    Act(Action, ActionReply),
}

/// The paths that the clients of a listener may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a listener is for one of these")]
pub enum Paths {
    /// Those that change nothing, as over TCP. A request must have an allowed name in `Host`.
    Read,
    /// All, as over the Unix socket.
    All,
}

/// The HTTP server of a process. Dropping it closes the listeners and removes the socket.
#[derive(Debug)]
pub struct HttpServer {
    address: Option<SocketAddr>,
    socket: Option<SocketFile>,
    tasks: Vec<JoinHandle<()>>,
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
/// The number of answers of `/v1` in progress at a time.
const MAX_ANSWERS: usize = 16;
/// The number of streams of events at a time, over TCP and over the socket together.
const MAX_STREAMS: usize = 8;

impl HttpServer {
    /// Listens, and passes requests on to the receiver. Without any listener, no request ever arrives.
    ///
    /// # Errors
    ///
    /// An address or a socket that the command line names cannot be listened on.
    pub async fn start(
        listen: Listen,
        identity: &Identity,
    ) -> Result<(Self, mpsc::Receiver<StatusRequest>), Error> {
        let is_encrypted = listen.protection.encryption.is_some();
        let listeners = Listeners {
            tcp: listen.tcp.open().await?,
            socket: listen.socket.open().await?,
            allowed_hosts: listen.allowed_hosts,
            protection: listen.protection,
        };
        let (events, log) = (identity.events().clone(), identity.log().recent().clone());
        let (server, receiver) =
            Self::serve(listeners, events, log, ConnectionLimits::of_process());

        if let Some(address) = server.address {
            let scheme = if is_encrypted { "https" } else { "http" };
            tracing::info!(%address, scheme, "serving health checks and metrics, and answers");
        }
        if let Some(socket) = server.socket() {
            tracing::info!(socket = %socket.display(), "serving commands");
        }
        Ok((server, receiver))
    }

    fn serve(
        listeners: Listeners,
        events: EventLog,
        log: RecentLines,
        limits: ConnectionLimits,
    ) -> (Self, mpsc::Receiver<StatusRequest>) {
        let (state, receiver) = ServerState::new(events, log);
        let mut server = Self { address: None, socket: None, tasks: Vec::new() };

        if let Some(listener) = listeners.tcp {
            server.address = listener.local_addr().ok();
            let Protection { encryption, authorization } = listeners.protection;
            let router =
                reading_router(listeners.allowed_hosts, authorization).with_state(state.clone());
            server.tasks.push(match encryption {
                None => tokio::spawn(serve(listener, router, limits)),
                Some(encryption) => {
                    let listener = EncryptedListener { tcp: listener, encryption };
                    tokio::spawn(serve(listener, router, limits))
                }
            });
        }

        if let Some((file, listener)) = listeners.socket {
            server.socket = Some(file);
            let router = acting_router().with_state(state);
            server.tasks.push(tokio::spawn(serve(listener, router, limits)));
        }
        (server, receiver)
    }

    /// Serves the connections of another listener, such as one in memory, and passes requests on to the receiver.
    pub fn on(
        listener: impl Accept + Send + Sync + 'static,
        paths: Paths,
        identity: &Identity,
    ) -> (Self, mpsc::Receiver<StatusRequest>) {
        let (events, log) = (identity.events().clone(), identity.log().recent().clone());
        let (state, receiver) = ServerState::new(events, log);
        let router = match paths {
            Paths::Read => reading_router(Vec::new(), None),
            Paths::All => acting_router(),
        };
        let serving = serve(listener, router.with_state(state), ConnectionLimits::of_process());
        let server = Self { address: None, socket: None, tasks: vec![tokio::spawn(serving)] };
        (server, receiver)
    }

    /// Returns the TCP address that the server listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the path of the Unix socket that the server listens on.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(SocketFile::path)
    }
}

/// The open listeners of a server, and the rules for the one over TCP.
struct Listeners {
    tcp: Option<TcpListener>,
    socket: Option<(SocketFile, UnixListener)>,
    allowed_hosts: Vec<String>,
    protection: Protection,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Returns the paths over TCP, with the checks that a request must pass.
fn reading_router(
    allowed_hosts: Vec<String>,
    authorization: Option<Arc<dyn Authorization>>,
) -> Router<ServerState> {
    let mut router = read_only();
    if let Some(authorization) = authorization {
        router = router.layer(from_fn_with_state(authorization, protection::check));
    }
    // The layer that is added last is the first to see a request.
    router.layer(from_fn_with_state(AllowedHosts::from(allowed_hosts), guard::check))
}

/// Returns the paths over the Unix socket.
fn acting_router() -> Router<ServerState> {
    read_only().merge(log::router()).merge(actions::router())
}

/// Returns the paths that change nothing.
fn read_only() -> Router<ServerState> {
    Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/objects", get(objects))
        .route("/v1/events", get(events::events))
        .merge(api::read_only())
        .merge(looking_glass::read_only())
        .merge(page::router())
        .fallback(api::unknown_path)
        .method_not_allowed_fallback(api::wrong_method)
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
    answers: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    events: EventLog,
    log: RecentLines,
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
    /// Returns the state of a server without clients, and the end of its requests.
    fn new(events: EventLog, log: RecentLines) -> (Self, mpsc::Receiver<StatusRequest>) {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let state = Self {
            requests,
            scrapes: Arc::new(Semaphore::new(MAX_SCRAPES)),
            recordings: Arc::new(Semaphore::new(MAX_RECORDINGS)),
            answers: Arc::new(Semaphore::new(MAX_ANSWERS)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            events,
            log,
        };
        (state, receiver)
    }

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
