//! [`ApiError`]: the answer to a request that failed.

use serde::{Deserialize, Serialize};

/// The body of every answer with a status other than 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiError {
    /// The error, in one sentence. It names the value and what was expected.
    pub error: String,
    /// The way to fix it, if one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl ApiError {
    /// Returns an error with this text and without a hint.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), hint: None }
    }
}
