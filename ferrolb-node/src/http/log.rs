//! `/v1/log`: the last lines of the log. Only the router of the Unix socket has it, since a log tells more than the answers.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;

use super::{ServerState, api, try_acquire};

/// Returns the path of the log.
pub(super) fn router() -> Router<ServerState> {
    Router::new().route("/v1/log", get(log))
}

async fn log(State(state): State<ServerState>, query: RawQuery) -> Response {
    if let Err(refused) = api::without_parameters(query) {
        return api::refusal(&refused);
    }
    let Some(permit) = try_acquire(&state.answers) else { return api::too_many("answers") };
    api::large(&state.log.read(), permit)
}
