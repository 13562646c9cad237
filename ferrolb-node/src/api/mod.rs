//! The answers of a process about itself, from its facts.
//!
//! ```text
//! http ── StatusRequest ──► answer ──► Process (run, speaker, controller, lab): engine, sessions, configuration, ...
//!                             └──► one function for each answer of ferrolb_api
//! ```
//!
//! Owns how facts become the types of [`ferrolb_api`]. The programs provide the facts through [`Process`] and know no answer;
//! [`crate::http`] knows the paths. This module opens no socket, changes nothing, and plans nothing: it reads what the engine and
//! the sessions say.

mod bfd;
mod capability;
mod hints;
mod peer_detail;
mod peers;
mod process;
mod status;

use ferrolb_api::{ApiError, Peer, PeerList, Status};
use serde::Serialize;

pub use process::{Identity, Process};

use crate::http::StatusRequest;

/// A question about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// `/v1/status`.
    Status,
    /// `/v1/peers`.
    Peers,
    /// `/v1/peers/NAME`.
    Peer(PeerName),
}

/// The name of a peer in a question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a peer is one of a node")]
pub struct PeerName {
    /// The name in the configuration.
    pub name: String,
    /// The node; needed only if the process speaks for several that have the peer.
    pub node: Option<String>,
}

/// An answer of a process.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Query::Status`].
    Status(Box<Status>),
    /// To [`Query::Peers`].
    Peers(PeerList),
    /// To [`Query::Peer`].
    Peer(Box<Peer>),
}

/// The reason why a question has no answer, with the kind of failure that decides the HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the HTTP server maps every case")]
pub enum Refused {
    /// A value of the question makes no sense.
    BadRequest(ApiError),
    /// There is no such thing.
    NotFound(ApiError),
    /// The process cannot answer this now.
    Unavailable(ApiError),
}

/// The answer, or the reason why there is none.
pub type Reply = Result<Answer, Refused>;

/// Answers a request. This is the only place that does, so that all programs answer alike.
pub async fn answer(process: &mut impl Process, request: StatusRequest) {
    // A client that has gone is no error.
    match request {
        StatusRequest::Live(reply) => drop(reply.send(())),
        StatusRequest::Ready(reply) => {
            drop(reply.send(process.not_ready().map_or(Ok(()), Err)));
        }
        StatusRequest::Metrics(reply) => drop(reply.send(process.metrics())),
        StatusRequest::Objects(reply) => drop(reply.send(process.objects().await)),
        StatusRequest::Api(query, reply) => drop(reply.send(reply_to(process, query))),
    }
}

/// Returns the answer to a question.
pub fn reply_to(process: &impl Process, query: Query) -> Reply {
    match query {
        Query::Status => Ok(Answer::Status(Box::new(status::status(process)))),
        Query::Peers => Ok(Answer::Peers(peers::list(process)?)),
        Query::Peer(name) => Ok(Answer::Peer(Box::new(peers::one(process, &name)?))),
    }
}
