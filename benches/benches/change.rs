//! Changes of a few routes among many in the Adj-RIB-Out, from the call to the octets of the UPDATE, and pages of the RIBs: how
//! the cost grows with the table. `cargo bench -p benches --bench change [-- --rounds N]`.

#![expect(clippy::print_stdout, reason = "it prints the table")]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use benches::alloc::CountingAllocator;
use benches::arguments::Arguments;
use benches::measure::{Measured, contestant, measure};
use benches::session::{config, established};
use benches::table::markdown;
use benches::tables;
use bgp_core::Direction;
use bgp_core::peer::{Import, Peer};
use bgp_core::rib::{Nlri, Route, RouteSet};
use bgp_core::wire::PathAttributes;
use bytes::BytesMut;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;

/// The sizes of the tables.
const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

/// The routes of a page.
const PAGE: usize = 100;

fn main() {
    let rounds = Arguments::of_program().rounds;
    let measured: Vec<_> = SIZES.iter().map(|count| measured(*count, rounds)).collect();

    let mut rows = Vec::new();
    for (at, name) in NAMES.iter().enumerate() {
        let by_size: Vec<&Measured> = measured.iter().map(|all| &all[at]).collect();
        let mut row = vec![(*name).to_owned()];
        row.extend(by_size.iter().map(|it| format!("{:.1}", it.median() * 1e6)));
        row.extend(by_size.iter().map(|it| it.allocations.to_string()));
        rows.push(row);
    }
    let head = ["what", "us, 10 k", "100 k", "1 M", "allocations, 10 k", "100 k", "1 M"];
    print!("{}", markdown(&head, &rows));
}

/// What is measured, in the order of the contestants.
const NAMES: [&str; 7] = [
    "announce one route",
    "set_routes, one other",
    "set_routes, 100 others",
    "set_routes, 2,000 others",
    "the same, 1,000 of them sent before 2,000 more",
    "a page of the Adj-RIB-Out",
    "a page of the Adj-RIB-In",
];

fn measured(count: u32, rounds: usize) -> Vec<Measured> {
    let routes = table(count);
    let sent = || RefCell::new(Sent::new(&routes));
    let [announced, one, hundred, many, twice, listed] = std::array::from_fn(|_| sent());
    let middle = Nlri::from(tables::prefix(count / 2));
    let received = received(count);

    let mut contestants = [
        contestant(|| announced.borrow_mut().announce(count / 2)),
        contestant(|| one.borrow_mut().set_others(1, count)),
        contestant(|| hundred.borrow_mut().set_others(100, count)),
        contestant(|| many.borrow_mut().set_others(2_000, count)),
        contestant(|| twice.borrow_mut().set_others_twice(2_000, count)),
        contestant(|| listed.borrow().peer.adj_rib_out_page(Some(middle), PAGE).routes.len()),
        contestant(|| received.adj_rib_in().page(Some(middle), PAGE).routes.len()),
    ];
    measure(&mut contestants, rounds)
}

fn table(count: u32) -> RouteSet {
    let attributes = Arc::new(PathAttributes::default());
    let route = |number| Route::with_attributes(tables::prefix(number), Arc::clone(&attributes));
    (0..count).map(route).collect()
}

/// A peer that has been sent routes.
struct Sent {
    peer: Peer,
    routes: RouteSet,
    now: Instant,
    /// The changes so far, so that each one has other attributes.
    changes: u32,
    outbox: BytesMut,
}

impl Sent {
    fn new(routes: &RouteSet) -> Self {
        let now = Instant::now();
        let peer = established(config(1), now);
        let (routes, outbox) = (routes.clone(), BytesMut::with_capacity(1024 * 1024));
        let mut sent = Self { peer, routes, now, changes: 0, outbox };
        sent.peer.set_routes(&sent.routes);
        sent.send(usize::MAX);
        sent
    }

    /// Composes UPDATEs until they have this number of octets, or until there are none.
    fn send(&mut self, most: usize) {
        self.outbox.clear();
        let mut sent = 0;
        while sent < most
            && self.peer.poll_transmit(self.now, Direction::Outgoing, &mut self.outbox)
        {
            sent += self.outbox.len();
            self.outbox.clear();
        }
    }

    fn next_attributes(&mut self) -> Arc<PathAttributes> {
        self.changes += 1;
        Arc::new(PathAttributes { med: Some(self.changes), ..PathAttributes::default() })
    }

    fn announce(&mut self, number: u32) {
        let attributes = self.next_attributes();
        self.peer.announce(&Route::with_attributes(tables::prefix(number), attributes));
        self.send(usize::MAX);
    }

    /// Gives other attributes to `others` routes, spread over all `count`.
    fn set(&mut self, others: u32, count: u32) {
        let attributes = self.next_attributes();
        for number in (0..count).step_by((count / others) as usize) {
            let prefix = tables::prefix(number);
            self.routes.insert(Route::with_attributes(prefix, Arc::clone(&attributes)));
        }
        self.peer.set_routes(&self.routes);
    }

    fn set_others(&mut self, others: u32, count: u32) {
        self.set(others, count);
        self.send(usize::MAX);
    }

    /// Makes a change while another one is half sent.
    fn set_others_twice(&mut self, others: u32, count: u32) {
        self.set(others, count);
        self.send(others as usize / 2 * 4);
        self.set(others, count);
        self.send(usize::MAX);
    }
}

/// A peer that has received and kept routes.
fn received(count: u32) -> Peer {
    let now = Instant::now();
    let mut settings = config(2);
    settings.import = Import::Keep;
    let mut peer = established(settings, now);
    let octets = tables::updates(count, 0, tables::Order::Hashed);
    for part in octets.chunks(64 * 1024) {
        peer.read_buffer(Direction::Outgoing).extend_from_slice(part);
        peer.received(now, Direction::Outgoing);
        while peer.poll_output().is_some() {}
    }
    assert_eq!(peer.adj_rib_in().len(), count as usize, "routes were rejected");
    peer
}
