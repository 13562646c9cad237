//! `ferrolb run`: one node's part, against routers that exist.
//!
//! Owns where to dial from and what the log says. What is announced is planned as everywhere.
//!
//! NEXT_HOP is the Node's address of the prefix's family from the manifests, whatever address the
//! session uses: the same on a link, and the right one for a router some hops away.

mod log;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::args::RunArgs;
use crate::engine::{Change, Engine};
use crate::failure::Failure;
use crate::manifest::Manifests;
use crate::memory::Memory;
use crate::model::ServiceKey;
use crate::planner::{NextHopPolicy, Options, Probed};
use crate::probe::Prober;
use crate::report::Problems;
use crate::sessions::{SessionKey, Sessions, Wanted};
use crate::signals::Signals;
use crate::source::Intake;
use crate::source_address::SourceAddresses;
use crate::start::Start;
use crate::wanted;

/// Speaks for one node until a signal comes.
///
/// # Errors
///
/// Why it could not begin. Once it runs, nothing in the files or on the network ends it.
pub async fn run(args: RunArgs, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;
    let by_default = args.state_file.is_none();
    let state_file = args.state_file.unwrap_or_else(|| default_state_file(&args.node));
    let start = Start::read(&args.dir, Some(state_file), problems)?;
    check_node(&args.node, &start.manifests).map_err(Failure::Unusable)?;
    let (prober, mut found) = Prober::new();
    let mut node = Node::new(args.node, start.memory, prober, problems);
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
                if let Some(manifests) = intake.take(reading, check) {
                    node.decide(manifests);
                    node.speak().await;
                }
            }
            Some((service, probed)) = found.recv() => {
                node.take(service, probed);
                node.speak().await;
            }
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
    memory: Memory,
    sessions: Sessions,
    sources: SourceAddresses,
    prober: Prober,
    /// What is in force.
    wanted: BTreeMap<SessionKey, Wanted>,
    /// Why the addresses could not be remembered, the last time.
    forgetful: Option<String>,
    problems: Problems,
}

impl Node {
    fn new(name: String, memory: Memory, prober: Prober, problems: Problems) -> Self {
        let next_hop = NextHopPolicy::NodeAddress;
        let options = Options { next_hop, probing: true, ..Options::default() };
        Self {
            engine: Engine::new(options, Some(name.clone())).remembering(memory.held()),
            name,
            memory,
            // Nobody listens: sessions are logged where they are.
            sessions: Sessions::new(Arc::new(Notify::new())),
            sources: SourceAddresses::default(),
            prober,
            wanted: BTreeMap::new(),
            forgetful: None,
            problems,
        }
    }

    /// Gives addresses, and remembers them before anything is announced: what a router has heard of
    /// must not be forgotten.
    fn decide(&mut self, manifests: Manifests) {
        let effects = self.engine.load(manifests);
        log::allocation(&effects.events);
        self.forgetful = self.memory.save(&self.engine.held()).err().map(|error| error.to_string());
        if let Some(why) = &self.forgetful {
            tracing::warn!("{why}; addresses may change with the next start");
        }
        for service in self.prober.set(self.engine.probes(&self.name)) {
            let node = self.name.clone();
            self.engine.apply(Change::Probed { node, service, found: None });
        }
    }

    /// Takes in what a probe has found.
    fn take(&mut self, service: ServiceKey, probed: Probed) {
        match &probed {
            Probed::Up => tracing::info!(%service, "the probe is answered"),
            Probed::Held => tracing::info!(%service, "the probe is answered again, held down"),
            Probed::Down(why) => tracing::warn!(%service, "the probe fails: {why}"),
        }
        let (node, found) = (self.name.clone(), Some(probed));
        self.engine.apply(Change::Probed { node, service, found });
    }

    /// Says what it begins to do.
    fn introduce(&self) {
        let peers: Vec<_> =
            self.engine.sessions().map(|(_, plan)| plan.peer.name.as_str()).collect();
        for (_, plan) in self.engine.sessions() {
            if let Some(missing) = plan.peer.not_supported() {
                tracing::warn!(peer = plan.peer.name, "{missing}");
            }
        }
        let state_file = self.memory.path().map(|path| path.display().to_string());
        tracing::info!(node = self.name, peers = peers.join(", "), state_file, "speaking");
    }

    /// Brings the sessions in line.
    async fn speak(&mut self) {
        let wanted = wanted::sessions(&self.engine, &mut self.sources);
        log::changes(&self.wanted, &wanted, &self.engine);
        for (session, error) in self.sessions.apply(&wanted).await {
            self.problems.error(&format!("no session of {session}: {error}"));
        }
        self.wanted = wanted;
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
