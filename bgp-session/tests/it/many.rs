//! Many sessions in one process that receive the same routes. None ends because the process is busy.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use bgp_session::{
    Asn, Connecting, Connector, Import, PeerConfig, PeerHandle, Route, RouteSet, Speaker,
};
use tokio::{
    io::duplex,
    time::{Instant, sleep},
};

use crate::{
    pipes::transport,
    world::{NODE, ROUTER, router},
};

/// Fewer without optimisation, which makes each route many times as slow.
const SESSIONS: u16 = if cfg!(debug_assertions) { 300 } else { 1_000 };
const PREFIXES: u16 = if cfg!(debug_assertions) { 300 } else { 1_000 };
const HOLD_TIME: Duration = Duration::from_secs(9);

/// The address of one end of session `n`: in 10.1.0.0/16 at the router, in 10.2.0.0/16 at the nodes.
fn at(side: u8, n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(10, side, high, low)
}

/// Connects each attempt to the router through a pipe.
struct Pipes(Speaker);

impl Connector for Pipes {
    fn connect(&self, peer: &PeerConfig) -> Connecting {
        let router = self.0.clone();
        let router_end = peer.address();
        Box::pin(async move {
            let std::net::IpAddr::V4(address) = router_end.ip() else {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            };
            let [.., high, low] = address.octets();
            let node_end = format!("{}:40000", at(2, u16::from_be_bytes([high, low])));
            let (ours, theirs) = duplex(16 * 1_024);
            router.accept(transport(theirs, &router_end.to_string(), &node_end));
            Ok(transport(ours, &node_end, &router_end.to_string()))
        })
    }
}

/// Routes that differ in their prefixes only; `med` is the MULTI_EXIT_DISC of them all.
fn routes(med: Option<u32>) -> Arc<RouteSet> {
    let route = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let route = Route::new(format!("100.64.{high}.{low}/32").parse().unwrap());
        match med {
            Some(med) => route.med(med),
            None => route,
        }
    };
    Arc::new((0..PREFIXES).map(route).collect())
}

async fn add(speaker: &Speaker, side: u8, n: u16, asn: Asn, import: Import) -> PeerHandle {
    let config = PeerConfig::new(std::net::IpAddr::from(at(side, n)), asn)
        .hold_time(HOLD_TIME)
        .jitter_seed(n.into())
        .import(import);
    let config = if import == Import::Keep { config.passive() } else { config.active() };
    speaker.add_peer(config).await.unwrap()
}

async fn no_session_is_lost(meds: bool) {
    let at_router = router("127.0.0.1:0").await;
    let builder = Speaker::builder(NODE, bgp_session::BgpIdentifier::new(10, 2, 0, 0));
    let nodes = builder.connector(Pipes(at_router.clone())).start().await.unwrap();
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    let same = routes(None);
    for n in 0..SESSIONS {
        received.push(add(&at_router, 2, n, NODE, Import::Keep).await);
        let peer = add(&nodes, 1, n, ROUTER, Import::Drop).await;
        let routes = if meds { routes(Some(n.into())) } else { Arc::clone(&same) };
        peer.set_routes(routes).await.unwrap();
        sent.push(peer);
    }

    let began = Instant::now();
    while received.iter().any(|peer| peer.status().prefixes_held < PREFIXES.into()) {
        assert!(began.elapsed() < Duration::from_secs(60), "the routes did not arrive");
        sleep(Duration::from_millis(100)).await;
    }
    let table = at_router.loc_rib();
    let prefix = "100.64.0.7/32".parse().unwrap();
    assert_eq!(table.paths(&prefix).len(), usize::from(SESSIONS));
    let several = table.paths(&prefix).iter().filter(|path| path.multipath).count();
    assert_eq!(several, if meds { 1 } else { SESSIONS.into() });

    for peer in received.iter().chain(&sent) {
        let status = peer.status();
        let (up, lost) = (status.stats.established_transitions, status.stats.sessions_lost);
        assert_eq!((up, lost), (1, 0), "{:?}: {:?}", status.peer, status.last_down);
    }
    at_router.abandon().await;
    nodes.abandon().await;
}

#[tokio::test]
async fn sessions_that_announce_the_same_routes_all_stay_up() {
    no_session_is_lost(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_stay_up_on_two_threads_too() {
    no_session_is_lost(false).await;
}

#[tokio::test]
async fn routes_that_differ_in_their_med_cost_no_session_either() {
    no_session_is_lost(true).await;
}
