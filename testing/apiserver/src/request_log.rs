//! The log of all requests, with which a test checks how a controller uses the API.

use std::sync::{Mutex, PoisonError};

/// A request to the server, with its sender and the decision of the access rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The token: `admin`, or `namespace/name` of a service account.
    pub who: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// The resource, with its subresource: `services/status`.
    pub resource: String,
    /// The namespace; empty across namespaces.
    pub namespace: String,
    /// The object's name, if the request has one.
    pub name: Option<String>,
    /// True if the access rules allow it.
    pub allowed: bool,
}

/// All requests since the start of the server.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    requests: Mutex<Vec<RecordedRequest>>,
}

impl RequestLog {
    pub(crate) fn push(&self, request: RecordedRequest) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    pub(crate) fn to_vec(&self) -> Vec<RecordedRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
