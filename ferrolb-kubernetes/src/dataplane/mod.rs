//! The dataplane gate: a node announces a Service once its dataplane forwards to it.
//!
//! ```text
//!  Engine::dataplane_target ──► NodeGate ──► ServiceGate of each Service ──► Change::Dataplane
//!                                  ▲
//!   checks: health ports, ─────────┤
//!   connections, kube-proxy        │
//!   ClusterView: other nodes ──────┘
//! ```
//!
//! The API server tells kube-proxy and this process of a change at the same time, but kube-proxy may take a second until
//! its rules are in place. This module owns the observation of the dataplane and the states that follow from it. The planner
//! turns the states into routes.

mod checks;
mod cluster_view;
mod health_port;
mod network;
mod node_gate;
mod proxy_health;
pub(super) mod report;
mod service_gate;
mod timing;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use ferrolb_node::causes;
use ferrolb_node::metrics::{DataplaneSample, HoldTime};
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{DataplaneGate, ServiceKey};
use lb_adapter::planner::DataplaneStatus;

use super::SpeakerOptions;
use super::node_conditions::DataplaneProblems;
use cluster_view::ClusterView;
pub use health_port::HealthAnswer;
pub use network::{CheckFuture, DataplaneNetwork, HostNetwork, request_healthz};
use node_gate::{DueCheck, HoldEnd, NodeGate, Origin};
pub use proxy_health::{PerFamily, ProxyHealth};
use service_gate::Observation;
use timing::{Moment, Timing};

/// The gate of one node, with its checks.
pub(super) struct Dataplane {
    node: String,
    options: DataplaneOptions,
    begin: Instant,
    gate: NodeGate,
    /// The addresses of the node, the best first.
    addresses: Vec<IpAddr>,
    network: Arc<dyn DataplaneNetwork>,
    checks: FuturesUnordered<PendingCheck>,
    proxy: Option<PendingProxyCheck>,
    next_proxy_check: Instant,
    view: Option<PendingView>,
    client: Client,
    namespace: String,
    hold_time: HoldTime,
    /// The end of the wait for the first checks, once the Services are known.
    first_checks_until: Option<Instant>,
    /// True if first checks were pending at the last look.
    has_pending: bool,
    /// The health of kube-proxy at the last look.
    seen_proxy: Option<bool>,
}

/// The settings of the gate.
#[derive(Clone, Copy, Debug)]
pub struct DataplaneOptions {
    /// The gate of pools that set none; see [`DataplaneGate`].
    pub gate: DataplaneGate,
    /// The time that the dataplane takes to follow a change, if it cannot be observed.
    pub delay: Duration,
    /// The port of kube-proxy's health check.
    pub kube_proxy_port: u16,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type PendingCheck = Pending<(ServiceKey, u32, Observation, bool)>;
type PendingProxyCheck = Pending<(Instant, Result<ProxyHealth, String>)>;
type PendingView = Pending<(Vec<ServiceKey>, Result<ClusterView, kube::Error>)>;

/// The most changes that are taken at a time.
const CHANGES: usize = 256;
/// The most checks at a time.
const CHECKS: usize = 32;
/// The time between two checks of kube-proxy.
const PROXY_PERIOD: Duration = Duration::from_secs(1);
/// The same while the last sync decides about a Service.
const FAST_PROXY_PERIOD: Duration = Duration::from_millis(50);
/// The time for which sessions wait for the first checks, beyond the time that the dataplane takes to follow a change.
const FIRST_CHECKS: Duration = Duration::from_millis(300);
/// The longest such time: much less than the 120 s for which routers keep routes over a restart.
const LONGEST_FIRST_CHECKS: Duration = Duration::from_secs(5);

/// The time from which a Service that is held back counts as a problem. A dataplane that works follows earlier.
const OVERDUE: Duration = Duration::from_secs(5);

impl Dataplane {
    /// The gate of a node without Services, which reaches the dataplane over this network.
    pub(super) fn new(
        client: &Client,
        network: Arc<dyn DataplaneNetwork>,
        options: &SpeakerOptions,
    ) -> Self {
        let now = Instant::now();
        Self {
            node: options.node.clone(),
            options: options.dataplane,
            begin: now,
            gate: NodeGate::new(Timing::new(options.dataplane.delay)),
            addresses: Vec::new(),
            network,
            checks: FuturesUnordered::new(),
            proxy: None,
            next_proxy_check: now,
            view: None,
            client: client.clone(),
            namespace: options.cluster.namespace.clone(),
            hold_time: HoldTime::new(),
            first_checks_until: None,
            has_pending: false,
            seen_proxy: None,
        }
    }

