//! What allocation and announcement work on: plain, typed rows.
//!
//! Both configuration formats are read into one [`Config`], and manifests or watches into
//! [`Service`], [`EndpointSlice`] and [`Node`]. A value in here is right by its type; what a
//! manifest leaves to be judged later (a requested address, say) is kept as written and its field
//! says so.
//!
//! This module owns no text format: nothing of YAML, no Kubernetes client, no file, no clock.
//! Structures that later configuration keys will widen are `#[non_exhaustive]`: make one with its
//! `new` and set the public fields.

mod address_range;
mod endpoint;
mod node;
mod peer;
mod pool;
mod service;
mod timestamp;

use std::collections::BTreeMap;

pub use address_range::{AddressRange, Addresses, Prefixes, RangeError};
pub use bgp_session::{Asn, BgpIdentifier, Community};
pub use endpoint::{Endpoint, EndpointSlice};
pub use node::{MatchExpression, Node, NodeSelector, Operator};
pub use peer::{Password, Peer};
pub use pool::{BgpAdvertisement, Pool, Protocol};
pub use service::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, Service, ServiceKey, ServicePort, ServiceType,
    TransportProtocol,
};
pub use timestamp::{Timestamp, TimestampError};

/// Labels of a Kubernetes object, or the equalities of a selector.
pub type Labels = BTreeMap<String, String>;

/// A whole configuration: whom to speak to and which addresses to give out.
///
/// Values are resolved: communities are numbers, addresses are checked, and no two pools overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The routers to speak to, in the order written; their names are unique.
    pub peers: Vec<Peer>,
    /// The address pools, in the order written; their names are unique.
    pub pools: Vec<Pool>,
}

impl Config {
    /// A configuration of these peers and pools.
    pub fn new(peers: Vec<Peer>, pools: Vec<Pool>) -> Self {
        Self { peers, pools }
    }

    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}
