//! `ferrolb diff`: what would change on the wire.
//!
//! Owns the comparison of two states of a cluster: routes, addresses of Services, sessions. What the
//! states are, the engine says.

pub mod args;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use crate::engine::{Engine, identifier, peer_label};
use crate::explain::attributes;
use crate::model::{Peer, ServiceKey};
use crate::planner::Plan;
use crate::replay::PASSWORD;
use crate::sessions::{Terms, remote};

/// What is of interest of one state of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Prefix and peer to what is sent, and by which nodes.
    routes: BTreeMap<(IpNet, String), BTreeMap<String, BTreeSet<String>>>,
    services: BTreeMap<ServiceKey, Vec<IpAddr>>,
    /// By node and peer.
    sessions: BTreeMap<(String, String), Session>,
}

/// A session, as far as it may be reset.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    terms: Terms,
    has_password: bool,
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
    /// A session is ended and begun anew.
    Reset {
        /// By which node.
        node: String,
        /// With whom.
        peer: String,
        /// Because of what.
        fields: Vec<&'static str>,
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
            let (node, peer) = (plan.node().to_owned(), peer_label(&peer_plan.peer));
            for (prefix, route) in &peer_plan.routes {
                let of_prefix = state.routes.entry((*prefix, peer.clone())).or_default();
                of_prefix.entry(attributes(route)).or_default().insert(node.clone());
            }
            state.sessions.insert((node, peer), session(plan, &peer_plan.peer));
        }
        state
    }

    /// The same where only is known who has a password, and not which or from where.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        for session in self.sessions.values_mut().filter(|session| session.has_password) {
            let remote = session.terms.remote.clone();
            session.terms.remote = remote.config(|config| config.password(PASSWORD));
        }
        self
    }

    /// How `after` differs from this state: sessions, then Services, then routes.
    pub fn diff(&self, after: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        self.diff_sessions(after, &mut found);
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
        let keys: BTreeSet<_> = self.routes.keys().chain(after.routes.keys()).collect();
        let none = BTreeMap::new();
        for key @ (prefix, peer) in keys {
            let before = self.routes.get(key).unwrap_or(&none);
            let now = after.routes.get(key).unwrap_or(&none);
            for (attributes, nodes) in missing(before, now) {
                let (prefix, peer) = (*prefix, peer.clone());
                found.push(Difference::Withdrawn { prefix, peer, attributes, nodes });
            }
            for (attributes, nodes) in missing(now, before) {
                let (prefix, peer) = (*prefix, peer.clone());
                found.push(Difference::Announced { prefix, peer, attributes, nodes });
            }
        }
        found
    }

    fn diff_sessions(&self, after: &Self, found: &mut Vec<Difference>) {
        for ((node, name), session) in &self.sessions {
            let (node, name) = (node.clone(), name.clone());
            match after.sessions.get(&(node.clone(), name.clone())) {
                None => found.push(Difference::Closed { node, peer: name }),
                Some(now) => {
                    let resets = session.terms.resets(&now.terms);
                    let fields: Vec<_> = resets.into_iter().map(configured).collect();
                    if !fields.is_empty() {
                        found.push(Difference::Reset { node, peer: name, fields });
                    }
                }
            }
        }
        let new = after.sessions.keys().filter(|key| !self.sessions.contains_key(*key));
        found.extend(
            new.map(|(node, peer)| Difference::Opened { node: node.clone(), peer: peer.clone() }),
        );
    }
}

/// What is in the first and not in the second, by attributes.
fn missing(
    first: &BTreeMap<String, BTreeSet<String>>,
    second: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<(String, BTreeSet<String>)> {
    let rest = |(attributes, nodes): (&String, &BTreeSet<String>)| {
        let others = second.get(attributes);
        let left = nodes.iter().filter(|node| !others.is_some_and(|it| it.contains(*node)));
        let left: BTreeSet<_> = left.cloned().collect();
        (!left.is_empty()).then(|| (attributes.clone(), left))
    };
    first.iter().filter_map(rest).collect()
}

/// The address that a node dials from is not among its terms where the configuration does not say it: only the node
/// itself knows which of its addresses it has.
fn session(plan: &Plan, peer: &Peer) -> Session {
    let config = plan.scene.config.as_ref();
    let bfd = peer.bfd_profile.as_ref().zip(config);
    let bfd = bfd.and_then(|(name, config)| config.bfd_profile(name));
    let identifier = identifier(&plan.scene.node, peer);
    Session {
        terms: Terms::new(peer.shown_asn(), identifier, remote(peer, bfd)),
        has_password: peer.password.is_some() || peer.password_secret.is_some(),
    }
}

/// What a value of a session's terms is called where it is configured.
fn configured(field: &'static str) -> &'static str {
    match field {
        "address" => "peerAddress",
        "port" => "peerPort",
        "local_asn" => "myASN",
        "remote_as" => "peerASN",
        "local_identifier" => "routerID",
        "local_address" => "sourceAddress",
        "extensions" => "enableGracefulRestart",
        "reach" => "ebgpMultiHop",
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
