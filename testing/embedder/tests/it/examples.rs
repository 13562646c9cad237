//! Each example of the libraries does what its page says. They run within this process, on loopback addresses.

use std::{
    cell::RefCell,
    error::Error,
    future::Future,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bgp_core::{
    bmp::{BmpFrame, BmpMessage, BmpPeerType},
    mrt::{Record, RecordContent, Records},
};
use bgp_session::{
    Asn, BgpIdentifier, Community, Import, PeerConfig, PeerHandle, Route, RouteSet, Speaker,
};
use bytes::{Buf, BytesMut};
use clap::Parser;
use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket},
    time::timeout,
};

macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[expect(dead_code, reason = "the tests call what `main` calls")]
        mod $name;
    };
}

example!(pipe, "../../../../bgp-core/examples/pipe.rs");
example!(announce, "../../../../bgp-session/examples/announce.rs");
example!(anycast, "../../../../bgp-session/examples/anycast.rs");
example!(blast, "../../../../bgp-session/examples/blast.rs");
example!(collector, "../../../../bgp-session/examples/collector.rs");
example!(monitor, "../../../../bgp-session/examples/monitor.rs");
example!(observe, "../../../../bgp-session/examples/observe.rs");
example!(route_server, "../../../../bgp-session/examples/route_server.rs");

/// Long enough for a loaded machine. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(30);
const ROUTER: Asn = Asn(64_500);
const NODE: Asn = Asn(64_512);

/// The output of an example, which another future reads.
#[derive(Default)]
struct Screen(RefCell<Vec<u8>>);

impl Write for &Screen {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }

    /// Waits until the output contains this.
    async fn shows(&self, wanted: &str) {
        let shown = async {
            while !self.text().contains(wanted) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(DEADLINE, shown).await.is_err() {
            panic!("expected {wanted:?} in {}", self.text());
        }
    }
}

/// A future that ends only with an error.
async fn fails(example: impl Future<Output = Result<(), Box<dyn Error>>>) {
    panic!("the example ended: {:?}", example.await);
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}

/// A router on this address that keeps the routes of its only peer, which dials from 127.0.0.1.
async fn router(address: &str) -> (Speaker, PeerHandle, SocketAddr) {
    let builder = Speaker::builder(ROUTER, BgpIdentifier::new(192, 0, 2, 1));
    let listen = SocketAddr::new(address.parse().unwrap(), 0);
    let router = builder.listen(listen).start().await.unwrap();
    let node: IpAddr = "127.0.0.1".parse().unwrap();
    let config = PeerConfig::new(node, NODE).passive().import(Import::Keep);
    let peer = router.add_peer(config).await.unwrap();
    let address = router.listen_addr().unwrap();
    (router, peer, address)
}

/// Waits until the router has this number of prefixes.
async fn has(router: &Speaker, prefixes: usize) {
    let mut changed = router.loc_rib_changed();
    let arrived = async {
        while router.loc_rib().len() != prefixes {
            changed.changed().await.unwrap();
        }
    };
    soon(&format!("{prefixes} prefixes"), arrived).await;
}

