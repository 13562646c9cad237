//! The routing information bases of RFC 4271, section 3.2, as plain data structures.
//!
//! ```text
//!   received UPDATEs ──► AdjRibIn (one per peer) ──► LocRib (one per speaker: the decision process)
//!
//!   RouteSet (the desired routes of a peer) ──► AdjRibOut (one per peer) ──► UPDATEs to send
//! ```
//!
//! Owns routes, and the difference between desired and advertised ones. Never encodes or decodes a message, and knows
//! nothing of sessions except their beginning and end.

mod adj_rib_in;
mod adj_rib_out;
mod changes;
mod decision;
mod destination;
mod differences;
mod export;
mod gathered;
mod import;
mod interner;
mod key;
mod loc_rib;
mod nlri;
mod path;
mod ranking;
mod relay;
mod relay_group;
mod route;
mod route_attributes;
mod search;
mod table;
mod tree;

#[cfg(test)]
mod tests;

pub use self::adj_rib_in::{AdjRibIn, InPage, InRoute};
pub use self::adj_rib_out::{AdjRibOut, OutPage, OutRoute, OutRouteState, Pending};
pub use self::changes::RouteSetChanges;
pub use self::destination::{Destination, PathChange};
pub use self::export::{ExportRules, Unsendable, UnsendableRoute};
pub(crate) use self::gathered::Gathered;
pub use self::import::{ImportRules, Rejected};
pub(crate) use self::interner::Interner;
pub use self::loc_rib::{LocRib, LocRibDifferences, LocRibIter};
pub use self::nlri::Nlri;
pub use self::path::{Path, PathSource};
pub use self::relay::Relay;
pub use self::relay_group::{RelayGroup, RelayRules};
pub use self::route::{Route, RouteIter, RouteSet};

use ipnet::IpNet;

use crate::AfiSafi;

/// The unicast address family of a prefix.
#[must_use]
pub fn family_of(prefix: &IpNet) -> AfiSafi {
    match prefix {
        IpNet::V4(_) => AfiSafi::IPV4_UNICAST,
        IpNet::V6(_) => AfiSafi::IPV6_UNICAST,
    }
}
