//! Origin validation: caches over pipes, in virtual time, and what their data do to routes.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bgp_core::rpki::{Pdu, RtrTimers};
use bgp_session::{
    PeerHandle, Speaker,
    policy::{Match, Policy, Rule},
    rpki::{RtrCache, RtrState, RtrStatus, Validity, Vrp, VrpTable},
};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::Instant,
};

use crate::{
    pipes::{node_by_hand, patch_through, router_without_socket, towards_pipe, transport},
    world::{NODE, prefixes, routes, soon, table, towards_node},
};

/// A cache that the test plays.
struct Cache {
    connections: mpsc::Receiver<DuplexStream>,
    pipe: Option<DuplexStream>,
    received: BytesMut,
}

impl Cache {
    /// The cache, and the configuration with which a speaker connects to it.
    fn new(address: &str) -> (Self, RtrCache) {
        let (sender, connections) = mpsc::channel(8);
        let address: SocketAddr = address.parse().unwrap();
        let config = RtrCache::new(address).connect_by(move |_| {
            let (ours, theirs) = duplex(4_096);
            let sender = sender.clone();
            Box::pin(async move {
                let gone = io::ErrorKind::ConnectionRefused;
                sender.send(theirs).await.map_err(|_| io::Error::from(gone))?;
                Ok(transport(ours, "192.0.2.1:40000", "192.0.2.11:323"))
            })
        });
        (Self { connections, pipe: None, received: BytesMut::new() }, config)
    }

    async fn accept(&mut self) {
        self.pipe = soon("a connection", self.connections.recv()).await;
        self.received.clear();
    }

    /// The next PDU of the speaker.
    async fn hear(&mut self) -> Pdu {
        loop {
            if let Some(decoded) = Pdu::decode(&self.received).unwrap() {
                self.received.advance(decoded.length);
                return decoded.pdu;
            }
            let pipe = self.pipe.as_mut().unwrap();
            let count = soon("a PDU", pipe.read_buf(&mut self.received)).await.unwrap();
            assert!(count > 0, "the connection is closed");
        }
    }

    async fn say(&mut self, pdus: impl IntoIterator<Item = Pdu>) {
        let mut octets = BytesMut::new();
        for pdu in pdus {
            pdu.encode(1, &mut octets);
        }
        self.pipe.as_mut().unwrap().write_all(&octets).await.unwrap();
    }

    /// Answers a query with these changes.
    async fn answer(&mut self, serial: u32, changes: &[(bool, Vrp)]) {
        self.hear().await;
        let prefixes = changes
            .iter()
            .map(|(is_announced, vrp)| Pdu::Prefix { is_announced: *is_announced, vrp: *vrp });
        let timers = Some(RtrTimers::default());
        let begin = [Pdu::CacheResponse { session_id: 7 }];
        let end = [Pdu::EndOfData { session_id: 7, serial, timers }];
        self.say(begin.into_iter().chain(prefixes).chain(end)).await;
    }
}

fn vrp(prefix: &str, asn: u32) -> Vrp {
    Vrp::new(prefix.parse().unwrap(), asn.into())
}

/// A router that refuses invalid routes, a node that has announced two, and what keeps their session.
async fn pair() -> (Arc<Speaker>, impl Sized) {
    let refuse = Policy::accept_all().rule(Rule::reject(Match::Validity(Validity::Invalid)));
    let router = router_without_socket().await;
    let at_router: PeerHandle =
        router.add_peer(towards_node("192.0.2.7").import_policy(refuse)).await.unwrap();
    let (node, dials) = node_by_hand().await;
    patch_through(dials, &router);
    let at_node = node.add_peer(towards_pipe()).await.unwrap();
    at_node.set_routes(routes(&["10.0.0.0/24", "10.1.0.0/24"])).await.unwrap();
    table(&router, "both routes", |table| table.len() == 2).await;
    (router, (at_router, node, at_node))
}

async fn has(router: &Speaker, expected: &[&str]) {
    table(router, "the routes", |table| prefixes(table) == expected).await;
}

