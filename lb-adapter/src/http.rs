//! The HTTP side of a process: probes, metrics, and the objects that it knows.
//!
//! Every answer comes from the loop that does the work, so that a process whose loop hangs is not called alive. This
//! module owns the listener and the paths; it knows nothing of what is answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::metrics;
use crate::replay::Known;

/// A question to the loop.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question {
    /// `/livez`: whether it turns.
    Live(oneshot::Sender<()>),
    /// `/readyz`: whether it does its work; if not, why.
    Ready(oneshot::Sender<Result<(), String>>),
    /// `/metrics`: the text that Prometheus scrapes.
    Metrics(oneshot::Sender<String>),
    /// `/objects`: what it knows, to be written as a recording; if it does not keep that, why.
    Objects(oneshot::Sender<Result<Known, String>>),
}

/// The listener; it closes when this is dropped.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// What a process says of `/objects` that has them from a cluster, which has them still.
#[cfg(feature = "kubernetes")]
pub(crate) const NOT_KEPT: &str = "the objects of a cluster are not kept here: ask the API server for them, with --cluster or --kubeconfig";
/// So many questions may wait.
const QUEUE: usize = 16;
/// A loop that has not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(2);

impl Http {
    /// Listens, and hands on what is asked.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn listen(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<Question>)> {
        let (ask, asked) = mpsc::channel(QUEUE);
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/livez", get(live))
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .route("/objects", get(objects))
            .with_state(ask);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the HTTP listener has ended");
            }
        });
        Ok((Self { address, task }, asked))
    }

    /// Listens if there is to be a listener; else nobody ever asks. `flag` is what names the address.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub(crate) async fn listen_if(
        address: Option<SocketAddr>,
        flag: &str,
    ) -> Result<(Option<Self>, mpsc::Receiver<Question>), Failure> {
        let Some(address) = address else { return Ok((None, mpsc::channel(1).1)) };
        let listening = Self::listen(address).await;
        let (http, asked) = listening.map_err(|error| {
            Failure::Unusable(format!("cannot listen on {address} ({flag}): {error}"))
        })?;
        tracing::info!(address = %http.address(), "probes and metrics");
        Ok((Some(http), asked))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The next question; waits for ever where nobody can ask.
pub async fn next(asked: &mut mpsc::Receiver<Question>) -> Question {
    match asked.recv().await {
        Some(question) => question,
        None => std::future::pending().await,
    }
}

type Ask = mpsc::Sender<Question>;

async fn live(State(ask): State<Ask>) -> Response {
    match answer(&ask, Question::Live).await {
        Some(()) => "ok\n".into_response(),
        None => hangs(),
    }
}

async fn ready(State(ask): State<Ask>) -> Response {
    match answer(&ask, Question::Ready).await {
        Some(Ok(())) => "ok\n".into_response(),
        Some(Err(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        None => hangs(),
    }
}

async fn scrape(State(ask): State<Ask>) -> Response {
    match answer(&ask, Question::Metrics).await {
        Some(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        None => hangs(),
    }
}

async fn objects(State(ask): State<Ask>) -> Response {
    let known = match answer(&ask, Question::Objects).await {
        Some(Ok(known)) => known,
        Some(Err(why)) => return (StatusCode::NOT_FOUND, format!("{why}\n")).into_response(),
        None => return hangs(),
    };
    // Some thousands of objects take a while to write.
    match tokio::task::spawn_blocking(move || known.recording()).await {
        Ok(text) => ([(header::CONTENT_TYPE, RECORDING_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// JSON on each line.
const RECORDING_TYPE: &str = "application/x-ndjson";

fn hangs() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n").into_response()
}

async fn answer<T>(ask: &Ask, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let answered = async {
        ask.send(question(tell)).await.ok()?;
        told.await.ok()
    };
    tokio::time::timeout(PATIENCE, answered).await.ok().flatten()
}
