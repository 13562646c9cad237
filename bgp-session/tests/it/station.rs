//! Streams to monitoring stations, over TCP on loopback addresses.

use std::time::Duration;

use bgp_session::{
    Community, Import, MonitoredRib, PathAttributes, PeerConfig, PeerHandle, RawAttribute, Route,
    RouteSet, Speaker, StationConfig, StationHandle,
    policy::{Action, Match, Policy, PrefixMatch, Rule},
    wire::{AttributeCode, AttributeFlags},
};
use bytes::BytesMut;
use tokio::net::{TcpListener, TcpSocket};

use crate::{
    collector::Collector,
    pipes::{node_by_hand, towards_pipe},
    scripted::Scripted,
    world::{both_up, node, router, routes, soon, table, towards_node, towards_router},
};

const ALL: [MonitoredRib; 5] = [
    MonitoredRib::AdjRibInPrePolicy,
    MonitoredRib::AdjRibInPostPolicy,
    MonitoredRib::AdjRibOutPrePolicy,
    MonitoredRib::AdjRibOutPostPolicy,
    MonitoredRib::LocRib,
];

/// A router and a node with a session between them, on addresses of this test.
struct World {
    router: Speaker,
    at_router: PeerHandle,
    node: Speaker,
    at_node: PeerHandle,
    /// The address of the node, which is the name of the peer.
    peer: String,
    listener: TcpListener,
}

/// The world of test number `n`. The router rejects 10.9.0.0/16 and marks all that it announces.
async fn world(n: u8) -> World {
    let (ours, peer) = (format!("127.0.15.{n}"), format!("127.0.16.{n}"));
    let router = router(&format!("{ours}:0")).await;
    let rejected = Match::prefixes([PrefixMatch::exactly("10.9.0.0/16".parse().unwrap())]);
    let import = Policy::accept_all().rule(Rule::reject(rejected));
    let mark = Action::AddCommunity(Community::new(1, 2));
    let export = Policy::accept_all().rule(Rule::change(Match::all()).action(mark));
    let config = towards_node(&peer).import_policy(import).export_policy(export);
    let mut at_router = router.add_peer(config).await.unwrap();

    let node = node().await;
    let address = router.listen_addr().unwrap();
    let config = towards_router(address, &peer).import(Import::Keep);
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;

    let listener = TcpListener::bind((ours, 0)).await.unwrap();
    World { router, at_router, node, at_node, peer, listener }
}

impl World {
    fn config(&self) -> StationConfig {
        let quick = Duration::from_millis(50);
        StationConfig::connect(self.listener.local_addr().unwrap())
            .ribs(ALL)
            .sys_name("router")
            .reconnect(quick, quick)
    }

    async fn station(&self) -> (StationHandle, Collector) {
        let station = self.router.add_station(self.config()).await.unwrap();
        (station, Collector::accept(&self.listener).await)
    }

    fn rib(&self, name: &str) -> String {
        format!("{} {name}", self.peer)
    }
}

/// Returns true if the End-of-RIBs of all views of a peer have come.
fn is_complete(collector: &Collector, peer: &str) -> bool {
    ["post in", "pre out", "post out", "pre in"].iter().all(|rib| {
        ["ipv4-unicast", "ipv6-unicast"]
            .iter()
            .all(|family| collector.complete.contains(&format!("{peer} {rib} {family}")))
    })
}

