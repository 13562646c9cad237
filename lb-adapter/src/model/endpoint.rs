//! Where the pods of a Service are.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;

use super::ServiceKey;

/// One EndpointSlice: a part of a Service's endpoints. A Service has any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSlice {
    /// The namespace of the slice and of its Service.
    pub namespace: String,
    /// The slice's own name.
    pub name: String,
    /// The Service it belongs to, by the label `kubernetes.io/service-name`.
    pub service: ServiceKey,
    /// The endpoints, in the order written.
    pub endpoints: Vec<Endpoint>,
}

impl EndpointSlice {
    /// An empty slice of this Service.
    pub fn new(name: impl Into<String>, service: ServiceKey) -> Self {
        Self {
            namespace: service.namespace.to_string(),
            name: name.into(),
            service,
            endpoints: Vec::new(),
        }
    }
}

/// One endpoint, mostly one pod.
///
/// The conditions are kept as given, since an absent one means something: see the methods. Its node's name is owned,
/// or only looked at: `Endpoint<&str>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint<N = Arc<str>> {
    /// The first of its addresses, all of which reach the same; `None` if it has none.
    pub address: Option<IpAddr>,
    /// The node it runs on.
    pub node_name: Option<N>,
    /// `conditions.ready`.
    pub ready: Option<bool>,
    /// `conditions.serving`.
    pub serving: Option<bool>,
    /// `conditions.terminating`.
    pub terminating: Option<bool>,
    /// A number for `targetRef.uid`, by which endpoints of one pod are recognised.
    pub target: Option<u64>,
}

/// Returns a number that stands for the UID of an object. It is the same for the same UID within a process, and for two
/// pods of one Service it differs in all likelihood.
pub(crate) fn target(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

impl Endpoint {
    /// An endpoint at this address, with no node and no conditions.
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
    /// Whether it takes new connections; unknown counts as ready, as the API defines it.
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it answers, terminating or not; unknown is as ready as [`Endpoint::is_ready`].
    pub fn is_serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// Whether it is going away; unknown counts as staying.
    pub fn is_terminating(&self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_conditions_mean_ready_serving_and_staying() {
        let mut endpoint = Endpoint::new(None);
        assert!(endpoint.is_ready() && endpoint.is_serving() && !endpoint.is_terminating());
        endpoint.ready = Some(false);
        assert!(!endpoint.is_ready() && !endpoint.is_serving());
        endpoint.serving = Some(true);
        assert!(endpoint.is_serving());
    }
}
