//! `ferrolb diff`: what would change on the wire.
//!
//! Owns the comparison of two states of a cluster: routes, addresses of Services, sessions. What the
//! states are, the engine says.

pub mod args;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use bgp_session::TakesEffect;
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use ferrolb_node::sessions::{
    ConfigEffect, SessionConfig, SessionKey, pair_sessions, session_config,
};
use lb_adapter::engine::{Engine, peer_label};
use lb_adapter::explain::describe_attributes;
use lb_adapter::model::{Peer, ServiceKey};
use lb_adapter::planner::Plan;
use lb_adapter::recording::PASSWORD;

/// What is of interest of one state of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The attributes that a session sends with a prefix.
    routes: BTreeMap<(IpNet, SessionKey), String>,
    services: BTreeMap<ServiceKey, Vec<IpAddr>>,
    sessions: BTreeMap<SessionKey, Session>,
}

/// A session, as far as it may be reset.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    /// The peer's name for people.
    label: String,
    terms: SessionConfig,
    has_password: bool,
}

/// Prefix, peer, whether it is announced from now on, and attributes.
type Route<'a> = (IpNet, &'a str, bool, &'a str);

impl Session {
    /// Returns how the session changes when it goes on as `now`, or is reset to it; nothing if it does not change.
    fn diff(&self, now: &Self, node: &str) -> Option<Difference> {
        let (node, peer) = (node.to_owned(), self.label.clone());
        let changes = match self.terms.effect_of(&now.terms) {
            ConfigEffect::Resets(fields) => {
                return Some(Difference::Reset { node, peer, fields: configured(fields) });
            }
            ConfigEffect::Continues(changes) => changes,
        };

        let of = |when: TakesEffect| {
            let changes = changes.iter().filter(|change| change.takes_effect == when);
            configured(changes.map(|change| change.field))
        };
        let (at_once, next_session) = (of(TakesEffect::AtOnce), of(TakesEffect::NextSession));
        let is_changed = !at_once.is_empty() || !next_session.is_empty();
        is_changed.then_some(Difference::Changed { node, peer, at_once, next_session })
    }
}

/// One way in which two states differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A route is announced that was not.
    Announced {
        /// Where to.
        prefix: IpNet,
        /// To whom.
        peer: String,
        /// With which attributes.
        attributes: String,
        /// By which nodes.
        nodes: BTreeSet<String>,
    },
    /// A route is no longer announced.
    Withdrawn {
        /// Where to.
        prefix: IpNet,
        /// To whom.
        peer: String,
        /// With which attributes.
        attributes: String,
        /// By which nodes.
        nodes: BTreeSet<String>,
    },
    /// A Service has other addresses.
    Address {
        /// The Service.
        service: ServiceKey,
        /// What it had.
        before: Vec<IpAddr>,
        /// What it will have.
        after: Vec<IpAddr>,
    },
    /// A session is begun.
    Opened {
        /// By which node.
        node: String,
        /// With whom.
        peer: String,
    },
    /// A session is ended.
    Closed {
        /// By which node.
        node: String,
        /// With whom.
        peer: String,
    },
    /// A session is ended and opened again.
    Reset {
        /// By which node.
        node: String,
        /// With whom.
        peer: String,
        /// Because of what.
        fields: Vec<&'static str>,
    },
    /// A session goes on with other values.
    Changed {
        /// By which node.
        node: String,
        /// With whom.
        peer: String,
        /// The values that change at once.
        at_once: Vec<&'static str>,
        /// The values that change with the next session.
        next_session: Vec<&'static str>,
    },
    /// The peer of a session is renamed, which by itself changes nothing else of the session.
    Renamed {
        /// By which node.
        node: String,
        /// The peer's name now.
        before: String,
        /// Its new name.
        after: String,
    },
}

impl State {
    /// The state of a cluster.
    pub fn of(engine: &Engine) -> Self {
        let mut state = Self::default();
        for key in engine.service_keys() {
            let holding = engine.holding(key);
            let addresses = holding.map(|it| it.addresses.to_vec()).unwrap_or_default();
            state.services.insert(key.clone(), addresses);
        }
        for (plan, peer_plan) in engine.sessions() {
            let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
            for (prefix, route) in &peer_plan.routes {
                state.routes.insert((*prefix, key.clone()), describe_attributes(route));
            }
            state.sessions.insert(key, session(plan, &peer_plan.peer));
        }
        state
    }

