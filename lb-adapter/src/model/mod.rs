//! The data model: the typed values that the allocator and the planner work on.
//!
//! Both configuration formats are read into one [`Config`], and manifests or watches into [`Service`],
//! [`EndpointSlice`] and [`Node`]. Values are valid by their type. A value that is checked only later, such as a
//! requested address, is stored as written, and its field says so.
//!
//! This module owns no text format: it knows no YAML, no Kubernetes client, no file and no clock. Structures that may
//! get more fields are `#[non_exhaustive]`: create one with `new` and set the public fields.

mod address_range;
mod advertisement;
mod allocation;
mod bfd;
mod dataplane_gate;
mod disabled_capability;
mod endpoint;
mod health;
mod interner;
mod labels;
mod namespace;
mod node;
mod peer;
mod permission;
mod pool;
mod selector;
mod service;
mod timestamp;

pub use address_range::{AddressRange, Addresses, Prefixes, RangeError};
pub(crate) use advertisement::AdvertisementIndex;
pub use advertisement::{BgpAdvertisement, L2Advertisement, PoolSelection};
pub use allocation::ServiceAllocation;
pub use bfd::BfdProfile;
pub use bgp_core::wire::{Community, LargeCommunity};
pub use bgp_core::{Asn, BgpIdentifier};
pub use dataplane_gate::{DataplaneGate, DataplaneGateError};
pub use disabled_capability::DisabledCapability;
pub(crate) use endpoint::hash_uid;
pub use endpoint::{Endpoint, EndpointSlice};
pub use health::{Health, HealthError, LinkBandwidth, MinReady, Probe, ProbeKind, WhenUnhealthy};
pub use interner::Interner;
pub use labels::Labels;
pub use namespace::Namespace;
pub use node::Node;
pub use peer::{NextHopPolicy, Password, Peer, PeerAddress, PeerAsn};
pub use permission::{CommunityPattern, PatternError, Permissions};
pub use pool::{Pool, Protocol};
pub use selector::{LabelSelector, MatchExpression, SelectorOperator};
pub use service::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, NamespacedName, Service, ServiceKey,
    ServicePort, ServiceType, TransportProtocol,
};
pub use timestamp::{Timestamp, TimestampError};

/// A configuration: the peers, the address pools, and the advertisements.
///
/// Values are resolved: communities are numbers, addresses are valid, and no two pools overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The BGP peers, whose names are unique. Those of a ConfigMap in the order written, those of resources by name.
    pub peers: Vec<Peer>,
    /// The address pools, whose names are unique, in the same order.
    pub pools: Vec<Pool>,
    /// The BGP advertisements; if two contradict, the first wins. One that a ConfigMap lists in a pool names only this
    /// pool.
    pub bgp_advertisements: Vec<BgpAdvertisement>,
    /// The advertisements by ARP and NDP, which other programs make.
    pub l2_advertisements: Vec<L2Advertisement>,
    /// The BFD profiles, which peers refer to by name.
    pub bfd_profiles: Vec<BfdProfile>,
    /// The names of pools that are left out because they are invalid. Addresses that no pool has may be theirs.
    pub invalid_pools: Vec<String>,
    /// The format of the configuration, for hints.
    pub format: ConfigFormat,
}

/// The format of a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has had these two")]
pub enum ConfigFormat {
    /// MetalLB's format up to 0.12, one text in a ConfigMap.
    #[default]
    ConfigMap,
    /// MetalLB's format of today, `metallb.io` resources.
    Resources,
}

impl Config {
    /// Makes a configuration of these peers and pools, with one advertisement that has all defaults.
    pub fn new(peers: Vec<Peer>, pools: Vec<Pool>) -> Self {
        Self {
            peers,
            pools,
            bgp_advertisements: vec![BgpAdvertisement::new("default")],
            ..Self::default()
        }
    }

    /// Returns true if there is a pool, even an invalid one.
    pub fn has_pools(&self) -> bool {
        !self.pools.is_empty() || !self.invalid_pools.is_empty()
    }

    /// The pool with this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// The advertisements that announce addresses of this pool, in order.
    pub fn advertisements_of(&self, pool: &Pool) -> impl Iterator<Item = &BgpAdvertisement> {
        self.bgp_advertisements.iter().filter(|advertisement| advertisement.selects_pool(pool))
    }

    /// The BFD profile with this name.
    pub fn bfd_profile(&self, name: &str) -> Option<&BfdProfile> {
        self.bfd_profiles.iter().find(|profile| profile.name == name)
    }
}

/// Parses a number that consists of digits only, without a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
