//! One run: the hosts and programs, the loop, and the report.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use test_peers::{Host, Lan};

use crate::churn::{Churn, Disturbance};
use crate::cluster::{Cluster, wait};
use crate::model::{Wanted, wanted};
use crate::monitor::Monitor;
use crate::programs::{API, NODES, Programs, ROUTER};
use crate::routers::{FRR, NAMES, Routers};
use crate::usage::{self, Usage};

/// The time between two looks at the tables.
const LOOK: Duration = Duration::from_millis(200);
/// The time between two lines about the progress.
const PROGRESS: Duration = Duration::from_secs(60);
/// In the warm-up, changes come so many times as often, so that the log of events of each program is full at its end.
const HURRY: usize = 10;
/// One of this many judged paths must be one that no change or disturbance excuses. With fewer, a run shows too little.
const STRICT: u64 = 10;

/// The times of a run, and what disturbs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The time with changes. It begins with the first routes.
    pub(crate) length: Duration,
    /// The time without a change at the end, in which everything settles and is judged once more.
    pub(crate) calm: Duration,
    /// The time in which a difference is late, and not yet wrong.
    pub(crate) latest: Duration,
    /// The time between two disturbances.
    pub(crate) distance: Duration,
    /// The disturbances; each occurs once in every round.
    pub(crate) round: &'static [Disturbance],
}

/// Runs the cluster at this pace, with changes from this seed.
///
/// # Panics
///
/// If a route was wrong, too few routes could have been, a process leaks or grows, or one has ended.
pub(crate) fn run(pace: Pace, seed: u64) {
    let lan = Lan::new();
    let routers = Routers::start(&lan);
    let host = |name: &str, address: Ipv4Addr| lan.host(name, &[&format!("{address}/24")]);
    let api = host("api", API);
    let nodes: BTreeMap<_, _> = NODES.map(|(name, address)| (name, host(name, address))).into();

    api.clone().enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
            let programs = start(api, nodes).await;
            let mut churn = Churn::new(seed, pace.distance, pace.round);
            churn.fill(&programs).await;
            wait_for_routes(&routers).await;
            Soak::new(programs, routers, churn, pace, seed).run().await;
        });
    });
}

async fn start(api: Host, nodes: BTreeMap<&'static str, Host>) -> Programs {
    let config = format!(
        "peers:\n\
         - {{my-asn: 64636, peer-asn: 64635, peer-address: {ROUTER}, hold-time: 9s}}\n\
         - {{my-asn: 64636, peer-asn: 64635, peer-address: {FRR}, hold-time: 9s}}\n\
         address-pools:\n- {{name: default, protocol: bgp, addresses: [172.22.36.0/24]}}\n"
    );
    let cluster = Cluster::at(API.into(), &config).await;
    let mut programs = Programs::start(cluster, api, nodes, &[], &[]).await;
    // The election of a cluster in use: short times would make leaders change whenever the machine is busy.
    programs.election.clear();
    programs.start_controller("a");
    programs.start_controller("b");
    programs
}

/// Waits until both routers have a route through every node.
async fn wait_for_routes(routers: &Routers) {
    wait("routes through every node", async || {
        let tables = tokio::task::block_in_place(|| routers.tables());
        for (router, table) in NAMES.iter().zip(tables) {
            let table = table?;
            for (node, address) in NODES {
                if !table.keys().any(|(_, hop)| *hop == address) {
                    return Err(format!("{router} has none through {node}"));
                }
            }
        }
        Ok(())
    })
    .await;
}

struct Soak {
    programs: Programs,
    routers: Routers,
    churn: Churn,
    monitor: Monitor,
    usage: Usage,
    begin: Instant,
    pace: Pace,
    seed: u64,
}

impl Soak {
    fn new(programs: Programs, routers: Routers, churn: Churn, pace: Pace, seed: u64) -> Self {
        let (monitor, usage) = (Monitor::new(pace.latest), Usage::new());
        Self { programs, routers, churn, monitor, usage, begin: Instant::now(), pace, seed }
    }