#[tokio::test]
async fn a_station_is_shown_every_rib_and_its_changes() {
    let world = world(1).await;
    let peer = world.peer.clone();
    let mut announced = routes(&["10.1.0.0/16", "10.9.0.0/16"]);
    let v6 = Route::new("2001:db8::/32".parse().unwrap());
    announced.insert(v6.next_hop("2001:db8::1".parse().unwrap()));
    world.at_node.set_routes(announced).await.unwrap();
    table(&world.router, "the routes", |table| table.len() == 2).await;
    world.at_router.set_routes(routes(&["192.0.2.0/24"])).await.unwrap();
    table(&world.node, "the route", |table| table.len() == 1).await;

    let (_station, mut collector) = world.station().await;
    collector.read_until("whole tables", |it| is_complete(it, &peer)).await;
    let up = |it: &Collector| it.log.iter().filter(|line| line.contains(" up")).count();
    assert_eq!((&*collector.log[0], up(&collector)), ("initiation of router", 2));
    assert_eq!(collector.log[1..], [format!("{peer} up "), "Loc-RIB up global".into()]);

    let v4 = peer.clone();
    let expected_in = [
        format!("10.1.0.0/16 [64636] via {v4}"),
        "2001:db8::/32 [64636] via 2001:db8::1".to_owned(),
    ];
    let rejected = format!("10.9.0.0/16 [64636] via {v4}");
    let local = world.router.listen_addr().unwrap().ip();
    assert_eq!(collector.routes(&world.rib("post in")), expected_in);
    assert_eq!(collector.routes("Loc-RIB"), expected_in);
    let all_in = [&expected_in[0], &rejected, &expected_in[1]].map(String::clone);
    assert_eq!(collector.routes(&world.rib("pre in")), all_in);
    let out = format!("192.0.2.0/24 [] via {local}");
    assert_eq!(collector.routes(&world.rib("pre out")), [out]);
    let out = format!("192.0.2.0/24 [64635] via {local} 1:2");
    assert_eq!(collector.routes(&world.rib("post out")), [out]);

    // Changes in both directions.
    world.at_node.withdraw("10.1.0.0/16".parse().unwrap()).await.unwrap();
    world.at_node.withdraw("10.9.0.0/16".parse().unwrap()).await.unwrap();
    let marked = Route::new("10.2.0.0/16".parse().unwrap()).community(Community::new(7, 7));
    world.at_node.announce(marked).await.unwrap();
    world.at_router.set_routes(routes(&["198.51.100.0/24"])).await.unwrap();
    let new = format!("10.2.0.0/16 [64636] via {v4} 7:7");
    let all = [new.clone(), expected_in[1].clone()];
    for rib in [world.rib("pre in"), world.rib("post in"), "Loc-RIB".into()] {
        collector.read_until(&rib, |it| it.routes(&rib) == all).await;
    }
    for (rib, attributes) in [("pre out", "[]"), ("post out", "[64635]")] {
        let (rib, mark) = (world.rib(rib), if rib == "post out" { " 1:2" } else { "" });
        let all = [format!("198.51.100.0/24 {attributes} via {local}{mark}")];
        collector.read_until(&rib, |it| it.routes(&rib) == all).await;
    }
}

/// An UPDATE of the router in the tests below, with more attributes after ORIGIN, AS_PATH and NEXT_HOP.
fn update(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let path = [0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7b];
    let attributes =
        [&[0x40, 1, 1, 0][..], &path, &[0x40, 3, 4, 192, 0, 2, 1], attributes].concat();
    let length = |octets: usize| u16::try_from(octets).unwrap().to_be_bytes();
    let body = [&[0, 0], &length(attributes.len())[..], &attributes, nlri].concat();
    [&[0xff; 16], &length(19 + body.len())[..], &[2], &body].concat()
}

#[tokio::test]
async fn routes_of_a_malformed_update_leave_every_rib_of_the_station() {
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe().import(Import::Keep)).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(4_096));
    router.shake_hands(0).await;
    soon("the session", at_node.established()).await.unwrap();

    let listener = TcpListener::bind("127.0.15.9:0").await.unwrap();
    let config = StationConfig::connect(listener.local_addr().unwrap()).ribs(ALL).sys_name("node");
    let station = node.add_station(config).await.unwrap();
    let mut collector = Collector::accept(&listener).await;
    let ribs = ["192.0.2.1 pre in", "192.0.2.1 post in", "Loc-RIB"];
    let (first, second): (&[u8], &[u8]) = (&[16, 10, 1], &[16, 10, 2]);
    let shown = |it: &Collector| ribs.map(|rib| it.count(rib));

    // COMMUNITIES and MULTI_EXIT_DISC of three octets, and an attribute that ends after the message (RFC 7606 sections 7.8, 7.4 and 4).
    let malformed: [&[u8]; 3] =
        [&[0xc0, 8, 3, 0, 1, 2], &[0x80, 4, 3, 0, 0, 1], &[0xc0, 8, 200, 0, 1, 0, 2]];
    for malformed in malformed {
        assert!(router.say(&update(&[], &[first, second].concat())).await);
        collector.read_until("both routes", |it| shown(it) == [2; 3]).await;
        assert!(router.say(&update(malformed, first)).await);
        collector.read_until("one route", |it| shown(it) == [1; 3]).await;
    }

    assert!(at_node.status().is_established());
    assert_eq!(at_node.stats().treated_as_withdrawn, 3);
    assert_eq!((station.status().connections, at_node.stats().sessions_lost), (1, 0));
}

