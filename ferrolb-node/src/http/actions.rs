//! The paths of `/v1` that change the state of the process. Only the router of the Unix socket has them.
//!
//! Owns the paths and the form of the requests. [`crate::actions`] carries them out.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use ferrolb_api::ApiError;
use ferrolb_api::action::{DrainRequest, LogLevel, PeerAction, Refresh};
use serde::de::DeserializeOwned;

use super::{ServerState, StatusRequest, api};
use crate::actions::{Action, PeerRequest};
use crate::api::Refused;

/// The most octets of a request. The longest text has 255.
const MOST_OCTETS: usize = 16 << 10;

/// Returns the paths that change the state of the process.
pub(super) fn router() -> Router<ServerState> {
    Router::new()
        .route("/v1/peers/{name}/reset", post(reset))
        .route("/v1/peers/{name}/disable", post(disable))
        .route("/v1/peers/{name}/enable", post(enable))
        .route("/v1/peers/{name}/refresh", post(refresh))
        .route("/v1/log-level", post(log_level))
        .route("/v1/drain", post(drain))
        .route("/v1/undrain", post(undrain))
        .layer(DefaultBodyLimit::max(MOST_OCTETS))
}

async fn reset(state: State<ServerState>, Path(name): Path<String>, body: Bytes) -> Response {
    let request = parse::<PeerAction>(&body).map(PeerRequest::Reset);
    respond(state, request.map(|request| Action::Peer(name, request))).await
}

async fn disable(state: State<ServerState>, Path(name): Path<String>, body: Bytes) -> Response {
    let request = parse::<PeerAction>(&body).map(PeerRequest::Disable);
    respond(state, request.map(|request| Action::Peer(name, request))).await
}

async fn enable(state: State<ServerState>, Path(name): Path<String>, body: Bytes) -> Response {
    let request = parse::<PeerAction>(&body).map(PeerRequest::Enable);
    respond(state, request.map(|request| Action::Peer(name, request))).await
}

async fn refresh(state: State<ServerState>, Path(name): Path<String>, body: Bytes) -> Response {
    let request = parse::<Refresh>(&body).map(PeerRequest::Refresh);
    respond(state, request.map(|request| Action::Peer(name, request))).await
}

async fn log_level(state: State<ServerState>, body: Bytes) -> Response {
    respond(state, parse::<LogLevel>(&body).map(Action::LogLevel)).await
}

async fn drain(state: State<ServerState>, body: Bytes) -> Response {
    respond(state, parse::<DrainRequest>(&body).map(Action::Drain)).await
}

async fn undrain(state: State<ServerState>, body: Bytes) -> Response {
    let request = if [&b""[..], b"{}", b"null"].contains(&body.as_ref()) {
        Ok(Action::Undrain)
    } else {
        Err(Refused::BadRequest(ApiError::new("the body: expected none")))
    };
    respond(state, request).await
}

/// Reads a request. Without a body it is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        Refused::BadRequest(ApiError::new(format!("the body is no valid request: {error}")))
    })
}

/// Has the main loop carry out an action, and returns its answer as JSON.
async fn respond(State(state): State<ServerState>, action: Result<Action, Refused>) -> Response {
    let action = match action {
        Ok(action) => action,
        Err(refused) => return api::refusal(&refused),
    };

    match state.ask(|reply| StatusRequest::Act(action, reply)).await {
        Some(Ok(answer)) => api::json(&answer),
        Some(Err(refused)) => api::refusal(&refused),
        None => {
            let error = ApiError::new("the main loop does not respond; it may still act");
            api::failure(StatusCode::SERVICE_UNAVAILABLE, &error)
        }
    }
}
