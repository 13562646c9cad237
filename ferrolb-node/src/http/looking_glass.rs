//! The paths of birdwatcher, which looking glasses read.
//!
//! Owns the paths, and which answers of [`crate::api`] each needs. [`crate::looking_glass`] has the form. Each answer is bounded,
//! and counts among the answers in progress.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use ferrolb_api::{ApiError, Peer, Status};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::parameters::Parameters;
use super::{ServerState, api, try_acquire};
use crate::api::{Answer, PeerName, Query, Refused, RouteFilter, parse_prefix};
use crate::looking_glass::{
    self, MAX_ROUTES, Protocols, RouteCount, Routes, ShortProtocols, Table, has_nodes, is_exported,
    protocol_name,
};

/// The time for all pages of the routes in one answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The routes that are read at a time.
const PAGE: usize = 1_000;

/// Returns the paths of birdwatcher.
pub(super) fn read_only() -> Router<ServerState> {
    Router::new()
        .route("/status", get(status))
        .route("/protocols", get(protocols))
        .route("/protocols/bgp", get(protocols))
        .route("/protocols/short", get(short))
        .route("/routes/protocol/{name}", get(received))
        .route("/routes/filtered/{name}", get(received))
        .route("/routes/peer/{address}", get(received_from))
        .route("/routes/count/protocol/{name}", get(count))
        .route("/routes/export/{name}", get(exported))
        .route("/routes/noexport/{name}", get(not_exported))
        .route("/routes/table/{table}", get(table))
        .route("/routes/table/{table}/filtered", get(table_filtered))
        .route("/routes/prefix", get(prefix))
}

/// The answers that every path needs.
struct Facts {
    state: ServerState,
    permit: OwnedSemaphorePermit,
    status: Status,
    peers: Vec<Peer>,
}

/// A refusal, or `None` if the process does not respond.
type Failure = Option<Refused>;

impl Facts {
    async fn of(state: ServerState) -> Result<Self, Response> {
        let Some(permit) = try_acquire(&state.answers) else {
            return Err(api::too_many("answers"));
        };
        let answers = async {
            let Answer::Status(status) = state.query(Query::Status).await? else {
                return Err(None);
            };
            let Answer::Peers(list) = state.query(Query::Peers).await? else { return Err(None) };
            Ok((*status, list.peers))
        };
        let (status, peers) = answers.await.map_err(failure)?;
        Ok(Self { state, permit, status, peers })
    }

    fn respond(self, answer: &impl Serialize) -> Response {
        api::large(answer, self.permit)
    }

    /// Returns the peer with this name as a protocol.
    fn peer(&self, protocol: &str) -> Result<&Peer, Failure> {
        let has_nodes = has_nodes(&self.peers);
        let names = || self.peers.iter().map(|peer| protocol_name(peer, has_nodes));
        let found = self.peers.iter().find(|peer| protocol_name(peer, has_nodes) == protocol);
        found.ok_or_else(|| {
            let known = names().take(MAX_NAMES).collect::<Vec<_>>().join(", ");
            let error = ApiError::new(format!("there is no protocol {protocol}: expected {known}"));
            Some(Refused::NotFound(error))
        })
    }

    /// Reads routes of these peers until an answer is full.
    async fn routes(
        &self,
        peers: &[&Peer],
        prefix: Option<bgp_session::IpNet>,
        is_wanted: impl Fn(&ferrolb_api::Route) -> bool,
    ) -> Result<Routes, Failure> {
        let deadline = Instant::now() + DEADLINE;
        let has_nodes = has_nodes(&self.peers);
        let mut routes = Vec::new();
        for peer in peers {
            let protocol = protocol_name(peer, has_nodes);
            let mut from = None;
            loop {
                let name = PeerName { name: peer.name.clone(), node: Some(peer.node.clone()) };
                let filter = RouteFilter { from, limit: PAGE, prefix, service: None };
                let page = api::read_routes(&self.state, name, &filter);
                let (page, next) = timeout_at(deadline, page).await.map_err(|_| None)??;

                let wanted = page.routes.iter().filter(|route| is_wanted(route));
                let now = self.status.time;
                routes.extend(wanted.map(|route| looking_glass::route(route, &protocol, now)));
                from = next;
                if from.is_none() || routes.len() > MAX_ROUTES {
                    break;
                }
            }
        }
        Ok(Routes::of(&self.status, routes))
    }
}

