//! The input of the planner: the context of a node, which is the same for all Services, and one Service.

use std::sync::Arc;

use crate::allocator::{Assignment, Refusal};
use crate::model::{Config, DataplaneGate, NextHopPolicy, Node, Pool, Service};

use super::config_index::ConfigIndex;
use super::service_endpoints::ServiceEndpoints;

/// A node, and the state that is the same for all Services on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeContext {
    /// The node.
    pub node: Node,
    /// Peers, pools and advertisements; `None` while there is no valid configuration.
    pub config: Option<Arc<Config>>,
    /// True once the initial lists of objects are complete.
    pub synced: bool,
    /// True if the node is being drained.
    pub draining: bool,
    /// The options of the process.
    pub options: PlannerOptions,
    /// The index of the configuration.
    pub(crate) index: Arc<ConfigIndex>,
}

/// The options of the process, the same for all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannerOptions {
    /// The `loadBalancerClass` that is served; `None` serves Services without a class.
    pub class: Option<String>,
    /// True if another process assigns the addresses: a Service holds what its status says, and this process writes
    /// neither statuses nor Events.
    pub follow_status: bool,
    /// True if nodes announce even with the label that excludes them from load balancing.
    pub ignore_exclude_label: bool,
    /// The next hop of routes to peers that configure none.
    pub next_hop: NextHopPolicy,
    /// True if the session's address is the next hop when `next_hop` asks for an address that the Node does not have.
    pub or_session_address: bool,
    /// True if this process probes Services; otherwise every probe counts as answered.
    pub probing: bool,
    /// The dataplane gate of pools that set none; `None` if this process does not observe the dataplane, and then it
    /// counts as ready for every Service without an observation.
    pub dataplane_gate: Option<DataplaneGate>,
}

impl PlannerOptions {
    /// Returns the dataplane gate of a pool's Services.
    pub(crate) fn dataplane_gate_of(&self, pool: &Pool) -> DataplaneGate {
        match self.dataplane_gate {
            Some(default) => pool.dataplane_gate.unwrap_or(default),
            None => DataplaneGate::Off,
        }
    }
}

impl NodeContext {
    /// Makes the context of a node with this configuration, after the initial lists.
    pub fn new(node: Node, config: Arc<Config>) -> Self {
        Self {
            node,
            index: Arc::new(ConfigIndex::new(&config)),
            config: Some(config),
            synced: true,
            draining: false,
            options: PlannerOptions::default(),
        }
    }
}

/// One Service with its addresses, its endpoints, the result of its probe and the state of the dataplane.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServiceInput<'a> {
    /// The Service.
    pub service: &'a Service,
    /// Its addresses; or the reason why it has none, if that is known.
    pub held: Result<&'a Assignment, Option<&'a Refusal>>,
    /// Its endpoints.
    pub endpoints: &'a ServiceEndpoints<'a>,
    /// The result of the node's probe, if it has one.
    pub probe_status: Option<&'a ProbeStatus>,
    /// The state of the node's dataplane for the Service, if it has been observed.
    pub dataplane_status: Option<&'a DataplaneStatus>,
}

impl<'a> ServiceInput<'a> {
    /// Makes the input for a Service without observations of the node.
    pub fn new(
        service: &'a Service,
        held: Result<&'a Assignment, Option<&'a Refusal>>,
        endpoints: &'a ServiceEndpoints<'a>,
    ) -> Self {
        Self { service, held, endpoints, probe_status: None, dataplane_status: None }
    }
}

/// The result of a node's probe of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a Service answers or it does not")]
pub enum ProbeStatus {
    /// The Service answers.
    Up,
    /// The Service answers again, but its hold-down time is not over.
    HeldDown,
    /// The Service does not answer, for this reason.
    Down(String),
}

/// The state of a node's dataplane for one Service, by the observations of the node.
///
/// Each text is the observation behind the state, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum DataplaneStatus {
    /// It forwards to the Service: the node announces it.
    Ready,
    /// It is not known to forward yet: the node does not announce the Service.
    Held(Box<str>),
    /// It may have stopped forwarding: the node announces the Service with a lower preference than other nodes.
    Depreferenced(Box<str>),
    /// It has stopped forwarding, and another node serves: the node does not announce the Service.
    Withdrawn(Box<str>),
    /// The node has no endpoint of the Service any more, or is excluded from load balancing, and announces it with a lower
    /// preference until other nodes serve.
    Leaving,
}
