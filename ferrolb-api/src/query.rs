//! The queries of those answers that can be filtered or have pages.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The query of `/v1/peers/NAME/routes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteQuery {
    /// The node, for a process that speaks for several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The start of the page: [`RoutePage::next`](crate::RoutePage::next) of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// The most routes on a page: 1 to 1,000, by default 250.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<usize>,
    /// Only routes that contain, or are contained in, this prefix or address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefix: Option<String>,
    /// Only routes of this Service, as NAMESPACE/NAME.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<String>,
}

/// The query of `/v1/services`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceQuery {
    /// True for only those Services whose problem needs an action.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub problems: bool,
    /// The start of the page: [`ServiceList::next`](crate::ServiceList::next) of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// The most Services on a page: 1 to 1,000, by default 250.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<usize>,
}

/// The query of `/v1/pools/NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolQuery {
    /// The start of the page: [`Pool::next`](crate::Pool::next) of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<IpAddr>,
    /// The most addresses on a page: 1 to 1,000, by default 250.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<usize>,
}

/// The query of `/v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only events after the one with this number. By default all that are kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<u64>,
}
