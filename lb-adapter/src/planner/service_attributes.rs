//! The attributes that a Service adds to its routes.
//!
//! Owns only the values. `service_health` sets some of them by the health of the Service on a node.

use std::collections::BTreeSet;

use crate::model::{Community, LargeCommunity};

/// The attributes that one Service adds to its routes from one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAttributes {
    /// COMMUNITIES to add (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY to add (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// LOCAL_PREF for internal peers, in place of the advertisement's.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// The number of times to prepend our AS for external peers, in addition to the one time that every speaker does.
    pub prepend: u8,
    /// True if the Service is unhealthy here, and routers should prefer other nodes.
    pub depreferenced: bool,
    /// The link bandwidth in octets per second, and the hysteresis in percent: a smaller change is not announced.
    pub bandwidth: Option<(u64, u8)>,
}

impl ServiceAttributes {
    /// Returns true if the Service adds nothing.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
