//! What is true of a process at one moment, as far as it is told to Prometheus.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_session::UnsendableRoute;

use crate::sessions::SessionStatus;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The node that a speaker speaks for; a controller has none.
    pub node: Option<String>,
    /// The configuration.
    pub config: ConfigSample,
    /// The pools, of a process that gives addresses out.
    pub pools: Vec<PoolSample>,
    /// The sessions.
    pub sessions: Vec<SessionSample>,
    /// What this node found by probing Services.
    pub probes: Vec<ProbeSample>,
    /// The addresses that this node announces.
    pub announced: Vec<Announced>,
    /// The dealings with the API server.
    pub api: ApiSample,
    /// How far a drain has come.
    pub drain: DrainSample,
}

/// Whether what is in force is what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ConfigSample {
    /// Whether there has been a valid configuration yet.
    pub loaded: bool,
    /// Whether what is written now is not valid, so that an older one is in force.
    pub stale: bool,
    /// When the one in force was loaded, in seconds since 1970.
    pub loaded_at: Option<f64>,
}

impl ConfigSample {
    /// Whether one has been loaded, whether it is stale, and when it was loaded.
    pub fn new(loaded: bool, stale: bool, loaded_at: Option<f64>) -> Self {
        Self { loaded, stale, loaded_at }
    }
}

/// A pool, and how full it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolSample {
    /// Its name.
    pub name: String,
    /// Its IPv4 addresses.
    pub ipv4: Usage,
    /// Its IPv6 addresses.
    pub ipv6: Usage,
    /// The Services that have an address of it.
    pub services: u64,
}

/// How many addresses there are, and are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many there are to give out.
    pub total: u128,
    /// How many are in use, each counted once however many Services share it.
    pub in_use: u64,
}

impl Usage {
    /// So many of so many.
    pub fn new(in_use: u64, total: u128) -> Self {
        Self { total, in_use }
    }
}

/// A session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSample {
    /// The peer's name in the configuration.
    pub name: String,
    /// Address and port: `172.22.35.1:179`, `[fd00::1]:179`, `eth1:179`.
    pub endpoint: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// How many prefixes the peer should have.
    pub prefixes: u64,
    /// How many of them it has not received: all while the session is down, then those that the session cannot carry.
    pub pending: u64,
    /// The routes that the session cannot carry, as of the last look at it.
    pub unsendable: Arc<[UnsendableRoute]>,
}

impl SessionSample {
    /// One that stands so.
    pub fn new(
        name: impl Into<String>,
        endpoint: impl Into<String>,
        status: impl Into<SessionStatus>,
    ) -> Self {
        let (name, endpoint, status) = (name.into(), endpoint.into(), status.into());
        let unsendable = Arc::default();
        Self { name, endpoint, status, prefixes: 0, pending: 0, unsendable }
    }
}

/// What a node found by probing a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeSample {
    /// The Service.
    pub service: ServiceKey,
    /// What was found last.
    pub found: ProbeStatus,
}

impl ProbeSample {
    /// Found of this Service.
    pub fn new(service: ServiceKey, found: ProbeStatus) -> Self {
        Self { service, found }
    }
}

/// An address that is announced for a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announced {
    /// The Service.
    pub service: ServiceKey,
    /// The address.
    pub address: IpAddr,
}

impl Announced {
    /// This address for this Service.
    pub fn new(service: ServiceKey, address: IpAddr) -> Self {
        Self { service, address }
    }
}

/// What was asked of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiSample {
    /// Changes of objects that were taken in.
    pub updates: u64,
    /// Objects and configurations that could not be taken in, and writes that failed.
    pub update_errors: u64,
    /// Watches that had to be begun anew, by the plural name of the resource.
    pub watch_restarts: BTreeMap<&'static str, u64>,
}

impl ApiSample {
    /// So many changes, so many failures, and so many watches begun anew.
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
    /// No drain.
    #[default]
    Serving,
    /// Routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    Graceful,
    /// Routes are withdrawn.
    Withdrawn,
}