    async fn run(mut self) {
        let Pace { length, calm, .. } = self.pace;
        say(&format!("a soak of {} s with SEED={}", length.as_secs(), self.seed));
        let (mut progress, mut last) = (Instant::now() + PROGRESS, Instant::now());
        let mut reported = 0;
        let warm_up = usage::warm_up(length);
        while self.begin.elapsed() < length {
            let step = last.elapsed();
            last = Instant::now();
            let Self { churn, programs, routers, monitor, begin, .. } = &mut self;
            churn.step(step, programs, routers, monitor).await;
            if begin.elapsed() < warm_up {
                for _ in 1..HURRY {
                    churn.change(step, programs).await;
                }
            }
            self.look();
            for difference in &self.monitor.ended()[reported..] {
                say(&difference.to_string());
            }
            reported = self.monitor.ended().len();

            if Instant::now() >= progress {
                progress += PROGRESS;
                self.say_progress();
            }
            tokio::time::sleep(LOOK.saturating_sub(last.elapsed())).await;
        }

        self.churn.end(&mut self.programs, &mut self.monitor).await;
        let end = Instant::now();
        while end.elapsed() < calm {
            self.look();
            tokio::time::sleep(LOOK).await;
        }
        self.report().await;
    }

    /// Compares the tables with the objects, and takes samples if they are due.
    fn look(&mut self) {
        for program in self.programs.controllers.values_mut() {
            program.assert_running();
        }
        self.monitor.expect(self.wanted());
        let begin = Instant::now();
        let tables = tokio::task::block_in_place(|| self.routers.tables());
        let now = self.wanted();
        self.monitor.judge(begin, tables, now);

        if self.usage.is_due() {
            let own = |prefix: &str, programs: &BTreeMap<&str, test_peers::Process>| {
                let name = |(name, process): (&&str, &test_peers::Process)| {
                    (format!("{prefix} {name}"), process.process_ids().first().copied())
                };
                programs.iter().map(name).collect::<Vec<_>>()
            };
            let mut processes = own("controller", &self.programs.controllers);
            processes.extend(own("speaker", &self.programs.speakers));
            let routers = self.routers.processes();
            processes.extend(routers.map(|(name, id)| (name.to_owned(), id)));
            self.usage.sample(processes);
        }
    }

    fn wanted(&self) -> Wanted {
        let cluster = &self.programs.cluster;
        let server = cluster.server.as_ref().expect("a server of ours");
        wanted(server, &cluster.namespace, &cluster.class)
    }

    fn say_progress(&self) {
        let Monitor { looks, judged, strict, settling, .. } = self.monitor;
        let changes: u32 = self.churn.counts.values().sum();
        let seconds = self.begin.elapsed().as_secs();
        let late = self.monitor.differences().filter(|it| it.is_late).count();
        let wrong = self.monitor.differences().count() - late;
        say(&format!(
            "{seconds} s: {changes} changes, {looks} looks, {judged} paths judged, {strict} strictly, {settling} were settling, \
             {late} late, {wrong} wrong"
        ));
    }

    async fn report(mut self) {
        self.say_progress();
        let counts = self.churn.counts.iter().map(|(what, count)| format!("{what} {count}"));
        say(&format!("changes: {}", counts.collect::<Vec<_>>().join(", ")));
        let (table, mut wrong) = self.usage.table(&NAMES);
        say(&table);
        for program in self.programs.speakers.values_mut() {
            program.assert_running();
        }

        let unanswered = self.monitor.unanswered();
        if unanswered * 50 > self.monitor.looks {
            wrong.push(format!("{unanswered} of {} looks had no answer", self.monitor.looks));
        }
        let Monitor { judged, strict, .. } = self.monitor;
        if strict * STRICT < judged {
            wrong.push(format!("only {strict} of {judged} paths were judged strictly"));
        }

        let late = self.monitor.differences().filter(|it| it.is_late);
        if let Some(latest) = late.max_by_key(|it| it.lasted()) {
            say(&format!("the longest of the late changes: {latest}"));
        }
        let not_late = self.monitor.differences().filter(|it| !it.is_late);
        wrong.extend(not_late.map(ToString::to_string));
        let cluster = self.programs.end().await;
        cluster.end().await;
        assert!(wrong.is_empty(), "SEED={}:\n{}", self.seed, wrong.join("\n"));
    }
}

/// Prints at once: the test harness would keep it until the end.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
