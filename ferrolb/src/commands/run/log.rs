//! What the log says of addresses and routes. Sessions log for themselves.

use std::collections::BTreeMap;

use bgp_session::RouteSet;

use ferrolb_node::sessions::{DesiredSession, SessionKey};
use lb_adapter::allocator::Event;
use lb_adapter::engine::Engine;

/// What the allocator did.
pub(super) fn allocation(events: &[Event]) {
    for event in events {
        let (service, reason) = (&event.service, event.reason.as_str());
        match event.reason.is_warning() {
            true => tracing::warn!(%service, reason, "{}", event.message),
            false => tracing::info!(%service, reason, "{}", event.message),
        }
    }
}

/// What is announced that was not, and the other way round.
pub(super) fn changes(
    before: &BTreeMap<SessionKey, DesiredSession>,
    now: &BTreeMap<SessionKey, DesiredSession>,
    engine: &Engine,
) {
    let none = RouteSet::new();
    for (key, wanted) in now {
        let before = before.get(key).map_or(&none, |before| &before.routes);
        for (prefix, attributes) in &wanted.routes {
            if before.get(&prefix) != Some(attributes) {
                let next_hop = attributes.next_hop.map(|it| it.to_string()).unwrap_or_default();
                tracing::info!(peer = key.peer, %prefix, next_hop, "announcing");
            }
        }
        for (prefix, _) in before {
            if wanted.routes.get(&prefix).is_none() {
                tracing::info!(peer = key.peer, %prefix, "withdrawing");
            }
        }
    }
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for plan in engine.plans() {
        for service in engine.service_keys() {
            for withheld in engine.not_announced(plan, service) {
                let peer = withheld.peer.as_deref().unwrap_or("all");
                tracing::debug!(%service, peer, reason = %withheld.reason, "not announced");
            }
        }
    }
    for note in engine.attribute_warnings() {
        tracing::debug!("{note}");
    }
}
