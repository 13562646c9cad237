//! The answers of birdwatcher, so that looking glasses such as Alice-LG can read a FerroLB process as if it were BIRD.
//!
//! Owns their form. The facts are those of [`ferrolb_api`]: this module computes none, and asks for none itself. [`crate::http`]
//! knows the paths.
//!
//! A peer is a protocol of BIRD. What a looking glass calls received routes are the routes of the peer, and FerroLB keeps none of
//! them. The routes that the peer was told are exported routes, and those that it should have and does not are not exported.

mod protocols;
mod routes;
mod status;
#[cfg(test)]
mod tests;

use ferrolb_api::{Peer, Timestamp};
use jiff::SignedDuration;
use serde::Serialize;

pub(crate) use protocols::{Protocols, ShortProtocols};
pub(crate) use routes::{MAX_ROUTES, RouteCount, Routes, Table, is_exported, route};
pub(crate) use status::Status;

/// What each answer of birdwatcher says about itself.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Meta {
    #[serde(rename = "Version")]
    version: String,
    result_from_cache: bool,
    cache_status: CacheStatus,
}

#[derive(Clone, Debug, Serialize)]
struct CacheStatus {
    cached_at: CachedAt,
}

#[derive(Clone, Debug, Serialize)]
struct CachedAt {
    date: Timestamp,
    timezone_type: &'static str,
    timezone: &'static str,
}

impl Meta {
    fn of(status: &ferrolb_api::Status) -> Self {
        let cached_at = CachedAt { date: status.time, timezone_type: "UTC", timezone: "UTC" };
        Self {
            version: format!("FerroLB {}", status.version),
            result_from_cache: false,
            cache_status: CacheStatus { cached_at },
        }
    }
}

/// Returns the name of a peer as a protocol: its own name, and that of its node if the process speaks for several.
pub(crate) fn protocol_name(peer: &Peer, has_nodes: bool) -> String {
    if has_nodes { format!("{}@{}", peer.name, peer.node) } else { peer.name.clone() }
}

/// Returns true if the peers are of several nodes.
pub(crate) fn has_nodes(peers: &[Peer]) -> bool {
    peers.windows(2).any(|two| matches!(two, [one, other] if one.node != other.node))
}

/// Returns a time as BIRD writes it, in UTC.
fn bird_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns the time so many seconds before another. An age beyond all times gives that time itself.
fn before(time: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|age| time.checked_sub(age).ok())
        .unwrap_or(time)
}
