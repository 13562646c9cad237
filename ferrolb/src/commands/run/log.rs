//! Log lines about addresses and routes. Sessions log for themselves.

use std::collections::BTreeMap;

use ferrolb_node::events::RouteChanges;
use ferrolb_node::sessions::{DesiredSession, SessionKey};
use lb_adapter::allocator::Event;
use lb_adapter::engine::Engine;

/// Logs the events of the allocator.
pub(super) fn allocation(events: &[Event]) {
    for event in events {
        let (service, reason) = (&event.service, event.reason.as_str());
        if event.reason.is_warning() {
            tracing::warn!(%service, reason, "{}", event.message);
        } else {
            tracing::info!(%service, reason, "{}", event.message);
        }
    }
}

/// Logs the changed routes; at the level `debug`, also the reasons for missing routes.
pub(super) fn changes(
    changed: &BTreeMap<SessionKey, RouteChanges>,
    now: &BTreeMap<SessionKey, DesiredSession>,
    engine: &Engine,
) {
    for (key, changes) in changed {
        // The end of a session that is gone is logged elsewhere.
        if let Some(session) = now.get(key) {
            routes(&key.peer, changes, session);
        }
    }

    if tracing::enabled!(tracing::Level::DEBUG) {
        missing_routes(engine);
    }
}

/// Logs the changed routes of a session.
fn routes(peer: &str, changes: &RouteChanges, session: &DesiredSession) {
    for prefix in changes.announced.union(&changes.changed) {
        let next_hop = session.routes.get(prefix).and_then(|attributes| attributes.next_hop);
        let next_hop = next_hop.map(|it| it.to_string()).unwrap_or_default();
        tracing::info!(peer, %prefix, next_hop, "announcing");
    }
    for prefix in &changes.withdrawn {
        tracing::info!(peer, %prefix, "withdrawing");
    }
}

/// Logs the reasons for missing routes, and the attributes that cannot be sent.
fn missing_routes(engine: &Engine) {
    for plan in engine.plans() {
        for service in engine.service_keys() {
            for withheld in engine.not_announced(plan, service) {
                let peer = withheld.peer.as_deref().unwrap_or("all");
                tracing::debug!(%service, peer, reason = %withheld.reason, "not announced");
            }
        }
    }
    for warning in engine.attribute_warnings() {
        tracing::debug!("{warning}");
    }
}
