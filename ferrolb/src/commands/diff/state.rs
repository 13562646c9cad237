//! The state of a cluster on the wire, and the comparison of two states.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_session::TakesEffect;
use ferrolb_node::sessions::{
    ConfigEffect, SessionConfig, SessionKey, pair_sessions, session_config,
};
use ipnet::IpNet;
use lb_adapter::engine::{Engine, peer_label};
use lb_adapter::explain::describe_attributes;
use lb_adapter::model::{Peer, ServiceKey};
use lb_adapter::planner::Plan;
use lb_adapter::recording::PASSWORD;

use super::difference::{Difference, configured_names};

/// The routes, Service addresses and sessions of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireState {
    /// The attributes that a session sends with a prefix.
    pub(super) routes: BTreeMap<(IpNet, SessionKey), String>,
    pub(super) services: BTreeMap<ServiceKey, Vec<IpAddr>>,
    pub(super) sessions: BTreeMap<SessionKey, SessionState>,
}

/// A session, with everything that can reset it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionState {
    /// The peer's name for people.
    label: String,
    config: SessionConfig,
    has_password: bool,
}

/// The new name of each session that continues, and its old one.
type Pairs = BTreeMap<SessionKey, SessionKey>;

impl SessionState {
    /// Returns the session of a plan. The node is assumed to dial from its first address of the peer's family.
    pub(super) fn new(plan: &Plan, peer: &Peer) -> Self {
        let mut local = None;
        if let Some(router) = peer.address.ip()
            && peer.source_address.is_none()
        {
            let mut addresses = plan.context.node.addresses.iter().copied();
            local = addresses.find(|address| address.is_ipv4() == router.is_ipv4());
        }
        Self {
            label: peer_label(peer),
            config: session_config(plan, peer, local),
            has_password: peer.password.is_some() || peer.password_secret.is_some(),
        }
    }

    /// Returns the difference to the same session later; `None` if there is none.
    fn diff(&self, after: &Self, node: &str) -> Option<Difference> {
        let (node, peer) = (node.to_owned(), self.label.clone());
        let changes = match self.config.effect_of(&after.config) {
            ConfigEffect::Resets(fields) => {
                let fields = configured_names(fields);
                return Some(Difference::Reset { node, peer, fields });
            }
            ConfigEffect::Continues(changes) => changes,
        };

        let names = |when: TakesEffect| {
            let changes = changes.iter().filter(|change| change.takes_effect == when);
            configured_names(changes.map(|change| change.field))
        };
        let at_once = names(TakesEffect::AtOnce);
        let next_session = names(TakesEffect::NextSession);
        if at_once.is_empty() && next_session.is_empty() {
            return None;
        }
        Some(Difference::Changed { node, peer, at_once, next_session })
    }
}

impl WireState {
    /// Returns the state of a cluster.
    pub fn of(engine: &Engine) -> Self {
        let mut state = Self::default();
        for key in engine.service_keys() {
            let holding = engine.holding(key);
            let addresses = holding.map(|holding| holding.addresses.to_vec()).unwrap_or_default();
            state.services.insert(key.clone(), addresses);
        }

        for (plan, peer_plan) in engine.sessions() {
            let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
            for (prefix, route) in &peer_plan.routes {
                state.routes.insert((*prefix, key.clone()), describe_attributes(route));
            }
            state.sessions.insert(key, SessionState::new(plan, &peer_plan.peer));
        }
        state
    }

