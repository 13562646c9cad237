//! The paths of `/v1`, and their answers as JSON.
//!
//! Owns the paths, and the HTTP status of each refusal. [`crate::api`] makes the answers.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bgp_session::Nlri;
use ferrolb_api::{ApiError, RoutePage};
use lb_adapter::model::ServiceKey;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::parameters::Parameters;
use super::{REPLY_TIMEOUT, ServerState, StatusRequest, body, try_acquire};
use crate::api::{
    Answer, HolderPage, PeerName, Query, Refused, RouteFilter, ServicePage, parse_cursor,
    parse_prefix,
};
use crate::sessions::SessionKey;

/// Returns the paths that only read.
pub(super) fn read_only() -> Router<ServerState> {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/peers/{name}", get(peer))
        .route("/v1/peers/{name}/routes", get(routes))
        .route("/v1/nodes", get(nodes))
        .route("/v1/services", get(services))
        .route("/v1/services/{namespace}/{name}", get(service))
        .route("/v1/pools", get(pools))
        .route("/v1/pools/{name}", get(pool))
        .route("/v1/bfd", get(bfd))
}

async fn status(state: State<ServerState>, query: RawQuery) -> Response {
    let query = without_parameters(query).map(|()| Query::Status);
    respond(state, query).await
}

async fn peers(state: State<ServerState>, query: RawQuery) -> Response {
    let query = without_parameters(query).map(|()| Query::Peers);
    respond(state, query).await
}

async fn peer(state: State<ServerState>, name: Path<String>, query: RawQuery) -> Response {
    respond(state, peer_name(name, query).map(Query::Peer)).await
}

async fn nodes(state: State<ServerState>, query: RawQuery) -> Response {
    let query = without_parameters(query).map(|()| Query::Nodes);
    respond(state, query).await
}

async fn services(state: State<ServerState>, query: RawQuery) -> Response {
    respond(state, service_page(query).map(Query::Services)).await
}

fn service_page(RawQuery(query): RawQuery) -> Result<ServicePage, Refused> {
    let mut parameters = Parameters::of(query.as_deref())?;
    let page = ServicePage {
        problems: parameters.parsed("problems", "true or false")?.unwrap_or(false),
        from: parameters.service("from")?,
        limit: parameters.limit()?,
    };
    parameters.finish(&["problems", "from", "limit"])?;
    Ok(page)
}

async fn service(
    state: State<ServerState>,
    Path((namespace, name)): Path<(String, String)>,
    query: RawQuery,
) -> Response {
    let query = without_parameters(query);
    respond(state, query.map(|()| Query::Service(ServiceKey::new(namespace, name)))).await
}

async fn pools(state: State<ServerState>, query: RawQuery) -> Response {
    let query = without_parameters(query).map(|()| Query::Pools);
    respond(state, query).await
}

async fn pool(state: State<ServerState>, name: Path<String>, query: RawQuery) -> Response {
    respond(state, holder_page(name, query).map(Query::Pool)).await
}

fn holder_page(Path(pool): Path<String>, RawQuery(query): RawQuery) -> Result<HolderPage, Refused> {
    let mut parameters = Parameters::of(query.as_deref())?;
    let from = parameters.parsed("from", "an IP address")?;
    let page = HolderPage { pool, from, limit: parameters.limit()? };
    parameters.finish(&["from", "limit"])?;
    Ok(page)
}

async fn bfd(state: State<ServerState>, query: RawQuery) -> Response {
    let query = without_parameters(query).map(|()| Query::Bfd);
    respond(state, query).await
}

async fn routes(State(state): State<ServerState>, name: Path<String>, query: RawQuery) -> Response {
    let Some(permit) = try_acquire(&state.answers) else { return too_many("answers") };
    match route_page(&state, name, query).await {
        Ok(page) => large(&page, permit),
        Err(Some(refused)) => refusal(&refused),
        Err(None) => no_reply(),
    }
}

