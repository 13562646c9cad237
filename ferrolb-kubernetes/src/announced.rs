//! The routes that a speaker's node announces, by Service and by session.
//!
//! Owns how the changes of a plan reach the routes of sessions, and the rule by which a Service counts as announced to a peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_session::{IpNet, Route};

use ferrolb_node::sessions::{DesiredSession, SessionKey, Sessions};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::{Plan, PlannedRoute, RouteKey};

/// Applies the changes of a plan to the routes of the sessions. Returns the sessions whose routes have changed.
pub(super) fn change_routes(
    plan: &Plan,
    changed: BTreeSet<RouteKey>,
    wanted: &mut BTreeMap<SessionKey, DesiredSession>,
) -> BTreeSet<SessionKey> {
    let mut touched = BTreeSet::new();
    for (at, prefix) in changed {
        let Some(peer) = plan.peers.get(at) else { continue };
        let key = SessionKey::new(plan.node(), &peer.peer.name);
        let Some(wanted) = wanted.get_mut(&key) else { continue };
        match peer.routes.get(&prefix) {
            Some(route) => {
                let attributes = Arc::clone(route.attributes());
                wanted.routes.insert(Route::with_attributes(prefix, attributes));
            }
            None => drop(wanted.routes.remove(&prefix)),
        }
        touched.insert(key);
    }
    touched
}

/// Returns the names of the peers that a Service is announced to, without those whose session cannot carry any of its routes.
pub(super) fn peers_of(plan: &Plan, key: &ServiceKey, sessions: &Sessions) -> BTreeSet<String> {
    let mut peers = BTreeSet::new();
    for (at, prefix) in plan.announced(key) {
        let Some(peer) = plan.peers.get(*at) else { continue };
        let unsendable = sessions.unsendable(&SessionKey::new(plan.node(), &peer.peer.name));
        if unsendable.binary_search_by_key(prefix, |route| route.prefix).is_err() {
            peers.insert(peer.peer.name.clone());
        }
    }
    peers
}

/// Returns the Services to which these routes of sessions belong.
pub(super) fn services_of(
    plan: &Plan,
    changed: &BTreeMap<SessionKey, BTreeSet<IpNet>>,
) -> BTreeSet<ServiceKey> {
    let mut services = BTreeSet::new();
    for (session, prefixes) in changed {
        let peers = plan.peers.iter().filter(|it| it.peer.name == session.peer);
        let routes =
            peers.flat_map(|it| prefixes.iter().filter_map(|prefix| it.routes.get(prefix)));
        services.extend(routes.flat_map(PlannedRoute::services).cloned());
    }
    services
}
