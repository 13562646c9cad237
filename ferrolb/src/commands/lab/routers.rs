//! The lab's routers: speakers that wait for the nodes and keep what they are told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, Import, LocRibSnapshot, PeerConfig, PeerHandle, Speaker, SpeakerError,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use ferrolb_node::sessions::wake_on_events;

/// A router as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedRouter {
    /// Where it listens.
    pub(super) loopback: Ipv4Addr,
    pub(super) asn: Asn,
    pub(super) identifier: BgpIdentifier,
    /// Its peers by the address that they dial from.
    pub(super) peers: BTreeMap<Ipv4Addr, WantedPeer>,
}

/// A node as its router should know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedPeer {
    pub(super) node: String,
    /// The AS that the router is in for this node; one address may be configured with several.
    pub(super) router_asn: Asn,
    pub(super) node_asn: Asn,
    pub(super) password: Option<String>,
}

/// The routers that there are, by the address they have in the configuration.
#[derive(Debug)]
pub(super) struct Routers {
    port: u16,
    bell: Arc<Notify>,
    running: BTreeMap<SocketAddr, Router>,
}

#[derive(Debug)]
struct Router {
    loopback: Ipv4Addr,
    asn: Asn,
    identifier: BgpIdentifier,
    speaker: Speaker,
    listens_at: SocketAddr,
    peers: BTreeMap<Ipv4Addr, (WantedPeer, PeerHandle)>,
}

impl Routers {
    /// None yet; each will listen on this port, or on one of its own if it is 0.
    pub(super) fn new(port: u16, bell: Arc<Notify>) -> Self {
        Self { port, bell, running: BTreeMap::new() }
    }

    /// Starts what is missing and replaces what is different. What is no longer wanted stays until
    /// [`Routers::retain`], so that the nodes are the ones who end their sessions.
    ///
    /// # Errors
    ///
    /// The first thing that a router refused. What could be done is done.
    pub(super) async fn prepare(
        &mut self,
        wanted: &BTreeMap<SocketAddr, WantedRouter>,
    ) -> Result<(), SpeakerError> {
        let mut result = Ok(());
        for (address, wanted) in wanted {
            result = result.and(self.prepare_one(*address, wanted).await);
        }
        result
    }

    async fn prepare_one(
        &mut self,
        address: SocketAddr,
        wanted: &WantedRouter,
    ) -> Result<(), SpeakerError> {
        if self.running.get(&address).is_none_or(|router| !router.is(wanted)) {
            if let Some(router) = self.running.remove(&address) {
                router.speaker.shutdown("configuration changed").await;
            }
            let router = Router::start(wanted, self.port, &self.bell).await?;
            self.running.insert(address, router);
        }
        match self.running.get_mut(&address) {
            Some(router) => router.prepare(&wanted.peers).await,
            None => Ok(()),
        }
    }

    /// Ends what is not wanted.
    pub(super) async fn retain(&mut self, wanted: &BTreeMap<SocketAddr, WantedRouter>) {
        let mut leaving = Vec::new();
        for (address, router) in std::mem::take(&mut self.running) {
            match wanted.get(&address) {
                Some(wanted) => {
                    // Dropping a handle ends the session, which the node has done already.
                    let mut router = router;
                    router.peers.retain(|address, _| wanted.peers.contains_key(address));
                    self.running.insert(address, router);
                }
                None => leaving.push(router),
            }
        }
        shut_down(leaving).await;
    }

    pub(super) async fn shutdown(&mut self) {
        shut_down(std::mem::take(&mut self.running).into_values().collect()).await;
    }

    /// Where the router of this address listens in fact.
    pub(super) fn listens_at(&self, router: SocketAddr) -> Option<SocketAddr> {
        self.running.get(&router).map(|router| router.listens_at)
    }

    /// Where each router listens in fact, in the order of their addresses.
    pub(super) fn listening(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        self.running.iter().map(|(address, router)| (*address, router.listens_at))
    }

    /// What this router has been told.
    pub(super) fn table(&self, router: SocketAddr) -> Option<LocRibSnapshot> {
        self.running.get(&router).map(|router| router.speaker.loc_rib())
    }

    /// How many prefixes this router has been told.
    pub(super) fn len(&self, router: SocketAddr) -> usize {
        self.table(router).map_or(0, |table| table.len())
    }

    /// What each router has been told, in the order of their addresses.
    pub(super) fn tables(&self) -> impl Iterator<Item = (SocketAddr, LocRibSnapshot)> {
        self.running.iter().map(|(address, router)| (*address, router.speaker.loc_rib()))
    }

    /// The node that dials a router from this address.
    pub(super) fn node(&self, router: SocketAddr, from: IpAddr) -> Option<&str> {
        let IpAddr::V4(from) = from else { return None };
        let (peer, _) = self.running.get(&router)?.peers.get(&from)?;
        Some(&peer.node)
    }
}

impl Router {
    async fn start(
        wanted: &WantedRouter,
        port: u16,
        bell: &Arc<Notify>,
    ) -> Result<Self, SpeakerError> {
        let &WantedRouter { loopback, asn, identifier, .. } = wanted;
        let address = SocketAddr::from((loopback, port));
        let speaker = Speaker::builder(asn, identifier).listen(address).start().await?;
        wake_on_events(&speaker, bell);
        let listens_at = speaker.listen_addr().unwrap_or(address);
        Ok(Self { loopback, asn, identifier, speaker, listens_at, peers: BTreeMap::new() })
    }

    /// Whether it can serve as this one, whatever the peers.
    fn is(&self, wanted: &WantedRouter) -> bool {
        (self.loopback, self.asn, self.identifier)
            == (wanted.loopback, wanted.asn, wanted.identifier)
    }

    async fn prepare(
        &mut self,
        wanted: &BTreeMap<Ipv4Addr, WantedPeer>,
    ) -> Result<(), SpeakerError> {
        for (address, wanted) in wanted {
            match self.peers.get_mut(address) {
                Some((peer, handle)) => {
                    if peer != wanted {
                        handle.update(wanted.config(*address)).await?;
                        peer.clone_from(wanted);
                    }
                }
                None => {
                    let handle = self.speaker.add_peer(wanted.config(*address)).await?;
                    self.peers.insert(*address, (wanted.clone(), handle));
                }
            }
        }
        Ok(())
    }
}

impl WantedPeer {
    fn config(&self, address: Ipv4Addr) -> PeerConfig {
        let config = PeerConfig::new(address, self.node_asn)
            .local_asn(self.router_asn)
            .passive()
            .import(Import::Keep)
            .idle_hold(SHORTEST_REST, LONGEST_REST);
        match &self.password {
            Some(password) => config.password(password.as_str()),
            None => config,
        }
    }
}

async fn shut_down(routers: Vec<Router>) {
    let mut closing = JoinSet::new();
    for router in routers {
        closing.spawn(async move { router.speaker.shutdown("the lab is closing").await });
    }
    while closing.join_next().await.is_some() {}
}

/// Everybody is on this machine, and nobody is hurt by an attempt too many.
pub(super) const SHORTEST_REST: Duration = Duration::from_millis(50);
pub(super) const LONGEST_REST: Duration = Duration::from_secs(1);
