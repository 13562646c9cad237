//! Objects as the body of a response.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::failure::Failure;

/// Returns objects as a response. `axum::Json` appends every few octets to a shared buffer, which takes long without optimization.
pub(crate) fn json(code: StatusCode, objects: &impl Serialize) -> Result<Response<Body>, Failure> {
    let octets =
        serde_json::to_vec(objects).map_err(|error| Failure::internal(error.to_string()))?;
    let mut response = Response::new(Body::from(octets));
    *response.status_mut() = code;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}
