//! BMP: streams to monitoring stations (RFC 7854, RFC 8671, RFC 9069).
//!
//! Each station has a task of its own, which connects, sends what its observer gets, and starts over when the connection ends.
//! A station never delays a peer: what it does not read in time is lost, and then the stream starts over. This module decides
//! what a station is shown. The format is the core's.

mod config;
mod loc_rib;
mod outlet;
mod routes;
mod station;
mod statistics;
mod stream;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bgp_core::{Asn, BgpIdentifier};
use tokio::sync::watch;

use crate::{monitoring::Monitoring, registry::Registry, table::Table};

pub use config::{MonitoredRib, StationConfig};
pub use station::{StationHandle, StationStatus};

/// What the task of a station needs of its speaker.
pub(crate) struct StationContext {
    pub(crate) config: StationConfig,
    pub(crate) asn: Asn,
    pub(crate) identifier: BgpIdentifier,
    pub(crate) monitoring: Arc<Monitoring>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) table: Arc<Table>,
    pub(crate) stop: watch::Receiver<Stop>,
}

/// The request to end a stream, with a text for the station.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(pub(crate) Option<String>);