    /// Takes the targets of all Services from the engine. [`take_changes`](Self::take_changes) returns the changes that follow at
    /// once. `is_announced` returns true for a Service that the node has announced until now.
    pub(super) fn update_all(
        &mut self,
        engine: &Engine,
        is_announced: impl Fn(&ServiceKey) -> bool,
    ) {
        let mut nodes = engine.nodes();
        if let Some(node) = nodes.find(|node| node.name == self.node) {
            self.addresses.clone_from(&node.addresses);
        }
        if !engine.is_ready() {
            return;
        }

        let now = self.now();
        let is_initial = self.first_checks_until.is_none();
        let mut keys = BTreeSet::new();
        for (key, target) in engine.dataplane_targets(&self.node) {
            let origin =
                if is_initial { Origin::Initial } else { Origin::later(is_announced(key)) };
            self.gate.set_target(key, Some(&target), origin, now);
            compare(&mut self.gate, engine, &self.node, key);
            keys.insert(key.clone());
        }
        self.gate.retain(&keys);

        let wait = (self.options.delay + FIRST_CHECKS).min(LONGEST_FIRST_CHECKS);
        self.first_checks_until.get_or_insert_with(|| Instant::now() + wait);
    }

    /// Takes the targets of these Services from the engine, as [`update_all`](Self::update_all) does.
    pub(super) fn update(
        &mut self,
        engine: &Engine,
        services: &BTreeSet<ServiceKey>,
        is_announced: impl Fn(&ServiceKey) -> bool,
    ) {
        let now = self.now();
        for key in services {
            let target = engine.dataplane_target(&self.node, key);
            // The engine's own copy of the key shares its memory.
            let key = engine.key_of(key).unwrap_or(key);
            self.gate.set_target(key, target.as_ref(), Origin::later(is_announced(key)), now);
            compare(&mut self.gate, engine, &self.node, key);
        }
    }

