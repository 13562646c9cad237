//! The node that `ferrolb run` speaks for.
//!
//! Owns the engine, the state file and the sessions, and keeps them in line with the manifests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ferrolb_api::{DrainStage, Timestamp};
use ferrolb_node::api::Identity;
use ferrolb_node::drain::{Drain, DrainStep};
use ferrolb_node::events::{allocation_events, changed_routes};
use ferrolb_node::files::{ManifestResult, StateFile};
use ferrolb_node::grace::{GracePeriod, GracePeriodChange};
use ferrolb_node::metrics::Latency;
use ferrolb_node::probe::NodeProbes;
use ferrolb_node::sessions::{
    DesiredSession, SessionKey, Sessions, SourceAddresses, desired_sessions,
};
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::manifest::{Manifests, Source};
use lb_adapter::model::NextHopPolicy;
use lb_adapter::planner::PlannerOptions;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{RunArgs, log};
use crate::Failure;
use crate::input::{ConfigurationArgs, Reload};
use crate::output::Problems;

/// The node that this process speaks for.
#[derive(Debug)]
pub(super) struct NodeProcess {
    pub(super) name: String,
    pub(super) engine: Engine,
    grace: GracePeriod,
    state_file: StateFile,
    pub(super) sessions: Sessions,
    pub(super) drain: Drain,
    source_addresses: SourceAddresses,
    probes: NodeProbes,
    /// The sessions in force, with their routes.
    desired: BTreeMap<SessionKey, DesiredSession>,
    /// The sessions that could not be opened at the last attempt, with the errors.
    failed: BTreeMap<SessionKey, String>,
    /// The error of the last attempt to save the addresses.
    save_error: Option<String>,
    /// The files in force.
    pub(super) files: Vec<Source>,
    /// The time when they were read.
    pub(super) loaded_at: Option<Timestamp>,
    /// The directory or file that they are from.
    pub(super) source: PathBuf,
    pub(super) reload: Reload,
    pub(super) identity: Identity,
    pub(super) latency: Latency,
    pub(super) configuration: ConfigurationArgs,
    problems: Problems,
}

/// An event that changes the plan, other than new manifests.
#[derive(Debug)]
pub(super) enum NodeEvent {
    /// A probe result changed, or all probes have a first result.
    Probe(Option<Change>),
    /// The grace period is over.
    GracePeriodOver,
    /// The drain has reached this stage.
    Drain(DrainStage),
}

impl NodeProcess {
    pub(super) fn new(
        args: &RunArgs,
        identity: Identity,
        state_file: StateFile,
        problems: Problems,
    ) -> Self {
        let (name, cluster) = (args.node.clone(), &args.cluster);
        let events = identity.events().clone();
        let options = PlannerOptions {
            next_hop: NextHopPolicy::NodeAddress,
            or_session_address: true,
            probing: true,
            ..cluster.options()
        };

        Self {
            engine: Engine::new(options, Some(name.clone())).remembering(state_file.held()),
            probes: NodeProbes::new(&name, events.clone()),
            grace: GracePeriod::new(args.pool_grace_period),
            state_file,
            // Sessions log their own events, so nothing waits for this notification.
            sessions: Sessions::new(Arc::new(Notify::new()), events.clone()),
            drain: Drain::new(&name, args.drain.times(), events.clone()),
            source_addresses: SourceAddresses::default(),
            desired: BTreeMap::new(),
            failed: BTreeMap::new(),
            save_error: None,
            files: Vec::new(),
            loaded_at: None,
            source: args.dir.clone(),
            name,
            reload: Reload::new(problems, events),
            identity,
            latency: Latency::new(),
            configuration: cluster.configuration.clone(),
            problems,
        }
    }

    /// Returns the manifests of a reading, unless they have errors.
    pub(super) fn accept(&mut self, reading: ManifestResult) -> Option<Manifests> {
        let name = &self.name;
        self.reload.accept(reading, |manifests| check_node(name, manifests))
    }

    /// Puts manifests in force, and saves the addresses before anything is announced: an address that a router knows must
    /// survive a restart.
    pub(super) fn load(&mut self, mut manifests: Manifests) {
        self.files = std::mem::take(&mut manifests.sources);
        self.loaded_at = Some(Timestamp::now());

        let before = self.engine.config().map(Arc::as_ref);
        let grace = self.grace.update(before, &manifests.config);
        let mut effects = self.engine.load(manifests);
        match grace {
            Some(GracePeriodChange::Started) => {
                let seconds = self.grace.length().as_secs();
                tracing::warn!(
                    seconds,
                    "the last pool is gone: its addresses are kept for the grace period"
                );
            }
            Some(GracePeriodChange::Cancelled) => {
                tracing::info!("there is a pool again: no addresses are released");
            }
            Some(GracePeriodChange::Skipped) => {
                effects.extend(self.engine.apply(Change::GracePeriodOver));
            }
            None => {}
        }

        self.apply_effects(&effects);
    }

