//! A view of a cluster and its routers at one moment.
//!
//! Owns the JSON of `ferrolb lab`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::stdout::write_json_line;

/// A cluster and its routers at one moment.
///
/// JSON has `sessions`, `services` and `routes`. The rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClusterView {
    /// The planned sessions, by node and peer as configured.
    pub sessions: Vec<SessionRow>,
    /// The Services of type LoadBalancer, by namespace and name.
    pub services: Vec<ServiceRow>,
    /// The routes in the routers' tables, by router and prefix.
    pub routes: Vec<RouteRow>,
    /// The Services that are not announced, with the reasons.
    #[serde(skip)]
    pub withheld: Vec<WithheldRow>,
    /// Other information, one sentence each.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionRow {
    /// The node's name.
    pub node: String,
    /// The peer's address, with its port unless that is 179.
    pub peer: String,
    /// The name of the state in RFC 4271 section 8.2.2.
    pub state: String,
    /// The reason why the session is not Established, if it is known.
    #[serde(skip)]
    pub reason: Option<String>,
    /// The time since when the session is Established, and the reason why the last one ended. With it, a session that went
    /// down and came back between two views is a change.
    #[serde(skip)]
    pub up: Option<(Instant, Option<String>)>,
}

/// One Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceRow {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The pool of its addresses.
    pub pool: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// The paths of one router to one prefix that differ only in their next hops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RouteRow {
    /// The router, named as in [`SessionRow::peer`]; `None` if there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The destination.
    #[serde(serialize_with = "as_text")]
    pub prefix: IpNet,
    /// The next hops, in order; `None` for an address of the node that is unknown.
    pub next_hops: Vec<Option<IpAddr>>,
    /// AS_PATH, the nearest AS first.
    pub as_path: Vec<u32>,
    /// LOCAL_PREF, on internal sessions.
    pub local_pref: Option<u32>,
    /// ORIGIN, unless it is IGP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// MULTI_EXIT_DISC, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// COMMUNITIES, as `high:low`.
    pub communities: Vec<String>,
    /// LARGE_COMMUNITIES, as `global:local:local`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<String>,
    /// EXTENDED_COMMUNITIES, as `explain` and `replay` write them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// The nodes that announced the paths, in the order of `next_hops`.
    #[serde(skip)]
    pub nodes: Vec<String>,
}

/// A Service that some nodes do not announce.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WithheldRow {
    /// Namespace and name of the Service.
    pub service: String,
    /// The nodes; empty for all nodes.
    pub nodes: Vec<String>,
    /// The first condition that failed.
    pub reason: String,
}

/// Returns the text of a next hop for people.
pub(super) fn next_hop_text(next_hop: Option<IpAddr>) -> String {
    next_hop.map_or_else(|| "session".to_owned(), |address| address.to_string())
}

fn as_text<S: Serializer>(prefix: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(prefix)
}

impl ClusterView {
    /// Writes the view as one line of JSON.
    ///
    /// # Errors
    ///
    /// The errors of the writer.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_line(out, self)
    }
}

impl SessionRow {
    /// Returns true if the session can exchange routes.
    pub fn is_established(&self) -> bool {
        self.state == "Established"
    }
}
