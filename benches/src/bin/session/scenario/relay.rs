//! A speaker passes the table of one peer on to others, and then its withdrawal.

use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::site::{Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome};

/// The peer that sends. The receivers follow it.
const SENDER: u16 = 0;

/// The number of routes that share attributes where many peers send.
const PER_SET: u32 = 5;

/// A speaker that relays, with its peers.
pub(super) struct Relay<'a> {
    pub(super) bench: Bench<'a>,
    pub(super) own: End,
    pub(super) sender: WirePeer,
    pub(super) receivers: Vec<WirePeer>,
}

/// Measures from the first octet until the last receiver has read the last route, and the same for the withdrawal.
pub(super) fn measure(
    site: &Site,
    contestant: Contestant,
    table: Table,
    receivers: u16,
) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let relay = Relay::start(site, runtime, contestant, table, receivers)?;
        let Relay { bench, own, sender, receivers } = &relay;
        let announcements = table.announcements(origin(*own, table.ipv6), Order::Sorted);
        let mut outcome = Outcome::default();

        let (step, begin) = (bench.begin(), Instant::now());
        bench.send(sender, announcements)?;
        let end = bench.until_all_hold(receivers, table.count)?;
        outcome.set("seconds", (end - begin).as_secs_f64());
        bench.end(&step, &mut outcome);

        let (step, begin) = (bench.begin(), Instant::now());
        bench.send(sender, table.withdrawals())?;
        let end = bench.until_all_hold(receivers, 0)?;
        outcome.set("withdrawal seconds", (end - begin).as_secs_f64());
        outcome.set("withdrawal cpu", step.cpu_time().as_secs_f64());
        outcome.total_cpu += step.cpu_time();
        Ok(outcome)
    })
}

/// Measures from the first octet of many senders, each with its own part of the table, until one receiver has read the last
/// route.
pub(super) fn from_many(
    site: &Site,
    contestant: Contestant,
    senders: u16,
    routes: u32,
) -> Result<Outcome, String> {
    let table = Table::new(u32::from(senders) * routes, PER_SET);
    let ends = receiving_ends(senders);
    let streams = ends.iter().zip(0..).map(|(end, number): (&End, u32)| {
        let part = number * routes..(number + 1) * routes;
        table.announcements_of(origin(*end, false), Order::Sorted, part)
    });
    let streams: Vec<Bytes> = streams.collect();

    site.peers.with_runtime(|runtime| {
        let relay = Relay::start(site, runtime, contestant, table, senders)?;
        // The roles are exchanged.
        let Relay { bench, sender: receiver, receivers: senders, .. } = &relay;
        let mut outcome = Outcome::default();

        let (step, begin) = (bench.begin(), Instant::now());
        for (sender, stream) in senders.iter().zip(streams) {
            bench.send(sender, stream)?;
        }
        let end = bench.until_held(receiver, table.count)?;
        outcome.set("seconds", (end - begin).as_secs_f64());
        bench.end(&step, &mut outcome);
        Ok(outcome)
    })
}

impl<'a> Relay<'a> {
    /// Starts a speaker, and opens the sessions of the receivers and of the sender.
    pub(super) fn start(
        site: &Site,
        runtime: &'a Runtime,
        contestant: Contestant,
        table: Table,
        receivers: u16,
    ) -> Result<Self, String> {
        let own = wire_end(SENDER);
        let ends: Vec<End> = receiving_ends(receivers);
        let peers = [&[own], &*ends].concat();
        let bench = Bench::start(site, runtime, contestant, peers, |setup| setup.transit = true);
        let terms = Terms { hold_time: HOLD_TIME, table, record: false };
        let receivers = bench.dial_all(&ends, terms)?;
        let sender = bench.dial(own, table)?;
        Ok(Self { bench, own, sender, receivers })
    }
}

/// The receivers.
pub(super) fn receiving_ends(receivers: u16) -> Vec<End> {
    (SENDER + 1..=SENDER + receivers).map(wire_end).collect()
}
