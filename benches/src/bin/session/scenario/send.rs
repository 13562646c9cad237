//! A speaker that has a table announces it to a new peer.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use test_peers::{Bird, Neighbor, Router, RouterConfig};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::site::{DAEMON, SUBJECT, Site, octets_end, origin, wire_end};
use crate::subject::Contestant;
use crate::usage::Meter;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome, dial, poll, send, until_held};

/// The peer that gives a daemon its table.
const LOADER: u16 = 0;
/// The peer that only reads.
const SINK: u16 = 1;

/// A sender that is ready: it announces its table to every peer that connects.
struct Sender {
    bench: Option<Bench>,
    address: IpAddr,
    /// The session over which a daemon got its table.
    _loader: Option<WirePeer>,
}

/// Measures from Established until a sink has read the last route.
pub(super) fn to_sink(
    site: &Site,
    contestant: Contestant,
    table: Table,
) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let mut sender = Sender::start(site, runtime, contestant, table)?;
        sender.begin();
        let sink = dial(runtime, wire_end(SINK), sender.address, table)?;
        let end = until_held(runtime, &sink, table.count)?;

        let mut outcome = sender.outcome();
        outcome.set("seconds", (end - sink.established.into_std()).as_secs_f64());
        Ok(outcome)
    })
}

/// Measures from Established until BIRD has accepted the last route.
pub(super) fn to_bird(
    site: &Site,
    contestant: Contestant,
    table: Table,
) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let mut sender = Sender::start(site, runtime, contestant, table)?;
        sender.begin();

        let from = End { address: sender.address, asn: octets_end().asn };
        let config = RouterConfig::new(&DAEMON.address.to_string(), DAEMON.asn.0)
            .hold_time(HOLD_TIME)
            .quiet()
            .neighbor(Neighbor::new(&from.address.to_string(), from.asn.0));
        let bird = Bird::start(&site.daemon, config);
        let meter = Meter::start(bird.daemon().process_ids());
        let end = poll("all routes at BIRD", || {
            let complete = bird.accepted(from.address)? == u64::from(table.count);
            Ok(complete.then(Instant::now))
        })?;

        // BIRD itself knows best when the session came up.
        let (uptime, now) = (bird.uptime(from.address)?, Instant::now());
        let seconds = uptime.saturating_sub(now - end).as_secs_f64();
        let mut outcome = sender.outcome();
        outcome.set("seconds", seconds);
        outcome.set("receiver cpu", meter.cpu_time().as_secs_f64());
        outcome.set("receiver MB", meter.peak_mb());
        outcome.total_cpu += meter.cpu_time();
        Ok(outcome)
    })
}

impl Sender {
    fn start(
        site: &Site,
        runtime: &Runtime,
        contestant: Contestant,
        table: Table,
    ) -> Result<Self, String> {
        if contestant == Contestant::Octets {
            return Self::octets(runtime, table);
        }

        let ours = contestant == Contestant::Ferrolb;
        let peers = vec![wire_end(LOADER), wire_end(SINK), DAEMON];
        let bench = Bench::start(site, contestant, peers, |setup| {
            setup.routes = ours.then_some(table);
            setup.transit = !ours;
        });
        let loader = if ours { None } else { Some(load(runtime, &bench, table)?) };
        Ok(Self { bench: Some(bench), address: SUBJECT.into(), _loader: loader })
    }

    /// Octets that are written to each connection once its session is Established.
    fn octets(runtime: &Runtime, table: Table) -> Result<Self, String> {
        let own = octets_end();
        let octets = table.announcements(origin(own, table.ipv6), Order::Sorted);
        let listener = runtime.block_on(TcpListener::bind((own.address, 179)));
        let listener = listener.map_err(|error| error.to_string())?;
        runtime.spawn(serve_octets(listener, own, table, octets));
        Ok(Self { bench: None, address: own.address, _loader: None })
    }

    fn begin(&mut self) {
        if let Some(bench) = &mut self.bench {
            bench.begin();
        }
    }

    /// The figures of the sender's process, if it is one.
    fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(bench) = &self.bench {
            outcome.set("cpu", bench.cpu());
            outcome.set("MB", bench.peak_mb());
            outcome.total_cpu = bench.total_cpu();
        }
        outcome
    }
}

/// Gives a daemon its table.
pub(super) fn load(runtime: &Runtime, bench: &Bench, table: Table) -> Result<WirePeer, String> {
    let own = wire_end(LOADER);
    let loader = dial(runtime, own, SUBJECT.into(), table)?;
    send(runtime, &loader, table.announcements(origin(own, table.ipv6), Order::Sorted))?;
    bench.until_accepted(own.address, table.count)?;
    Ok(loader)
}

async fn serve_octets(listener: TcpListener, own: End, table: Table, octets: Bytes) {
    let terms = Terms { hold_time: HOLD_TIME, table, record: false };
    let mut sessions = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        if let Ok(peer) = WirePeer::start(stream, own, terms).await
            && peer.send(octets.clone()).await.is_ok()
        {
            sessions.push(peer);
        }
    }
}
