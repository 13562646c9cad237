//! The errors of requests to a process.

use ferrolb_api::ApiError;

use crate::Failure;

/// The reason why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// There is no connection, or it ended or fell silent before the answer was complete.
    #[error("no response from {place}: {error}")]
    Unreachable {
        /// The process.
        place: String,
        /// The reason.
        error: String,
    },
    /// The process answered with an error.
    #[error("{}", sentence(answer))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error.
        answer: ApiError,
    },
    /// The process answered with something else than the path promises.
    #[error("{place}{path}: {error}")]
    Invalid {
        /// The process.
        place: String,
        /// The path of the request.
        path: String,
        /// What is wrong with the answer.
        error: String,
    },
}

fn sentence(answer: &ApiError) -> String {
    match &answer.hint {
        Some(hint) => format!("{}; {hint}", answer.error),
        None => answer.error.clone(),
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Unusable(error.to_string())
    }
}
