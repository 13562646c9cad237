//! The input of the engine, one change at a time, and the effects of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allocator::Event;
use crate::model::{Config, EndpointSlice, Namespace, Node, Service, ServiceKey};
use crate::planner::{DataplaneStatus, ProbeStatus, RouteKey};

/// One change in the cluster.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A valid configuration takes effect. If it has no pool, Services keep the addresses that they hold until
    /// [`Change::GracePeriodOver`].
    Config(Arc<Config>),
    /// The grace period for the addresses of removed pools is over. If there still is no pool, they are released.
    GracePeriodOver,
    /// A Service is new or has changed. With a status, it holds the addresses in it from now on; without one, it
    /// keeps the addresses that it holds.
    Service {
        /// The Service.
        service: Box<Service>,
        /// The addresses of its status, as written.
        status: Option<Vec<String>>,
    },
    /// A Service is gone.
    ServiceGone(ServiceKey),
    /// An EndpointSlice is new or has changed.
    Slice(EndpointSlice),
    /// An EndpointSlice is gone.
    SliceGone {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An Endpoints object is new or has changed. It counts for a Service without slices.
    Endpoints(EndpointSlice),
    /// An Endpoints object, which has its Service's name, is gone.
    EndpointsGone(ServiceKey),
    /// A Node is new or has changed.
    Node(Node),
    /// A Node is gone.
    NodeGone(String),
    /// A Namespace is new or has changed.
    Namespace(Namespace),
    /// A Namespace is gone.
    NamespaceGone(String),
    /// The initial lists of objects are complete: from now on addresses are assigned.
    Synced,
    /// A node has a new probe result for a Service, or no longer has one.
    Probed {
        /// The node.
        node: String,
        /// The Service.
        service: ServiceKey,
        /// The result.
        found: Option<ProbeStatus>,
    },
    /// A node has observed its dataplane for a Service, or no longer observes it.
    Dataplane {
        /// The node.
        node: String,
        /// The Service.
        service: ServiceKey,
        /// The state.
        found: Option<DataplaneStatus>,
    },
}

/// The effects of one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effects {
    /// The Events to report.
    pub events: Vec<Event>,
    /// The Services whose addresses changed, so that their statuses have to be written.
    pub written: BTreeSet<ServiceKey>,
    /// Changed routes, by node. Routes that went away with their peer, node or configuration are not listed: after such a
    /// change the caller must compare the whole plan.
    pub routes: BTreeMap<String, BTreeSet<RouteKey>>,
    /// The Services that were planned one by one. A change of a node or of the configuration plans all Services and lists
    /// none here.
    pub planned: BTreeSet<ServiceKey>,
}

impl Effects {
    /// Adds the effects of a later change.
    pub fn extend(&mut self, more: Self) {
        self.events.extend(more.events);
        self.written.extend(more.written);
        self.planned.extend(more.planned);
        for (node, changed) in more.routes {
            self.add_routes(&node, changed);
        }
    }

    pub(super) fn add_routes(&mut self, node: &str, changed: BTreeSet<RouteKey>) {
        if !changed.is_empty() {
            self.routes.entry(node.to_owned()).or_default().extend(changed);
        }
    }
}
