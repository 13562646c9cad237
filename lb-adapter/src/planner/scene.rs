//! What a node's routes are planned from, besides its Services.

use std::sync::Arc;

use crate::allocator::{Assignment, Refusal};
use crate::model::{Config, NextHopPolicy, Node, Service};

use super::endpoints::Endpoints;

/// A node and what holds for all Services on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scene {
    /// The node.
    pub node: Node,
    /// Peers, pools and advertisements; none while there is no valid configuration.
    pub config: Option<Arc<Config>>,
    /// Whether all objects are known that there were at the start.
    pub synced: bool,
    /// Whether the node is being drained.
    pub draining: bool,
    /// What was decided for the whole process.
    pub options: Options,
}

/// What was decided for the whole process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The `loadBalancerClass` that is served; none is Services without one.
    pub class: Option<String>,
    /// Whether addresses are given out elsewhere: what a Service has is what its status says, and
    /// nothing is told of it.
    pub follows: bool,
    /// Whether nodes announce in spite of the label that excludes them from load balancing.
    pub ignore_exclude_label: bool,
    /// What the routes name as their next hop, to peers that say nothing else.
    pub next_hop: NextHopPolicy,
    /// True if the session's address stands in where the Node has no address that `next_hop` could name.
    pub or_session: bool,
    /// Whether the probes of Services are carried out; where they are not, they count as answered.
    pub probing: bool,
}

impl Scene {
    /// A node with this configuration, all of whose objects are known.
    pub fn new(node: Node, config: Arc<Config>) -> Self {
        let config = Some(config);
        Self { node, config, synced: true, draining: false, options: Options::default() }
    }
}

/// One Service, and what is known about it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// The Service.
    pub service: &'a Service,
    /// Its addresses; or why it has none, if that is known.
    pub held: Result<&'a Assignment, Option<&'a Refusal>>,
    /// Its endpoints.
    pub endpoints: &'a Endpoints<'a>,
    /// What the node found by probing it, if it did.
    pub probed: Option<&'a Probed>,
}

impl<'a> Subject<'a> {
    /// A Service of which no probe has said anything.
    pub fn new(
        service: &'a Service,
        held: Result<&'a Assignment, Option<&'a Refusal>>,
        endpoints: &'a Endpoints<'a>,
    ) -> Self {
        Self { service, held, endpoints, probed: None }
    }
}

/// What a node found by probing the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a Service answers or it does not")]
pub enum Probed {
    /// It answers.
    Up,
    /// It answers again, and is not trusted yet.
    Held,
    /// It does not answer, for this reason.
    Down(String),
}
