//! A speaker that has a table announces it to a new peer.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use test_peers::{Bird, Neighbor, Router, RouterConfig};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::site::{DAEMON, SUBJECT_AS, Site, octets_end, origin, wire_end};
use crate::subject::Contestant;
use crate::usage::Meter;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome};

/// The peer that gives a daemon its table.
const LOADER: u16 = 0;
/// The peer that only reads.
const SINK: u16 = 1;

/// A sender that is ready: it announces its table to every peer that connects.
struct Sender<'a> {
    bench: Bench<'a>,
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
        let Sender { bench, _loader } = Sender::start(site, runtime, contestant, table)?;
        let step = bench.begin();
        let sink = bench.dial(wire_end(SINK), table)?;
        let end = bench.until_held(&sink, table.count)?;

        let mut outcome = Outcome::default();
        outcome.set("seconds", (end - sink.established.into_std()).as_secs_f64());
        bench.end(&step, &mut outcome);
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
        let Sender { bench, _loader } = Sender::start(site, runtime, contestant, table)?;
        let step = bench.begin();
        let bird = receiver(site, bench.address());
        let meter = Meter::start(bird.daemon().process_ids());
        let end = bench.poll("all routes at BIRD", || {
            let complete = bird.accepted(bench.address())? == u64::from(table.count);
            Ok(complete.then(Instant::now))
        })?;

        // BIRD itself knows best when the session came up.
        let (uptime, now) = (bird.uptime(bench.address())?, Instant::now());
        let mut outcome = Outcome::default();
        outcome.set("seconds", uptime.saturating_sub(now - end).as_secs_f64());
        bench.end(&step, &mut outcome);
        outcome.set("receiver cpu", meter.cpu_time().as_secs_f64());
        outcome.set("receiver MB", meter.peak_mb());
        outcome.total_cpu += meter.cpu_time();
        Ok(outcome)
    })
}

/// A BIRD that dials the sender.
fn receiver(site: &Site, sender: IpAddr) -> Bird {
    let config = RouterConfig::new(&DAEMON.address.to_string(), DAEMON.asn.0)
        .hold_time(HOLD_TIME)
        .quiet()
        .neighbor(Neighbor::new(&sender.to_string(), SUBJECT_AS.0));
    Bird::start(&site.daemon, config)
}

impl<'a> Sender<'a> {
    fn start(
        site: &Site,
        runtime: &'a Runtime,
        contestant: Contestant,
        table: Table,
    ) -> Result<Self, String> {
        if contestant == Contestant::Octets {
            return Self::octets(runtime, table);
        }

        let ours = contestant == Contestant::Ferrolb;
        let peers = vec![wire_end(LOADER), wire_end(SINK), DAEMON];
        let bench = Bench::start(site, runtime, contestant, peers, |setup| {
            setup.routes = ours.then_some(table);
            setup.transit = !ours;
        });
        let loader = if ours { None } else { Some(load(&bench, table)?) };
        Ok(Self { bench, _loader: loader })
    }

    /// Octets that are written to each connection once its session is Established.
    fn octets(runtime: &'a Runtime, table: Table) -> Result<Self, String> {
        let own = octets_end();
        let octets = table.announcements(origin(own, table.ipv6), Order::Sorted);
        let listener = runtime.block_on(TcpListener::bind((own.address, 179)));
        let listener = listener.map_err(|error| error.to_string())?;
        runtime.spawn(serve_octets(listener, own, table, octets));
        Ok(Self { bench: Bench::without_subject(runtime, own.address), _loader: None })
    }
}

/// Gives a daemon its table.
fn load(bench: &Bench<'_>, table: Table) -> Result<WirePeer, String> {
    let own = wire_end(LOADER);
    let loader = bench.dial(own, table)?;
    bench.send(&loader, table.announcements(origin(own, table.ipv6), Order::Sorted))?;
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
