//! The answers with routes: `/routes/...`.

use ferrolb_api::{RouteState, Timestamp};
use lb_adapter::model::{Community, LargeCommunity};
use serde::Serialize;

use super::{Meta, before, bird_time};

/// The most routes in one answer. Birdwatcher has no pages.
pub(crate) const MAX_ROUTES: usize = 10_000;

/// An answer with routes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Routes {
    api: Meta,
    ttl: Timestamp,
    routes: Vec<Route>,
    /// True if there are more routes than fit into an answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// The answer to `/routes/count/...`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteCount {
    api: Meta,
    ttl: Timestamp,
    routes: usize,
}

/// A route as BIRD has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Route {
    network: String,
    from_protocol: String,
    gateway: String,
    learnt_from: String,
    interface: String,
    metric: u32,
    primary: bool,
    age: String,
    #[serde(rename = "type")]
    kind: [&'static str; 2],
    bgp: Attributes,
    /// The state at the peer, which BIRD does not have.
    state: String,
}

/// The attributes. Birdwatcher writes most numbers as text.
#[derive(Clone, Debug, Serialize)]
struct Attributes {
    origin: String,
    as_path: Vec<String>,
    next_hop: String,
    local_pref: String,
    med: String,
    communities: Vec<[u32; 2]>,
    large_communities: Vec<[u32; 3]>,
    ext_communities: Vec<[String; 3]>,
}

/// A table of BIRD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// `master`: both families.
    Both,
    /// `master4`.
    Ipv4,
    /// `master6`.
    Ipv6,
}

impl Table {
    /// Returns the table of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "master" => Self::Both,
            "master4" => Self::Ipv4,
            "master6" => Self::Ipv6,
            _ => return None,
        })
    }

    /// Returns true if the table has routes to prefixes like this one.
    pub(crate) fn has(self, prefix: &str) -> bool {
        match self {
            Self::Both => true,
            Self::Ipv4 => !prefix.contains(':'),
            Self::Ipv6 => prefix.contains(':'),
        }
    }
}

impl Routes {
    /// Returns an answer with these routes.
    pub(crate) fn of(status: &ferrolb_api::Status, mut routes: Vec<Route>) -> Self {
        let truncated = routes.len() > MAX_ROUTES;
        routes.truncate(MAX_ROUTES);
        Self { api: Meta::of(status), ttl: status.time, routes, truncated }
    }
}

impl RouteCount {
    /// Returns an answer with this number of routes.
    pub(crate) fn of(status: &ferrolb_api::Status, routes: usize) -> Self {
        Self { api: Meta::of(status), ttl: status.time, routes }
    }
}

/// Returns true if the peer has the route.
pub(crate) fn is_exported(route: &ferrolb_api::Route) -> bool {
    matches!(route.state, RouteState::Sent | RouteState::Withdrawing)
}

/// Returns a route of the protocol of this name.
pub(crate) fn route(of: &ferrolb_api::Route, protocol: &str, now: Timestamp) -> Route {
    let next_hop = of.next_hop.map(|address| address.to_string()).unwrap_or_default();
    let age = of.age_seconds.and_then(|age| u32::try_from(age).ok()).map_or(0.0, f64::from);
    Route {
        network: of.prefix.clone(),
        from_protocol: protocol.to_owned(),
        gateway: next_hop.clone(),
        learnt_from: String::new(),
        interface: String::new(),
        metric: 0,
        primary: is_exported(of),
        age: bird_time(before(now, age)),
        kind: ["BGP", "univ"],
        bgp: Attributes {
            origin: of.origin.clone(),
            as_path: of.as_path.split_whitespace().map(str::to_owned).collect(),
            next_hop,
            local_pref: of.local_pref.map(|it| it.to_string()).unwrap_or_default(),
            med: of.med.map(|it| it.to_string()).unwrap_or_default(),
            communities: of.communities.iter().filter_map(|it| community(it)).collect(),
            large_communities: of.large_communities.iter().filter_map(|it| large(it)).collect(),
            ext_communities: of.extended_communities.iter().map(|it| extended(it)).collect(),
        },
        state: of.state_text.clone(),
    }
}

/// Returns the two numbers of a community, also of one with a name.
fn community(text: &str) -> Option<[u32; 2]> {
    let community: Community = text.parse().ok()?;
    Some([community.asn().into(), community.value().into()])
}

fn large(text: &str) -> Option<[u32; 3]> {
    let community: LargeCommunity = text.parse().ok()?;
    Some([community.global_administrator, community.local_data_1, community.local_data_2])
}

/// Returns the kind of an extended community and its two parts. One without a known kind is `generic` with its octets.
fn extended(text: &str) -> [String; 3] {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(one), Some(other)) => [kind, one, other],
        (Some(kind), Some(value), None) => [kind, value, String::new()],
        _ => ["generic".to_owned(), text.to_owned(), String::new()],
    }
}
