//! `ferrolb run`: one node's part, against routers that exist.
//!
//! Owns where to dial from, what the log says, and what the process answers about itself. What is announced is
//! planned as everywhere.
//!
//! NEXT_HOP is the Node's address of the prefix's family from the manifests, whatever address the
//! session uses: the same on a link, and the right one for a router some hops away. A peer may say
//! otherwise. Over an interface, and where the Node has no such address, it is the session's.

mod args;
mod log;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use crate::cli::Failure;
use crate::input::Intake;
use crate::input::Start;
use crate::input::{ClusterArgs, ConfigurationArgs};
use crate::output::Problems;
pub use args::RunArgs;
use ferrolb_node::files::StateFile;
use ferrolb_node::grace::{GracePeriod, GracePeriodChange};
use ferrolb_node::http::{self, HttpServer, StatusRequest};
use ferrolb_node::metrics::{self, ConfigSample, Latency, Sample};
use ferrolb_node::probe::NodeProbes;
use ferrolb_node::sessions::SourceAddresses;
use ferrolb_node::sessions::{DesiredSession, SessionKey, Sessions, desired_sessions};
use ferrolb_node::signals::Signals;
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::manifest::{Manifests, Source};
use lb_adapter::model::NextHopPolicy;
use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::ProcessSnapshot;
use lb_adapter::recording::SessionState;

/// Speaks for one node until a signal comes.
///
/// # Errors
///
/// Why it could not begin. Once it runs, nothing in the files or on the network ends it.
pub async fn run(args: RunArgs, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;
    let by_default = args.state_file.is_none();
    let state_file = args.state_file.unwrap_or_else(|| default_state_file(&args.node));
    let configuration = args.cluster.configuration.clone();
    let start = Start::read(&args.dir, &configuration.manifests(), Some(state_file), problems)?;
    check_node(&args.node, &start.manifests).map_err(Failure::Unusable)?;
    let (_http, mut asked) = HttpServer::listen_if(args.http, "--http").await?;
    let grace = GracePeriod::new(args.pool_grace_period);
    let mut node = Node::new(args.node, &args.cluster, start.memory, grace, problems);

    node.decide(start.manifests);
    node.check_memory(by_default)?;
    node.introduce();
    node.speak().await;

    let mut intake = Intake::new(problems);
    let mut readings = start.source.follow();
    loop {
        tokio::select! {
            Some(reading) = readings.recv() => {
                let check = |manifests: &Manifests| check_node(&node.name, manifests);
                let begin = Instant::now();
                if let Some(manifests) = intake.take(reading, check) {
                    node.decide(manifests);
                    node.speak().await;
                    node.latency.observe(begin.elapsed().as_secs_f64());
                }
            }
            found = node.probing.next() => {
                found.into_iter().for_each(|found| drop(node.engine.apply(found)));
                node.speak().await;
            }
            () = node.grace.expired() => {
                node.release();
                node.speak().await;
            }
            question = http::next_request(&mut asked) => node.answer(question, intake.is_stale()).await,
            () = signals.any() => break,
        }
    }

    tracing::info!("ending the sessions");
    node.sessions.shutdown("ferrolb is stopping").await;
    Ok(())
}

/// The node that this process speaks for.
#[derive(Debug)]
struct Node {
    name: String,
    engine: Engine,
    grace: GracePeriod,
    memory: StateFile,
    sessions: Sessions,
    sources: SourceAddresses,
    probing: NodeProbes,
    /// What is in force.
    wanted: BTreeMap<SessionKey, DesiredSession>,
    /// The sessions that could not be opened, the last time, and why.
    refused: BTreeMap<SessionKey, String>,
    /// Why the addresses could not be remembered, the last time.
    forgetful: Option<String>,
    /// The files that are in force.
    files: Vec<Source>,
    /// When they were read, in seconds since 1970.
    loaded_at: Option<f64>,
    latency: Latency,
    configuration: ConfigurationArgs,
    problems: Problems,
}

impl Node {
    fn new(
        name: String,
        cluster: &ClusterArgs,
        memory: StateFile,
        grace: GracePeriod,
        problems: Problems,
    ) -> Self {
        let next_hop = NextHopPolicy::NodeAddress;
        let options = PlannerOptions {
            next_hop,
            or_session_address: true,
            probing: true,
            ..cluster.options()
        };
        Self {
            engine: Engine::new(options, Some(name.clone())).remembering(memory.held()),
            probing: NodeProbes::new(&name),
            grace,
            name,
            memory,
            // Nobody listens: sessions are logged where they are.
            sessions: Sessions::new(Arc::new(Notify::new())),
            sources: SourceAddresses::default(),
            wanted: BTreeMap::new(),
            refused: BTreeMap::new(),
            forgetful: None,
            files: Vec::new(),
            loaded_at: None,
            latency: Latency::new(),
            configuration: cluster.configuration.clone(),
            problems,
        }
    }

    /// Gives addresses, and remembers them before anything is announced: what a router has heard of
    /// must not be forgotten.
    fn decide(&mut self, mut manifests: Manifests) {
        self.files = std::mem::take(&mut manifests.sources);
        self.loaded_at =
            SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|it| it.as_secs_f64());

        let before = self.engine.config().map(Arc::as_ref);
        let turn = self.grace.update(before, &manifests.config);
        let mut effects = self.engine.load(manifests);
        match turn {
            Some(GracePeriodChange::Started) => {
                let seconds = self.grace.length().as_secs();
                tracing::warn!(
                    seconds,
                    "the last pool is gone: its addresses stay for the grace period"
                );
            }
            Some(GracePeriodChange::Cancelled) => {
                tracing::info!("there is a pool again: no address is released");
            }
            Some(GracePeriodChange::Skipped) => {
                effects.extend(self.engine.apply(Change::GracePeriodOver));
            }
            None => {}
        }

