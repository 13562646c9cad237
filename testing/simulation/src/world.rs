//! [`World`]: what all parts of a simulation share.
//!
//! Owns the API server, the conditions under which each process runs, the connections between nodes and routers, the trace and
//! the first violation. It performs nothing by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use test_apiserver::ApiServer;
use tokio::time::Instant;

use crate::addresses::AddressRecord;
use crate::link::Link;
use crate::plan::{RequestFault, Size, Who};
use crate::router::Router;
use crate::trace::Trace;

/// The namespace of the configuration.
pub(crate) const NAMESPACE: &str = "ferrolb-system";

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The name of the invariant.
    pub(crate) invariant: &'static str,
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// The conditions under which a process runs.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    /// The number of its starts. What belongs to an earlier one is dead.
    pub(crate) life: u32,
    /// It cannot reach the API server before this time.
    pub(crate) partition: Instant,
    /// It does not run before this time.
    pub(crate) hang: Instant,
    /// Requests and events take up to this time, until that time.
    pub(crate) delay: (Duration, Instant),
    /// The next requests fail.
    pub(crate) failures: (u8, RequestFault),
    /// How far its wall clock is ahead, in seconds.
    pub(crate) ahead: i64,
}

/// A connection and its place.
#[derive(Clone, Debug)]
pub(crate) struct PlacedLink {
    pub(crate) node: usize,
    pub(crate) router: usize,
    pub(crate) link: Link,
}

/// What changes in a world.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) random: Rng,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    pub(crate) conditions: BTreeMap<Who, Conditions>,
    /// Nothing passes between a node and a router before this time.
    pub(crate) isolated: BTreeMap<(usize, usize), Instant>,
    pub(crate) links: Vec<PlacedLink>,
    pub(crate) routers: Vec<Option<Router>>,
    /// The end of the last fault that met each process.
    pub(crate) disturbed: BTreeMap<Who, Instant>,
    /// When each process last started.
    pub(crate) started: BTreeMap<Who, Instant>,
    pub(crate) addresses: AddressRecord,
    /// Since when each router has had a route to each address over each node.
    pub(crate) routes: BTreeMap<(usize, IpAddr, usize), Instant>,
}

/// What all parts of a simulation share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) size: Size,
    pub(crate) server: ApiServer,
    begin: Instant,
    state: Mutex<State>,
}

impl World {
    /// A world that begins now.
    pub(crate) fn new(seed: u64, size: Size, trace: Trace) -> Arc<Self> {
        let begin = Instant::now();
        let conditions = Conditions {
            life: 0,
            partition: begin,
            hang: begin,
            delay: (Duration::ZERO, begin),
            failures: (0, RequestFault::Lost),
            ahead: 0,
        };
        let state = State {
            // The plan has the seed itself.
            random: Rng::with_seed(!seed),
            trace,
            violation: None,
            conditions: size.processes().map(|who| (who, conditions.clone())).collect(),
            isolated: BTreeMap::new(),
            links: Vec::new(),
            routers: (0..size.routers).map(|_| None).collect(),
            disturbed: BTreeMap::new(),
            started: BTreeMap::new(),
            addresses: AddressRecord::default(),
            routes: BTreeMap::new(),
        };
        let server = ApiServer::builder().start_in_memory();
        Arc::new(Self { size, server, begin, state: Mutex::new(state) })
    }

    /// The state. Do not keep it across a call of another part.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        let time = self.begin.elapsed();
        self.lock().trace.add(time, line);
    }

    /// Notes that an invariant is broken. The first violation counts.
    pub(crate) fn violate(&self, invariant: &'static str, text: String) {
        self.note(format_args!("VIOLATION {invariant}: {text}"));
        self.lock().violation.get_or_insert(Violation { invariant, text });
    }

    /// Returns a random time up to this one.
    pub(crate) fn random_time(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.lock().random.u64(..=most))
    }

    /// Changes the conditions of a process.
    pub(crate) fn change(&self, who: Who, change: impl FnOnce(&mut Conditions)) {
        if let Some(conditions) = self.lock().conditions.get_mut(&who) {
            change(conditions);
        }
        self.refresh_links();
    }

    /// Notes that a fault meets a process for this time.
    pub(crate) fn disturb(&self, who: Who, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        let last = state.disturbed.entry(who).or_insert(until);
        *last = until.max(*last);
    }

    /// Returns the conditions of a process.
    pub(crate) fn conditions(&self, who: Who) -> Conditions {
        self.lock().conditions[&who].clone()
    }

    /// Stalls the connections that nothing passes at present, and lets the others pass.
    pub(crate) fn refresh_links(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        state.links.retain(|placed| !placed.link.is_over());
        for PlacedLink { node, router, link } in &state.links {
            let is_isolated = state.isolated.get(&(*node, *router)).is_some_and(|at| now < *at);
            let hangs = state.conditions[&Who::Speaker(*node)].hang > now;
            link.stall(is_isolated || hangs);
        }
    }

    /// Breaks the connections that are selected.
    pub(crate) fn cut_links(&self, is_cut: impl Fn(&PlacedLink) -> bool) {
        let links = self.lock().links.clone();
        for placed in links.into_iter().filter(is_cut) {
            placed.link.cut();
        }
    }

    /// Ends all faults that last.
    pub(crate) fn heal(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        for conditions in state.conditions.values_mut() {
            conditions.partition = now;
            conditions.hang = now;
            conditions.delay = (Duration::ZERO, now);
            conditions.failures.0 = 0;
            conditions.ahead = 0;
        }
        state.isolated.clear();
        drop(state);
        self.refresh_links();
    }

    /// The identity of the leader by the Lease, as the API server has it.
    pub(crate) fn lease_holder(&self) -> Option<String> {
        let leases = self.server.objects("leases.coordination.k8s.io");
        let lease = leases.iter().find(|lease| lease["metadata"]["namespace"] == NAMESPACE)?;
        Some(lease["spec"]["holderIdentity"].as_str()?.to_owned())
    }
}

/// The address of a node.
pub(crate) fn node_address(node: usize) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(node).unwrap_or(0) + 10)
}

/// The address of a router.
pub(crate) fn router_address(router: usize) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(router).unwrap_or(0) + 1)
}

/// The name of a node.
pub(crate) fn node_name(node: usize) -> String {
    format!("node-{node}")
}

/// The name of a Service.
pub(crate) fn service_name(service: usize) -> String {
    format!("web-{service}")
}

/// A pool and its addresses.
pub(crate) fn pool(pool: usize) -> Value {
    let (name, addresses) = POOLS[pool];
    json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"addresses": [addresses]}})
}

/// The pools: each has room for all Services.
pub(crate) const POOLS: [(&str, &str); 2] =
    [("blue", "192.0.2.0/27"), ("green", "198.51.100.0/27")];