    /// Returns the state with one and the same password for every peer that has one: a process does not tell which.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        for session in self.sessions.values_mut().filter(|session| session.has_password) {
            let remote = session.terms.remote.clone();
            session.terms.remote = remote.map_config(|config| config.password(PASSWORD));
        }
        self
    }

    /// How `after` differs from this state: sessions, then Services, then routes.
    pub fn diff(&self, after: &Self) -> Vec<Difference> {
        let terms = |state: &'_ Self| -> Vec<(SessionKey, SessionConfig)> {
            let terms = state.sessions.iter();
            terms.map(|(key, session)| (key.clone(), session.terms.clone())).collect()
        };
        let (was, is) = (terms(self), terms(after));
        let pairs = pair_sessions(was.iter().map(|(k, t)| (k, t)), is.iter().map(|(k, t)| (k, t)));

        let mut found = Vec::new();
        self.diff_sessions(after, &pairs, &mut found);
        self.diff_services(after, &mut found);
        self.diff_routes(after, &pairs, &mut found);
        found
    }

    fn diff_sessions(
        &self,
        after: &Self,
        pairs: &BTreeMap<SessionKey, SessionKey>,
        found: &mut Vec<Difference>,
    ) {
        let kept: BTreeMap<_, _> = pairs.iter().map(|(now, before)| (before, now)).collect();
        for (key, session) in &self.sessions {
            let (node, peer) = (key.node.clone(), session.label.clone());
            let now = kept.get(key).and_then(|now| Some((*now, after.sessions.get(*now)?)));
            let Some((name, now)) = now else {
                found.push(Difference::Closed { node, peer });
                continue;
            };

            found.extend(session.diff(now, &key.node));
            if name != key {
                let (before, after) = (peer, now.label.clone());
                found.push(Difference::Renamed { node, before, after });
            }
        }

        let new = after.sessions.iter().filter(|(key, _)| !pairs.contains_key(*key));
        found.extend(new.map(|(key, session)| Difference::Opened {
            node: key.node.clone(),
            peer: session.label.clone(),
        }));
    }

    fn diff_services(&self, after: &Self, found: &mut Vec<Difference>) {
        for (service, addresses) in &after.services {
            let before = self.services.get(service).cloned().unwrap_or_default();
            if before != *addresses {
                let (service, after) = (service.clone(), addresses.clone());
                found.push(Difference::Address { service, before, after });
            }
        }
        let gone = self
            .services
            .iter()
            .filter(|(key, held)| !held.is_empty() && !after.services.contains_key(*key));
        found.extend(gone.map(|(service, before)| Difference::Address {
            service: service.clone(),
            before: before.clone(),
            after: Vec::new(),
        }));
    }

    /// Compares the routes. A session that goes on under another name is the same one.
    fn diff_routes(
        &self,
        after: &Self,
        pairs: &BTreeMap<SessionKey, SessionKey>,
        found: &mut Vec<Difference>,
    ) {
        let kept: BTreeMap<_, _> = pairs.iter().map(|(now, before)| (before, now)).collect();
        let mut nodes: BTreeMap<Route<'_>, BTreeSet<String>> = BTreeMap::new();
        for ((prefix, key), attributes) in &self.routes {
            let now = kept.get(key).and_then(|now| after.routes.get(&(*prefix, (*now).clone())));
            if now != Some(attributes) {
                let route = (*prefix, self.label(key), false, attributes.as_str());
                nodes.entry(route).or_default().insert(key.node.clone());
            }
        }
        for ((prefix, key), attributes) in &after.routes {
            let before = pairs.get(key).and_then(|was| self.routes.get(&(*prefix, was.clone())));
            if before != Some(attributes) {
                let route = (*prefix, after.label(key), true, attributes.as_str());
                nodes.entry(route).or_default().insert(key.node.clone());
            }
        }

        found.extend(nodes.into_iter().map(|((prefix, peer, announced, attributes), nodes)| {
            let (peer, attributes) = (peer.to_owned(), attributes.to_owned());
            if announced {
                Difference::Announced { prefix, peer, attributes, nodes }
            } else {
                Difference::Withdrawn { prefix, peer, attributes, nodes }
            }
        }));
    }

    /// Returns the name of a session's peer for people.
    fn label<'a>(&'a self, key: &'a SessionKey) -> &'a str {
        self.sessions.get(key).map_or(key.peer.as_str(), |session| session.label.as_str())
    }
}

/// Makes a session of a plan. The node is assumed to dial from its first address of the peer's family.
fn session(plan: &Plan, peer: &Peer) -> Session {
    let router = peer.address.ip().filter(|_| peer.source_address.is_none());
    let own = |router: IpAddr| {
        let addresses = plan.context.node.addresses.iter().copied();
        addresses.into_iter().find(|address| address.is_ipv4() == router.is_ipv4())
    };
    Session {
        label: peer_label(peer),
        terms: session_config(plan, peer, router.and_then(own)),
        has_password: peer.password.is_some() || peer.password_secret.is_some(),
    }
}