/// A free port of a loopback address for a program that listens there later. The kernel gives it to nobody else while the socket, which
/// does not listen, is bound to it.
fn reserved_port(address: &str) -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn pipe_runs_a_session_without_a_runtime() {
    let mut out = Vec::new();
    pipe::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in [
        "node: up with AS 64500",
        "router: up with AS 64512",
        "router: 203.0.113.7/32 announced, AS path 64512, MED 7",
        "router: 203.0.113.7/32 withdrawn",
        "router: down: ended by the peer: Cease: administrative shutdown: \"the example ends\"",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    assert!(!text.contains("no session"), "{text}");
}

#[tokio::test]
async fn announce_and_observe_speak_to_each_other() {
    let (_reserved, listen) = reserved_port("127.0.57.1");
    let listen = listen.to_string();
    let (announced, observed) = (Screen::default(), Screen::default());
    let observing = [listen.clone(), "64500".into(), "127.0.0.1=64512".into()];
    let announcing = [listen, "64500".into(), "64512".into(), "203.0.113.7/32".into()];
    tokio::select! {
        () = fails(observe::run(&observing, &observed)) => {}
        () = fails(announce::run(&announcing, &announced)) => {}
        () = observed.shows("> 203.0.113.7/32       from 127.0.0.1        path 64512") => {}
    }
    announced.shows("127.0.57.1: the session with AS 64500, 127.0.57.1, is up: ipv4-unicast").await;

    let wrong = announce::run(&["127.0.57.1".into()], io::sink()).await.unwrap_err();
    assert_eq!(wrong.to_string(), "expected ROUTER[:PORT] ROUTER_AS OWN_AS PREFIX...");
}

#[tokio::test]
async fn anycast_follows_its_check_and_leaves_with_a_message() {
    let (router, mut peer, address) = router("127.0.58.1").await;
    let (_reserved, check) = reserved_port("127.0.58.2");
    let (router_text, check_text) = (address.to_string(), check.to_string());
    let args = anycast::Args::parse_from([
        "anycast",
        "--router",
        &router_text,
        "--router-as",
        "64500",
        "--own-as",
        "64512",
        "--check",
        &check_text,
        "--interval",
        "20",
        "203.0.113.53/32",
    ]);

    let stop = tokio::sync::Notify::new();
    let running = anycast::run(args, || stop.notified());
    let watching = async {
        soon("the session", peer.established()).await.unwrap();
        assert!(router.loc_rib().is_empty(), "nothing answers yet");

        let service = TcpListener::bind(check).await.unwrap();
        has(&router, 1).await;
        drop(service);
        has(&router, 0).await;

        // The second interrupt does not wait for the end of the drain.
        stop.notify_one();
        soon("the drain", async {
            while router.peers().iter().all(|peer| peer.is_established()) {
                stop.notify_one();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let status = soon("the end", peer.wait_for(|status| status.last_down.is_some())).await;
        let reason = status.unwrap().last_down.unwrap().to_string();
        assert!(reason.ends_with("administrative shutdown: \"anycast server stops\""), "{reason}");
    };
    let (outcome, ()) = tokio::join!(running, watching);
    outcome.unwrap();
}

#[tokio::test]
async fn blast_measures_announcements_and_withdrawals() {
    let (router, peer, address) = router("127.0.59.1").await;
    let address = address.to_string();
    let args = blast::Args::parse_from([
        "blast",
        "--router",
        &address,
        "--router-as",
        "64500",
        "--own-as",
        "64512",
        "--count",
        "2000",
        "--per-set",
        "5",
        "--rounds",
        "2",
        "--withdraw",
        "--limit",
        "30",
    ]);
    blast::run(args).await.unwrap();
    has(&router, 0).await;
    let stats = peer.stats();
    assert_eq!((stats.prefixes_announced_in, stats.prefixes_withdrawn_in), (4_000, 2_000));
}

#[tokio::test]
async fn collector_writes_routes_and_sessions_as_lines_of_json() {
    let (_reserved, listen) = reserved_port("127.0.60.1");
    let listen = listen.to_string();
    let args = collector::Args::parse_from([
        "collector",
        "--own-as",
        "64500",
        "--listen",
        &listen,
        "--peer",
        "127.0.0.1=64512",
        "--range",
        "127.0.60.0/24",
        "--interval",
        "20",
    ]);
    let screen = Screen::default();
    let node = Speaker::builder(NODE, BgpIdentifier::new(192, 0, 2, 7)).start().await.unwrap();
    let stop = tokio::sync::Notify::new();

    let collecting = collector::run(args, stop.notified(), &screen);
    let announcing = async {
        let address: SocketAddr = listen.parse().unwrap();
        let peer = node.add_peer(PeerConfig::new(address, ROUTER)).await.unwrap();
        let prefix = "203.0.113.7/32".parse().unwrap();
        let route = Route::new(prefix).community(Community::NO_EXPORT);
        peer.set_routes(RouteSet::from([route])).await.unwrap();
        screen.shows("\"type\":\"route\"").await;
        peer.withdraw(prefix).await.unwrap();
        screen.shows("\"type\":\"withdrawn\"").await;
        stop.notify_one();
    };
    let (outcome, ()) = tokio::join!(collecting, announcing);
    outcome.unwrap();

    let text = screen.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let [route] = of("route")[..] else { panic!("{text}") };
    assert_eq!((&route["prefix"], &route["peer"]), (&"203.0.113.7/32".into(), &"127.0.0.1".into()));
    assert_eq!(route["attributes"]["communities"], serde_json::json!(["65535:65281"]));
    assert_eq!(route["attributes"]["as_path"][0]["asns"], serde_json::json!([64_512]));
    assert!(route["best"] == true && route["time"].as_u64() > Some(1_700_000_000));
    let [withdrawn] = of("withdrawn")[..] else { panic!("{text}") };
    assert_eq!((&withdrawn["prefix"], &withdrawn["path_id"]), (&route["prefix"], &0.into()));
    let up = "the session with AS 64512, 192.0.2.7, is up: ipv4-unicast, ipv6-unicast";
    assert!(of("event").iter().any(|event| event["text"] == up), "{text}");

    let refused = collector::Args::try_parse_from([
        "collector",
        "--own-as",
        "64500",
        "--listen",
        &listen,
        "--peer",
        "192.0.2.1",
    ]);
    assert!(refused.unwrap_err().to_string().contains("expected ADDRESS=AS"));
}

#[tokio::test]
async fn monitor_shows_routes_to_its_station_and_records_messages() {
    let (_reserved, listen) = reserved_port("127.0.62.1");
    let listen = listen.to_string();
    let station = TcpListener::bind("127.0.62.2:0").await.unwrap();
    let station_address = station.local_addr().unwrap().to_string();
    let arguments = [listen.clone(), "64500".into(), station_address, "127.0.0.1=64512".into()];
    let recorded = Screen::default();
    let prefix = "203.0.113.7/32".parse().unwrap();

    let watching = async {
        let (mut stream, _) = soon("the stream", station.accept()).await.unwrap();
        let node = Speaker::builder(NODE, BgpIdentifier::new(192, 0, 2, 7)).start().await.unwrap();
        let address: SocketAddr = listen.parse().unwrap();
        let peer = node.add_peer(PeerConfig::new(address, ROUTER)).await.unwrap();
        peer.set_routes(RouteSet::from([Route::new(prefix)])).await.unwrap();

        // The route is shown as it was received, and as the best one.
        let mut seen = Vec::new();
        let mut octets = BytesMut::new();
        while !(seen.contains(&BmpPeerType::GLOBAL) && seen.contains(&BmpPeerType::LOC_RIB)) {
            let read = soon("the route at the station", stream.read_buf(&mut octets)).await;
            assert!(read.unwrap() > 0, "the stream ended after {seen:?}");
            while let Some(frame) = BmpFrame::split(&octets).unwrap() {
                if let BmpMessage::RouteMonitoring(monitored) = frame.decode().unwrap() {
                    let is_route = monitored.update.windows(5).any(|it| it == [32, 203, 0, 113, 7]);
                    seen.extend(is_route.then_some(monitored.peer.peer_type));
                }
                let length = frame.as_bytes().len();
                octets.advance(length);
            }
        }

        // The record of the message is written by a task of its own.
        let recording = async {
            while recorded_updates(&recorded.0.borrow()) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("the record of the message", recording).await;
    };
    tokio::select! {
        () = fails(monitor::run(&arguments, &recorded)) => {}
        () = watching => {}
    }
    assert_eq!(recorded_updates(&recorded.0.borrow()), 1);
}

/// The number of recorded messages with the prefix 203.0.113.7/32.
fn recorded_updates(octets: &[u8]) -> usize {
    let has_prefix = |record: &Record<'_>| match record.content().unwrap() {
        RecordContent::Message(recorded) => {
            recorded.octets.windows(5).any(|it| it == [32, 203, 0, 113, 7])
        }
        _ => false,
    };
    Records::new(octets).filter(has_prefix).count()
}

#[tokio::test]
async fn route_server_passes_routes_on_unless_their_sender_keeps_them_from_a_client() {
    let (_reserved, listen) = reserved_port("127.0.61.1");
    let listen = listen.to_string();
    let args = route_server::Args::parse_from([
        "route_server",
        "--own-as",
        "64500",
        "--listen",
        &listen,
        "--client",
        "127.0.61.2=64512",
        "--client",
        "127.0.61.3=64513",
        "--range",
        "127.0.61.128/25",
    ]);
    let (stop, started) =
        (tokio::sync::Notify::new(), tokio::time::sleep(Duration::from_millis(50)));
    let serving = route_server::run(args, stop.notified());

    let watching = async {
        started.await;
        let address: SocketAddr = listen.parse().unwrap();
        let mut clients = Vec::new();
        for (last, asn) in [(2, 64_512), (3, 64_513), (200, 64_514)] {
            let own = IpAddr::from([127, 0, 61, last]);
            let identifier = BgpIdentifier::new(192, 0, 2, last);
            let speaker = Speaker::builder(Asn(asn), identifier).start().await.unwrap();
            let config = PeerConfig::new(address, ROUTER).local_address(own).import(Import::Keep);
            let config = config.allow_any_first_as().connect_retry(Duration::from_secs(1));
            let peer = speaker.add_peer(config).await.unwrap();
            clients.push((speaker, peer));
        }

        let route = |text: &str| Route::new(text.parse().unwrap());
        let kept = route("203.0.113.0/25").large_community((64_500, 0, 64_513).into());
        let set = RouteSet::from([route("203.0.113.128/25"), kept]);
        clients[0].1.set_routes(set).await.unwrap();
        has(&clients[1].0, 1).await;
        has(&clients[2].0, 2).await;
        let held = clients[1].0.loc_rib();
        let best = held.best(&"203.0.113.128/25".parse().unwrap()).unwrap();
        assert_eq!(best.attributes.as_path.to_string(), "64512");
        assert_eq!(best.attributes.next_hop.unwrap().to_string(), "127.0.61.2");
        stop.notify_one();
        has(&clients[1].0, 0).await;
    };
    let (outcome, ()) = tokio::join!(serving, watching);
    outcome.unwrap();
}
