//! A speaker passes the table of one peer on to others, and then its withdrawal.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::site::{SUBJECT, Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, WirePeer};

use super::bench::{Bench, Outcome, dial, send, until_held};

/// The peer that sends. The receivers follow it.
pub(super) const SENDER: u16 = 0;

/// Measures from the first octet until the last receiver has read the last route, and the same for the withdrawal.
pub(super) fn measure(
    site: &Site,
    contestant: Contestant,
    table: Table,
    receivers: u16,
) -> Result<Outcome, String> {
    let own = wire_end(SENDER);
    let announcements = table.announcements(origin(own, table.ipv6), Order::Sorted);

    site.peers.with_runtime(|runtime| {
        let mut bench =
            Bench::start(site, contestant, ends(receivers), |setup| setup.transit = true);
        let receivers = dial_all(runtime, receivers, table)?;
        let sender = dial(runtime, own, SUBJECT.into(), table)?;
        let mut outcome = Outcome::default();

        bench.begin();
        let begin = Instant::now();
        send(runtime, &sender, announcements)?;
        let end = all_hold(runtime, &receivers, table.count)?;
        outcome.set("seconds", (end - begin).as_secs_f64());
        outcome.set("cpu", bench.cpu());
        outcome.set("MB", bench.peak_mb());

        bench.begin();
        let begin = Instant::now();
        send(runtime, &sender, table.withdrawals())?;
        let end = all_hold(runtime, &receivers, 0)?;
        outcome.set("withdrawal seconds", (end - begin).as_secs_f64());
        outcome.set("withdrawal cpu", bench.cpu());
        outcome.total_cpu = bench.total_cpu();
        Ok(outcome)
    })
}

/// The sender and the receivers.
pub(super) fn ends(receivers: u16) -> Vec<End> {
    (SENDER..=SENDER + receivers).map(wire_end).collect()
}

/// Opens the sessions of all receivers.
pub(super) fn dial_all(
    runtime: &Runtime,
    receivers: u16,
    table: Table,
) -> Result<Vec<WirePeer>, String> {
    let numbers = SENDER + 1..=SENDER + receivers;
    numbers.map(|number| dial(runtime, wire_end(number), SUBJECT.into(), table)).collect()
}

/// Waits until all receivers hold this many routes, and returns the time at which the last one did.
pub(super) fn all_hold(
    runtime: &Runtime,
    receivers: &[WirePeer],
    routes: u32,
) -> Result<Instant, String> {
    let mut last = Instant::now();
    for (number, receiver) in receivers.iter().enumerate() {
        let held = until_held(runtime, receiver, routes)?;
        last = if number == 0 { held } else { last.max(held) };
    }
    Ok(last)
}
