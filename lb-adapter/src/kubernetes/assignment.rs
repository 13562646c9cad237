//! The Events by which a Service is told that a node began to announce it, or does not any more.
//!
//! Owns the words, which are MetalLB's where it has them. When there is something to tell is seen elsewhere.

use super::events::Told;
use super::service_bgp_status::News;
use crate::engine::Engine;
use crate::model::ServiceKey;

/// The Service, and what it is told; nothing for one that is gone. `is_drained` says whether the node carries nothing
/// because it is drained.
pub(super) fn told(
    news: News,
    node: &str,
    engine: &Engine,
    is_drained: bool,
) -> Option<(ServiceKey, Told)> {
    let (key, reason, message) = match news {
        News::Begun(key, peers) => {
            let peers: Vec<_> = peers.iter().map(String::as_str).collect();
            let message = format!(
                "announcing from node {node:?} with protocol \"bgp\" to {}",
                peers.join(", ")
            );
            (key, "nodeAssigned", message)
        }
        News::Ended(key) => {
            if !engine.has_service(&key) {
                return None;
            }
            let plan = engine.plan(node);
            let why = plan.and_then(|it| engine.not_announced(it, &key).into_iter().next());
            let why = match why {
                _ if is_drained => ": the node is drained".to_owned(),
                Some(why) => format!(": {}", why.reason),
                None => String::new(),
            };
            (key, "nodeUnassigned", format!("no longer announcing from node {node:?}{why}"))
        }
    };
    Some((key, Told { warning: false, reason, action: "Announce", message }))
}
