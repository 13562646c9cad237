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
mod nodes;
mod peer_detail;
mod peers;
mod pools;
mod process;
mod recorded;
mod routes;
mod services;
mod status;

use bgp_session::IpNet;
use ferrolb_api::{
    ApiError, BfdList, NodeList, Peer, PeerList, Pool, PoolList, ServiceExplanation, ServiceList,
    Status,
};
use lb_adapter::model::ServiceKey;
use serde::Serialize;

pub use pools::HolderPage;
pub use process::{Identity, Process};
pub use recorded::snapshot;
pub use routes::{RouteFilter, RouteOwners, RouteSource};
pub(crate) use routes::{parse_cursor, parse_prefix};
pub use services::{ServicePage, service_explanation};

use crate::actions;
use crate::http::StatusRequest;
use crate::sessions::SessionKey;

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
    /// The peer whose routes are wanted, and the Service that they should belong to.
    RouteSource(PeerName, Option<ServiceKey>),
    /// The Services and members of routes of a session.
    RouteOwners(SessionKey, Vec<IpNet>),
    /// `/v1/nodes`.
    Nodes,
    /// `/v1/services`.
    Services(ServicePage),
    /// `/v1/services/NAMESPACE/NAME`.
    Service(ServiceKey),
    /// `/v1/pools`.
    Pools,
    /// `/v1/pools/NAME`.
    Pool(HolderPage),
    /// `/v1/bfd`.
    Bfd,
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
    /// To [`Query::RouteSource`], which is no answer to a client yet.
    #[serde(skip)]
    RouteSource(RouteSource),
    /// To [`Query::RouteOwners`], in the order of the prefixes. It is no answer to a client either.
    #[serde(skip)]
    RouteOwners(Vec<RouteOwners>),
    /// To [`Query::Nodes`].
    Nodes(NodeList),
    /// To [`Query::Services`].
    Services(ServiceList),
    /// To [`Query::Service`].
    Service(Box<ServiceExplanation>),
    /// To [`Query::Pools`].
    Pools(PoolList),
    /// To [`Query::Pool`].
    Pool(Box<Pool>),
    /// To [`Query::Bfd`].
    Bfd(BfdList),
}

/// The reason why a question has no answer, with the kind of failure that decides the HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the HTTP server maps every case")]
pub enum Refused {
    /// A value of the question makes no sense.
    BadRequest(ApiError),
    /// There is no such thing.
    NotFound(ApiError),
    /// The state of the process, or of a session, does not allow it.
    Conflict(ApiError),
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
        StatusRequest::Api(query, reply) => {
            if matches!(query, Query::Services(_) | Query::Service(_)) {
                process.refresh().await;
            }
            drop(reply.send(reply_to(process, query)));
        }
        StatusRequest::Act(action, reply) => actions::act(process, action, reply).await,
    }
}

/// Returns the session with the peer that a name means.
///
/// # Errors
///
/// There is none, or several nodes have it.
pub(crate) fn session_of(process: &impl Process, peer: &PeerName) -> Result<SessionKey, Refused> {
    let facts = peers::find(process, process::leading_engine(process)?, peer)?;
    Ok(facts.key())
}

/// Returns the answer to a question.
pub fn reply_to(process: &impl Process, query: Query) -> Reply {
    match query {
        Query::Status => Ok(Answer::Status(Box::new(status::status(process)))),
        Query::Peers => Ok(Answer::Peers(peers::list(process)?)),
        Query::Peer(name) => Ok(Answer::Peer(Box::new(peers::one(process, &name)?))),
        Query::RouteSource(name, service) => {
            Ok(Answer::RouteSource(routes::source(process, &name, service.as_ref())?))
        }
        Query::RouteOwners(session, prefixes) => {
            Ok(Answer::RouteOwners(routes::owners(process, &session, &prefixes)))
        }
        Query::Nodes => Ok(Answer::Nodes(nodes::list(process)?)),
        Query::Services(page) => Ok(Answer::Services(services::list(process, &page)?)),
        Query::Service(key) => Ok(Answer::Service(Box::new(services::explain(process, &key)?))),
        Query::Pools => Ok(Answer::Pools(pools::list(process)?)),
        Query::Pool(page) => Ok(Answer::Pool(Box::new(pools::one(process, &page)?))),
        Query::Bfd => Ok(Answer::Bfd(peers::bfd_sessions(process)?)),
    }
}

#[cfg(test)]
mod tests;