/// Returns the names that values of a session's terms have in the configuration, each once.
fn configured(fields: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for field in fields {
        let name = configured_name(field);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn configured_name(field: &'static str) -> &'static str {
    match field {
        "address" => "peerAddress",
        "port" => "peerPort",
        "local_asn" => "myASN",
        "remote_as" => "peerASN",
        "local_identifier" => "routerID",
        "local_address" => "sourceAddress",
        "hold_time" => "holdTime",
        "keepalive_time" => "keepaliveTime",
        "connect_retry_time" | "connect_timeout" => "connectTime",
        "graceful_restart" => "enableGracefulRestart",
        "families" | "capabilities" | "route_refresh" | "four_octet_as" | "extended_messages"
        | "extended_next_hop" | "enhanced_refresh" => "without-capabilities",
        "reach" => "ebgpMultiHop",
        "bfd" => "bfdProfile",
        "next_hops" => "the next hop",
        other => other,
    }
}

/// `+ 172.22.35.70/32 -> 172.22.35.1 (kube2)`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced { prefix, peer, attributes, nodes } => {
                write!(f, "+ {prefix} -> {peer}{attributes} ({})", list(nodes))
            }
            Self::Withdrawn { prefix, peer, attributes, nodes } => {
                write!(f, "- {prefix} -> {peer}{attributes} ({})", list(nodes))
            }
            Self::Address { service, before, after } => {
                write!(f, "Service {service}: {} -> {}", addresses(before), addresses(after))
            }
            Self::Opened { node, peer } => write!(f, "session {node} with {peer}: opens"),
            Self::Closed { node, peer } => write!(f, "session {node} with {peer}: closes"),
            Self::Reset { node, peer, fields } => {
                write!(f, "session {node} with {peer}: resets, for {}", fields.join(", "))
            }
            Self::Changed { node, peer, at_once, next_session } => {
                write!(f, "session {node} with {peer}: stays up")?;
                if !at_once.is_empty() {
                    write!(f, ", {} changes at once", at_once.join(", "))?;
                }
                if !next_session.is_empty() {
                    write!(f, ", {} changes with the next session", next_session.join(", "))?;
                }
                Ok(())
            }
            Self::Renamed { node, before, after } => {
                write!(f, "session {node} with {before}: the peer is called {after}")
            }
        }
    }
}

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect();
        let row = match self {
            Self::Announced { prefix, peer, attributes, nodes }
            | Self::Withdrawn { prefix, peer, attributes, nodes } => Row {
                change: if matches!(self, Self::Announced { .. }) {
                    "announced"
                } else {
                    "withdrawn"
                },
                prefix: Some(prefix.to_string()),
                peer: Some(peer),
                attributes: Some(attributes.trim_start()),
                nodes: nodes.iter().map(String::as_str).collect(),
                ..Row::default()
            },
            Self::Address { service, before, after } => Row {
                change: "address",
                service: Some(service.to_string()),
                before: Some(texts(before)),
                after: Some(texts(after)),
                ..Row::default()
            },
            Self::Opened { node, peer } | Self::Closed { node, peer } => Row {
                change: if matches!(self, Self::Opened { .. }) {
                    "session-opens"
                } else {
                    "session-closes"
                },
                nodes: vec![node],
                peer: Some(peer),
                ..Row::default()
            },
            Self::Reset { node, peer, fields } => Row {
                change: "session-resets",
                nodes: vec![node],
                peer: Some(peer),
                fields: fields.clone(),
                ..Row::default()
            },
            Self::Changed { node, peer, at_once, next_session } => Row {
                change: "session-changes",
                nodes: vec![node],
                peer: Some(peer),
                fields: at_once.clone(),
                next_session: next_session.clone(),
                ..Row::default()
            },
            Self::Renamed { node, before, after } => Row {
                change: "peer-renamed",
                nodes: vec![node],
                peer: Some(before),
                name: Some(after),
                ..Row::default()
            },
        };
        row.serialize(serializer)
    }
}

/// A difference as a program reads it.
#[derive(Default, Serialize)]
struct Row<'a> {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<&'static str>,
    /// Those that come into force with the next session.
    #[serde(rename = "nextSession", skip_serializing_if = "Vec::is_empty")]
    next_session: Vec<&'static str>,
    /// The peer's new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

fn addresses(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(" and ") }
}

#[cfg(test)]
mod tests;
