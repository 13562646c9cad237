//! Many peers of one speaker.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::interrupt;
use crate::routes::{Order, Table};
use crate::site::{SUBJECT, Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{Terms, WirePeer};

use super::bench::{Bench, Outcome, run, send};

/// The time over which idle sessions are watched.
const IDLE: Duration = Duration::from_secs(6);
/// The hold time of the sessions that could be lost.
const SHORT_HOLD_TIME: u16 = 9;
/// The time over which sessions with the same routes are watched, more than three hold times.
const WATCHED: Duration = Duration::from_secs(30);

/// Measures from the first connection until all sessions are Established, and then what idle sessions cost.
pub(super) fn connect(site: &Site, contestant: Contestant, peers: u16) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let ends = (0..peers).map(wire_end).collect();
        let mut bench =
            Bench::start(site, contestant, ends, |setup| setup.hold_time = SHORT_HOLD_TIME);
        let mut outcome = Outcome::default();

        bench.begin();
        let begin = Instant::now();
        let sessions = dial_all(runtime, peers, Table::new(0, 0))?;
        let last = sessions.iter().map(|session| session.established.into_std()).max();
        outcome.set("seconds", (last.unwrap_or(begin) - begin).as_secs_f64());
        outcome.set("cpu", bench.cpu());

        bench.begin();
        let begin = Instant::now();
        watch(IDLE)?;
        outcome.set("idle %", bench.cpu() * 100.0 / begin.elapsed().as_secs_f64());
        outcome.set("lost", lost(&sessions));
        outcome.set("MB", bench.peak_mb());
        outcome.total_cpu = bench.total_cpu();
        Ok(outcome)
    })
}

/// Counts the sessions that are lost while all peers send the same routes at the same time.
pub(super) fn same_routes(
    site: &Site,
    contestant: Contestant,
    peers: u16,
    prefixes: u32,
) -> Result<Outcome, String> {
    let table = Table::new(prefixes, 1);
    let streams: Vec<Bytes> = (0..peers)
        .map(|number| table.announcements(origin(wire_end(number), false), Order::Sorted))
        .collect();

    site.peers.with_runtime(|runtime| {
        let ends = (0..peers).map(wire_end).collect();
        let mut bench =
            Bench::start(site, contestant, ends, |setup| setup.hold_time = SHORT_HOLD_TIME);
        let sessions = dial_all(runtime, peers, table)?;

        bench.begin();
        for (session, stream) in sessions.iter().zip(streams) {
            send(runtime, session, stream)?;
        }
        watch(WATCHED)?;

        let mut outcome = Outcome::default();
        outcome.set("lost", lost(&sessions));
        outcome.set("cpu", bench.cpu());
        outcome.set("MB", bench.peak_mb());
        outcome.total_cpu = bench.total_cpu();
        Ok(outcome)
    })
}

/// Opens all sessions at the same time.
fn dial_all(runtime: &Runtime, peers: u16, table: Table) -> Result<Vec<WirePeer>, String> {
    let terms = Terms { hold_time: SHORT_HOLD_TIME, table, record: false };
    let dialling: Vec<_> = (0..peers)
        .map(|number| runtime.spawn(WirePeer::dial(wire_end(number), SUBJECT.into(), terms)))
        .collect();
    let mut sessions = Vec::new();
    for session in dialling {
        let session = run(runtime, "all sessions", session)?;
        sessions.push(session.map_err(|error| error.to_string())?);
    }
    Ok(sessions)
}

fn lost(sessions: &[WirePeer]) -> f64 {
    let ended = sessions.iter().filter(|session| session.progress.borrow().ended.is_some());
    ended.count() as f64
}

/// Lets time pass.
fn watch(time: Duration) -> Result<(), String> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        if interrupt::requested() {
            return Err(interrupt::REASON.to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