#[tokio::test]
async fn a_station_is_shown_the_opens_and_the_reason_of_the_end() {
    let world = world(2).await;
    let (station, mut collector) = world.station().await;
    let peer = world.peer.clone();
    collector.read_until("the session", |it| is_complete(it, &peer)).await;

    let messages = world.at_router.status().messages;
    let [mut sent, mut received] = [BytesMut::new(), BytesMut::new()];
    messages.open_sent.unwrap().message.encode(&mut sent);
    messages.open_received.unwrap().message.encode(&mut received);
    assert_eq!(collector.opens[&peer], (sent.to_vec(), received.to_vec()));

    world.at_node.reset("new cables").await.unwrap();
    let line = format!("{peer} down by the peer: 6/4 new cables");
    collector.read_until("the end", |it| it.log.contains(&line)).await;
    let ups = |it: &Collector| it.log.iter().filter(|line| **line == format!("{peer} up ")).count();
    collector.read_until("the next session", |it| ups(it) == 2).await;
    // Also that of the new session: an End-of-RIB follows the routes that the peer should have at once.
    let new = format!("{peer} pre out ipv4-unicast");
    collector.read_until("its End-of-RIB", |it| it.complete.contains(&new)).await;

    world.at_router.shutdown("moved").await.unwrap();
    let line = format!("{peer} down by us: 6/2 moved");
    collector.read_until("the end by us", |it| it.log.contains(&line)).await;

    station.close("maintenance").await;
    collector.read_to_end().await;
    assert_eq!(collector.log.last().unwrap(), "termination 0: maintenance");
}

#[tokio::test]
async fn a_station_hears_of_the_end_of_all_sessions_before_that_of_the_speaker() {
    let world = world(3).await;
    let (_station, mut collector) = world.station().await;
    let peer = world.peer.clone();
    collector.read_until("the session", |it| is_complete(it, &peer)).await;
    let shutdown = tokio::spawn(async move { world.router.shutdown("power").await });
    collector.read_to_end().await;
    shutdown.await.unwrap();
    let last = collector.log.split_off(collector.log.len() - 2);
    let expected =
        [format!("{peer} down by us: 6/2 power"), "termination 0: the speaker has ended".into()];
    assert_eq!(last, expected);
}

#[tokio::test]
async fn an_abandoned_session_ends_without_a_notification() {
    let world = world(4).await;
    let (_station, mut collector) = world.station().await;
    let peer = world.peer.clone();
    collector.read_until("the session", |it| is_complete(it, &peer)).await;
    world.at_router.abandon().await.unwrap();
    let line = format!("{peer} down by LocalEvent(2)");
    collector.read_until("the end", |it| it.log.contains(&line)).await;
}

/// Routes with so many octets of attributes that no socket holds them all.
fn large() -> RouteSet {
    let octets = |n: u16| n.to_be_bytes().repeat(1_700).into();
    (0..2_000_u16)
        .map(|n| {
            let prefix = format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap();
            let mut attributes = PathAttributes::default();
            let flags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
            let code = AttributeCode(200);
            attributes.unknown = vec![RawAttribute { code, flags, value: octets(n) }];
            Route::with_attributes(prefix, attributes.into())
        })
        .collect()
}

#[tokio::test]
async fn a_station_that_stops_reading_delays_no_session_and_starts_over() {
    let world = world(5).await;
    let quick = Duration::from_millis(50);
    let config = StationConfig::connect(world.listener.local_addr().unwrap())
        .ribs([MonitoredRib::AdjRibOutPrePolicy, MonitoredRib::AdjRibOutPostPolicy])
        .buffer(64 * 1_024)
        .reconnect(quick, quick);
    let mut station = world.router.add_station(config).await.unwrap();
    let silent = soon("the first connection", world.listener.accept()).await.unwrap();

    world.at_router.set_routes(large()).await.unwrap();
    table(&world.node, "all routes", |table| table.len() == 2_000).await;
    assert!(world.at_router.status().is_established());
    let status = soon("the end of the stream", station.wait_for(|it| it.overruns > 0)).await;
    assert!(status.is_some());
    drop(silent);

    // A later stream has everything that the tables have. Those before it may have waited too long to be accepted.
    let (pre, post) = (world.rib("pre out"), world.rib("post out"));
    let whole = |it: &Collector| [&pre, &post].iter().all(|rib| it.count(rib) == 2_000);
    let mut collector = Collector::accept(&world.listener).await;
    while !collector.read_while_open("whole tables", whole).await {
        collector = Collector::accept(&world.listener).await;
    }
    assert_eq!(collector.log[1], format!("{} up ", world.peer));
    assert_eq!(world.at_router.status().stats.established_transitions, 1);
}