async fn status(State(state): State<ServerState>) -> Response {
    let facts = match Facts::of(state).await {
        Ok(facts) => facts,
        Err(response) => return response,
    };
    let identifier = match facts.peers.first() {
        Some(peer) => identifier(&facts.state, peer).await,
        None => None,
    };
    let answer = looking_glass::Status::of(&facts.status, identifier);
    facts.respond(&answer)
}

/// Returns the BGP Identifier that we sent to a peer.
async fn identifier(state: &ServerState, peer: &Peer) -> Option<std::net::Ipv4Addr> {
    let name = PeerName { name: peer.name.clone(), node: Some(peer.node.clone()) };
    let Ok(Answer::Peer(peer)) = state.query(Query::Peer(name)).await else { return None };
    Some(peer.detail?.open_sent?.identifier)
}

async fn protocols(State(state): State<ServerState>) -> Response {
    answer(state, async |facts| Ok(Protocols::of(&facts.status, &facts.peers))).await
}

async fn short(State(state): State<ServerState>) -> Response {
    answer(state, async |facts| Ok(ShortProtocols::of(&facts.status, &facts.peers))).await
}

/// The routes of a peer, of which none are kept.
async fn received(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| {
        facts.peer(&name)?;
        Ok(Routes::of(&facts.status, Vec::new()))
    })
    .await
}

async fn received_from(State(state): State<ServerState>) -> Response {
    answer(state, async |facts| Ok(Routes::of(&facts.status, Vec::new()))).await
}

async fn count(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| Ok(RouteCount::of(&facts.status, facts.peer(&name)?.received)))
        .await
}

async fn exported(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| facts.routes(&[facts.peer(&name)?], None, is_exported).await).await
}

async fn not_exported(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| {
        facts.routes(&[facts.peer(&name)?], None, |route| !is_exported(route)).await
    })
    .await
}

async fn table(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| {
        let table = table_named(&name)?;
        let peers: Vec<&Peer> = facts.peers.iter().collect();
        facts.routes(&peers, None, |route| is_exported(route) && table.has(&route.prefix)).await
    })
    .await
}

async fn table_filtered(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    answer(state, async |facts| {
        table_named(&name)?;
        Ok(Routes::of(&facts.status, Vec::new()))
    })
    .await
}

async fn prefix(State(state): State<ServerState>, RawQuery(query): RawQuery) -> Response {
    answer(state, async |facts| {
        let mut parameters = Parameters::of(query.as_deref())?;
        let prefix = parameters.read("prefix", "a prefix or an IP address", parse_prefix)?;
        if prefix.is_none() {
            let error = ApiError::new("there is no prefix: expected prefix=PREFIX");
            return Err(Some(Refused::BadRequest(error)));
        }
        let peers: Vec<&Peer> = facts.peers.iter().collect();
        facts.routes(&peers, prefix, is_exported).await
    })
    .await
}

fn table_named(name: &str) -> Result<Table, Failure> {
    Table::named(name).ok_or_else(|| {
        let expected = "master, master4 or master6";
        let error = ApiError::new(format!("there is no table {name}: expected {expected}"));
        Some(Refused::NotFound(error))
    })
}

/// Responds with what `make` makes of the facts.
async fn answer<T: Serialize>(
    state: ServerState,
    make: impl AsyncFnOnce(&Facts) -> Result<T, Failure>,
) -> Response {
    let facts = match Facts::of(state).await {
        Ok(facts) => facts,
        Err(response) => return response,
    };
    match make(&facts).await {
        Ok(answer) => facts.respond(&answer),
        Err(error) => failure(error),
    }
}

fn failure(error: Failure) -> Response {
    error.map_or_else(api::no_reply, |refused| api::refusal(&refused))
}

/// The most names in an error.
const MAX_NAMES: usize = 20;
