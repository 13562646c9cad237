//! The HTTP side of a process: probes, metrics, and the objects that it knows.
//!
//! Every answer comes from the loop that does the work, so that a process whose loop hangs is not called alive. Large
//! answers are made while they are read, a few at a time. This module owns the listener and the paths, and does not know the
//! content of the answers.

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
use lb_adapter::recording::Known;

use serve::{Limits, serve};

/// A question to the loop.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
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

/// The answer to `/objects` of a process whose objects come from a cluster, which still has them.
pub const NOT_KEPT: &str = "the objects of a cluster are not kept here: ask the API server for them, with --cluster or --kubeconfig";
/// How many questions may wait.
const QUEUE: usize = 16;
/// A loop that has not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many answers of `/metrics` may be on their way at a time: each is held until it is read.
const SCRAPES: usize = 8;
/// How many answers of `/objects`.
const RECORDINGS: usize = 2;

impl Http {
    /// Listens, and hands on what is asked.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn listen(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<Question>)> {
        Self::listen_with(address, Limits::of_process()).await
    }

    async fn listen_with(
        address: SocketAddr,
        limits: Limits,
    ) -> io::Result<(Self, mpsc::Receiver<Question>)> {
        let (ask, asked) = mpsc::channel(QUEUE);
        let asking = Asking {
            ask,
            scrapes: Arc::new(Semaphore::new(SCRAPES)),
            recordings: Arc::new(Semaphore::new(RECORDINGS)),
        };
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/livez", get(live))
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .route("/objects", get(objects))
            .with_state(asking);
        let task = tokio::spawn(serve(listener, router, limits));
        Ok((Self { address, task }, asked))
    }

    /// Listens if there is an address; else no question ever comes. `flag` is the command line flag of the address.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn listen_if(
        address: Option<SocketAddr>,
        flag: &str,
    ) -> Result<(Option<Self>, mpsc::Receiver<Question>), Error> {
        let Some(address) = address else { return Ok((None, mpsc::channel(1).1)) };
        let listening = Self::listen(address).await;
        let (http, asked) = listening
            .map_err(|error| Error::new(format!("cannot listen on {address} ({flag}): {error}")))?;
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

/// Waits for the next question; for ever if there is no listener.
pub async fn next(asked: &mut mpsc::Receiver<Question>) -> Question {
    match asked.recv().await {
        Some(question) => question,
        None => std::future::pending().await,
    }
}

/// The state that the paths share.
#[derive(Clone)]
struct Asking {
    ask: mpsc::Sender<Question>,
    scrapes: Arc<Semaphore>,
    recordings: Arc<Semaphore>,
}

async fn live(State(asking): State<Asking>) -> Response {
    match asking.answer(Question::Live).await {
        Some(()) => "ok\n".into_response(),
        None => hangs(),
    }
}

async fn ready(State(asking): State<Asking>) -> Response {
    match asking.answer(Question::Ready).await {
        Some(Ok(())) => "ok\n".into_response(),
        Some(Err(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        None => hangs(),
    }
}

async fn scrape(State(asking): State<Asking>) -> Response {
    let Some(place) = place(&asking.scrapes) else { return busy() };
    match asking.answer(Question::Metrics).await {
        Some(text) => body::of_text(metrics::CONTENT_TYPE, text, place),
        None => hangs(),
    }
}

async fn objects(State(asking): State<Asking>) -> Response {
    let Some(place) = place(&asking.recordings) else { return busy() };
    match asking.answer(Question::Objects).await {
        Some(Ok(known)) => body::of_recording(RECORDING_TYPE, known, place).await,
        Some(Err(why)) => (StatusCode::NOT_FOUND, format!("{why}\n")).into_response(),
        None => hangs(),
    }
}

/// JSON on each line.
const RECORDING_TYPE: &str = "application/x-ndjson";

/// Takes a place among the large answers on their way, if one is free.
fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().ok()
}

fn hangs() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n").into_response()
}

fn busy() -> Response {
    let after = [(header::RETRY_AFTER, "5")];
    let why = "others are still reading this, expected a request in some seconds\n";
    (StatusCode::SERVICE_UNAVAILABLE, after, why).into_response()
}

impl Asking {
    async fn answer<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let answered = async {
            self.ask.send(question(tell)).await.ok()?;
            told.await.ok()
        };
        tokio::time::timeout(PATIENCE, answered).await.ok().flatten()
    }
}