    /// Waits for a changed probe result, the end of the grace period, or the next stage of the drain.
    pub(super) async fn next_event(&mut self) -> NodeEvent {
        tokio::select! {
            change = self.probes.next() => NodeEvent::Probe(change),
            () = self.grace.expired() => NodeEvent::GracePeriodOver,
            stage = self.drain.advanced() => NodeEvent::Drain(stage),
        }
    }

    /// Applies an event to the engine.
    pub(super) fn apply_event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Probe(None) => {}
            NodeEvent::Probe(Some(change)) => {
                self.engine.apply(change);
            }
            NodeEvent::GracePeriodOver => self.release_addresses(),
            NodeEvent::Drain(stage) => self.note_drain_stage(stage),
        }
    }

    /// Releases the addresses that are in no pool.
    fn release_addresses(&mut self) {
        tracing::warn!("the grace period is over without a pool: releasing addresses");
        let effects = self.engine.apply(Change::GracePeriodOver);
        self.apply_effects(&effects);
    }

    /// Logs and saves changed addresses, and updates the probes.
    fn apply_effects(&mut self, effects: &Effects) {
        log::allocation(&effects.events);
        self.identity.events().record_all(allocation_events(&effects.events));

        let saved = self.state_file.save(&self.engine.held());
        let error = saved.err().map(|error| error.to_string());
        if let Some(error) = error.as_ref().filter(|error| self.save_error.as_ref() != Some(error))
        {
            tracing::warn!("{error}; addresses may change at the next start");
        }
        self.save_error = error;

        for change in self.probes.update_all(&self.engine) {
            self.engine.apply(change);
        }
    }

    /// Fails if the addresses could not be saved.
    pub(super) fn check_state_file(&self) -> Result<(), Failure> {
        match &self.save_error {
            Some(error) => Err(Failure::Unusable(error.clone())),
            None => Ok(()),
        }
    }

    /// Logs the start.
    pub(super) fn log_start(&self) {
        let peers: Vec<_> =
            self.engine.sessions().map(|(_, plan)| plan.peer.name.as_str()).collect();
        let state_file = self.state_file.path().map(|path| path.display().to_string());
        tracing::info!(node = self.name, peers = peers.join(", "), state_file, "speaking BGP");
    }

    /// Starts or ends a drain, as the operator requests.
    pub(super) async fn follow_drain_requests(&mut self) {
        match self.drain.due() {
            None => {}
            Some(DrainStep::Begin) => {
                self.drain.begin(self.sessions.drain(&self.drain.procedure()));
            }
            Some(DrainStep::Cancel | DrainStep::Resume) => {
                self.drain.serve();
                self.update_sessions().await;
            }
        }
    }

    fn note_drain_stage(&mut self, stage: DrainStage) {
        if stage == DrainStage::Drained {
            self.sessions.forget_ended();
            self.desired.clear();
        }
    }

    /// Brings the sessions in line with the plan. Before the first results of all probes, and during a drain, they stay as they
    /// are. Returns true if the routes of any session changed.
    pub(super) async fn update_sessions(&mut self) -> bool {
        if self.probes.first_attempts_are_pending() || !self.drain.is_serving() {
            return false;
        }

        let desired = desired_sessions(&self.engine, &mut self.source_addresses);
        let changed = changed_routes(&self.desired, &desired);
        log::changes(&changed, &desired, &self.engine);
        for (session, changes) in &changed {
            self.identity.events().record_all(changes.events(session));
        }

        let failed = self.sessions.apply(&desired).await;
        let failed = failed.into_iter().map(|(session, error)| (session, format!("{error:#}")));
        let failed: BTreeMap<_, _> = failed.collect();
        for (session, error) in &failed {
            // An error that repeats is reported once.
            if self.failed.get(session) != Some(error) {
                self.problems.error(&format!("cannot open the session {session}: {error}"));
            }
        }

        self.failed = failed;
        self.desired = desired;
        !changed.is_empty()
    }

    /// Records the time from a change of the files until the sessions have the routes, and until these are sent.
    pub(super) fn observe_latency(&self, begin: Instant) {
        self.latency.observe(begin.elapsed().as_secs_f64());
        self.latency.observe_sent(begin, self.sessions.routes_sent());
    }

    /// Ends the sessions.
    pub(super) async fn shutdown(&mut self) {
        self.sessions.shutdown("ferrolb is stopping").await;
    }
}

/// Fails if the manifests have no Node of this name.
pub(super) fn check_node(name: &str, manifests: &Manifests) -> Result<(), String> {
    let names: Vec<_> = manifests.nodes.iter().map(|node| node.name.as_str()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    if names.is_empty() {
        return Err(format!("expected a Node {name}, found no Node at all"));
    }
    Err(format!("expected a Node {name}, found only {}", names.join(", ")))
}
