//! The state of a process at one moment, as Prometheus and the status of resources report it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::UnsendableRoute;

use super::dataplane::HoldTime;
use crate::sessions::SessionStatus;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

/// The state of a process at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The node of a speaker; a controller has none.
    pub node: Option<String>,
    /// The configuration.
    pub config: ConfigSample,
    /// The pools, if the process allocates addresses.
    pub pools: Vec<PoolSample>,
    /// The number of Services that ask for an address and have none, if the process allocates addresses.
    pub pending_services: Option<u64>,
    /// The sessions.
    pub sessions: Vec<SessionSample>,
    /// The status of this node's probes.
    pub probes: Vec<ProbeSample>,
    /// The addresses that this node announces.
    pub announced: Vec<AnnouncedAddress>,
    /// The traffic with the API server.
    pub api: ApiSample,
    /// The stage of the drain.
    pub drain: DrainSample,
    /// The dataplane gate, if the process has one.
    pub dataplane: Option<DataplaneSample>,
}

/// The state of the dataplane gate.
#[derive(Clone, Debug, Default)]
pub struct DataplaneSample {
    /// The number of Services that are held back.
    pub held: usize,
    /// The number of Services that are announced with a lower preference.
    pub depreferenced: usize,
    /// The number of Services whose routes are withdrawn.
    pub withdrawn: usize,
    /// True if kube-proxy reports that it is healthy; `None` if it has never answered.
    pub kube_proxy_healthy: Option<bool>,
    /// The times for which Services were held back.
    pub hold_time: HoldTime,
}

/// The state of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ConfigSample {
    /// True if a valid configuration has been loaded.
    pub loaded: bool,
    /// True if the current configuration is not valid, so that an older one is in force.
    pub stale: bool,
    /// The time at which the configuration in force was loaded, in seconds since 1970.
    pub loaded_at: Option<f64>,
}

impl ConfigSample {
    /// Returns a sample with these values.
    pub fn new(loaded: bool, stale: bool, loaded_at: Option<f64>) -> Self {
        Self { loaded, stale, loaded_at }
    }
}

/// The usage of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolSample {
    /// The pool's name.
    pub name: String,
    /// The usage of its IPv4 addresses.
    pub ipv4: PoolUsage,
    /// The usage of its IPv6 addresses.
    pub ipv6: PoolUsage,
    /// The number of Services that have an address of the pool.
    pub services: u64,
}

/// The usage of a pool's addresses of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolUsage {
    /// The number of usable addresses.
    pub total: u128,
    /// The number of addresses in use. An address that several Services share counts once.
    pub in_use: u64,
}

impl PoolUsage {
    /// Returns the usage of a pool with `in_use` of `total` addresses in use.
    pub fn new(in_use: u64, total: u128) -> Self {
        Self { total, in_use }
    }
}

/// The state of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSample {
    /// The peer's name in the configuration.
    pub name: String,
    /// The peer's address and port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`.
    pub endpoint: String,
    /// The status of the session.
    pub status: SessionStatus,
    /// The hold time: the agreed one while the session is up, otherwise the configured one. Zero for none.
    pub hold_time: Duration,
    /// The number of prefixes that the peer should have.
    pub prefixes: u64,
    /// The number of these prefixes that the peer has not received: all while the session is down, and those that the
    /// session cannot carry while it is up.
    pub pending: u64,
    /// The routes that the session could not carry at the last refresh.
    pub unsendable: Arc<[UnsendableRoute]>,
}

impl SessionSample {
    /// Returns a sample of a session without prefixes.
    pub fn new(
        name: impl Into<String>,
        endpoint: impl Into<String>,
        status: impl Into<SessionStatus>,
    ) -> Self {
        Self {
            name: name.into(),
            endpoint: endpoint.into(),
            status: status.into(),
            hold_time: Duration::ZERO,
            prefixes: 0,
            pending: 0,
            unsendable: Arc::default(),
        }
    }
}

/// The status of a node's probe of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeSample {
    /// The Service.
    pub service: ServiceKey,
    /// The latest status.
    pub status: ProbeStatus,
}

impl ProbeSample {
    /// Returns a sample with these values.
    pub fn new(service: ServiceKey, status: ProbeStatus) -> Self {
        Self { service, status }
    }
}

/// An address that is announced for a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnouncedAddress {
    /// The Service.
    pub service: ServiceKey,
    /// The address.
    pub address: IpAddr,
}

impl AnnouncedAddress {
    /// Returns this address of this Service.
    pub fn new(service: ServiceKey, address: IpAddr) -> Self {
        Self { service, address }
    }
}

/// The counters of the traffic with the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiSample {
    /// The number of changes of objects that were processed.
    pub updates: u64,
    /// The number of objects and configurations that could not be processed, and of writes that failed.
    pub update_errors: u64,
    /// The number of restarted watches, by the plural name of the resource.
    pub watch_restarts: BTreeMap<&'static str, u64>,
}

impl ApiSample {
    /// Returns a sample with these values.
    pub fn new(
        updates: u64,
        update_errors: u64,
        watch_restarts: BTreeMap<&'static str, u64>,
    ) -> Self {
        Self { updates, update_errors, watch_restarts }
    }
}

/// The stages of a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all")]
pub enum DrainSample {
    /// No drain is under way.
    #[default]
    Serving,
    /// Routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    Graceful,
    /// Routes are withdrawn.
    Withdrawn,
}
