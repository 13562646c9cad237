//! What there is to see of a cluster at one moment, and how it is written.
//!
//! Owns the shape of the output: JSON for programs, tables for people, and the sentences about what
//! is new. Everything goes through a [`std::io::Write`]; a reader who has gone away is an error of
//! the writer, which the callers take for "enough".

mod changes;
mod fold;
mod format;
mod problems;
mod table;
mod text;

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

pub use changes::changes;
pub(crate) use fold::{fold_all, width_of_stdout};
pub use format::{LogFormat, OutputFormat};
pub use problems::{Problems, clock};
pub use text::{Style, write_text};

/// A cluster and its routers at one moment.
///
/// As JSON it has `sessions`, `services` and `routes`; the rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Picture {
    /// The sessions that should be, by node and peer as configured.
    pub sessions: Vec<SessionRow>,
    /// The Services of type LoadBalancer, by namespace and name.
    pub services: Vec<ServiceRow>,
    /// What the routers hold, by router and prefix.
    pub routes: Vec<RouteRow>,
    /// What is not announced, and why.
    #[serde(skip)]
    pub withheld: Vec<WithheldRow>,
    /// What else there is to know: a sentence each.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionRow {
    /// The node's name.
    pub node: String,
    /// The peer's address, with its port where that is not 179.
    pub peer: String,
    /// The state of RFC 4271 section 8.2.2, as it is written there.
    pub state: String,
    /// Why it is not Established, as far as that is known.
    #[serde(skip)]
    pub reason: Option<String>,
    /// The time since when it is Established, and why the session before it ended: it may have come back between two looks.
    #[serde(skip)]
    pub up: Option<(Instant, Option<String>)>,
}

/// One Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The pool that its addresses are of.
    pub pool: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// All paths of one router to one prefix that are alike but for their next hops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RouteRow {
    /// Which router, as in [`SessionRow::peer`]; none while there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// Where to.
    #[serde(serialize_with = "as_text")]
    pub prefix: IpNet,
    /// The next hops, in order; `None` stands for an address of the node that is not known.
    pub next_hops: Vec<Option<IpAddr>>,
    /// AS_PATH, the nearest AS first.
    pub as_path: Vec<u32>,
    /// LOCAL_PREF, which only internal sessions carry.
    pub local_pref: Option<u32>,
    /// ORIGIN, where it is not IGP.
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

/// One Service that some nodes do not announce.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WithheldRow {
    /// Namespace and name of the Service.
    pub service: String,
    /// The nodes; empty for all of them.
    pub nodes: Vec<String>,
    /// The first condition that failed.
    pub reason: String,
}

/// A next hop for people.
fn next_hop_text(next_hop: Option<IpAddr>) -> String {
    next_hop.map_or_else(|| "session".to_owned(), |address| address.to_string())
}

fn as_text<S: Serializer>(prefix: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(prefix)
}

impl Picture {
    /// Writes it as one line of JSON.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }
}

impl SessionRow {
    /// Whether routes are being exchanged.
    pub fn is_established(&self) -> bool {
        self.state == "Established"
    }
}
