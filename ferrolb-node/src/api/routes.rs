//! `/v1/peers/NAME/routes`: the Adj-RIB-Out of a peer, with the Services that each route belongs to.
//!
//! ```text
//! Query::RouteSource ──► main loop: the peer's handle, and the prefixes of a Service
//! pages ◄── the session's own task, a few for each request
//! Query::RouteOwners ──► main loop: Services and members
//! ```
//!
//! Owns the filters and the pages. The session says which routes there are, so the main loop never waits for a session.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Instant;

use bgp_session::{AfiSafi, IpNet, Nlri, Origin, OutRoute, OutRouteState, PeerHandle, family_of};
use ferrolb_api::{ApiError, Route, RoutePage, RouteState};
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;

use super::process::leading_engine;
use super::{PeerName, Process, Refused, peers};
use crate::sessions::SessionKey;

/// Which routes of a peer to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of the path")]
pub struct RouteFilter {
    /// The first route of the page.
    pub from: Option<Nlri>,
    /// The most routes.
    pub limit: usize,
    /// Only routes that contain this prefix or are contained in it.
    pub prefix: Option<IpNet>,
    /// Only routes of this Service.
    pub service: Option<ServiceKey>,
}

/// The peer whose routes are wanted, and what only the main loop knows about the filter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteSource {
    /// The node.
    pub node: String,
    /// The name of the peer.
    pub peer: String,
    /// The peer; `None` if there is none, as without a router on its interface.
    pub handle: Option<PeerHandle>,
    /// The prefixes of the Service in the filter.
    pub prefixes: Option<BTreeSet<IpNet>>,
    /// The families of which the session carries several paths to a prefix (RFC 7911).
    several_paths: Vec<AfiSafi>,
}

/// The Services of a route, and the addresses that an aggregate covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteOwners {
    services: Vec<String>,
    members: Vec<IpAddr>,
}

/// Returns the peer, and the prefixes of a Service.
pub(super) fn source(
    process: &impl Process,
    name: &PeerName,
    service: Option<&ServiceKey>,
) -> Result<RouteSource, Refused> {
    let engine = leading_engine(process)?;
    let peer = peers::find(process, engine, name)?;
    let prefixes = match service {
        Some(service) => Some(prefixes_of(engine, &peer, service)?),
        None => None,
    };

    let session = peer.status.peer.as_ref();
    let negotiated = session.and_then(|session| session.negotiated.as_ref());
    let several_paths = negotiated.map(|it| it.extensions.add_path_send.clone());
    let key = SessionKey::new(peer.node, &peer.plan.peer.name);
    Ok(RouteSource {
        several_paths: several_paths.unwrap_or_default(),
        node: peer.node.to_owned(),
        peer: key.peer.clone(),
        handle: process.sessions().and_then(|sessions| sessions.handle(&key)),
        prefixes,
    })
}

fn prefixes_of(
    engine: &Engine,
    peer: &peers::PeerFacts<'_>,
    service: &ServiceKey,
) -> Result<BTreeSet<IpNet>, Refused> {
    if !engine.has_service(service) {
        let error = ApiError::new(format!("there is no Service {service}"));
        return Err(Refused::NotFound(error));
    }
    let routes = engine.plan(peer.node).into_iter().flat_map(|plan| plan.announced(service));
    let routes = routes.filter(|(plan, _)| plan.peer.name == peer.plan.peer.name);
    Ok(routes.map(|(_, prefix)| prefix).collect())
}

/// Returns the owners of routes, in the same order. A route that is being withdrawn has none.
pub(super) fn owners(
    process: &impl Process,
    key: &SessionKey,
    prefixes: &[IpNet],
) -> Vec<RouteOwners> {
    let plan = process.engine().and_then(|engine| engine.plan(&key.node));
    let (Some(engine), Some(peer)) = (process.engine(), plan.and_then(|plan| plan.peer(&key.peer)))
    else {
        return vec![RouteOwners::default(); prefixes.len()];
    };

    let owners = prefixes.iter().map(|prefix| {
        let Some(route) = peer.routes.get(prefix) else { return RouteOwners::default() };
        let services = route.services().take(MOST_LISTED).map(ToString::to_string).collect();
        let members = if prefix.prefix_len() == prefix.max_prefix_len() {
            Vec::new()
        } else {
            members(engine, prefix, route.services())
        };
        RouteOwners { services, members }
    });
    owners.collect()
}

/// Returns the addresses of Services that a prefix covers.
fn members<'a>(
    engine: &Engine,
    prefix: &IpNet,
    services: impl Iterator<Item = &'a ServiceKey>,
) -> Vec<IpAddr> {
    let mut members = BTreeSet::new();
    for service in services {
        let Some(holding) = engine.holding(service) else { continue };
        members.extend(holding.addresses.iter().filter(|address| prefix.contains(*address)));
        if members.len() >= MOST_LISTED {
            break;
        }
    }
    members.into_iter().take(MOST_LISTED).collect()
}

impl RouteSource {
    /// Reads the routes from the session, as many as wanted, from a few pages at most; and the start of the next page.
    pub(crate) async fn read(&self, filter: &RouteFilter) -> (Vec<OutRoute>, Option<Nlri>) {
        let Some(handle) = &self.handle else { return (Vec::new(), None) };
        let is_filtered = filter.prefix.is_some() || self.prefixes.is_some();
        let most = if is_filtered { PAGE } else { filter.limit };

        let mut routes = Vec::new();
        let mut from = filter.from;
        for _ in 0..MOST_PAGES {
            let page = handle.adj_rib_out(from, most).await;
            // The peer was removed from the configuration just now.
            let Ok(page) = page else { return (routes, None) };

            for route in page.routes {
                if !self.is_wanted(filter, route.prefix) {
                    continue;
                }
                if routes.len() == filter.limit {
                    return (routes, Some(Nlri { prefix: route.prefix, path_id: route.path_id }));
                }
                routes.push(route);
            }
            from = page.next;
            if from.is_none() || routes.len() == filter.limit {
                return (routes, from);
            }
        }
        (routes, from)
    }

