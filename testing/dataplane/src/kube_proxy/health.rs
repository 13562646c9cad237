//! The answers of kube-proxy to health checks: `healthCheckNodePort` for each Service with policy `Local`, and
//! `:10256/healthz`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, Instant};

use super::model::{HealthCheck, Key};

/// The port of `/healthz`.
const HEALTHZ: u16 = 10256;
/// The age of a change without a sync at which kube-proxy calls itself unhealthy: twice `syncPeriod`.
const TOO_OLD: Duration = Duration::from_secs(60);

/// What the ports tell, shared with the loop that syncs.
#[derive(Debug)]
struct Facts {
    last_updated: Timestamp,
    /// The time of the oldest change that no sync has followed.
    queued: Option<Instant>,
    local_endpoints: BTreeMap<Key, usize>,
}

impl Facts {
    fn healthy(&self) -> bool {
        self.queued.is_none_or(|queued| queued.elapsed() < TOO_OLD)
    }
}

/// The open ports of one node.
#[derive(Debug)]
pub(super) struct HealthPorts {
    node: Ipv4Addr,
    facts: Arc<Mutex<Facts>>,
    ports: BTreeMap<Key, (u16, Server)>,
    _healthz: Option<Server>,
}

impl HealthPorts {
    /// Opens `/healthz` on a node with this address.
    pub(super) async fn open(node: Ipv4Addr) -> Self {
        let facts = Facts {
            last_updated: Timestamp::now(),
            queued: None,
            local_endpoints: BTreeMap::new(),
        };

        let facts = Arc::new(Mutex::new(facts));
        let shared = Arc::clone(&facts);
        let healthz =
            Server::bind((node, HEALTHZ).into(), move |path| healthz(&shared, path)).await;
        if let Err(error) = &healthz {
            eprint(&format!("/healthz of {node}: {error}"));
        }
        Self { node, facts, ports: BTreeMap::new(), _healthz: healthz.ok() }
    }

    /// Notes that a change waits for a sync.
    pub(super) fn queued(&self) {
        lock(&self.facts).queued.get_or_insert_with(Instant::now);
    }

    /// Notes a sync, then opens and closes ports and sets their answers. kube-proxy does this after its rules are in.
    pub(super) async fn synced(&mut self, checks: BTreeMap<Key, HealthCheck>) {
        {
            let mut facts = lock(&self.facts);
            facts.last_updated = Timestamp::now();
            facts.queued = None;
        }

        self.ports.retain(|key, (port, _)| checks.get(key).is_some_and(|it| it.port == *port));
        for (key, check) in &checks {
            if self.ports.contains_key(key) {
                continue;
            }
            let (facts, service) = (Arc::clone(&self.facts), key.clone());
            let answer = move |_: &str| health_check(&facts, &service);
            match Server::bind((self.node, check.port).into(), answer).await {
                Ok(server) => drop(self.ports.insert(key.clone(), (check.port, server))),
                // As kube-proxy does: it says so, and tries again at the next sync.
                Err(error) => eprint(&format!("health port {} of {key:?}: {error}", check.port)),
            }
        }

        let local_endpoints = checks.into_iter().map(|(key, it)| (key, it.local_endpoints));
        lock(&self.facts).local_endpoints = local_endpoints.collect();
    }
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn health_check(facts: &Mutex<Facts>, service: &Key) -> Response<String> {
    let facts = lock(facts);
    let (healthy, (namespace, name)) = (facts.healthy(), service);
    let count = facts.local_endpoints.get(service).copied().unwrap_or_default();

    let body = json!({
        "service": {"namespace": namespace, "name": name},
        "localEndpoints": count,
        "serviceProxyHealthy": healthy,
    });
    let mut response = respond(count > 0 && healthy, body.to_string());
    response.headers_mut().insert("X-Load-Balancing-Endpoint-Weight", count.into());
    response
}

fn healthz(facts: &Mutex<Facts>, path: &str) -> Response<String> {
    if !matches!(path, "/healthz" | "/livez") {
        let mut response = Response::new("404 page not found\n".to_owned());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }

    let facts = lock(facts);
    let (healthy, now) = (facts.healthy(), Timestamp::now());
    let updated = facts.last_updated;
    // The upper one is always now as long as kube-proxy is healthy.
    let body = json!({
        "lastUpdated": if healthy { now } else { updated }.to_string(),
        "currentTime": now.to_string(),
        "nodeEligible": true,
        "status": {"IPv4": {"lastUpdated": updated.to_string(), "healthy": healthy}},
    });
    respond(healthy, body.to_string())
}

fn respond(good: bool, body: String) -> Response<String> {
    let mut response = Response::new(body);
    if !good {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A listening HTTP port, which closes with its connections when dropped.
#[derive(Debug)]
struct Server(JoinHandle<()>);

impl Server {
    async fn bind(
        address: SocketAddr,
        answer: impl Fn(&str) -> Response<String> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let answer = Arc::new(answer);

        let accepting = async move {
            let mut connections = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    Some(_) = connections.join_next() => continue,
                };
                let Ok((stream, _)) = accepted else { continue };

                let answer = Arc::clone(&answer);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    std::future::ready(Ok::<_, Infallible>(answer(request.uri().path())))
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(async { drop(connection.await) });
            }
        };
        Ok(Self(tokio::spawn(accepting)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes a line to the output of the test.
#[expect(clippy::print_stderr, reason = "the output of a test shows what its dataplane did")]
pub(super) fn eprint(line: &str) {
    eprintln!("kube-proxy: {line}");
}