/// Reads the routes that a query asks for. `None` as an error means that the main loop or the session does not respond.
async fn route_page(
    state: &ServerState,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<RoutePage, Option<Refused>> {
    let mut parameters = Parameters::of(query.as_deref())?;
    let peer = PeerName { name, node: parameters.text("node") };
    let filter = RouteFilter {
        from: parameters.read("from", "PREFIX or PREFIX#PATHID", parse_cursor)?,
        limit: parameters.limit()?,
        prefix: parameters.read("prefix", "a prefix or an IP address", parse_prefix)?,
        service: parameters.service("service")?,
    };
    parameters.finish(&["node", "from", "limit", "prefix", "service"])?;
    let (page, _) = read_routes(state, peer, &filter).await?;
    Ok(page)
}

/// Reads routes from the session of a peer, and returns them with the first route of the next page.
pub(super) async fn read_routes(
    state: &ServerState,
    peer: PeerName,
    filter: &RouteFilter,
) -> Result<(RoutePage, Option<Nlri>), Option<Refused>> {
    let query = Query::RouteSource(peer, filter.service.clone());
    let Answer::RouteSource(source) = state.query(query).await? else { return Err(None) };
    let read = timeout(REPLY_TIMEOUT, source.read(filter)).await;
    let (routes, next) = read.map_err(|_| None)?;

    let session = SessionKey::new(&source.node, &source.peer);
    let prefixes = routes.iter().map(|route| route.prefix).collect();
    let Answer::RouteOwners(owners) = state.query(Query::RouteOwners(session, prefixes)).await?
    else {
        return Err(None);
    };
    Ok((source.page(routes, next, owners), next))
}

impl ServerState {
    /// Asks the main loop a question of the API. `None` as an error means that it does not respond.
    pub(super) async fn query(&self, query: Query) -> Result<Answer, Option<Refused>> {
        match self.ask(|reply| StatusRequest::Api(query, reply)).await {
            Some(reply) => reply.map_err(Some),
            None => Err(None),
        }
    }
}

fn peer_name(Path(name): Path<String>, RawQuery(query): RawQuery) -> Result<PeerName, Refused> {
    let mut parameters = Parameters::of(query.as_deref())?;
    let node = parameters.text("node");
    parameters.finish(&["node"])?;
    Ok(PeerName { name, node })
}

pub(super) fn without_parameters(RawQuery(query): RawQuery) -> Result<(), Refused> {
    Parameters::of(query.as_deref())?.finish(&[])
}

/// Asks the main loop, and returns its answer as JSON.
async fn respond(State(state): State<ServerState>, query: Result<Query, Refused>) -> Response {
    let query = match query {
        Ok(query) => query,
        Err(refused) => return refusal(&refused),
    };
    let Some(permit) = try_acquire(&state.answers) else { return too_many("answers") };

    match state.query(query).await {
        Ok(answer) => large(&answer, permit),
        Err(Some(refused)) => refusal(&refused),
        Err(None) => no_reply(),
    }
}

/// Returns a response that keeps its permit until the client has read it.
pub(super) fn large(value: &impl Serialize, permit: OwnedSemaphorePermit) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (SAFE_HEADERS, body::text_response(JSON, text, permit)).into_response(),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &ApiError::new(error.to_string())),
    }
}

pub(super) fn no_reply() -> Response {
    let error = ApiError::new("the main loop does not respond");
    failure(StatusCode::SERVICE_UNAVAILABLE, &error)
}

/// Returns the response to a request that the process refuses.
pub(super) fn refusal(refused: &Refused) -> Response {
    match refused {
        Refused::BadRequest(error) => failure(StatusCode::BAD_REQUEST, error),
        Refused::NotFound(error) => failure(StatusCode::NOT_FOUND, error),
        Refused::Conflict(error) => failure(StatusCode::CONFLICT, error),
        Refused::Unavailable(error) => failure(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

/// Returns a response with this status and error.
pub(super) fn failure(status: StatusCode, error: &ApiError) -> Response {
    (status, json(error)).into_response()
}

/// Returns a response with this value, which is small.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (SAFE_HEADERS, [(header::CONTENT_TYPE, JSON)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Returns the response to a path that does not exist.
pub(super) async fn unknown_path(uri: axum::http::Uri) -> Response {
    let error = ApiError {
        error: format!("there is no path {}", uri.path()),
        hint: Some("docs/api.md lists the paths".to_owned()),
    };
    failure(StatusCode::NOT_FOUND, &error)
}

/// Returns the response to a method that a path does not have.
pub(super) async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    let error = ApiError::new(format!("{} does not take {method}", uri.path()));
    failure(StatusCode::METHOD_NOT_ALLOWED, &error)
}

/// Returns the response to a client that wants one more of these, such as `answers`.
pub(super) fn too_many(what: &str) -> Response {
    let error = format!("too many clients are reading {what}: try again in a few seconds");
    let retry_after = [(header::RETRY_AFTER, "5")];
    let failure = failure(StatusCode::SERVICE_UNAVAILABLE, &ApiError::new(error));
    (retry_after, failure).into_response()
}

pub(super) const JSON: &str = "application/json";
/// An answer is out of date at once, and no browser may guess another type for it.
pub(super) const SAFE_HEADERS: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
