//! [`Pool`]: an address pool, its usage, and the Services that hold its addresses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The answer to `/v1/pools`, in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PoolList {
    /// The pools, without [`Pool::holders`].
    pub pools: Vec<Pool>,
    /// The number of Services of type LoadBalancer that have no address yet.
    pub pending: usize,
}

/// A pool: an element of `/v1/pools`, and the answer to `/v1/pools/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pool {
    /// The name.
    pub name: String,
    /// The ranges, as the configuration writes them.
    pub addresses: Vec<String>,
    /// True if Services that ask for no address may get one of this pool.
    pub auto_assign: bool,
    /// The IPv4 addresses.
    pub ipv4: PoolUsage,
    /// The IPv6 addresses.
    pub ipv6: PoolUsage,
    /// The number of Services that have an address of the pool.
    pub services: usize,
    /// The addresses in use, in their order. Only in the answer to `/v1/pools/NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub holders: Vec<AddressHolders>,
    /// The value of `from` for the next page of holders; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<IpAddr>,
}

/// The usage of a pool's addresses of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PoolUsage {
    /// The number of usable addresses, as a decimal number: an IPv6 pool can have more than a JSON number holds.
    pub total: String,
    /// The number of addresses in use. An address that several Services share counts once.
    pub in_use: u64,
    /// The number of free addresses, as a decimal number.
    pub free: String,
}

/// An address in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddressHolders {
    /// The address.
    pub address: IpAddr,
    /// The Services that hold it, as NAMESPACE/NAME. Several share it.
    pub services: Vec<String>,
    /// The key with which they share it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sharing_key: Option<String>,
}
