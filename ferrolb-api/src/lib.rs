//! The answers of a FerroLB process about itself: what `/v1` serves over HTTP, and over the Unix socket.
//!
//! Owns the form of every answer and of every request, and the paths. Commands, the live page, the support bundle and tests
//! read these types and nothing else. This crate opens no socket and finds out no facts; `ferrolb-node` fills the answers.
//!
//! | path | answer |
//! | --- | --- |
//! | `/v1/status` | [`Status`] |
//! | `/v1/nodes` | [`NodeList`] |
//! | `/v1/peers` | [`PeerList`] |
//! | `/v1/peers/NAME` | [`Peer`] |
//! | `/v1/peers/NAME/routes` | [`RoutePage`] |
//! | `/v1/services` | [`ServiceList`] |
//! | `/v1/services/NAMESPACE/NAME` | [`ServiceExplanation`] |
//! | `/v1/pools` | [`PoolList`] |
//! | `/v1/pools/NAME` | [`Pool`] |
//! | `/v1/bfd` | [`BfdList`] |
//! | `/v1/events` | [`EventPage`], or server-sent events |
//! | `/v1/log` | [`LogLines`] |
//!
//! Only the Unix socket has `/v1/log`, and takes the requests of [`action`], which change the state of the process.
//!
//! # Conventions
//!
//! Names are in snake case. A time is RFC 3339 in UTC. Names that end in `_seconds` are durations, relative to the answer.
//! A field without a value is left out. A reader must ignore fields that it does not know: version 1 only gains fields, and
//! values of enumerations, which these types read as `Unknown`.
//! Lists are bounded; `next` is the query of the next page, and is left out on the last page.

pub mod action;
mod bfd;
mod error;
mod event;
mod explanation;
mod log;
mod node;
mod peer;
mod pool;
mod query;
mod route;
#[cfg(feature = "schema")]
mod schema;
mod service;
mod status;

pub use bfd::{Bfd, BfdList};
pub use error::ApiError;
pub use event::{Event, EventKind, EventPage, Severity};
pub use explanation::{Gate, NodeExplanation, PeerExplanation, ServiceExplanation};
pub use jiff::Timestamp;
pub use log::LogLines;
pub use node::{Node, NodeList, NodePeer};
pub use peer::{
    Capability, Endpoints, Failure, MessageCounts, Messages, Negotiated, Notification, Open, Peer,
    PeerDetail, PeerList, PrefixCounts, Timer,
};
pub use pool::{AddressHolders, Pool, PoolList, PoolUsage};
pub use query::{EventQuery, PoolQuery, RouteQuery, ServiceQuery};
pub use route::{Route, RoutePage, RouteState};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use service::{Service, ServiceList, ServiceProblem, ServiceState};
pub use status::{
    BfdCount, Configuration, ConfigurationState, Dataplane, Drain, DrainStage, PeerCount, Problem,
    Program, ServiceCount, Status, Watch,
};

/// The version of the API, the first part of each path.
pub const VERSION: &str = "v1";