    fn is_wanted(&self, filter: &RouteFilter, prefix: IpNet) -> bool {
        let is_related =
            filter.prefix.is_none_or(|wanted| wanted.contains(&prefix) || prefix.contains(&wanted));
        is_related && self.prefixes.as_ref().is_none_or(|prefixes| prefixes.contains(&prefix))
    }

    /// Returns the answer with these routes and their owners.
    pub(crate) fn page(
        self,
        routes: Vec<OutRoute>,
        next: Option<Nlri>,
        owners: Vec<RouteOwners>,
    ) -> RoutePage {
        let now = tokio::time::Instant::now().into_std();
        let mut owners = owners.into_iter();
        let routes = routes.into_iter().map(|it| {
            let carries_several = self.several_paths.contains(&family_of(&it.prefix));
            let mut route = route(it, now, owners.next().unwrap_or_default());
            if !carries_several {
                route.path_id = 0;
            }
            route
        });
        RoutePage {
            node: self.node,
            peer: self.peer,
            routes: routes.collect(),
            next: next.map(cursor),
        }
    }
}

fn route(route: OutRoute, now: Instant, owners: RouteOwners) -> Route {
    let attributes = &route.attributes;
    let age = route.since.map(|since| now.saturating_duration_since(since).as_secs());
    Route {
        prefix: route.prefix.to_string(),
        path_id: route.path_id,
        state: state(route.state),
        state_text: route.state.to_string(),
        age_seconds: age,
        next_hop: attributes.next_hop.map(|next_hop| next_hop.address()),
        origin: match attributes.origin {
            Origin::Igp => "IGP",
            Origin::Egp => "EGP",
            Origin::Incomplete => "INCOMPLETE",
        }
        .to_owned(),
        as_path: attributes.as_path.to_string(),
        local_pref: attributes.local_pref,
        med: attributes.med,
        communities: texts(&attributes.communities),
        large_communities: texts(&attributes.large_communities),
        extended_communities: texts(&attributes.extended_communities),
        other_attributes: other_attributes(attributes),
        services: owners.services,
        members: owners.members,
    }
}

fn state(state: OutRouteState) -> RouteState {
    match state {
        OutRouteState::Sent => RouteState::Sent,
        OutRouteState::Withdrawing => RouteState::Withdrawing,
        OutRouteState::OtherPath => RouteState::OtherPath,
        OutRouteState::Unsendable(_) => RouteState::Unsendable,
        OutRouteState::NoSession => RouteState::NoSession,
        _ => RouteState::Pending,
    }
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn other_attributes(attributes: &bgp_session::PathAttributes) -> Vec<String> {
    let mut texts = Vec::new();
    if attributes.atomic_aggregate {
        texts.push("ATOMIC_AGGREGATE".to_owned());
    }
    texts.extend(attributes.aggregator.as_ref().map(|it| format!("AGGREGATOR {it}")));
    for community in &attributes.ipv6_extended_communities {
        texts.push(format!("IPV6_EXTENDED_COMMUNITY {community}"));
    }
    texts.extend(attributes.originator_id.map(|it| format!("ORIGINATOR_ID {it}")));
    if !attributes.cluster_list.is_empty() {
        let clusters: Vec<_> = attributes.cluster_list.iter().map(ToString::to_string).collect();
        texts.push(format!("CLUSTER_LIST {}", clusters.join(" ")));
    }
    texts.extend(attributes.only_to_customer.map(|asn| format!("ONLY_TO_CUSTOMER {}", asn.0)));
    texts.extend(attributes.unknown.iter().map(|raw| raw.code.to_string()));
    texts
}

/// Returns the text of the start of a page: `PREFIX`, or `PREFIX#PATHID`.
fn cursor(start: Nlri) -> String {
    match start.path_id {
        0 => start.prefix.to_string(),
        path_id => format!("{}#{path_id}", start.prefix),
    }
}

/// Returns the start of a page from its text.
pub(crate) fn parse_cursor(text: &str) -> Option<Nlri> {
    let (prefix, path_id) = match text.split_once('#') {
        Some((prefix, path_id)) => (prefix, path_id.parse().ok()?),
        None => (text, 0),
    };
    Some(Nlri { prefix: parse_prefix(prefix)?, path_id })
}

/// Returns a prefix from its text, or the prefix of a single address.
pub(crate) fn parse_prefix(text: &str) -> Option<IpNet> {
    let prefix = IpNet::from_str(text).ok().map(|prefix| prefix.trunc());
    prefix.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The most Services and members that are listed for a route.
const MOST_LISTED: usize = 100;
/// The routes of one page of the session while a filter is searched.
const PAGE: usize = 1_024;
/// The most pages of the session for one answer.
const MOST_PAGES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for text in ["192.0.2.0/24", "2001:db8::7/128#12"] {
            assert_eq!(parse_cursor(text).map(cursor).as_deref(), Some(text));
        }
        assert_eq!(parse_cursor("192.0.2.7").map(cursor).as_deref(), Some("192.0.2.7/32"));
        for text in ["", "192.0.2.0/33", "192.0.2.0/24#", "192.0.2.0/24#x", "tor1"] {
            assert_eq!(parse_cursor(text), None, "{text}");
        }
    }
}