    /// Returns the state with the same password for every peer that has one, because a process does not reveal them.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        for session in self.sessions.values_mut().filter(|session| session.has_password) {
            let remote = session.config.remote.clone();
            session.config.remote = remote.map_config(|config| config.password(PASSWORD));
        }
        self
    }

    /// Returns the differences between this state and a later one: sessions, then Services, then routes.
    pub fn diff(&self, after: &Self) -> Vec<Difference> {
        let pairs = pair_sessions(self.session_configs(), after.session_configs());
        let mut differences = Vec::new();
        self.diff_sessions(after, &pairs, &mut differences);
        self.diff_services(after, &mut differences);
        self.diff_routes(after, &pairs, &mut differences);
        differences
    }

    fn session_configs(&self) -> impl Iterator<Item = (&SessionKey, &SessionConfig)> {
        self.sessions.iter().map(|(key, session)| (key, &session.config))
    }

    fn diff_sessions(&self, after: &Self, pairs: &Pairs, differences: &mut Vec<Difference>) {
        let new_keys = inverted(pairs);
        for (key, session) in &self.sessions {
            let (node, peer) = (key.node.clone(), session.label.clone());
            let continued = new_keys
                .get(key)
                .and_then(|new_key| Some((*new_key, after.sessions.get(new_key)?)));
            let Some((new_key, new_session)) = continued else {
                differences.push(Difference::Closed { node, peer });
                continue;
            };

            differences.extend(session.diff(new_session, &key.node));
            if new_key != key {
                let (before, after) = (peer, new_session.label.clone());
                differences.push(Difference::Renamed { node, before, after });
            }
        }

        for (key, session) in &after.sessions {
            if !pairs.contains_key(key) {
                let (node, peer) = (key.node.clone(), session.label.clone());
                differences.push(Difference::Opened { node, peer });
            }
        }
    }

    fn diff_services(&self, after: &Self, differences: &mut Vec<Difference>) {
        for (service, addresses) in &after.services {
            let before = self.services.get(service).cloned().unwrap_or_default();
            if before != *addresses {
                let (service, after) = (service.clone(), addresses.clone());
                differences.push(Difference::Address { service, before, after });
            }
        }

        for (service, addresses) in &self.services {
            if !addresses.is_empty() && !after.services.contains_key(service) {
                let (service, before) = (service.clone(), addresses.clone());
                differences.push(Difference::Address { service, before, after: Vec::new() });
            }
        }
    }

    /// Compares the routes. A session that continues under another name is the same session.
    fn diff_routes(&self, after: &Self, pairs: &Pairs, differences: &mut Vec<Difference>) {
        let new_keys = inverted(pairs);
        let mut nodes_by_route: BTreeMap<ChangedRoute<'_>, BTreeSet<String>> = BTreeMap::new();
        for ((prefix, key), attributes) in &self.routes {
            let new_key = new_keys.get(key).copied().cloned();
            let now = new_key.and_then(|new_key| after.routes.get(&(*prefix, new_key)));
            if now != Some(attributes) {
                let route = (*prefix, self.label(key), false, attributes.as_str());
                nodes_by_route.entry(route).or_default().insert(key.node.clone());
            }
        }
        for ((prefix, key), attributes) in &after.routes {
            let old_key = pairs.get(key).cloned();
            let before = old_key.and_then(|old_key| self.routes.get(&(*prefix, old_key)));
            if before != Some(attributes) {
                let route = (*prefix, after.label(key), true, attributes.as_str());
                nodes_by_route.entry(route).or_default().insert(key.node.clone());
            }
        }

        for ((prefix, peer, is_announced, attributes), nodes) in nodes_by_route {
            let (peer, attributes) = (peer.to_owned(), attributes.to_owned());
            differences.push(if is_announced {
                Difference::Announced { prefix, peer, attributes, nodes }
            } else {
                Difference::Withdrawn { prefix, peer, attributes, nodes }
            });
        }
    }

    /// Returns the name of a session's peer for people.
    fn label<'a>(&'a self, key: &'a SessionKey) -> &'a str {
        self.sessions.get(key).map_or(key.peer.as_str(), |session| session.label.as_str())
    }
}

/// The prefix, the peer, true if the route is announced from now on, and the attributes.
type ChangedRoute<'a> = (IpNet, &'a str, bool, &'a str);

/// Returns the pairs by their old names.
fn inverted(pairs: &Pairs) -> BTreeMap<&SessionKey, &SessionKey> {
    pairs.iter().map(|(new, old)| (old, new)).collect()
}
