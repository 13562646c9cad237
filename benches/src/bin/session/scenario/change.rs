//! One route of a large table changes again and again, while everything else stays as it is.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::routes::{Order, Table};
use crate::sample::percentile;
use crate::site::{SUBJECT, Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::WirePeer;

use super::bench::{Bench, Outcome, dial, send, until};
use super::relay::{SENDER, all_hold, dial_all, ends};

/// The number of changes.
const CHANGES: u16 = 200;

/// Measures changes that a peer sends, each from its first octet until all receivers have it.
pub(super) fn measure(
    site: &Site,
    contestant: Contestant,
    table: Table,
    receivers: u16,
) -> Result<Outcome, String> {
    let own = wire_end(SENDER);
    let origin = origin(own, table.ipv6);

    site.peers.with_runtime(|runtime| {
        let mut bench =
            Bench::start(site, contestant, ends(receivers), |setup| setup.transit = true);
        let receivers = dial_all(runtime, receivers, table)?;
        let sender = dial(runtime, own, SUBJECT.into(), table)?;
        send(runtime, &sender, table.announcements(origin, Order::Sorted))?;
        all_hold(runtime, &receivers, table.count)?;

        let mut times = Vec::new();
        bench.begin();
        for version in 1..=CHANGES {
            let before = announced(&receivers);
            let begin = Instant::now();
            send(runtime, &sender, table.change(origin, version))?;
            let end = all_announced(runtime, &receivers, &before, 1)?;
            times.push((end - begin).as_secs_f64() * 1e3);
        }
        Ok(outcome(&bench, times))
    })
}

/// Measures changes of a route that our speaker announces itself.
pub(super) fn own(site: &Site, table: Table, receivers: u16) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let peers = ends(receivers).split_off(1);
        let mut bench = Bench::start(site, Contestant::Ferrolb, peers, |setup| {
            setup.routes = Some(table);
        });
        let receivers = dial_all(runtime, receivers, table)?;
        all_hold(runtime, &receivers, table.count)?;

        let mut times = Vec::new();
        bench.begin();
        for version in 1..=CHANGES {
            let before = announced(&receivers);
            let begin = Instant::now();
            bench.subject().change(version)?;
            let end = all_announced(runtime, &receivers, &before, 1)?;
            times.push((end - begin).as_secs_f64() * 1e3);
        }
        Ok(outcome(&bench, times))
    })
}

fn outcome(bench: &Bench, mut milliseconds: Vec<f64>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.set("ms of cpu a change", bench.cpu() * 1e3 / f64::from(CHANGES));
    milliseconds.sort_by(f64::total_cmp);
    for (name, share) in [("median ms", 0.5), ("p99 ms", 0.99)] {
        outcome.set(name, percentile(&milliseconds, share).unwrap_or_default());
    }
    outcome.set("MB", bench.peak_mb());
    outcome.total_cpu = bench.total_cpu();
    outcome
}

/// The number of prefixes that each receiver has been announced so far.
fn announced(receivers: &[WirePeer]) -> Vec<u64> {
    receivers.iter().map(|receiver| receiver.progress.borrow().announced).collect()
}

/// Waits until each receiver has been announced this many more, and returns the time at which the last one was.
fn all_announced(
    runtime: &Runtime,
    receivers: &[WirePeer],
    before: &[u64],
    more: u64,
) -> Result<Instant, String> {
    let mut last = None;
    for (receiver, before) in receivers.iter().zip(before) {
        let at = until(runtime, receiver, "a change", |now| now.announced >= before + more)?;
        last = last.max(Some(at));
    }
    last.ok_or_else(|| "no receivers".to_owned())
}
