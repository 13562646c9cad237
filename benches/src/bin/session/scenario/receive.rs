//! A speaker reads a table from octets that were encoded before, and then its withdrawal.

use std::time::Instant;

use bytes::Bytes;
use test_peers::{Bird, Neighbor, Router, RouterConfig};

use crate::routes::{Order, Table};
use crate::site::{DAEMON, Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, Terms};

use super::bench::{Bench, HOLD_TIME, Outcome};

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
        let bench = Bench::start(site, runtime, contestant, vec![own], |_| {});
        let mut outcome = Outcome::default();

        let step = bench.begin();
        let sender = bench.dial(own, table)?;
        bench.send(&sender, announcements)?;
        let end = bench.until_accepted(own.address, table.count)?;
        outcome.set("seconds", (end - sender.established.into_std()).as_secs_f64());
        bench.end(&step, &mut outcome);

        let (step, begin) = (bench.begin(), Instant::now());
        bench.send(&sender, table.withdrawals())?;
        let end = bench.until_accepted(own.address, 0)?;
        outcome.set("withdrawal seconds", (end - begin).as_secs_f64());
        outcome.set("withdrawal cpu", step.cpu_time().as_secs_f64());
        outcome.total_cpu += step.cpu_time();
        Ok(outcome)
    })
}

/// Gives a table to a BIRD with the AS of the sender, and returns the UPDATEs in which it passes the table on.
pub(super) fn record(site: &Site, table: Table) -> Result<Bytes, String> {
    let [loader, sink] = [1, 2].map(wire_end);
    let bird_end = End { address: DAEMON.address, asn: wire_end(SENDER).asn };
    let config = RouterConfig::new(&bird_end.address.to_string(), bird_end.asn.0);
    let config = config.hold_time(HOLD_TIME).quiet().transit();
    let config = [loader, sink].iter().fold(config, |config, end| {
        config.neighbor(Neighbor::new(&end.address.to_string(), end.asn.0).passive())
    });
    let _bird = Bird::start(&site.daemon, config);

    site.peers.with_runtime(|runtime| {
        let bench = Bench::without_subject(runtime, bird_end.address);
        let loading = bench.dial(loader, table)?;
        bench.send(&loading, table.announcements(origin(loader, table.ipv6), Order::Sorted))?;
        // BIRD has the whole table once it has passed it on.
        let probe = bench.dial(sink, table)?;
        bench.until_held(&probe, table.count)?;
        drop(probe);

        let terms = Terms { hold_time: HOLD_TIME, table, record: true };
        let recorders = bench.dial_all(&[sink], terms)?;
        bench.until_all_hold(&recorders, table.count)?;
        let recorder = recorders.first().ok_or("no session")?;
        Ok(Bytes::copy_from_slice(&recorder.progress.borrow().recorded))
    })
}
