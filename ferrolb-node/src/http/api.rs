//! The paths of `/v1`, and their answers as JSON.
//!
//! Owns the paths, and the HTTP status of each refusal. [`crate::api`] makes the answers.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ferrolb_api::ApiError;
use serde::Serialize;

use super::parameters::Parameters;
use super::{ServerState, StatusRequest, body, try_acquire};
use crate::api::{PeerName, Query, Refused};

/// Returns the paths that only read.
pub(super) fn read_only() -> Router<ServerState> {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/peers/{name}", get(peer))
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

fn peer_name(Path(name): Path<String>, RawQuery(query): RawQuery) -> Result<PeerName, Refused> {
    let mut parameters = Parameters::of(query.as_deref())?;
    let node = parameters.text("node");
    parameters.finish(&["node"])?;
    Ok(PeerName { name, node })
}

fn without_parameters(RawQuery(query): RawQuery) -> Result<(), Refused> {
    Parameters::of(query.as_deref())?.finish(&[])
}

/// Asks the main loop, and returns its answer as JSON.
async fn respond(State(state): State<ServerState>, query: Result<Query, Refused>) -> Response {
    let query = match query {
        Ok(query) => query,
        Err(refused) => return refusal(&refused),
    };
    let Some(permit) = try_acquire(&state.answers) else { return too_many_readers() };

    match state.ask(|reply| StatusRequest::Api(query, reply)).await {
        Some(Ok(answer)) => match serde_json::to_string(&answer) {
            Ok(text) => {
                let response = body::text_response(JSON, text, permit);
                (SAFE_HEADERS, response).into_response()
            }
            Err(error) => {
                failure(StatusCode::INTERNAL_SERVER_ERROR, &ApiError::new(error.to_string()))
            }
        },
        Some(Err(refused)) => refusal(&refused),
        None => {
            let error = ApiError::new("the main loop does not respond");
            failure(StatusCode::SERVICE_UNAVAILABLE, &error)
        }
    }
}

/// Returns the response to a request that the process refuses.
pub(super) fn refusal(refused: &Refused) -> Response {
    match refused {
        Refused::BadRequest(error) => failure(StatusCode::BAD_REQUEST, error),
        Refused::NotFound(error) => failure(StatusCode::NOT_FOUND, error),
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

fn too_many_readers() -> Response {
    let error = ApiError::new("too many clients are reading answers: try again in a few seconds");
    let retry_after = [(header::RETRY_AFTER, "5")];
    (retry_after, failure(StatusCode::SERVICE_UNAVAILABLE, &error)).into_response()
}

const JSON: &str = "application/json";
/// An answer is out of date at once, and no browser may guess another type for it.
const SAFE_HEADERS: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
