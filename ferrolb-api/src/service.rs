//! [`Service`]: a Service of type LoadBalancer, and whether it is announced.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The answer to `/v1/services`, in the order of namespaces and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceList {
    /// The Services. With `problems` there may be none although there is a next page.
    pub services: Vec<Service>,
    /// The value of `from` for the next page; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// A Service of type LoadBalancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The state.
    pub state: ServiceState,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The pool of the addresses.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pool: Option<String>,
    /// The number of this process's nodes that announce the Service to a peer whose session is Established.
    pub announced_by: usize,
    /// The number of this process's nodes.
    pub nodes: usize,
    /// The most important reason why it is not announced by a node; none if every node announces it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<ServiceProblem>,
}

/// The states of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceState {
    /// It has no address yet.
    Pending,
    /// It has an address, and no node of this process announces it.
    NotAnnounced,
    /// Some nodes of this process announce it to a peer whose session is Established.
    Announced,
    /// It has an address. A controller does not know more.
    Assigned,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}

/// The reason why a node does not announce a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceProblem {
    /// The closed gate, such as `pool`, `endpoints` or `session`.
    pub gate: String,
    /// The reason in words.
    pub reason: String,
    /// True if an operator should do something about it. A node that has no endpoint of a Service with the policy `Local` is as
    /// it should be.
    pub needs_action: bool,
    /// The way to fix it, if one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}
