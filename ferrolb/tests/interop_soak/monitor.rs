//! Compares the tables of the routers and the addresses of Services with the model, and notes what is wrong.
//!
//! A path or an address counts if the model has not changed its mind about it for [`CHANGE`], and nothing has disturbed it: a
//! session that ended, a process that was killed, an API server that broke off its watches. So a route that no change
//! concerns must be there in every single look at the table. For a while after that time, which the run chooses, a difference
//! is late, which happens on a machine that is too busy for our processes. Any other difference is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::model::Wanted;
use crate::routers::{NAMES, Table, TablePath};

/// The time within which the routers must follow a change of an object.
pub(crate) const CHANGE: Duration = Duration::from_secs(5);

/// A difference from the model.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) is_late: bool,
    /// The time since the start of the run.
    at: Duration,
    what: String,
    /// The latest time at which it was still there.
    until: Duration,
}

impl Difference {
    /// The time between the first and the last look that showed it.
    pub(crate) fn lasted(&self) -> Duration {
        self.until - self.at
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_late, at, what, until } = self;
        let kind = if *is_late { "late" } else { "WRONG" };
        write!(f, "{kind}, {:.1} s to {:.1} s: {what}", at.as_secs_f64(), until.as_secs_f64())
    }
}

/// A path at one of the routers, or the address of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Path(usize, TablePath),
    Service(String),
}

/// The model with its past, and the differences so far.
#[derive(Debug)]
pub(crate) struct Monitor {
    begin: Instant,
    /// The time after [`CHANGE`] in which a difference is late, and not yet wrong.
    latest: Duration,
    wanted: Wanted,
    /// The time from which each subject counts. A subject that is not here counts already.
    settled: BTreeMap<Subject, Instant>,
    /// For each node and router, the same for all its paths.
    nodes: BTreeMap<(usize, IpAddr), Instant>,
    /// The same for everything.
    all: Instant,
    /// The same for the addresses of Services.
    addresses: Instant,
    /// The nodes whose paths at a router must be gone, as long as no session can come up.
    down: BTreeSet<IpAddr>,
    open: BTreeMap<Subject, Difference>,
    closed: Vec<Difference>,
    /// The number of paths that were judged, of those among them that would have been wrong and not late, and of those that
    /// were still settling.
    pub(crate) judged: u64,
    pub(crate) strict: u64,
    pub(crate) settling: u64,
    pub(crate) looks: u64,
    unanswered: u64,
}

