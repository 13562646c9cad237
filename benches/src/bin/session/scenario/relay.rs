//! A speaker passes the table of one peer on to others, and then its withdrawal.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::site::{Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome};

/// The peer that sends. The receivers follow it.
const SENDER: u16 = 0;

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
