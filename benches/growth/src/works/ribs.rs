//! The RIBs of bgp-core: received routes, sent routes, and the choice among them.

use std::sync::Arc;
use std::time::Instant;

use bench_growth::session::{config, established};
use bench_growth::tables::{self, path};
use bgp_core::peer::Peer;
use bgp_core::rib::{AdjRibIn, LocRib, Nlri, Relay, RelayGroup, Route, RouteSet};
use bgp_core::wire::PathAttributes;
use bgp_core::{Direction, IpNet};
use bytes::BytesMut;

use super::{Prepared, TIMES, Work, scattered};

/// The sizes of a table.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// The numbers of paths to a prefix.
const PATHS: [usize; 3] = [10, 100, 1_000];
/// The members of a relay group.
const MEMBERS: u32 = 10;

pub(super) const WORKS: &[Work] = &[
    Work::all("Adj-RIB-In, announce in no order", "routes", SIZES, received),
    Work::all("Adj-RIB-In, withdraw in no order", "routes", SIZES, withdrawn),
    Work::all("RouteSet in order", "routes", SIZES, route_set),
    Work::all("Adj-RIB-Out, set and send all", "routes", SIZES, sent).checked(10_000),
    Work::one("Adj-RIB-Out, set one other and send", "routes", SIZES, one_sent).checked(1_000),
    Work::one("Adj-RIB-Out, announce one and send", "routes", SIZES, one_announced),
    Work::all("Loc-RIB, insert in no order", "routes", SIZES, inserted).checked(1_000),
    Work::all("Loc-RIB, remove in no order", "routes", SIZES, removed),
    Work::one(
        "Loc-RIB, change one route after a snapshot",
        "routes",
        SIZES,
        changed_after_snapshot,
    ),
    Work::one("Loc-RIB, change one of the paths to a prefix", "paths", PATHS, one_of_paths),
    Work::one("relay one change to 10 peers", "routes", SIZES, relayed),
];

fn received(size: usize) -> Prepared {
    let attributes = Arc::new(PathAttributes::default());
    let mut rib = AdjRibIn::new();
    Prepared::once(move || {
        for number in 0..size {
            rib.announce(nlri(scattered(number, size)), &attributes);
        }
        assert_eq!(rib.len(), size);
        rib
    })
}

fn withdrawn(size: usize) -> Prepared {
    let attributes = Arc::new(PathAttributes::default());
    let mut rib = AdjRibIn::new();
    for number in 0..size {
        rib.announce(nlri(number), &attributes);
    }
    Prepared::once(move || {
        for number in 0..size {
            rib.withdraw(&nlri(scattered(number, size)));
        }
        assert!(rib.is_empty());
        rib
    })
}

fn route_set(size: usize) -> Prepared {
    Prepared::once(move || table(size))
}

fn sent(size: usize) -> Prepared {
    let (routes, mut sender) = (table(size), Sender::new(config(1)));
    Prepared::once(move || {
        sender.peer.set_routes(&routes);
        sender.send();
        sender
    })
}

fn one_sent(size: usize) -> Prepared {
    let (mut routes, mut sender) = (table(size), Sender::new(config(1)));
    sender.peer.set_routes(&routes);
    sender.send();
    Prepared::repeated(TIMES, move |turn| {
        routes.insert(changed(turn, size));
        sender.peer.set_routes(&routes);
        sender.send();
    })
}

fn one_announced(size: usize) -> Prepared {
    let (routes, mut sender) = (table(size), Sender::new(config(1)));
    sender.peer.set_routes(&routes);
    sender.send();
    Prepared::repeated(TIMES, move |turn| {
        sender.peer.announce(&changed(turn, size));
        sender.send();
    })
}

fn inserted(size: usize) -> Prepared {
    let (mut rib, path) = (LocRib::new(), path(1, 0));
    Prepared::once(move || {
        for number in 0..size {
            rib.insert(prefix(scattered(number, size)), path.clone());
        }
        assert_eq!(rib.len(), size);
        rib
    })
}