impl Monitor {
    pub(crate) fn new(latest: Duration) -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            latest,
            wanted: Wanted::default(),
            settled: BTreeMap::new(),
            nodes: BTreeMap::new(),
            all: now,
            addresses: now,
            down: BTreeSet::new(),
            open: BTreeMap::new(),
            closed: Vec::new(),
            judged: 0,
            strict: 0,
            settling: 0,
            looks: 0,
            unanswered: 0,
        }
    }

    /// Takes what the objects ask for now. Everything that differs from before has [`CHANGE`] to follow.
    pub(crate) fn expect(&mut self, wanted: Wanted) {
        let now = Instant::now();
        let due = now + CHANGE;
        for path in self.wanted.paths.symmetric_difference(&wanted.paths) {
            for router in 0..NAMES.len() {
                self.settled.insert(Subject::Path(router, path.clone()), due);
            }
        }

        for (service, problem) in &wanted.services {
            let before = self.wanted.services.get(service);
            if before.is_none_or(Option::is_none) && problem.is_some() {
                self.settled.insert(Subject::Service(service.clone()), due);
            }
        }
        // What follows it is late for a while.
        self.settled.retain(|_, settled| *settled + self.latest + CHANGE > now);
        self.wanted = wanted;
    }

    /// Gives everything this time to settle.
    pub(crate) fn disturb_all(&mut self, time: Duration) {
        self.all = self.all.max(Instant::now() + time);
    }

    /// Gives the addresses of Services this time to settle.
    pub(crate) fn disturb_addresses(&mut self, time: Duration) {
        self.addresses = self.addresses.max(Instant::now() + time);
    }

    /// Gives the paths through a node this time to settle, at one router.
    pub(crate) fn disturb_session(&mut self, router: usize, node: IpAddr, time: Duration) {
        let due = Instant::now() + time;
        let settled = self.nodes.entry((router, node)).or_insert(due);
        *settled = due.max(*settled);
    }

    /// Gives the paths through a node this time to settle, after its speaker or its cable has gone or come back.
    pub(crate) fn set_down(&mut self, node: IpAddr, down: bool, time: Duration) {
        for router in 0..NAMES.len() {
            self.disturb_session(router, node, time);
        }
        if down {
            self.down.insert(node);
        } else {
            self.down.remove(&node);
        }
    }

    /// Judges the tables that were read since `begin`. `now` is what the objects ask for after that: what has changed in
    /// the meantime is not judged.
    pub(crate) fn judge(
        &mut self,
        begin: Instant,
        tables: [Result<Table, String>; 2],
        now: Wanted,
    ) {
        self.expect(now);
        self.looks += 1;
        let mut found = BTreeMap::new();
        for (router, table) in tables.into_iter().enumerate() {
            let Ok(table) = table else {
                self.unanswered += 1;
                continue;
            };
            let paths: BTreeSet<_> = table.keys().chain(&self.wanted.paths).cloned().collect();
            for path in paths {
                let subject = Subject::Path(router, path.clone());
                if !self.is_settled(&subject, begin) {
                    self.settling += 1;
                    continue;
                }
                self.judged += 1;
                self.strict += u64::from(!self.is_late(&subject, begin));
                if let Some(problem) = self.problem(&path, &table) {
                    found.insert(subject, problem);
                }
            }
        }

        for (service, problem) in &self.wanted.services {
            let subject = Subject::Service(service.clone());
            if let Some(problem) = problem
                && self.is_settled(&subject, begin)
            {
                found.insert(subject, problem.clone());
            }
        }
        self.note(begin, found);
    }

    fn is_settled(&self, subject: &Subject, begin: Instant) -> bool {
        self.settled_at(subject).is_none_or(|settled| settled <= begin)
    }

    /// Returns true if a difference of a subject that counts would only be late.
    fn is_late(&self, subject: &Subject, begin: Instant) -> bool {
        self.settled_at(subject).is_some_and(|settled| settled + self.latest > begin)
    }

    /// The time from which a subject counts.
    fn settled_at(&self, subject: &Subject) -> Option<Instant> {
        let own = self.settled.get(subject);
        let shared = match subject {
            Subject::Path(router, (_, hop)) => self.nodes.get(&(*router, *hop)),
            Subject::Service(_) => Some(&self.addresses),
        };
        own.into_iter().chain(shared).chain([&self.all]).max().copied()
    }

    fn problem(&self, path: &TablePath, table: &Table) -> Option<String> {
        let is_wanted = self.wanted.paths.contains(path) && !self.down.contains(&path.1);
        match (is_wanted, table.get(path)) {
            (true, None) => Some("missing".to_owned()),
            (false, Some(_)) => Some("not wanted".to_owned()),
            (true, Some(problem)) => problem.clone(),
            (false, None) => None,
        }
    }

    /// Opens, extends and closes the differences of a look that began at `begin`.
    fn note(&mut self, begin: Instant, found: BTreeMap<Subject, String>) {
        let at = self.begin.elapsed();
        for (subject, problem) in &found {
            let is_late = self.is_late(subject, begin);
            let what = match subject {
                Subject::Path(router, (prefix, hop)) => {
                    let owner = self.wanted.addresses.iter();
                    let owner = owner.filter(|(_, it)| prefix.starts_with(&format!("{it}/")));
                    let owner: Vec<_> = owner.map(|(service, _)| service).collect();
                    format!("{} {prefix} of {owner:?} through {hop}: {problem}", NAMES[*router])
                }
                Subject::Service(service) => format!("Service {service}: {problem}"),
            };
            let new = Difference { is_late, at, what, until: at };
            let difference = self.open.entry(subject.clone()).or_insert(new);
            difference.until = at;
            difference.is_late &= is_late;
        }

        let ended = self.open.keys().filter(|it| !found.contains_key(it)).cloned();
        let ended: Vec<_> = ended.collect();
        self.closed.extend(ended.iter().filter_map(|subject| self.open.remove(subject)));
    }

    /// The differences that are over.
    pub(crate) fn ended(&self) -> &[Difference] {
        &self.closed
    }

    /// All differences so far.
    pub(crate) fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.closed.iter().chain(self.open.values())
    }

    /// The looks at a table without an answer.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [bool; 0] = [];
    const LATEST: Duration = Duration::from_secs(20);

    fn path() -> TablePath {
        ("192.0.2.1/32".to_owned(), "172.22.35.25".parse().unwrap())
    }

    fn wanted(paths: &[TablePath]) -> Wanted {
        Wanted { paths: paths.iter().cloned().collect(), ..Wanted::default() }
    }

    fn tables(paths: &[TablePath]) -> [Result<Table, String>; 2] {
        let table: Table = paths.iter().map(|path| (path.clone(), None)).collect();
        [Ok(table.clone()), Ok(table)]
    }

    /// Looks once, with the clock ahead by this time. Returns the differences of both routers: true if they are only late.
    fn look(
        monitor: &mut Monitor,
        ahead: Duration,
        found: &[TablePath],
        asked: &[TablePath],
    ) -> Vec<bool> {
        monitor.judge(Instant::now() + ahead, tables(found), wanted(asked));
        monitor.open.values().map(|difference| difference.is_late).collect()
    }

    #[test]
    fn a_missing_route_is_late_after_a_while_and_then_wrong() {
        let mut monitor = Monitor::new(LATEST);
        assert_eq!(look(&mut monitor, Duration::ZERO, &[], &[path()]), NONE);
        assert_eq!(look(&mut monitor, CHANGE * 2, &[], &[path()]), [true; 2]);
        assert_eq!((monitor.judged, monitor.strict), (2, 0));
        assert_eq!(look(&mut monitor, CHANGE * 2 + LATEST, &[], &[path()]), [false; 2]);
        assert_eq!((monitor.judged, monitor.strict), (4, 2));
        assert_eq!(look(&mut monitor, Duration::ZERO, &[path()], &[path()]), NONE);
        assert_eq!(monitor.ended().len(), 2);
    }

    #[test]
    fn a_route_that_nobody_asked_for_is_wrong_at_once() {
        let mut monitor = Monitor::new(LATEST);
        monitor.all -= LATEST * 2;
        assert_eq!(look(&mut monitor, Duration::ZERO, &[path()], &[]), [false; 2]);
    }

    #[test]
    fn a_route_through_a_node_without_sessions_may_stay_for_a_time_and_must_then_be_gone() {
        let mut monitor = Monitor::new(LATEST);
        monitor.expect(wanted(&[path()]));
        monitor.set_down(path().1, true, CHANGE * 3);
        assert_eq!(look(&mut monitor, CHANGE * 2, &[path()], &[path()]), NONE);
        assert_eq!(look(&mut monitor, CHANGE * 4, &[], &[path()]), NONE);
        assert_eq!(look(&mut monitor, CHANGE * 4 + LATEST, &[path()], &[path()]), [false; 2]);
    }
}
