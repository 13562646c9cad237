//! [`InterfacePeer`]: the configuration of a peer by its interface.

use std::{net::Ipv6Addr, sync::Arc};

use bgp_core::{fsm::RemoteAs, rib::RouteSet};

use crate::PeerConfig;

/// The router at the other end of a link, and its configuration as a peer.
///
/// ```
/// use bgp_session::{InterfacePeer, RemoteAs};
///
/// let uplink = InterfacePeer::new("eth1", RemoteAs::External).config(|peer| peer.password("s3cret"));
/// # let _ = uplink;
/// ```
///
/// Two of them are equal when nothing needs to change between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct InterfacePeer {
    pub(super) interface: String,
    pub(super) template: PeerConfig,
    pub(super) routes: Option<Arc<RouteSet>>,
}

impl InterfacePeer {
    /// The neighbour on the interface of this name, with an AS that `remote_as` admits.
    pub fn new(interface: impl Into<String>, remote_as: impl Into<RemoteAs>) -> Self {
        // A placeholder for the neighbour's address.
        let template = PeerConfig::new(Ipv6Addr::LOCALHOST, remote_as);
        Self { interface: interface.into(), template, routes: None }
    }

    /// Changes the configuration of the peer; its address has no meaning.
    pub fn config(mut self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        self.template = change(self.template);
        self
    }

    /// Sets the routes that are announced to the neighbour. Default: none, until [`InterfaceHandle::set_routes`](crate::InterfaceHandle::set_routes).
    pub fn routes(mut self, routes: impl Into<Arc<RouteSet>>) -> Self {
        self.routes = Some(routes.into());
        self
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The configuration of the peer. Its address has no meaning.
    pub fn peer_config(&self) -> &PeerConfig {
        &self.template
    }
}
