//! What the scenarios share: a speaker under test, its wire peers, and waiting with a limit.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::interrupt;
use crate::routes::Table;
use crate::site::{SUBJECT, SUBJECT_AS, Site};
use crate::subject::{self, Contestant, Setup, Subject};
use crate::usage::Meter;
use crate::wire_peer::{End, Progress, Terms, WirePeer};

/// The time in which a table must have arrived everywhere. GoBGP needs about 20 s for a million routes.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// The least pause between two questions about the number of routes. It limits the resolution, and costs the daemon little.
const PAUSE: Duration = Duration::from_millis(1);
/// The interval in which waiting looks for an interrupt.
const GLANCE: Duration = Duration::from_millis(100);
/// The hold time of most sessions, longer than any step.
pub(super) const HOLD_TIME: u16 = 240;

/// The figures of a successful measurement.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) figures: BTreeMap<String, f64>,
    /// The CPU time of the daemons during all of it, preparation included.
    pub(crate) total_cpu: Duration,
}

impl Outcome {
    pub(super) fn set(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }
}

/// A speaker under test, with the meters of its processes.
pub(super) struct Bench {
    subject: Box<dyn Subject>,
    total: Meter,
    step: Meter,
}

impl Bench {
    /// Starts a contestant for these peers.
    pub(super) fn start(
        site: &Site,
        contestant: Contestant,
        peers: Vec<End>,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
        let mut setup = Setup {
            asn: SUBJECT_AS,
            address: SUBJECT,
            hold_time: HOLD_TIME,
            peers,
            transit: false,
            routes: None,
        };
        change(&mut setup);
        let subject = subject::start(contestant, &site.subject, &setup);
        let [total, step] = [(); 2].map(|()| Meter::start(subject.process_ids()));
        Self { subject, total, step }
    }

    pub(super) fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    /// Starts a measured step.
    pub(super) fn begin(&mut self) {
        self.step = Meter::start(self.subject.process_ids());
    }

    /// The CPU seconds since the step began.
    pub(super) fn cpu(&self) -> f64 {
        self.step.cpu_time().as_secs_f64()
    }

    /// The peak of memory so far, in MB.
    pub(super) fn peak_mb(&self) -> f64 {
        self.total.peak_mb()
    }

    /// The CPU time since the start.
    pub(super) fn total_cpu(&self) -> Duration {
        self.total.cpu_time()
    }

    /// Waits until the speaker has accepted this many routes of a peer.
    pub(super) fn until_accepted(&self, peer: IpAddr, routes: u32) -> Result<Instant, String> {
        poll(&format!("{routes} routes"), || match self.subject.accepted(peer)? {
            accepted if accepted == u64::from(routes) => Ok(Some(Instant::now())),
            _ => Ok(None),
        })
    }
}

/// Asks until there is an answer.
pub(super) fn poll<T>(
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let start = Instant::now();
    loop {
        let asked = Instant::now();
        match ask() {
            Ok(Some(answer)) => return Ok(answer),
            // A daemon that is busy may not answer in time.
            Ok(None) | Err(_) if interrupt::requested() => return Err(interrupt::REASON.to_owned()),
            Err(error) if start.elapsed() > LIMIT => return Err(format!("{what}: {error}")),
            Ok(None) if start.elapsed() > LIMIT => return Err(late(what)),
            // Some daemons are asked by a program of their own, which must not take a core for itself.
            Ok(None) | Err(_) => std::thread::sleep(PAUSE.max(asked.elapsed())),
        }
    }
}

fn late(what: &str) -> String {
    format!("{what}: not within {} s", LIMIT.as_secs())
}

/// Runs a future to its end, unless the limit passes or the run is interrupted.
pub(super) fn run<T>(
    runtime: &Runtime,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, String> {
    let start = Instant::now();
    runtime.block_on(async {
        tokio::pin!(future);
        loop {
            if let Ok(output) = timeout(GLANCE, &mut future).await {
                return Ok(output);
            }
            if interrupt::requested() {
                return Err(interrupt::REASON.to_owned());
            }
            if start.elapsed() > LIMIT {
                return Err(late(what));
            }
        }
    })
}

/// Opens a session from a wire peer to the speaker under test.
pub(super) fn dial(
    runtime: &Runtime,
    own: End,
    speaker: IpAddr,
    table: Table,
) -> Result<WirePeer, String> {
    let terms = Terms { hold_time: HOLD_TIME, table, record: false };
    // On the runtime's own thread, which also reads.
    let dialling = runtime.spawn(WirePeer::dial(own, speaker, terms));
    run(runtime, "a session", dialling)?.map_err(|error| error.to_string())
}

/// Waits until a wire peer has got so far, and returns the time of the read.
pub(super) fn until(
    runtime: &Runtime,
    peer: &WirePeer,
    what: &str,
    condition: impl Fn(&Progress) -> bool,
) -> Result<Instant, String> {
    let mut progress = peer.progress.clone();
    let reached = async {
        let found = progress.wait_for(|now| now.ended.is_some() || condition(now)).await;
        let now = found.map_err(|error| error.to_string())?;
        match &now.ended {
            Some(reason) => Err(format!("{what}: the session ended: {reason}")),
            None => Ok(now.at.into_std()),
        }
    };
    run(runtime, what, reached)?
}

/// Waits until a wire peer holds this many routes of its table.
pub(super) fn until_held(
    runtime: &Runtime,
    peer: &WirePeer,
    routes: u32,
) -> Result<Instant, String> {
    let wanted = usize::try_from(routes).unwrap_or(usize::MAX);
    until(runtime, peer, &format!("{routes} routes"), |now| now.held == wanted)
}

/// Writes messages to the speaker under test.
pub(super) fn send(
    runtime: &Runtime,
    peer: &WirePeer,
    messages: bytes::Bytes,
) -> Result<(), String> {
    run(runtime, "a place in the queue", peer.send(messages))?
}