fn removed(size: usize) -> Prepared {
    let mut rib = filled(size);
    Prepared::once(move || {
        for number in 0..size {
            rib.remove(&nlri(scattered(number, size)), 1);
        }
        assert!(rib.is_empty());
        rib
    })
}

fn changed_after_snapshot(size: usize) -> Prepared {
    let (mut rib, other) = (filled(size), path(1, 1));
    Prepared::repeated(TIMES, move |turn| {
        let snapshot = rib.clone();
        rib.insert(prefix(scattered(turn * 977, size)), other.clone());
        drop(snapshot);
    })
}

fn one_of_paths(size: usize) -> Prepared {
    let mut rib = LocRib::new();
    for peer in 0..size {
        rib.insert(prefix(0), path(number(peer), 0));
    }
    let others: Vec<_> = (0..size).map(|peer| path(number(peer), 1)).collect();
    Prepared::repeated(TIMES, move |turn| {
        // In a small set a path changes several times, and each time to something else.
        let peer = scattered(turn, size);
        let other = if (turn / size).is_multiple_of(2) {
            others[peer].clone()
        } else {
            path(number(peer), 0)
        };
        rib.insert(prefix(0), other);
    })
}

fn relayed(size: usize) -> Prepared {
    let (mut rib, other) = (filled(size), path(1, 1));
    let mut members: Vec<Sender> = (0..MEMBERS)
        .map(|_| {
            let mut settings = config(1);
            settings.relay = Some(Relay::Router);
            Sender::new(settings)
        })
        .collect();
    let rules = members.first().and_then(|member| member.peer.relay_rules(2));
    let mut group = RelayGroup::new(rules.expect("a session that relays"));
    for (prefix, paths) in &rib {
        group.update(prefix, Some(paths), |peer| peer);
    }
    let mut pass_on = move |group: &RelayGroup| {
        for (member, number) in members.iter_mut().zip(2..) {
            member.peer.set_relayed(&group.routes_for(number));
            member.send();
        }
    };
    pass_on(&group);

    Prepared::repeated(TIMES, move |turn| {
        let prefix = prefix(scattered(turn * 977, size));
        rib.insert(prefix, other.clone());
        group.update(prefix, rib.get(&prefix), |peer| peer);
        pass_on(&group);
    })
}

/// A peer with a session, and the buffer for its messages.
struct Sender {
    peer: Peer,
    now: Instant,
    outbox: BytesMut,
}

impl Sender {
    fn new(settings: bgp_core::peer::PeerSettings) -> Self {
        let now = Instant::now();
        Self { peer: established(settings, now), now, outbox: BytesMut::with_capacity(1 << 16) }
    }

    /// Composes UPDATEs until there are none.
    fn send(&mut self) {
        self.outbox.clear();
        while self.peer.poll_transmit(self.now, Direction::Outgoing, &mut self.outbox) {
            self.outbox.clear();
        }
    }
}

/// A table whose routes share one set of attributes.
fn table(size: usize) -> RouteSet {
    let attributes = Arc::new(PathAttributes::default());
    (0..size)
        .map(|number| Route::with_attributes(prefix(number), Arc::clone(&attributes)))
        .collect()
}

/// A route of the table with other attributes.
fn changed(turn: usize, size: usize) -> Route {
    let attributes = PathAttributes { med: Some(number(turn) + 1), ..PathAttributes::default() };
    Route::with_attributes(prefix(scattered(turn * 977, size)), Arc::new(attributes))
}

/// A Loc-RIB with one path to each prefix.
fn filled(size: usize) -> LocRib<u32> {
    let (mut rib, path) = (LocRib::new(), path(1, 0));
    for number in 0..size {
        rib.insert(prefix(number), path.clone());
    }
    rib
}

fn prefix(number: usize) -> IpNet {
    tables::prefix(self::number(number))
}

fn nlri(number: usize) -> Nlri {
    Nlri::from(prefix(number))
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
