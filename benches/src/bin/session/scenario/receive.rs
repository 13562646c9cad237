//! A speaker reads a table from octets that were encoded before, and then its withdrawal.

use std::time::Instant;

use bytes::Bytes;
use test_peers::{Bird, Neighbor, Router, RouterConfig};

use crate::routes::{Order, Table};
use crate::site::{DAEMON, SUBJECT, Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, HOLD_TIME, Outcome, dial, run, send, until, until_held};

/// The peer that sends.
const SENDER: u16 = 0;

/// Measures from Established until the speaker has accepted the last route, and from the first withdrawal until it has none.
pub(super) fn measure(
    site: &Site,
    contestant: Contestant,
    table: Table,
    order: Order,
    recorded: Option<&Bytes>,
) -> Result<Outcome, String> {
    let own = wire_end(SENDER);
    let announcements = match order {
        Order::Bird => recorded.ok_or("no recording of BIRD's order")?.clone(),
        order => table.announcements(origin(own, table.ipv6), order),
    };

    site.peers.with_runtime(|runtime| {
        let mut bench = Bench::start(site, contestant, vec![own], |_| {});
        let mut outcome = Outcome::default();

        bench.begin();
        let sender = dial(runtime, own, SUBJECT.into(), table)?;
        send(runtime, &sender, announcements)?;
        let end = bench.until_accepted(own.address, table.count)?;
        outcome.set("seconds", (end - sender.established.into_std()).as_secs_f64());
        outcome.set("cpu", bench.cpu());
        outcome.set("MB", bench.peak_mb());

        bench.begin();
        let begin = Instant::now();
        send(runtime, &sender, table.withdrawals())?;
        let end = bench.until_accepted(own.address, 0)?;
        outcome.set("withdrawal seconds", (end - begin).as_secs_f64());
        outcome.set("withdrawal cpu", bench.cpu());
        outcome.total_cpu = bench.total_cpu();
        Ok(outcome)
    })
}

/// Gives a table to a BIRD with the AS of the sender, and returns the UPDATEs in which it passes the table on.
pub(super) fn record(site: &Site, table: Table) -> Result<Bytes, String> {
    let [loader, sink] = [1, 2].map(wire_end);
    let bird_end = End { address: DAEMON.address, asn: wire_end(SENDER).asn };
    let config =
        RouterConfig::new(&bird_end.address.to_string(), bird_end.asn.0).hold_time(HOLD_TIME);
    let config = [loader, sink].iter().fold(config.quiet().transit(), |config, end| {
        config.neighbor(Neighbor::new(&end.address.to_string(), end.asn.0).passive())
    });
    let _bird = Bird::start(&site.daemon, config);

    site.peers.with_runtime(|runtime| {
        let first = dial(runtime, loader, bird_end.address, table)?;
        send(runtime, &first, table.announcements(origin(loader, table.ipv6), Order::Sorted))?;
        // BIRD has the whole table once it has passed it on.
        let probe = dial(runtime, sink, bird_end.address, table)?;
        until_held(runtime, &probe, table.count)?;
        drop(probe);

        let terms = Terms { hold_time: HOLD_TIME, table, record: true };
        let dialling = runtime.spawn(WirePeer::dial(sink, bird_end.address, terms));
        let recorder = run(runtime, "a session", dialling)?.map_err(|error| error.to_string())?;
        let wanted = usize::try_from(table.count).unwrap_or(usize::MAX);
        until(runtime, &recorder, "BIRD's table", |now| now.held == wanted)?;
        let progress = recorder.progress.borrow();
        Ok(Bytes::copy_from_slice(&progress.recorded))
    })
}
