//! The endpoints of a Service.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;

use super::ServiceKey;

/// One EndpointSlice: a part of a Service's endpoints. A Service can have any number of slices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSlice {
    /// The namespace of the slice and of its Service.
    pub namespace: String,
    /// The slice's own name.
    pub name: String,
    /// The Service of the slice, by the label `kubernetes.io/service-name`.
    pub service: ServiceKey,
    /// The endpoints, in the order of the manifest.
    pub endpoints: Vec<Endpoint>,
}

impl EndpointSlice {
    /// Makes an empty slice of this Service.
    pub fn new(name: impl Into<String>, service: ServiceKey) -> Self {
        Self {
            namespace: service.namespace.to_string(),
            name: name.into(),
            service,
            endpoints: Vec::new(),
        }
    }
}

/// One endpoint, usually a pod.
///
/// The conditions are stored as given, since an absent condition has a meaning: see the methods. The node's name is
/// either shared or borrowed: `Endpoint<&str>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint<N = Arc<str>> {
    /// The first address, or `None` if there is none. All addresses of an endpoint reach the same pod.
    pub address: Option<IpAddr>,
    /// The node on which the endpoint runs.
    pub node_name: Option<N>,
    /// `conditions.ready`.
    pub ready: Option<bool>,
    /// `conditions.serving`.
    pub serving: Option<bool>,
    /// `conditions.terminating`.
    pub terminating: Option<bool>,
    /// A hash of `targetRef.uid`, by which the endpoints of one pod are recognised.
    pub target: Option<u64>,
}

/// Returns a hash of the UID of an object. Within a process it is the same for the same UID, and most likely different
/// for two pods of one Service.
pub(crate) fn hash_uid(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

impl Endpoint {
    /// Makes an endpoint at this address, without a node and conditions.
    pub fn new(address: impl Into<Option<IpAddr>>) -> Self {
        Self { address: address.into(), ..Self::default() }
    }
}

impl<'a> From<&'a Endpoint> for Endpoint<&'a str> {
    fn from(endpoint: &'a Endpoint) -> Self {
        let Endpoint { address, ref node_name, ready, serving, terminating, target } = *endpoint;
        Self { address, node_name: node_name.as_deref(), ready, serving, terminating, target }
    }
}

impl<N> Endpoint<N> {
    /// Returns true if the endpoint accepts new connections. Unknown counts as ready, as the API defines it.
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Returns true if the endpoint responds, even if it terminates. If unknown, the same as [`Endpoint::is_ready`].
    pub fn is_serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// Returns true if the endpoint terminates. Unknown counts as false.
    pub fn is_terminating(&self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_conditions_mean_ready_serving_and_not_terminating() {
        let mut endpoint = Endpoint::new(None);
        assert!(endpoint.is_ready() && endpoint.is_serving() && !endpoint.is_terminating());
        endpoint.ready = Some(false);
        assert!(!endpoint.is_ready() && !endpoint.is_serving());
        endpoint.serving = Some(true);
        assert!(endpoint.is_serving());
    }
}
