//! The view that a speaker takes of the other nodes before it withdraws a route.
//!
//! ```text
//! BGPNodeStatus of all nodes ──────────────┐
//! ServiceBGPStatus of one Service, each ───┴──► ClusterView
//! ```
//!
//! Owns the rule by which another node counts as serving. Each speaker writes that its dataplane has failed before it looks at
//! the others, so that of two nodes that fail at the same time at least one sees the other and keeps its routes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::Value;

use crate::client::with_timeout;
use crate::node_status;
use crate::resource::Kind;
use crate::service_bgp_status;
use ferrolb_node::time_of_day;
use lb_adapter::model::ServiceKey;

use super::report;

/// The state of the other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClusterView {
    /// True if kube-proxy has answered on another node.
    pub(super) has_proxy: bool,
    /// True if the dataplane of another node serves health ports.
    pub(super) has_health_ports: bool,
    /// The Services, among those asked for, that another node announces without a problem.
    pub(super) served: BTreeSet<ServiceKey>,
}

/// Reads the view of the nodes other than `node`, for these Services.
///
/// # Errors
///
/// The API server is unreachable or refuses a request.
pub(super) async fn read(
    client: Client,
    namespace: String,
    node: String,
    services: Vec<ServiceKey>,
) -> Result<ClusterView, kube::Error> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &namespace, &Kind::BgpNodeStatus.api_resource());
    let listed = with_timeout(api.list(&ListParams::default())).await?;
    let nodes: Vec<Value> = listed.items.into_iter().map(|object| object.data).collect();
    let statuses = other_nodes(&nodes, &node, time_of_day());

    let mut view = ClusterView::default();
    for status in statuses.values() {
        view.has_proxy |= report::has_proxy(status);
        view.has_health_ports |= report::has_health_ports(status);
    }
    for service in services {
        let announcers = service_bgp_status::announcers(&client, &namespace, &service).await?;
        let is_served = announcers.iter().any(|node| {
            statuses.get(node.as_str()).is_some_and(|status| report::serves(status, &service))
        });
        if is_served {
            view.served.insert(service);
        }
    }
    Ok(view)
}

/// Returns the statuses of the other nodes whose speakers report, by node.
fn other_nodes<'a>(
    objects: &'a [Value],
    node: &str,
    now: Timestamp,
) -> BTreeMap<&'a str, &'a Value> {
    let mut statuses = BTreeMap::new();
    for object in objects {
        let status = &object["status"];
        let Some(name) = status["node"].as_str() else { continue };
        if name != node && !node_status::is_stale(status, now) {
            statuses.insert(name, status);
        }
    }
    statuses
}
