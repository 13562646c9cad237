//! The dataplane of a node: a kube-proxy that follows the API server with its own delay, and the checks that reach it.
//!
//! It is a model: it knows which addresses it forwards to, answers health checks as kube-proxy does, and accepts connections to
//! addresses that it has endpoints for. No packet is carried.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use ferrolb_kubernetes::{CheckFuture, DataplaneNetwork};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::addresses::addresses;
use crate::system;
use crate::world::{World, node_name};

/// The port of kube-proxy's own health check.
pub(crate) const HEALTH_PORT: u16 = 10_256;

/// The kube-proxy of one node.
#[derive(Debug)]
pub(crate) struct Proxy {
    world: Arc<World>,
    node: usize,
    state: Mutex<ProxyState>,
}

#[derive(Debug)]
struct ProxyState {
    rules: Rules,
    synced_at: Timestamp,
    /// It does nothing before this time.
    stopped: Instant,
    /// The time that it takes to follow a change, until that time.
    slow: (Duration, Instant),
    /// When it last forwarded to each address.
    forwarded: BTreeMap<IpAddr, Instant>,
}

/// What kube-proxy has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rules {
    /// The addresses that have an endpoint.
    forwarded: BTreeSet<IpAddr>,
    /// The Services behind health ports, and whether the node has endpoints of them.
    health_ports: BTreeMap<u16, (String, bool)>,
}