#[tokio::test]
async fn a_station_that_stops_reading_keeps_no_peer_that_is_removed() {
    let mut world = world(9).await;
    world.at_router.set_routes(large()).await.unwrap();
    table(&world.node, "all routes", |table| table.len() == 2_000).await;

    // A station whose system takes few octets.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind((world.listener.local_addr().unwrap().ip(), 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let config = StationConfig::connect(listener.local_addr().unwrap())
        .ribs([MonitoredRib::AdjRibOutPostPolicy]);
    let _station = world.router.add_station(config).await.unwrap();
    let (silent, _) = soon("the connection", listener.accept()).await.unwrap();
    // Nothing is sent before the first routes are.
    soon("the first routes", silent.peek(&mut [0])).await.unwrap();

    drop(world.at_router);
    let down = world.at_node.wait_for(|status| !status.is_established());
    soon("the end of the session", down).await.unwrap();
}

#[tokio::test]
async fn a_station_that_connects_again_gets_the_stream_anew() {
    let world = world(6).await;
    world.at_node.set_routes(routes(&["10.1.0.0/16"])).await.unwrap();
    let local = (world.listener.local_addr().unwrap().ip(), 0).into();
    let config = StationConfig::listen(local)
        .ribs([MonitoredRib::LocRib])
        .statistics_interval(Duration::from_millis(20));
    let station = world.router.add_station(config).await.unwrap();
    let address = station.local_addr().unwrap();

    let mut first = Collector::connect(address).await;
    first.read_until("the route", |it| it.count("Loc-RIB") == 1).await;
    let mut second = Collector::connect(address).await;
    second.read_until("the route", |it| it.count("Loc-RIB") == 1).await;
    first.read_to_end().await;
    assert_eq!(
        second.log,
        ["initiation of bgp", &format!("{} up ", world.peer), "Loc-RIB up global"]
    );

    let counted = |it: &Collector| it.statistics.len() == 2;
    second.read_until("statistics", counted).await;
    let loc_rib = &second.statistics["Loc-RIB"];
    assert_eq!(loc_rib.get(&8), Some(&1));
    let of_peer: Vec<_> = second.statistics[&world.peer].clone().into_iter().collect();
    assert_eq!(of_peer, [(0, 0), (7, 1), (11, 0), (15, 0)]);
    assert_eq!(station.status().connections, 2);
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_and_an_absent_station_is_tried_again() {
    let world = world(7).await;
    let taken = world.listener.local_addr().unwrap();
    let error = world.router.add_station(StationConfig::listen(taken)).await.unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");

    let config = world.config();
    // The port stays taken, so that no other program answers there.
    drop(world.listener);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(taken).unwrap();
    let mut station = world.router.add_station(config).await.unwrap();
    let refused = soon("an error", station.wait_for(|it| it.last_error.is_some())).await.unwrap();
    assert_eq!(refused.connected, None);
    let listener = socket.listen(8).unwrap();
    let mut collector = Collector::accept(&listener).await;
    let peer = world.peer.clone();
    collector.read_until("the session", |it| is_complete(it, &peer)).await;

    // Dropping the handle ends the stream.
    drop(station);
    collector.read_to_end().await;
    assert_eq!(collector.log.last().unwrap(), "termination 0: ");
}

#[tokio::test]
async fn a_peer_that_keeps_no_routes_still_shows_what_it_sends() {
    let ours = "127.0.15.8";
    let router = router(&format!("{ours}:0")).await;
    let peer = "127.0.16.8";
    let address: std::net::IpAddr = peer.parse().unwrap();
    let config = PeerConfig::new(address, crate::world::NODE).passive();
    let mut at_router = router.add_peer(config).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), peer);
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
    at_node.set_routes(routes(&["10.1.0.0/16"])).await.unwrap();

    let listener = TcpListener::bind((ours, 0)).await.unwrap();
    let config = StationConfig::connect(listener.local_addr().unwrap());
    let _station = router.add_station(config).await.unwrap();
    let mut collector = Collector::accept(&listener).await;
    let rib = format!("{peer} pre in");
    collector.read_until("the route", |it| it.count(&rib) == 1).await;
}
