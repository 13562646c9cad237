//! The Events which report that a node has begun to announce a Service, or no longer announces it.
//!
//! Owns their words, which are MetalLB's where it has them. The module of ServiceBGPStatus decides when there is one.

use super::events::Told;
use super::service_bgp_status::News;
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;

/// Returns the Service and its Event; nothing for a Service that is gone. `is_drained` is true if the node announces
/// nothing because it is drained.
pub(super) fn told(
    news: News,
    node: &str,
    engine: &Engine,
    is_drained: bool,
) -> Option<(ServiceKey, Told)> {
    let (key, reason, message) = match news {
        News::Begun(key, peers) => {
            let peers = peers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("announcing from node {node:?} with protocol \"bgp\" to {peers}");
            (key, "nodeAssigned", message)
        }
        News::Ended(key) => {
            if !engine.has_service(&key) {
                return None;
            }

            let plan = engine.plan(node);
            let gate = plan.and_then(|it| engine.not_announced(it, &key).into_iter().next());
            let why = match gate {
                _ if is_drained => ": the node is drained".to_owned(),
                Some(gate) => format!(": {}", gate.reason),
                None => String::new(),
            };
            (key, "nodeUnassigned", format!("no longer announcing from node {node:?}{why}"))
        }
    };
    Some((key, Told { warning: false, reason, action: "Announce", message }))
}
