//! What the scenarios share: a speaker under test, its wire peers, and waiting with a limit.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::interrupt;
use crate::routes::Table;
use crate::site::{SUBJECT, SUBJECT_AS, Site};
use crate::subject::{self, Contestant, Setup, Subject};
use crate::usage::Meter;
use crate::wire_peer::{End, Progress, Terms, WirePeer};

/// The time in which a table must have arrived everywhere. GoBGP needs about 20 s for a million routes.
const LIMIT: Duration = Duration::from_secs(120);
/// The least pause between two questions about the number of routes. It limits the resolution, and costs the daemon little.
const PAUSE: Duration = Duration::from_millis(1);
/// The interval in which waiting keeps the speaker awake and looks for an interrupt.
const GLANCE: Duration = Duration::from_millis(5);
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

/// A speaker under test, and the runtime of its wire peers.
pub(super) struct Bench<'a> {
    runtime: &'a Runtime,
    address: IpAddr,
    /// The speaker with the meter of its processes; `None` if no process is under test.
    subject: Option<(Box<dyn Subject>, Meter)>,
}

impl<'a> Bench<'a> {
    /// Starts a contestant for these peers.
    pub(super) fn start(
        site: &Site,
        runtime: &'a Runtime,
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
        let total = Meter::start(subject.process_ids());
        Self { runtime, address: SUBJECT.into(), subject: Some((subject, total)) }
    }

    /// Wire peers of a speaker that is not under test.
    pub(super) const fn without_subject(runtime: &'a Runtime, address: IpAddr) -> Self {
        Self { runtime, address, subject: None }
    }

    /// The address of the speaker.
    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Starts a measured step.
    pub(super) fn begin(&self) -> Meter {
        Meter::start(self.subject.as_ref().map(|(it, _)| it.process_ids()).unwrap_or_default())
    }

    /// Adds the CPU time of a step and the peak of memory so far, if a process is under test.
    pub(super) fn end(&self, step: &Meter, outcome: &mut Outcome) {
        if let Some((_, total)) = &self.subject {
            outcome.set("cpu", step.cpu_time().as_secs_f64());
            outcome.set("MB", total.peak_mb());
            outcome.total_cpu = total.cpu_time();
        }
    }

    /// Announces a version of one of our speaker's own routes.
    pub(super) fn change(&self, version: u16) -> Result<(), String> {
        self.subject()?.change(version)
    }

    /// Waits until the speaker has accepted this many routes of a peer.
    pub(super) fn until_accepted(&self, peer: IpAddr, routes: u32) -> Result<Instant, String> {
        let subject = self.subject()?;
        self.poll(&format!("{routes} routes"), || {
            let complete = subject.accepted(peer)? == u64::from(routes);
            Ok(complete.then(Instant::now))
        })
    }

    fn subject(&self) -> Result<&dyn Subject, String> {
        let subject = self.subject.as_ref().ok_or("no process is under test")?;
        Ok(&*subject.0)
    }

    fn nudge(&self) {
        if let Ok(subject) = self.subject() {
            subject.nudge();
        }
    }

    /// Asks until there is an answer.
    pub(super) fn poll<T>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        let start = Instant::now();
        loop {
            let asked = Instant::now();
            match ask() {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) | Err(_) if interrupt::requested() => {
                    return Err(interrupt::REASON.to_owned());
                }
                Err(error) if start.elapsed() > LIMIT => return Err(format!("{what}: {error}")),
                Ok(None) if start.elapsed() > LIMIT => return Err(late(what)),
                // A daemon that is busy may not answer in time. Some are asked by a program of their own, which must not take
                // a core for itself.
                Ok(None) | Err(_) => std::thread::sleep(PAUSE.max(asked.elapsed())),
            }
            self.nudge();
        }
    }

    /// Runs a future to its end, unless the limit passes or the run is interrupted.
    pub(super) fn run<T>(&self, what: &str, future: impl Future<Output = T>) -> Result<T, String> {
        let start = Instant::now();
        self.runtime.block_on(async {
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
                self.nudge();
            }
        })
    }

    /// Opens a session from a wire peer to the speaker.
    pub(super) fn dial(&self, own: End, table: Table) -> Result<WirePeer, String> {
        let terms = Terms { hold_time: HOLD_TIME, table, record: false };
        let mut sessions = self.dial_all(&[own], terms)?;
        sessions.pop().ok_or_else(|| "no session".to_owned())
    }

    /// Opens sessions from wire peers to the speaker, all at the same time.
    pub(super) fn dial_all(&self, ends: &[End], terms: Terms) -> Result<Vec<WirePeer>, String> {
        // On the runtime's own thread, which also reads.
        let dialling: Vec<_> = ends
            .iter()
            .map(|own| self.runtime.spawn(WirePeer::dial(*own, self.address, terms)))
            .collect();
        let mut sessions = Vec::new();
        for session in dialling {
            sessions.push(self.run("a session", session)?.map_err(|error| error.to_string())?);
        }
        Ok(sessions)
    }

    /// Waits until a wire peer has got so far, and returns the time of the read.
    pub(super) fn until(
        &self,
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
        self.run(what, reached)?
    }

    /// Waits until a wire peer holds this many routes of its table.
    pub(super) fn until_held(&self, peer: &WirePeer, routes: u32) -> Result<Instant, String> {
        let wanted = usize::try_from(routes).unwrap_or(usize::MAX);
        self.until(peer, &format!("{routes} routes"), |now| now.held == wanted)
    }

    /// Waits until all wire peers hold this many routes, and returns the time at which the last one did.
    pub(super) fn until_all_hold(
        &self,
        peers: &[WirePeer],
        routes: u32,
    ) -> Result<Instant, String> {
        latest(peers.iter().map(|peer| self.until_held(peer, routes)))
    }

    /// Writes messages to the speaker.
    pub(super) fn send(&self, peer: &WirePeer, messages: Bytes) -> Result<(), String> {
        self.run("a place in the queue", peer.send(messages))?
    }
}

/// The latest of several times.
pub(super) fn latest(
    times: impl Iterator<Item = Result<Instant, String>>,
) -> Result<Instant, String> {
    let times = times.collect::<Result<Vec<_>, _>>()?;
    times.into_iter().max().ok_or_else(|| "no peers".to_owned())
}

fn late(what: &str) -> String {
    format!("{what}: not within {} s", LIMIT.as_secs())
}
