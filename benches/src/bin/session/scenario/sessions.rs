//! Many peers of one speaker.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::interrupt;
use crate::routes::{Order, Table};
use crate::site::{Site, origin, wire_end};
use crate::subject::Contestant;
use crate::wire_peer::{End, Terms, WirePeer};

use super::bench::{Bench, Outcome};

/// The time that a speaker gets before its peers dial: some daemons accept no connections in their first seconds.
const SETTLING: Duration = Duration::from_secs(3);
/// The time over which idle sessions are watched.
const IDLE: Duration = Duration::from_secs(6);
/// The hold time, so short that sessions could be lost.
const HOLD_TIME: u16 = 9;
/// The time over which sessions with the same routes are watched, more than three hold times.
const WATCHED: Duration = Duration::from_secs(30);

/// Measures from the first connection until all sessions are Established, and then what idle sessions cost.
pub(super) fn connect(site: &Site, contestant: Contestant, peers: u16) -> Result<Outcome, String> {
    site.peers.with_runtime(|runtime| {
        let ends: Vec<End> = (0..peers).map(wire_end).collect();
        let bench = start(site, runtime, contestant, &ends);
        let terms = Terms { hold_time: HOLD_TIME, table: Table::new(0, 0), record: false };
        let mut outcome = Outcome::default();
        watch(SETTLING)?;

        let (step, begin) = (bench.begin(), Instant::now());
        let sessions = bench.dial_all(&ends, terms)?;
        let last = sessions.iter().map(|session| session.established.into_std()).max();
        outcome.set("seconds", (last.unwrap_or(begin) - begin).as_secs_f64());
        bench.end(&step, &mut outcome);

        let (step, begin) = (bench.begin(), Instant::now());
        watch(IDLE)?;
        let share = step.cpu_time().as_secs_f64() / begin.elapsed().as_secs_f64();
        outcome.set("idle %", share * 100.0);
        outcome.set("lost", lost(&sessions));
        outcome.total_cpu += step.cpu_time();
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
    let ends: Vec<End> = (0..peers).map(wire_end).collect();
    let streams: Vec<Bytes> =
        ends.iter().map(|end| table.announcements(origin(*end, false), Order::Sorted)).collect();

    site.peers.with_runtime(|runtime| {
        let bench = start(site, runtime, contestant, &ends);
        let terms = Terms { hold_time: HOLD_TIME, table, record: false };
        let sessions = bench.dial_all(&ends, terms)?;

        let step = bench.begin();
        for (session, stream) in sessions.iter().zip(streams) {
            // A session that is lost so early counts below.
            let _ = bench.send(session, stream);
        }
        watch(WATCHED)?;

        let mut outcome = Outcome::default();
        outcome.set("lost", lost(&sessions));
        bench.end(&step, &mut outcome);
        Ok(outcome)
    })
}

fn start<'a>(site: &Site, runtime: &'a Runtime, contestant: Contestant, ends: &[End]) -> Bench<'a> {
    Bench::start(site, runtime, contestant, ends.to_vec(), |setup| setup.hold_time = HOLD_TIME)
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
