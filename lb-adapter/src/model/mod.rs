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
mod advertisement;
mod allocation;
mod bfd;
mod disabled_capability;
mod endpoint;
mod health;
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
pub use advertisement::{BgpAdvertisement, L2Advertisement, PoolSelection};
pub use allocation::ServiceAllocation;
pub use bfd::BfdProfile;
pub use bgp_core::wire::{Community, LargeCommunity};
pub use bgp_core::{Asn, BgpIdentifier};
pub use disabled_capability::DisabledCapability;
pub(crate) use endpoint::target;
pub use endpoint::{Endpoint, EndpointSlice};
pub use health::{Health, HealthError, LinkBandwidth, MinReady, Probe, ProbeKind, WhenUnhealthy};
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

/// A whole configuration: whom to speak to, which addresses to give out, and how they are announced.
///
/// Values are resolved: communities are numbers, addresses are checked, and no two pools overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The routers to speak to; their names are unique. In the order written, those of resources by
    /// name.
    pub peers: Vec<Peer>,
    /// The address pools, in the same order; their names are unique.
    pub pools: Vec<Pool>,
    /// What is announced of them; of contradictions the first counts. An entry of a pool in the
    /// ConfigMap is one that names this pool only.
    pub bgp_advertisements: Vec<BgpAdvertisement>,
    /// What others answer for by ARP and NDP.
    pub l2_advertisements: Vec<L2Advertisement>,
    /// What peers name to be watched by BFD.
    pub bfd_profiles: Vec<BfdProfile>,
    /// The names of pools that are left out since they are not valid. Addresses that no pool has may be theirs.
    pub invalid_pools: Vec<String>,
    /// The format that it is written in, for hints about what to change in it.
    pub format: ConfigFormat,
}

/// The format of a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has had these two")]
pub enum ConfigFormat {
    /// MetalLB's up to 0.12, one text in a ConfigMap.
    #[default]
    ConfigMap,
    /// The `metallb.io` resources of today.
    Resources,
}

impl Config {
    /// A configuration of these peers and pools, and one advertisement with every default.
    pub fn new(peers: Vec<Peer>, pools: Vec<Pool>) -> Self {
        Self {
            peers,
            pools,
            bgp_advertisements: vec![BgpAdvertisement::new("default")],
            ..Self::default()
        }
    }

    /// Returns true if there is a pool, even one that is left out.
    pub fn has_pools(&self) -> bool {
        !self.pools.is_empty() || !self.invalid_pools.is_empty()
    }

    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// The advertisements that announce addresses of this pool, in their order.
    pub fn advertisements_of(&self, pool: &Pool) -> impl Iterator<Item = &BgpAdvertisement> {
        self.bgp_advertisements.iter().filter(|it| it.selects_pool(pool))
    }

    /// The BFD profile of this name.
    pub fn bfd_profile(&self, name: &str) -> Option<&BfdProfile> {
        self.bfd_profiles.iter().find(|profile| profile.name == name)
    }
}

/// A number of nothing but digits.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
