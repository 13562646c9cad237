//! What an [`RtrClient`](super::RtrClient) tells its driver: tasks, failures and its state.

use super::RtrErrorCode;
use super::client::ANSWER_TIME;

/// A task for the driver of an [`RtrClient`](super::RtrClient).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtrOutput {
    /// Open a connection, then call [`RtrClient::connected`](super::RtrClient::connected) or [`RtrClient::disconnected`](super::RtrClient::disconnected).
    Connect,
    /// Send what [`RtrClient::poll_transmit`](super::RtrClient::poll_transmit) still writes, and close the connection. It needs no further call.
    Close,
    /// [`RtrClient::vrps`](super::RtrClient::vrps) has changed.
    VrpsChanged,
    /// Something went wrong, for the log. The client tries again by itself.
    Failed(RtrFailure),
}

/// The reason why the session with a cache ended, or why it has no new data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum RtrFailure {
    /// The cache reported an error.
    #[error("the cache reports {code}: {text}")]
    Reported {
        /// The kind of error.
        code: RtrErrorCode,
        /// The text of the cache.
        text: String,
    },
    /// The cache broke the protocol. It was told so, unless by an Error Report it broke it.
    #[error("{code}: {problem}")]
    Refused {
        /// The kind of error.
        code: RtrErrorCode,
        /// The problem in words.
        problem: String,
    },
    /// The cache did not answer a query in time.
    #[error("the cache did not answer within {} s", ANSWER_TIME.as_secs())]
    Unanswered,
    /// The data expired before the cache had told what has changed.
    #[error("the data expired before the answer of the cache was complete")]
    Expired,
    /// The connection failed, in the words of the driver.
    #[error("{0}")]
    Connection(String),
}

/// The state of the session with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum RtrState {
    /// It waits for the next attempt to connect.
    Waiting,
    /// It waits for a connection.
    Connecting,
    /// The cache was asked for data.
    Querying,
    /// The cache has answered. The client waits until it is time for the next query.
    Idle,
}
