//! One route of a large table changes again and again, while everything else stays as it is.

use std::time::Instant;

use crate::routes::{Order, Table};
use crate::sample::percentile;
use crate::site::{Site, origin};
use crate::subject::Contestant;
use crate::wire_peer::{Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome, latest};
use super::relay::{Relay, receiving_ends};

/// The number of changes.
const CHANGES: u16 = 200;

/// Measures changes that a peer sends, each from its first octet until all receivers have it.
pub(super) fn measure(
    site: &Site,
    contestant: Contestant,
    table: Table,
    receivers: u16,
) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let relay = Relay::start(site, runtime, contestant, table, receivers)?;
        let Relay { bench, own, sender, receivers } = &relay;
        let origin = origin(*own, table.ipv6);
        bench.send(sender, table.announcements(origin, Order::Sorted))?;
        bench.until_all_hold(receivers, table.count)?;
        changes(bench, receivers, |version| bench.send(sender, table.change(origin, version)))
    })
}

/// Measures changes of a route that our speaker announces itself.
pub(super) fn own(site: &Site, table: Table, receivers: u16) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let ends = receiving_ends(receivers);
        let bench = Bench::start(site, runtime, Contestant::Ferrolb, ends.clone(), |setup| {
            setup.routes = Some(table);
        });
        let terms = Terms { hold_time: HOLD_TIME, table, record: false };
        let receivers = bench.dial_all(&ends, terms)?;
        bench.until_all_hold(&receivers, table.count)?;
        changes(&bench, &receivers, |version| bench.change(version))
    })
}

/// Makes one change after the other, each once all receivers have the one before.
fn changes(
    bench: &Bench<'_>,
    receivers: &[WirePeer],
    change: impl Fn(u16) -> Result<(), String>,
) -> Result<Outcome, String> {
    let mut milliseconds = Vec::new();
    let step = bench.begin();
    for version in 1..=CHANGES {
        let before: Vec<u64> =
            receivers.iter().map(|receiver| receiver.progress.borrow().announced).collect();
        let begin = Instant::now();
        change(version)?;
        let times = receivers.iter().zip(before).map(|(receiver, before)| {
            bench.until(receiver, "a change", |now| now.announced > before)
        });
        milliseconds.push((latest(times)? - begin).as_secs_f64() * 1e3);
    }

    let mut outcome = Outcome::default();
    bench.end(&step, &mut outcome);
    let cpu = step.cpu_time().as_secs_f64();
    outcome.set("ms of cpu a change", cpu * 1e3 / f64::from(CHANGES));
    milliseconds.sort_by(f64::total_cmp);
    for (name, share) in [("median ms", 0.5), ("p99 ms", 0.99)] {
        outcome.set(name, percentile(&milliseconds, share).unwrap_or_default());
    }
    Ok(outcome)
}
