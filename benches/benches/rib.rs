//! The RIBs: announcing and receiving tables, and the memory that they need.
//! `cargo bench -p benches --bench rib [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "it prints the tables")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::arguments::Arguments;
use benches::measure::{contestant, measure};
use benches::memory::{self, TrackingAllocator};
use benches::session::{config, established};
use benches::table::markdown;
use benches::tables::{self, Order};
use bgp_core::peer::{Import, Output, Peer};
use bgp_core::rib::{LocRib, Path, PathSource, Route, RouteSet};
use bgp_core::wire::{Community, PathAttributes};
use bgp_core::{Asn, BgpIdentifier, Direction, IpNet, Ipv4Net, PeerType};
use bytes::BytesMut;

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator;

/// The number of octets that a socket takes at once.
const OUTBOX: usize = 64 * 1_024;

fn main() {
    let arguments = Arguments::of_program();
    let mut rows = Vec::new();
    for (count, per_set) in [(100_000, 0), (100_000, 5), (1_000_000, 0), (1_000_000, 5)] {
        if arguments.filter != "memory" {
            times(&mut rows, count, per_set, arguments.rounds);
        }
    }
    print!("{}", markdown(&["what", "ms", "least", "to the write"], &rows));
    println!();
    if arguments.filter != "memory" {
        orders(arguments.rounds);
        println!();
    }
    memory();
}

/// The sets of attributes of the tables that come in several orders: how many adjacent prefixes share one, and its name.
const SETS: [(u32, &str); 3] = [(0, "one set"), (5, "one per 5"), (1, "all different")];

/// Measures how long it takes to receive and keep a table in each order in which senders announce it.
fn orders(rounds: usize) {
    let mut rows = Vec::new();
    for (per_set, sets) in SETS {
        let streams = Order::ALL.map(|order| tables::updates(ROUTES, per_set, order));
        let mut contestants =
            streams.each_ref().map(|octets| contestant(|| received(octets).adj_rib_in().len()));
        let measured = measure(&mut contestants, rounds);

        for (order, measured_one) in Order::ALL.into_iter().zip(&measured) {
            rows.push(vec![
                format!("1 M routes, {sets}, {}", order.name()),
                format!("{:.0}", measured_one.median() * 1e3),
                format!("{:.1}", measured_one.median() / measured[0].median()),
            ]);
        }
    }
    print!("{}", markdown(&["received and kept", "ms", "to sorted"], &rows));
}

/// Measures tables of `count` routes, of which `per_set` share a set of attributes; 0 means all.
fn times(rows: &mut Vec<Vec<String>>, count: u32, per_set: u32, rounds: usize) {
    let routes = table(count, per_set);
    let octets = announced(&routes);
    let mut wire = Wire::new();
    let mut contestants = [
        contestant(|| wire.write(&octets)),
        contestant(|| announced_length(&routes)),
        contestant(|| table(count, per_set)),
        contestant(|| received(&octets).adj_rib_in().len()),
    ];
    let measured = measure(&mut contestants, rounds);

    let sets = if per_set == 0 { "one set".to_owned() } else { format!("one per {per_set}") };
    let limit = measured[0].median();
    let names = ["octets written to TCP", "announced", "RouteSet made", "received and kept"];
    for (name, measured) in names.iter().zip(&measured) {
        rows.push(vec![
            format!("{name}, {count}, {sets}"),
            format!("{:.2}", measured.median() * 1e3),
            format!("{:.2}", measured.least() * 1e3),
            format!("{:.1}", measured.median() / limit),
        ]);
    }
}

/// A Loc-RIB with one path to each prefix of the table.
fn loc_rib(routes: &RouteSet) -> LocRib<u32> {
    let address = Ipv4Addr::new(10, 0, 0, 1);
    let source = Arc::new(PathSource {
        peer: 1,
        address: address.into(),
        asn: Asn(64_500),
        identifier: BgpIdentifier(address),
        peer_type: PeerType::External,
    });
    let mut rib = LocRib::new();
    for (prefix, attributes) in routes {
        let (source, attributes) = (Arc::clone(&source), Arc::clone(attributes));
        rib.insert(prefix, Path { source, path_id: 0, attributes });
    }
    rib
}

/// A table of /24 prefixes; adjacent ones share their attributes.
fn table(count: u32, per_set: u32) -> RouteSet {
    let mut shared = Arc::new(attributes(0));
    let mut routes = RouteSet::new();
    for number in 0..count {
        if per_set > 0 && number % per_set == 0 {
            shared = Arc::new(attributes(number / per_set));
        }
        let address = Ipv4Addr::from(0x0100_0000 + (number << 8));
        let prefix = IpNet::V4(Ipv4Net::new_assert(address, 24));
        routes.insert(Route::with_attributes(prefix, Arc::clone(&shared)));
    }
    routes
}

fn attributes(number: u32) -> PathAttributes {
    PathAttributes {
        med: Some(number),
        communities: vec![Community::new(64635, 100)],
        ..PathAttributes::default()
    }
}

/// Announces the routes to a peer with an Established session, and passes on the messages in the portions of a socket.
fn announce(routes: &RouteSet, mut each: impl FnMut(&[u8])) -> Peer {
    let now = Instant::now();
    let mut peer = established(config(1), now);
    peer.set_routes(routes);
    let mut outbox = BytesMut::with_capacity(2 * OUTBOX);
    while peer.poll_transmit(now, Direction::Outgoing, &mut outbox) {
        if outbox.len() >= OUTBOX {
            each(&outbox);
            outbox.clear();
        }
    }
    each(&outbox);
    peer
}

