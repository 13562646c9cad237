//! [`Route`]: a route of a peer's Adj-RIB-Out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The answer to `/v1/peers/NAME/routes`: a part of the Adj-RIB-Out, IPv4 before IPv6, in the order of prefixes. Routes may
/// change between two pages, so that the pages together are no snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoutePage {
    /// The node.
    pub node: String,
    /// The name of the peer.
    pub peer: String,
    /// The routes. With a filter there may be none although there is a next page.
    pub routes: Vec<Route>,
    /// The value of `from` for the next page; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// A route that the peer should have, or still has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Route {
    /// The prefix, such as `172.22.35.70/32`.
    pub prefix: String,
    /// The path identifier (RFC 7911); 0 for a session without several paths.
    pub path_id: u32,
    /// The state at the peer.
    pub state: RouteState,
    /// The state in words, with the reason if the route cannot be sent.
    pub state_text: String,
    /// The time for which the route has been in that state. While it is sent, its age at the peer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age_seconds: Option<u64>,
    /// NEXT_HOP, as it is sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_hop: Option<IpAddr>,
    /// ORIGIN: `IGP`, `EGP` or `INCOMPLETE`.
    pub origin: String,
    /// AS_PATH, as it is sent, such as `64636 64636`; empty towards internal peers.
    pub as_path: String,
    /// LOCAL_PREF, if it is sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC, if it is sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub med: Option<u32>,
    /// The communities, such as `64636:100` or `graceful-shutdown`.
    pub communities: Vec<String>,
    /// The large communities, such as `64636:1:2`.
    pub large_communities: Vec<String>,
    /// The extended communities.
    pub extended_communities: Vec<String>,
    /// All other attributes, in words.
    pub other_attributes: Vec<String>,
    /// The Services that the route belongs to, as NAMESPACE/NAME. Several share an address, or are members of an aggregate. At
    /// most 100.
    pub services: Vec<String>,
    /// The addresses that an aggregate covers and that are in use. At most 100; empty for the route of a single address.
    pub members: Vec<IpAddr>,
}

/// The states of a route at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RouteState {
    /// The peer has the route.
    Sent,
    /// The route waits to be announced, or to replace the one that the peer has.
    Pending,
    /// The peer has the route, and waits to be told that it is gone.
    Withdrawing,
    /// The session carries another path to the prefix.
    OtherPath,
    /// The session cannot carry the route.
    Unsendable,
    /// No session is up.
    NoSession,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}
