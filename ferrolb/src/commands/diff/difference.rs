//! The differences between two states, in text and JSON.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use lb_adapter::model::ServiceKey;
use serde::{Serialize, Serializer};

/// A difference between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A route will be announced.
    Announced {
        /// The destination.
        prefix: IpNet,
        /// The peer that receives it.
        peer: String,
        /// The attributes.
        attributes: String,
        /// The nodes that announce it.
        nodes: BTreeSet<String>,
    },
    /// A route will be withdrawn.
    Withdrawn {
        /// The destination.
        prefix: IpNet,
        /// The peer that receives it.
        peer: String,
        /// The attributes.
        attributes: String,
        /// The nodes that announce it.
        nodes: BTreeSet<String>,
    },
    /// The addresses of a Service change.
    Address {
        /// The Service.
        service: ServiceKey,
        /// The old addresses.
        before: Vec<IpAddr>,
        /// The new addresses.
        after: Vec<IpAddr>,
    },
    /// A node that announces a Service will be drained.
    Drained {
        /// The Service.
        service: ServiceKey,
        /// The node.
        node: String,
        /// The other nodes that announce the Service.
        remaining: BTreeSet<String>,
        /// The addresses of the Service that no other node announces.
        lost: Vec<IpAddr>,
    },
    /// A session will be opened.
    Opened {
        /// The node.
        node: String,
        /// The peer.
        peer: String,
    },
    /// A session will be closed.
    Closed {
        /// The node.
        node: String,
        /// The peer.
        peer: String,
    },
    /// A session will be closed and opened again.
    Reset {
        /// The node.
        node: String,
        /// The peer.
        peer: String,
        /// The changed fields that reset it.
        fields: Vec<&'static str>,
    },
    /// A session continues with changed fields.
    Changed {
        /// The node.
        node: String,
        /// The peer.
        peer: String,
        /// The fields that change at once.
        at_once: Vec<&'static str>,
        /// The fields that change with the next session.
        next_session: Vec<&'static str>,
    },
    /// The peer of a session gets another name. The session continues.
    Renamed {
        /// The node.
        node: String,
        /// The peer's old name.
        before: String,
        /// The peer's new name.
        after: String,
    },
}

impl Difference {
    /// Returns true if a session ends.
    pub(super) fn ends_session(&self) -> bool {
        matches!(self, Self::Reset { .. } | Self::Closed { .. })
    }

    /// Returns the value of the key `change`.
    fn kind(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Address { .. } => "address",
            Self::Drained { .. } => "service-drained",
            Self::Opened { .. } => "session-opens",
            Self::Closed { .. } => "session-closes",
            Self::Reset { .. } => "session-resets",
            Self::Changed { .. } => "session-changes",
            Self::Renamed { .. } => "peer-renamed",
        }
    }
}

/// Returns the names in the configuration of the fields of a session's configuration, each once.
pub(super) fn configured_names(
    fields: impl IntoIterator<Item = &'static str>,
) -> Vec<&'static str> {
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
            Self::Drained { service, remaining, lost, .. } => {
                write!(f, "Service {service}: {}", remaining_nodes(remaining, lost))
            }
            Self::Opened { node, peer } => write!(f, "session {node} with {peer}: opens"),
            Self::Closed { node, peer } => write!(f, "session {node} with {peer}: closes"),
            Self::Reset { node, peer, fields } => {
                write!(f, "session {node} with {peer}: resets because of {}", fields.join(", "))
            }
            Self::Changed { node, peer, at_once, next_session } => {
                write!(f, "session {node} with {peer}: stays up")?;
                if !at_once.is_empty() {
                    write!(f, "; changes at once: {}", at_once.join(", "))?;
                }
                if !next_session.is_empty() {
                    write!(f, "; changes with the next session: {}", next_session.join(", "))?;
                }
                Ok(())
            }
            Self::Renamed { node, before, after } => {
                write!(f, "session {node} with {before}: the peer is renamed to {after}")
            }
        }
    }
}

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = JsonRow { change: self.kind(), ..JsonRow::default() };
        let row = match self {
            Self::Announced { prefix, peer, attributes, nodes }
            | Self::Withdrawn { prefix, peer, attributes, nodes } => JsonRow {
                prefix: Some(prefix.to_string()),
                peer: Some(peer),
                attributes: Some(attributes.trim_start()),
                nodes: nodes.iter().map(String::as_str).collect(),
                ..row
            },
            Self::Address { service, before, after } => JsonRow {
                service: Some(service.to_string()),
                before: Some(before.iter().map(ToString::to_string).collect()),
                after: Some(after.iter().map(ToString::to_string).collect()),
                ..row
            },
            Self::Drained { service, node, remaining, lost } => JsonRow {
                service: Some(service.to_string()),
                nodes: vec![node],
                remaining: Some(remaining),
                lost: Some(lost),
                ..row
            },
            Self::Opened { node, peer } | Self::Closed { node, peer } => {
                JsonRow { nodes: vec![node], peer: Some(peer), ..row }
            }
            Self::Reset { node, peer, fields } => {
                JsonRow { nodes: vec![node], peer: Some(peer), fields: fields.clone(), ..row }
            }
            Self::Changed { node, peer, at_once, next_session } => JsonRow {
                nodes: vec![node],
                peer: Some(peer),
                fields: at_once.clone(),
                next_session: next_session.clone(),
                ..row
            },
            Self::Renamed { node, before, after } => {
                JsonRow { nodes: vec![node], peer: Some(before), name: Some(after), ..row }
            }
        };
        row.serialize(serializer)
    }
}

/// A difference in JSON.
#[derive(Default, Serialize)]
struct JsonRow<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a [IpAddr]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<&'static str>,
    /// The fields that change with the next session.
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

fn remaining_nodes(remaining: &BTreeSet<String>, lost: &[IpAddr]) -> String {
    let verb = match remaining.len() {
        0 => return "no node is left".to_owned(),
        1 => "remains",
        _ => "remain",
    };
    let lost = match lost {
        [] => String::new(),
        lost => format!(", but no node is left for {}", addresses(lost)),
    };
    format!("{} {verb}{lost}", list(remaining))
}

fn addresses(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(" and ") }
}