fn announced(routes: &RouteSet) -> Vec<u8> {
    let mut all = Vec::new();
    announce(routes, |octets| all.extend_from_slice(octets));
    all
}

fn announced_length(routes: &RouteSet) -> usize {
    let mut length = 0;
    announce(routes, |octets| length += black_box(octets).len());
    length
}

/// A TCP connection to a thread that discards what it reads: the minimum cost of an announcement.
struct Wire(TcpStream);

impl Wire {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut buffer = vec![0; OUTBOX];
            while stream.read(&mut buffer).is_ok_and(|octets| octets > 0) {}
        });
        Self(TcpStream::connect(address).expect("a connection"))
    }

    fn write(&mut self, octets: &[u8]) {
        for part in octets.chunks(OUTBOX) {
            self.0.write_all(part).expect("the other end reads");
        }
    }
}

/// A peer that has received the octets, in reads of 64 KiB, and kept the routes. Changes are gathered as they are in a session
/// with more to read.
fn received(octets: &[u8]) -> Peer {
    let now = Instant::now();
    let mut config = config(2);
    config.import = Import::Keep;
    let mut peer = established(config, now);
    for part in octets.chunks(OUTBOX) {
        peer.read_buffer(Direction::Outgoing).extend_from_slice(part);
        while peer.gather_some(now, Direction::Outgoing, OUTBOX) {
            apply(&mut peer);
        }
    }
    apply(&mut peer);
    peer
}

fn apply(peer: &mut Peer) {
    while peer.has_gathered() {
        peer.apply_gathered(512);
        while let Some(output) = peer.poll_output() {
            assert!(!matches!(output, Output::Down(_)), "{output:?}");
        }
    }
}

/// The number of routes in the measurement of memory.
const ROUTES: u32 = 1_000_000;

fn memory() {
    let mut rows = Vec::new();
    for per_set in [0, 5] {
        let sets = if per_set == 0 { "one set" } else { "one per 5" };
        let before = memory::reset_peak();
        let routes = table(ROUTES, per_set);
        rows.push(memory_row(format!("1 M routes, {sets}"), before));

        let before = if per_set == 0 { before } else { memory::allocated() };
        memory::reset_peak();
        let peers: Vec<_> = (0..4).map(|_| announce(&routes, |_| ())).collect();
        let name =
            if per_set == 0 { "the routes, announced to 4 peers" } else { "announced to 4 peers" };
        rows.push(memory_row(format!("{name}, {sets}"), before));

        drop(peers);
        if per_set == 0 {
            for (when, pause) in [("at one time", 0), ("each at another time", 1)] {
                let before = memory::allocated();
                memory::reset_peak();
                let peer = changed(&routes, Duration::from_secs(pause));
                rows.push(memory_row(format!("in addition, changed one by one, {when}"), before));
                drop(peer);
            }
        }

        let before = memory::reset_peak();
        let rib = loc_rib(&routes);
        rows.push(memory_row(format!("Loc-RIB of 1 M beside the routes, {sets}"), before));
        drop(rib);

        let octets = announced(&routes);
        drop(routes);
        let before = memory::reset_peak();
        let peer = received(&octets);
        rows.push(memory_row(format!("Adj-RIB-In of 1 M, {sets}"), before));
        drop(peer);
    }

    for (per_set, sets) in SETS {
        for order in [Order::Shuffled, Order::Hashed] {
            let octets = tables::updates(ROUTES, per_set, order);
            let before = memory::reset_peak();
            let peer = received(&octets);
            rows.push(memory_row(format!("Adj-RIB-In of 1 M, {sets}, {}", order.name()), before));
            drop(peer);
        }
    }

    print!("{}", markdown(&["memory", "MB held", "MB at most", "octets a route at most"], &rows));
}

/// A peer that was announced the routes, and then each of them again with other attributes, with this pause before each. Its
/// table shares nothing with the routes after that, whatever the pause.
fn changed(routes: &RouteSet, pause: Duration) -> Peer {
    let mut now = Instant::now();
    let mut peer = established(config(1), now);
    peer.set_routes(routes);
    let mut outbox = BytesMut::with_capacity(2 * OUTBOX);
    let mut send = |peer: &mut Peer, now| {
        while peer.poll_transmit(now, Direction::Outgoing, &mut outbox) {
            outbox.clear();
        }
    };
    send(&mut peer, now);

    let attributes = Arc::new(attributes(1));
    for (prefix, _) in routes {
        now += pause;
        peer.set_time(now);
        peer.announce(&Route::with_attributes(prefix, Arc::clone(&attributes)));
        send(&mut peer, now);
    }
    peer
}

/// A row of the table, for the memory that was allocated since `before`, and its peak.
fn memory_row(name: String, before: usize) -> Vec<String> {
    let (held, most) = (memory::allocated() - before, memory::peak() - before);
    vec![
        name,
        format!("{:.1}", held as f64 / 1e6),
        format!("{:.1}", most as f64 / 1e6),
        format!("{:.1}", most as f64 / f64::from(ROUTES)),
    ]
}