impl Proxy {
    /// A kube-proxy that has followed nothing yet. [`run`](Self::run) follows.
    pub(crate) fn new(world: &Arc<World>, node: usize) -> Arc<Self> {
        let now = Instant::now();
        let state = ProxyState {
            rules: Rules::default(),
            synced_at: system::time(),
            stopped: now,
            slow: (Duration::ZERO, now),
            forwarded: BTreeMap::new(),
        };
        Arc::new(Self { world: Arc::clone(world), node, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the API server, as long as the world exists.
    pub(crate) async fn run(self: Arc<Self>) {
        let (mut seen, mut rules) = ((Vec::new(), Vec::new()), Rules::default());
        loop {
            let now = Instant::now();
            let (lag, until) = self.lock().slow;
            let lag = if now < until { lag } else { Duration::ZERO };
            // Syncs are at most one a second.
            let pause = Duration::from_millis(100) + Duration::from_millis(800);
            sleep(Duration::from_millis(100) + self.world.random_time(pause)).await;

            let services = self.world.server.objects("services");
            let slices = self.world.server.objects("endpointslices.discovery.k8s.io");
            if !are_same(&services, &seen.0) || !are_same(&slices, &seen.1) {
                rules = self.rules(&services, &slices);
                seen = (services, slices);
            }
            if self.is_stopped() || rules == self.lock().rules {
                self.note_forwarded();
                continue;
            }
            sleep(lag + self.world.random_time(Duration::from_millis(30))).await;
            if self.is_stopped() {
                continue;
            }
            self.world.note(format_args!("the dataplane of node {} syncs", self.node));
            {
                let mut state = self.lock();
                state.rules = rules.clone();
                state.synced_at = system::time();
            }
            self.note_forwarded();
        }
    }

    fn note_forwarded(&self) {
        let mut state = self.lock();
        let ProxyState { rules, forwarded, .. } = &mut *state;
        forwarded.extend(rules.forwarded.iter().map(|address| (*address, Instant::now())));
    }

    /// Returns the rules for these objects.
    fn rules(&self, services: &[Arc<Value>], slices: &[Arc<Value>]) -> Rules {
        let mut rules = Rules::default();
        for service in services {
            let name = service["metadata"]["name"].as_str().unwrap_or_default();
            let nodes = ready_nodes(slices, name);
            if !nodes.is_empty() {
                rules.forwarded.extend(addresses(service));
            }
            let port = service["spec"]["healthCheckNodePort"].as_u64().unwrap_or(0);
            if let Ok(port @ 1..) = u16::try_from(port) {
                let is_here = nodes.contains(&node_name(self.node));
                rules.health_ports.insert(port, (name.to_owned(), is_here));
            }
        }
        rules
    }

    fn is_stopped(&self) -> bool {
        Instant::now() < self.lock().stopped
    }

    /// Stops it for this time.
    pub(crate) fn stop(&self, time: Duration) {
        self.lock().stopped = Instant::now() + time;
    }

    /// Lets it take this time to follow a change, for that time.
    pub(crate) fn slow_down(&self, lag: Duration, time: Duration) {
        self.lock().slow = (lag, Instant::now() + time);
    }

    /// Ends what slows or stops it.
    pub(crate) fn heal(&self) {
        let mut state = self.lock();
        state.stopped = Instant::now();
        state.slow.1 = Instant::now();
    }

    /// Returns true if a packet for this address is forwarded to an endpoint.
    pub(crate) fn forwards(&self, address: IpAddr) -> bool {
        self.lock().rules.forwarded.contains(&address)
    }

    /// Returns the last time at which it forwarded to this address.
    pub(crate) fn last_forwarded(&self, address: IpAddr) -> Option<Instant> {
        if self.forwards(address) {
            Some(Instant::now())
        } else {
            self.lock().forwarded.get(&address).copied()
        }
    }

    fn answer(&self, port: u16) -> Result<(StatusCode, Bytes), String> {
        let state = self.lock();
        let (status, body) = if port == HEALTH_PORT {
            // As text, because every speaker asks each second.
            let (now, synced) = (system::time(), state.synced_at);
            let family = format!(r#"{{"lastUpdated":"{synced}","healthy":true}}"#);
            let body = format!(
                r#"{{"lastUpdated":"{now}","currentTime":"{now}","nodeEligible":true,"status":{{"IPv4":{family},"IPv6":{family}}}}}"#
            );
            (StatusCode::OK, body)
        } else if let Some((name, has_endpoint)) = state.rules.health_ports.get(&port) {
            let body = json!({"service": {"namespace": "default", "name": name}, "localEndpoints": u8::from(*has_endpoint)});
            let status =
                if *has_endpoint { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, body.to_string())
        } else {
            return Err(format!("nothing listens on port {port}"));
        };
        Ok((status, Bytes::from(body)))
    }
}

/// Returns true if these are the same versions of the same objects.
fn are_same(one: &[Arc<Value>], other: &[Arc<Value>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// Returns the names of the nodes with ready endpoints of a Service.
pub(crate) fn ready_nodes(slices: &[Arc<Value>], service: &str) -> BTreeSet<String> {
    let slices = slices
        .iter()
        .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    let endpoints = slices.filter_map(|slice| slice["endpoints"].as_array()).flatten();
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
    ready.filter_map(|endpoint| Some(endpoint["nodeName"].as_str()?.to_owned())).collect()
}

/// The network of a node, by which its speaker reaches the dataplane.
#[derive(Clone, Debug)]
pub(crate) struct ToProxy(pub(crate) Arc<Proxy>);

impl DataplaneNetwork for ToProxy {
    fn healthz(&self, address: SocketAddr) -> CheckFuture<Result<(StatusCode, Bytes), String>> {
        let proxy = Arc::clone(&self.0);
        Box::pin(async move {
            sleep(proxy.world.random_time(Duration::from_millis(2))).await;
            if proxy.is_stopped() {
                std::future::pending().await
            } else {
                proxy.answer(address.port())
            }
        })
    }

    fn connect(&self, address: SocketAddr, _: u8) -> CheckFuture<io::Result<()>> {
        let proxy = Arc::clone(&self.0);
        Box::pin(async move {
            sleep(proxy.world.random_time(Duration::from_millis(2))).await;
            // The rules of a kube-proxy that has stopped stay in place. What meets no rule gets no answer.
            if proxy.forwards(address.ip()) { Ok(()) } else { std::future::pending().await }
        })
    }
}
