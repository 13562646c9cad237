//! The Events which report that a node has begun to announce a Service, or no longer announces it.
//!
//! Owns their texts, which are MetalLB's where MetalLB has the same Event. `service_bgp_status` decides when to publish one.

use super::events::EventContent;
use super::service_bgp_status::AnnouncementChange;
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;

/// Returns the Service and its Event, or `None` if the Service was deleted. `is_drained` is true if the node announces nothing
/// because it is drained.
pub(super) fn event(
    change: AnnouncementChange,
    node: &str,
    engine: &Engine,
    is_drained: bool,
) -> Option<(ServiceKey, EventContent)> {
    let (key, reason, message) = match change {
        AnnouncementChange::Started(key, peers) => {
            let peers = peers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("announcing from node {node:?} with protocol \"bgp\" to {peers}");
            (key, "nodeAssigned", message)
        }
        AnnouncementChange::Stopped(key) => {
            if !engine.has_service(&key) {
                return None;
            }
            let why = reason_not_announced(&key, node, engine, is_drained);
            (key, "nodeUnassigned", format!("no longer announcing from node {node:?}{why}"))
        }
    };

    Some((key, EventContent { is_warning: false, reason, action: "Announce", message }))
}

/// Returns the reason after a colon, or an empty text if it is not known.
fn reason_not_announced(key: &ServiceKey, node: &str, engine: &Engine, is_drained: bool) -> String {
    if is_drained {
        return ": the node is drained".to_owned();
    }

    let plan = engine.plan(node);
    let gate = plan.and_then(|plan| engine.not_announced(plan, key).into_iter().next());
    gate.map(|gate| format!(": {}", gate.reason)).unwrap_or_default()
}