    /// Waits for observations that change the state of Services or of kube-proxy, or for the end of the first checks. Cancel
    /// safe.
    pub(super) async fn next(&mut self) -> Vec<Change> {
        loop {
            let changes = self.take_changes();
            let has_pending = self.first_checks_are_pending();
            let have_ended = std::mem::replace(&mut self.has_pending, has_pending) && !has_pending;
            let proxy = self.gate.proxy_is_healthy();
            let has_proxy_changed = std::mem::replace(&mut self.seen_proxy, proxy) != proxy;
            if have_ended {
                self.gate.end_first_checks(self.now());
                let mut changes = changes;
                changes.extend(self.take_changes());
                return changes;
            }
            if !changes.is_empty() || has_proxy_changed {
                return changes;
            }

            self.start_checks();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                Some(result) = self.checks.next(), if !self.checks.is_empty() => {
                    let (key, generation, found, has_answered) = result;
                    let now = self.now();
                    self.gate.observe((&key, generation), found, has_answered, now);
                }
                (asked, health) = or_pending(&mut self.proxy) => {
                    self.proxy = None;
                    let (asked, now) = (Moment::of(asked, self.begin), self.now());
                    self.gate.set_proxy_health(health, asked, now);
                }
                (services, view) = or_pending(&mut self.view) => {
                    self.view = None;
                    self.take_view(&services, view);
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Starts the checks that are due.
    fn start_checks(&mut self) {
        self.start_proxy_check();
        if !self.is_active() {
            return;
        }

        let now = self.now();
        let free = CHECKS.saturating_sub(self.checks.len());
        for DueCheck { service, check, generation } in self.gate.due(now, free) {
            let (network, addresses) = (Arc::clone(&self.network), self.addresses.clone());
            self.checks.push(Box::pin(async move {
                let (found, has_answered) =
                    checks::run(&*network, &check, &service, &addresses).await;
                (service, generation, found, has_answered)
            }));
        }

        if self.view.is_none()
            && let Some(services) = self.gate.needs_view(now)
        {
            let (client, namespace) = (self.client.clone(), self.namespace.clone());
            let node = self.node.clone();
            self.view = Some(Box::pin(async move {
                let view = cluster_view::read(client, namespace, node, services.clone()).await;
                (services, view)
            }));
        }
    }

    /// Asks kube-proxy for its health if that is due. What it has answered before the Services are known decides about them.
    fn start_proxy_check(&mut self) {
        let now = Instant::now();
        if self.proxy.is_some() || self.proxy_check_at() > now {
            return;
        }

        self.next_proxy_check = now + PROXY_PERIOD;
        let (network, addresses) = (Arc::clone(&self.network), self.addresses.clone());
        let port = self.options.kube_proxy_port;
        self.proxy = Some(Box::pin(async move {
            (now, checks::proxy_health(&*network, port, &addresses).await)
        }));
    }

    /// Returns true once the Services are known.
    fn is_active(&self) -> bool {
        self.first_checks_until.is_some()
    }

    fn proxy_check_at(&self) -> Instant {
        if self.gate.waits_for_sync(self.now()) {
            self.next_proxy_check + FAST_PROXY_PERIOD - PROXY_PERIOD
        } else {
            self.next_proxy_check
        }
    }

    fn next_wake(&self) -> Instant {
        let mut wake = self.next_proxy_check;
        if self.proxy.is_none() {
            wake = wake.min(self.proxy_check_at());
        }
        if !self.is_active() {
            return wake;
        }

        if let Some(until) = self.first_checks_until
            && self.has_pending
        {
            wake = wake.min(until);
        }
        if self.checks.len() < CHECKS {
            wake = wake.min(self.gate.next_wake().instant(self.begin));
        }
        wake
    }

    fn take_view(&mut self, services: &[ServiceKey], view: Result<ClusterView, kube::Error>) {
        let now = self.now();
        match view {
            Ok(view) => self.gate.set_view(services, &view, now),
            Err(error) => {
                self.gate.lose_view(services, now);
                tracing::debug!(error = causes(&error), "cannot read the state of the other nodes");
            }
        }
    }

    /// Takes changes of the states of Services, a few hundred at most. There are none left if the list is empty.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        for HoldEnd { service, held, is_ready } in self.gate.take_hold_times() {
            self.hold_time.observe(held.as_secs_f64());
            if is_ready {
                tracing::info!(%service, held_back = ?held, "announcing: the dataplane forwards to the Service");
            } else {
                tracing::warn!(
                    %service, held_back = ?held,
                    "announcing with a low preference: the dataplane may not forward to the Service"
                );
            }
        }

        let mut changes = Vec::new();
        for (service, found) in self.gate.take_changes(CHANGES) {
            changes.push(Change::Dataplane { node: self.node.clone(), service, found });
        }
        changes
    }

    fn now(&self) -> Moment {
        Moment::of(Instant::now(), self.begin)
    }

    /// Returns true if sessions should not begin yet, because Services that existed at the start are still held back.
    pub(super) fn first_checks_are_pending(&self) -> bool {
        self.first_checks_until.is_some_and(|until| Instant::now() < until)
            && self.gate.has_unchecked()
    }

    /// Sets the time of the last report that has been written.
    pub(super) fn set_reported(&mut self, at: Option<Instant>) {
        self.gate.set_reported(at.map(|at| Moment::of(at, self.begin)));
    }

    /// Frees memory after many Services have changed one by one, and returns true if the engine should do the same.
    pub(super) fn pack_when_settled(&mut self) -> bool {
        self.gate.pack_when_settled()
    }

    /// Returns the report for BGPNodeStatus.
    pub(super) fn report(&self) -> Value {
        report::report(self.options.gate, &self.gate)
    }

    /// Returns the problems for the conditions of BGPNodeStatus.
    pub(super) fn problems(&self) -> DataplaneProblems {
        let overdue = self.gate.overdue(self.now(), OVERDUE);
        let services = overdue.filter_map(|(key, status)| match status {
            DataplaneStatus::Held(reason)
            | DataplaneStatus::Depreferenced(reason)
            | DataplaneStatus::Withdrawn(reason) => Some((key.to_string(), reason.into())),
            DataplaneStatus::Ready | DataplaneStatus::Leaving => None,
        });
        DataplaneProblems {
            has_proxy_failed: self.gate.proxy_is_healthy() == Some(false),
            services: services.collect(),
        }
    }

    /// Returns the time at which a Service that waits for the dataplane becomes a problem, if nothing changes.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        Some(self.gate.next_overdue(self.now(), OVERDUE)?.instant(self.begin))
    }

    /// Returns true if kube-proxy reports that it is healthy; `None` if it has never answered.
    pub(super) fn proxy_is_healthy(&self) -> Option<bool> {
        self.gate.proxy_is_healthy()
    }

    /// Returns the state for metrics.
    pub(super) fn sample(&self) -> DataplaneSample {
        let counts = self.gate.counts();
        DataplaneSample {
            held: counts.held,
            depreferenced: counts.depreferenced,
            withdrawn: counts.withdrawn,
            kube_proxy_healthy: self.gate.proxy_is_healthy(),
            hold_time: self.hold_time.clone(),
        }
    }
}

/// Reports the state of a Service again if the engine has another one: the engine forgets what it knows of a Service or a Node
/// that is deleted, also if the next event creates it again.
fn compare(gate: &mut NodeGate, engine: &Engine, node: &str, key: &ServiceKey) {
    if gate.status(key).as_ref() != engine.dataplane_status(node, key) {
        gate.mark(key);
    }
}

/// Waits for the work that is under way, and never returns if there is none.
async fn or_pending<T>(work: &mut Option<Pending<T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
