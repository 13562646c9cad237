//! The routers: BGP speakers with graceful restart that wait for the nodes, and the connections between them.
//!
//! A router keeps the routes of a node that restarts (RFC 4724). The first time that it gets a route to an address over a node,
//! the node must forward to that address, or the gate of the node must have waited long enough.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, Connecting, Connector, Endpoints, Import, LocRibSnapshot, PeerConfig,
    PeerHandle, Speaker,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::Way;
use crate::dataplane::Proxy;
use crate::link::Link;
use crate::plan::{NODES, Who};
use crate::world::{PlacedLink, World, node_address, router_address};

/// The AS of the routers, and that of the nodes.
pub(crate) const ROUTER_AS: u32 = 64_512;
pub(crate) const NODE_AS: u32 = 64_513;

/// The routes of a router: by address and node, true if the route is depreferenced.
pub(crate) type Routes = BTreeMap<(IpAddr, usize), bool>;

/// A router that runs.
#[derive(Debug)]
pub(crate) struct Router {
    speaker: Speaker,
    /// A peer without a handle ends.
    _peers: Vec<PeerHandle>,
    /// Dropped at its end.
    _lives: watch::Sender<()>,
}

/// Starts a router.
pub(crate) async fn start(world: &Arc<World>, proxies: &[Arc<Proxy>], router: usize) {
    let builder = Speaker::builder(Asn(ROUTER_AS), BgpIdentifier(router_address(router)));
    // Nothing is listened on, so that nothing can fail.
    let Ok(speaker) = builder.start().await else { return };
    let mut peers = Vec::new();
    for node in 0..world.size.speakers {
        let peer = PeerConfig::new(IpAddr::V4(node_address(node)), Asn(NODE_AS));
        let peer = peer.passive().import(Import::Keep).graceful_restart();
        match speaker.add_peer(peer).await {
            Ok(peer) => peers.push(peer),
            Err(error) => world.violate("set-up", format!("router {router}: {error}")),
        }
    }

    let (lives, ends) = watch::channel(());
    tokio::spawn({
        let (world, proxies, speaker) = (Arc::clone(world), proxies.to_vec(), speaker.clone());
        async move {
            let mut ends = ends;
            tokio::select! {
                biased;
                _ = ends.changed() => {}
                () = follow(&world, &proxies, router, &speaker) => {}
            }
        }
    });
    world.lock().routers[router] = Some(Router { speaker, _peers: peers, _lives: lives });
    world.note(format_args!("router {router} starts"));
}

/// Ends a router without a word.
pub(crate) fn stop(world: &World, router: usize) {
    world.note(format_args!("router {router} stops"));
    world.cut_links(|placed| placed.router == router);
    drop(world.lock().routers[router].take());
}

/// Returns the routes of a router.
pub(crate) fn routes(world: &World, router: usize) -> Routes {
    let state = world.lock();
    let router = state.routers[router].as_ref();
    router.map(|router| routes_of(&router.speaker.loc_rib())).unwrap_or_default()
}

fn routes_of(table: &LocRibSnapshot) -> Routes {
    let mut routes = Routes::new();
    for (prefix, paths) in table {
        for path in paths {
            let node =
                (0..NODES).find(|node| IpAddr::V4(node_address(*node)) == path.peer.address());
            if let Some(node) = node {
                routes.insert((prefix.addr(), node), path.attributes.med == Some(u32::MAX));
            }
        }
    }
    routes
}

/// Notes the changes of a table, and checks new routes, until the router ends.
async fn follow(world: &World, proxies: &[Arc<Proxy>], router: usize, speaker: &Speaker) {
    let mut changed = speaker.loc_rib_changed();
    let mut before = Routes::new();
    loop {
        changed.borrow_and_update();
        let now = routes_of(&speaker.loc_rib());
        for (route, is_depreferenced) in &now {
            if before.get(route) != Some(is_depreferenced) {
                let (address, node) = route;
                let how = if *is_depreferenced { ", depreferenced" } else { "" };
                world.note(format_args!("router {router}: {address} over node {node}{how}"));
            }
            if !is_depreferenced && !before.contains_key(route) {
                check_new(world, proxies, router, *route);
            }
            world.lock().routes.entry((router, route.0, route.1)).or_insert_with(Instant::now);
        }
        for (address, node) in before.keys().filter(|route| !now.contains_key(*route)) {
            world.note(format_args!("router {router}: no {address} over node {node}"));
            world.lock().routes.remove(&(router, *address, *node));
        }
        before = now;

        if changed.changed().await.is_err() {
            world.lock().routes.retain(|(other, ..), _| *other != router);
            return;
        }
    }
}

/// The time after which the gate announces in any case, less what the checks take.
const GATE: Duration = Duration::from_millis(2_700);

/// Checks a route that a router has not had before.
fn check_new(
    world: &World,
    proxies: &[Arc<Proxy>],
    router: usize,
    (address, node): (IpAddr, usize),
) {
    let now = Instant::now();
    let (assigned, started, announced) = {
        let state = world.lock();
        let others = (0..world.size.routers).filter(|other| *other != router);
        let routes = others.filter_map(|other| state.routes.get(&(other, address, node)));
        let announced = routes.min().copied();
        (state.addresses.assigned_at(address), state.started[&Who::Speaker(node)], announced)
    };
    // What existed when the speaker started is announced if the dataplane as a whole keeps up.
    let Some(assigned) = assigned.filter(|at| started < *at && now < *at + GATE) else { return };
    // A speaker that cannot reach the API server still announces what its Service has lost and got back. A router that has
    // restarted since then gets the route again.
    if announced.is_some_and(|at| at < assigned) {
        return;
    }
    if proxies[node].last_forwarded(address).is_none_or(|at| at < assigned) {
        world.violate(
            "announced when it works",
            format!("router {router} gets {address} over node {node}, whose dataplane does not forward to it yet"),
        );
    }
}

/// Opens the connections of a speaker.
#[derive(Debug)]
pub(crate) struct NodeConnector {
    pub(crate) way: Way,
    pub(crate) node: usize,
}

impl Connector for NodeConnector {
    fn connect(&self, peer: &PeerConfig) -> Connecting {
        let (way, node) = (self.way.clone(), self.node);
        let (remote, limit) = (peer.address(), peer.connect_limit());
        Box::pin(async move {
            let world = &way.world;
            sleep(world.random_time(Duration::from_millis(2))).await;
            let router = (0..world.size.routers)
                .find(|router| IpAddr::V4(router_address(*router)) == remote.ip())
                .ok_or(io::ErrorKind::HostUnreachable)?;

            let give_up = Instant::now() + limit;
            let (conditions, isolated) = {
                let state = world.lock();
                let isolated = state.isolated.get(&(node, router)).copied();
                (state.conditions[&way.who].clone(), isolated)
            };
            if conditions.life != way.life {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if isolated.is_some_and(|until| until > Instant::now()) {
                sleep_until(give_up).await;
                return Err(io::ErrorKind::TimedOut.into());
            }
            let speaker =
                world.lock().routers[router].as_ref().map(|router| router.speaker.clone());
            let Some(speaker) = speaker else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };

            let port = 40_000 + world.lock().random.u16(..20_000);
            let local = SocketAddr::new(IpAddr::V4(node_address(node)), port);
            let (link, near, far) = Link::open(Endpoints { local, remote });
            world.lock().links.push(PlacedLink { node, router, link });
            world.refresh_links();
            speaker.accept(far);
            Ok(near)
        })
    }
}
