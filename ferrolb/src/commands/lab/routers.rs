//! The lab's routers: speakers that wait for the nodes, and keep the routes that they receive.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, Import, LocRibSnapshot, PeerConfig, PeerHandle, Speaker, SpeakerError,
};
use ferrolb_node::sessions::wake_on_events;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The configuration of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouterSpec {
    /// The address that it listens at.
    pub(super) loopback: Ipv4Addr,
    pub(super) asn: Asn,
    pub(super) identifier: BgpIdentifier,
    /// The peers, by the addresses that they dial from.
    pub(super) peers: BTreeMap<Ipv4Addr, PeerSpec>,
}

/// The configuration of a node at its router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PeerSpec {
    pub(super) node: String,
    /// The AS of the router for this node. The router may have another AS for other nodes.
    pub(super) router_asn: Asn,
    pub(super) node_asn: Asn,
    pub(super) password: Option<String>,
}

/// The running routers, by their addresses in the configuration.
#[derive(Debug)]
pub(super) struct Routers {
    port: u16,
    wake: Arc<Notify>,
    running: BTreeMap<SocketAddr, LabRouter>,
}

#[derive(Debug)]
struct LabRouter {
    loopback: Ipv4Addr,
    asn: Asn,
    identifier: BgpIdentifier,
    speaker: Speaker,
    listen_address: SocketAddr,
    peers: BTreeMap<Ipv4Addr, (PeerSpec, PeerHandle)>,
}

impl Routers {
    /// Returns a value without routers. Each router will listen on `port`, or on a free port if that is 0.
    pub(super) fn new(port: u16, wake: Arc<Notify>) -> Self {
        Self { port, wake, running: BTreeMap::new() }
    }

    /// Starts missing routers and updates the others. A router or peer that is no longer needed stays until
    /// [`Routers::retain`], so that the nodes end the sessions.
    ///
    /// # Errors
    ///
    /// The first error of a router. Everything else is done nevertheless.
    pub(super) async fn prepare(
        &mut self,
        specs: &BTreeMap<SocketAddr, RouterSpec>,
    ) -> Result<(), SpeakerError> {
        let mut result = Ok(());
        for (address, spec) in specs {
            result = result.and(self.prepare_router(*address, spec).await);
        }
        result
    }

    async fn prepare_router(
        &mut self,
        address: SocketAddr,
        spec: &RouterSpec,
    ) -> Result<(), SpeakerError> {
        if self.running.get(&address).is_none_or(|router| !router.can_serve(spec)) {
            if let Some(router) = self.running.remove(&address) {
                router.speaker.shutdown("configuration changed").await;
            }
            let router = LabRouter::start(spec, self.port, &self.wake).await?;
            self.running.insert(address, router);
        }

        match self.running.get_mut(&address) {
            Some(router) => router.prepare_peers(&spec.peers).await,
            None => Ok(()),
        }
    }

    /// Stops the routers and removes the peers that are no longer needed.
    pub(super) async fn retain(&mut self, specs: &BTreeMap<SocketAddr, RouterSpec>) {
        let mut unneeded = Vec::new();
        for (address, mut router) in std::mem::take(&mut self.running) {
            let Some(spec) = specs.get(&address) else {
                unneeded.push(router);
                continue;
            };
            // Dropping a handle would end the session, but the node has ended it.
            router.peers.retain(|address, _| spec.peers.contains_key(address));
            self.running.insert(address, router);
        }
        shut_down(unneeded).await;
    }

    pub(super) async fn shutdown(&mut self) {
        shut_down(std::mem::take(&mut self.running).into_values().collect()).await;
    }

    /// Returns the loopback address that a router listens at.
    pub(super) fn listen_address(&self, router: SocketAddr) -> Option<SocketAddr> {
        self.running.get(&router).map(|router| router.listen_address)
    }

    /// Returns each router with its loopback address, in the order of their addresses in the configuration.
    pub(super) fn listen_addresses(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        self.running.iter().map(|(address, router)| (*address, router.listen_address))
    }

    /// Returns the table of a router.
    pub(super) fn table(&self, router: SocketAddr) -> Option<LocRibSnapshot> {
        self.running.get(&router).map(|router| router.speaker.loc_rib())
    }

    /// Returns the number of prefixes in the table of a router.
    pub(super) fn prefix_count(&self, router: SocketAddr) -> usize {
        self.table(router).map_or(0, |table| table.len())
    }

    /// Returns the table of each router, in the order of their addresses in the configuration.
    pub(super) fn tables(&self) -> impl Iterator<Item = (SocketAddr, LocRibSnapshot)> {
        self.running.iter().map(|(address, router)| (*address, router.speaker.loc_rib()))
    }

    /// Returns the node that dials a router from this address.
    pub(super) fn node(&self, router: SocketAddr, from: IpAddr) -> Option<&str> {
        let IpAddr::V4(from) = from else { return None };
        let (peer, _) = self.running.get(&router)?.peers.get(&from)?;
        Some(&peer.node)
    }
}

impl LabRouter {
    async fn start(spec: &RouterSpec, port: u16, wake: &Arc<Notify>) -> Result<Self, SpeakerError> {
        let &RouterSpec { loopback, asn, identifier, .. } = spec;
        let address = SocketAddr::from((loopback, port));
        let speaker = Speaker::builder(asn, identifier).listen(address).start().await?;
        wake_on_events(&speaker, wake);

        let listen_address = speaker.listen_addr().unwrap_or(address);
        Ok(Self { loopback, asn, identifier, speaker, listen_address, peers: BTreeMap::new() })
    }

    /// Returns true if the router needs no restart for this configuration. Its peers may differ.
    fn can_serve(&self, spec: &RouterSpec) -> bool {
        (self.loopback, self.asn, self.identifier) == (spec.loopback, spec.asn, spec.identifier)
    }

    async fn prepare_peers(
        &mut self,
        specs: &BTreeMap<Ipv4Addr, PeerSpec>,
    ) -> Result<(), SpeakerError> {
        for (address, spec) in specs {
            let Some((known, handle)) = self.peers.get_mut(address) else {
                let handle = self.speaker.add_peer(spec.config(*address)).await?;
                self.peers.insert(*address, (spec.clone(), handle));
                continue;
            };
            if known != spec {
                handle.update(spec.config(*address)).await?;
                known.clone_from(spec);
            }
        }
        Ok(())
    }
}

impl PeerSpec {
    fn config(&self, address: Ipv4Addr) -> PeerConfig {
        let config = PeerConfig::new(address, self.node_asn)
            .local_asn(self.router_asn)
            .passive()
            .import(Import::Keep)
            .idle_hold(MIN_RETRY, MAX_RETRY);
        match &self.password {
            Some(password) => config.password(password.as_str()),
            None => config,
        }
    }
}

async fn shut_down(routers: Vec<LabRouter>) {
    let mut tasks = JoinSet::new();
    for router in routers {
        tasks.spawn(async move { router.speaker.shutdown("the lab is closing").await });
    }
    while tasks.join_next().await.is_some() {}
}

/// The times between attempts to connect. They are short, because everything is on this machine.
pub(super) const MIN_RETRY: Duration = Duration::from_millis(50);
pub(super) const MAX_RETRY: Duration = Duration::from_secs(1);