        self.remember(&effects);
    }

    /// Releases the addresses that are in no pool.
    fn release(&mut self) {
        tracing::warn!("there has been no pool for the grace period: addresses are released");
        let effects = self.engine.apply(Change::GracePeriodOver);
        self.remember(&effects);
    }

    /// Saves the addresses that Services hold now.
    fn remember(&mut self, effects: &Effects) {
        log::allocation(&effects.events);
        self.forgetful = self.memory.save(&self.engine.held()).err().map(|error| error.to_string());
        if let Some(why) = &self.forgetful {
            tracing::warn!("{why}; addresses may change with the next start");
        }
        for gone in self.probing.update_all(&self.engine) {
            self.engine.apply(gone);
        }
    }

    /// Says what it begins to do.
    fn introduce(&self) {
        let peers: Vec<_> =
            self.engine.sessions().map(|(_, plan)| plan.peer.name.as_str()).collect();
        let state_file = self.memory.path().map(|path| path.display().to_string());
        tracing::info!(node = self.name, peers = peers.join(", "), state_file, "speaking");
    }

    /// Brings the sessions in line. They begin when what is probed has been tried.
    async fn speak(&mut self) {
        if self.probing.first_attempts_are_pending() {
            return;
        }
        let wanted = desired_sessions(&self.engine, &mut self.sources);
        log::changes(&self.wanted, &wanted, &self.engine);
        let refused = self.sessions.apply(&wanted).await;
        let refused = refused.into_iter().map(|(session, error)| (session, error.to_string()));
        let refused: BTreeMap<_, _> = refused.collect();
        for (session, error) in &refused {
            // Once, however often it is tried.
            if self.refused.get(session) != Some(error) {
                self.problems.error(&format!("no session of {session}: {error}"));
            }
        }
        self.refused = refused;
        self.wanted = wanted;
    }

    /// Tells what was asked; `stale` is whether what is written is not in force.
    async fn answer(&mut self, question: StatusRequest, stale: bool) {
        match question {
            // It has a valid configuration from the start, and a router that is down is no reason to restart it.
            StatusRequest::Live(tell) => drop(tell.send(())),
            StatusRequest::Ready(tell) => drop(tell.send(Ok(()))),
            StatusRequest::Metrics(tell) => {
                let sample = Sample {
                    node: Some(self.name.clone()),
                    config: ConfigSample::new(true, stale, self.loaded_at),
                    pools: metrics::pool_samples(&self.engine),
                    sessions: metrics::session_samples(&self.engine, &self.sessions, &self.name),
                    probes: metrics::probe_samples(&self.engine, &self.name),
                    announced: metrics::announced_addresses(&self.engine, &self.name),
                    ..Sample::default()
                };
                drop(tell.send(metrics::encode(&sample, &self.latency).unwrap_or_default()));
            }
            StatusRequest::Objects(tell) => {
                self.sessions.refresh_unsendable(true).await;
                drop(tell.send(Ok(self.known())));
            }
        }
    }

    fn known(&self) -> ProcessSnapshot {
        let services = self.engine.service_keys().filter_map(|key| {
            let holding = self.engine.holding(key)?;
            Some((key.clone(), holding.addresses.to_vec()))
        });

        let sessions = metrics::session_samples(&self.engine, &self.sessions, &self.name);
        let sessions = sessions.into_iter().map(|session| {
            let up = session.status.is_established();
            let reason = if up { None } else { session.status.reason() };
            let mut state = SessionState::new(up, reason).with_unsendable(&session.unsendable);
            state.bfd_problem = session.status.bfd_problem().map(str::to_owned);
            state.families = session.status.families();
            ((self.name.clone(), session.endpoint), state)
        });

        let probed = self.engine.probe_statuses(&self.name);
        let probed =
            probed.map(|(service, found)| ((self.name.clone(), service.clone()), found.clone()));
        ProcessSnapshot {
            sources: self.files.clone(),
            namespace: self.configuration.namespace().to_owned(),
            config_map: self.configuration.config_map.clone(),
            held: services.collect(),
            sessions: sessions.collect(),
            probed: probed.collect(),
        }
    }

    /// Whoever named a state file wants one; the default one is done without if need be.
    fn check_memory(&self, by_default: bool) -> Result<(), Failure> {
        match &self.forgetful {
            Some(why) if !by_default => Err(Failure::Unusable(why.clone())),
            _ => Ok(()),
        }
    }
}

fn check_node(name: &str, manifests: &Manifests) -> Result<(), String> {
    let known: Vec<_> = manifests.nodes.iter().map(|node| node.name.as_str()).collect();
    match known.as_slice() {
        [] => Err(format!("expected a Node {name}, found no Node at all")),
        known if known.contains(&name) => Ok(()),
        known => Err(format!("expected a Node {name}, found only {}", known.join(", "))),
    }
}

fn default_state_file(node: &str) -> PathBuf {
    let directory = std::env::var_os("STATE_DIRECTORY").filter(|it| !it.is_empty());
    let directory = directory.map_or_else(|| PathBuf::from(STATE_DIRECTORY), PathBuf::from);
    directory.join(format!("{node}.json"))
}

/// Where state is kept by the Filesystem Hierarchy Standard.
const STATE_DIRECTORY: &str = "/var/lib/ferrolb";