async fn status(router: &Speaker, what: &str, wanted: impl Fn(&[RtrStatus]) -> bool) {
    let reached = async {
        while !wanted(&router.rtr_caches()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, reached).await;
}

#[tokio::test(start_paused = true)]
async fn routes_come_and_go_with_the_data_of_the_cache() {
    let (router, _kept) = pair().await;
    let (mut cache, config) = Cache::new("192.0.2.11:323");
    router.set_rtr_caches([config]);
    cache.accept().await;
    cache.answer(1, &[(true, vrp("10.0.0.0/24", NODE.0)), (true, vrp("10.1.0.0/24", 1))]).await;
    has(&router, &["10.0.0.0/24"]).await;

    cache.say([Pdu::SerialNotify { session_id: 7, serial: 2 }]).await;
    cache.answer(2, &[(false, vrp("10.1.0.0/24", 1)), (true, vrp("10.0.0.0/8", 1))]).await;
    has(&router, &["10.0.0.0/24"]).await;
    status(&router, "serial 2", |all| {
        all[0].serial == Some(2) && all[0].vrps == 2 && all[0].is_used
    })
    .await;

    // The cache is lost, and two hours later its data are too old.
    cache.pipe = None;
    drop(cache);
    let mut vrps = router.vrps();
    vrps.wait_for(VrpTable::is_empty).await.unwrap();
    has(&router, &["10.0.0.0/24", "10.1.0.0/24"]).await;
    assert!(router.rtr_caches()[0].last_failure.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_most_preferred_cache_with_data_is_used() {
    let (router, _kept) = pair().await;
    let (mut first, config) = Cache::new("192.0.2.11:323");
    let (mut second, other) = Cache::new("192.0.2.12:323");
    router.set_rtr_caches([config, other]);
    first.accept().await;
    second.accept().await;

    second.answer(1, &[(true, vrp("10.0.0.0/24", 1))]).await;
    has(&router, &["10.1.0.0/24"]).await;
    first.answer(1, &[(true, vrp("10.1.0.0/24", 1))]).await;
    has(&router, &["10.0.0.0/24"]).await;
    let used: Vec<_> = router.rtr_caches().iter().map(|status| status.is_used).collect();
    assert_eq!(used, [true, false]);

    // The data of another session must not be used, so that the second cache has its turn.
    first.say([Pdu::SerialNotify { session_id: 8, serial: 1 }]).await;
    has(&router, &["10.1.0.0/24"]).await;
    assert!(matches!(first.hear().await, Pdu::ErrorReport { .. }));

    router.set_rtr_caches([]);
    has(&router, &["10.0.0.0/24", "10.1.0.0/24"]).await;
    assert_eq!(router.rtr_caches(), []);
}

#[tokio::test(start_paused = true)]
async fn the_vrps_of_a_replaced_cache_are_used_until_they_expire() {
    let (router, _kept) = pair().await;
    let (mut cache, config) = Cache::new("192.0.2.11:323");
    router.set_rtr_caches([config]);
    cache.accept().await;
    cache.answer(1, &[(true, vrp("10.0.0.0/24", 1))]).await;
    has(&router, &["10.1.0.0/24"]).await;

    // An hour later the cache confirms them for two more hours.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    cache.answer(1, &[]).await;
    status(&router, "the confirmation", |all| all[0].state == RtrState::Idle).await;

    // Nothing listens at the next two caches. The second replacement prolongs nothing.
    let replaced = Instant::now();
    for address in ["192.0.2.12:323", "192.0.2.13:323"] {
        let (_, unreachable) = Cache::new(address);
        router.set_rtr_caches([unreachable]);
        tokio::time::sleep(Duration::from_secs(3_000)).await;
        has(&router, &["10.1.0.0/24"]).await;
        assert!(!router.rtr_caches()[0].is_used);
    }
    let mut vrps = router.vrps();
    vrps.wait_for(VrpTable::is_empty).await.unwrap();
    assert!((7_199..=7_200).contains(&replaced.elapsed().as_secs()));
    has(&router, &["10.0.0.0/24", "10.1.0.0/24"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_breaks_the_protocol_reads_why_and_is_tried_again() {
    let (router, _kept) = pair().await;
    let (mut cache, config) = Cache::new("192.0.2.11:323");
    router.set_rtr_caches([config]);
    cache.accept().await;
    assert_eq!(cache.hear().await, Pdu::ResetQuery);
    cache.say([Pdu::CacheResponse { session_id: 7 }, Pdu::CacheReset]).await;
    let Pdu::ErrorReport { text, .. } = cache.hear().await else { panic!("no Error Report") };
    assert_eq!(text, "the PDU does not belong here");
    status(&router, "the failure", |all| {
        let failure = all[0].last_failure.as_ref().map(ToString::to_string);
        failure.as_deref() == Some("Corrupt Data: the PDU does not belong here")
    })
    .await;

    cache.accept().await;
    cache.answer(1, &[]).await;
    status(&router, "an answer", |all| {
        all[0].state == RtrState::Idle && all[0].last_failure.is_none()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_embedder_can_provide_the_vrps_itself() {
    let (router, _kept) = pair().await;
    router.set_vrps(VrpTable::from([vrp("10.0.0.0/8", 1), vrp("10.1.0.0/24", NODE.0)]));
    has(&router, &["10.1.0.0/24"]).await;
    router.set_vrps(VrpTable::default());
    has(&router, &["10.0.0.0/24", "10.1.0.0/24"]).await;
}
