//! Decides which routes a node announces to which peer, and why it does not announce others.
//!
//! ```text
//! for each Service:   service_routes -> announcements, or the first gate that stopped it
//! for each peer:      the announcements of all Services, joined by prefix -> PlannedRoute
//! for tests and labs: expected_router_table, the routes that a router holds from all nodes
//! ```
//!
//! Everything here is deterministic: no file, no clock, no network, and the same result for the same input in any
//! order. A [`Plan`] is updated Service by Service, and the work for one does not grow with the number of the others,
//! because each route knows its Services. The planner must not know which routes a peer has already received.
//!
//! A plan does not keep the reasons why routes are missing: `service_routes` returns them again on demand.

mod config_index;
mod hints;
mod node_context;
mod plan;
mod planned_route;
mod reason;
mod route_annotations;
mod route_builder;
mod router_table;
mod service_attributes;
mod service_endpoints;
mod service_health;
mod service_routes;
#[cfg(test)]
mod tests;
mod urgency;

pub(crate) use config_index::ConfigIndex;
pub use node_context::{DataplaneStatus, NodeContext, PlannerOptions, ProbeStatus, ServiceInput};
pub use plan::{PeerPlan, Plan, RouteKey};
pub use planned_route::PlannedRoute;
pub use reason::{Gate, NotAnnounced, Reason};
pub(crate) use route_annotations::reads_annotation;
pub use route_annotations::{AnnotationError, InvalidAnnotation, RouteAnnotations};
pub use route_builder::{AttributeWarning, RequestedValue};
pub use router_table::{
    PathDifference, RouterPath, RouterTable, expected_router_table, session_next_hop,
};
pub use service_attributes::ServiceAttributes;
pub(crate) use service_endpoints::is_usable;
pub use service_endpoints::{EndpointCount, ServiceEndpoints};
pub(crate) use service_routes::service_routes;
