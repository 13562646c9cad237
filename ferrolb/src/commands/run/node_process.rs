//! The node that `ferrolb run` speaks for.
//!
//! Owns the engine, the state file and the sessions, and keeps them in line with the manifests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferrolb_node::files::StateFile;
use ferrolb_node::grace::{GracePeriod, GracePeriodChange};
use ferrolb_node::http::StatusRequest;
use ferrolb_node::metrics::{self, ConfigSample, Latency, Sample};
use ferrolb_node::probe::NodeProbes;
use ferrolb_node::sessions::{
    DesiredSession, SessionKey, Sessions, SourceAddresses, desired_sessions,
};
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::manifest::{Manifests, Source};
use lb_adapter::model::NextHopPolicy;
use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::{ProcessSnapshot, SessionState};
use tokio::sync::Notify;

use super::log;
use crate::Failure;
use crate::input::{ClusterArgs, ConfigurationArgs};
use crate::output::Problems;

/// The node that this process speaks for.
#[derive(Debug)]
pub(super) struct NodeProcess {
    name: String,
    engine: Engine,
    grace: GracePeriod,
    state_file: StateFile,
    sessions: Sessions,
    source_addresses: SourceAddresses,
    probes: NodeProbes,
    /// The sessions in force, with their routes.
    desired: BTreeMap<SessionKey, DesiredSession>,
    /// The sessions that could not be opened at the last attempt, with the errors.
    failed: BTreeMap<SessionKey, String>,
    /// The error of the last attempt to save the addresses.
    save_error: Option<String>,
    /// The files in force.
    files: Vec<Source>,
    /// The time when they were read, in seconds since 1970.
    loaded_at: Option<f64>,
    latency: Latency,
    configuration: ConfigurationArgs,
    problems: Problems,
}

/// An event that changes the plan, other than new manifests.
#[derive(Debug)]
pub(super) enum NodeEvent {
    /// A probe result changed, or all probes have a first result.
    Probe(Option<Change>),
    /// The grace period is over.
    GracePeriodOver,
}

impl NodeProcess {
    pub(super) fn new(
        name: String,
        cluster: &ClusterArgs,
        state_file: StateFile,
        grace: GracePeriod,
        problems: Problems,
    ) -> Self {
        let options = PlannerOptions {
            next_hop: NextHopPolicy::NodeAddress,
            or_session_address: true,
            probing: true,
            ..cluster.options()
        };

        Self {
            engine: Engine::new(options, Some(name.clone())).remembering(state_file.held()),
            probes: NodeProbes::new(&name),
            grace,
            name,
            state_file,
            // Sessions log their own events, so nothing waits for this notification.
            sessions: Sessions::new(Arc::new(Notify::new())),
            source_addresses: SourceAddresses::default(),
            desired: BTreeMap::new(),
            failed: BTreeMap::new(),
            save_error: None,
            files: Vec::new(),
            loaded_at: None,
            latency: Latency::new(),
            configuration: cluster.configuration.clone(),
            problems,
        }
    }

    /// Returns the node's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts manifests in force, and saves the addresses before anything is announced: an address that a router knows must
    /// survive a restart.
    pub(super) fn load(&mut self, mut manifests: Manifests) {
        self.files = std::mem::take(&mut manifests.sources);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.loaded_at = now.ok().map(|time| time.as_secs_f64());

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

    /// Waits for a changed probe result, or the end of the grace period.
    pub(super) async fn next_event(&mut self) -> NodeEvent {
        tokio::select! {
            change = self.probes.next() => NodeEvent::Probe(change),
            () = self.grace.expired() => NodeEvent::GracePeriodOver,
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

        let saved = self.state_file.save(&self.engine.held());
        self.save_error = saved.err().map(|error| error.to_string());
        if let Some(error) = &self.save_error {
            tracing::warn!("{error}; addresses may change at the next start");
        }

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

    /// Brings the sessions in line with the plan. Before the first results of all probes, there are none.
    pub(super) async fn update_sessions(&mut self) {
        if self.probes.first_attempts_are_pending() {
            return;
        }

        let desired = desired_sessions(&self.engine, &mut self.source_addresses);
        log::changes(&self.desired, &desired, &self.engine);

        let failed = self.sessions.apply(&desired).await;
        let failed = failed.into_iter().map(|(session, error)| (session, error.to_string()));
        let failed: BTreeMap<_, _> = failed.collect();
        for (session, error) in &failed {
            // An error that repeats is reported once.
            if self.failed.get(session) != Some(error) {
                self.problems.error(&format!("cannot open the session {session}: {error}"));
            }
        }

        self.failed = failed;
        self.desired = desired;
    }

    /// Records the time from a change of the files to its effect.
    pub(super) fn observe_latency(&self, elapsed: Duration) {
        self.latency.observe(elapsed.as_secs_f64());
    }

    /// Answers a request over HTTP. `is_stale` is true if the files on disk are not in force.
    pub(super) async fn answer(&mut self, request: StatusRequest, is_stale: bool) {
        // The client may be gone, which is no error.
        match request {
            // There is a valid configuration from the start, and a router that is down is no reason for a restart.
            StatusRequest::Live(reply) => {
                let _ = reply.send(());
            }
            StatusRequest::Ready(reply) => {
                let _ = reply.send(Ok(()));
            }
            StatusRequest::Metrics(reply) => {
                let _ = reply.send(self.metrics(is_stale));
            }
            StatusRequest::Objects(reply) => {
                self.sessions.refresh_unsendable(true).await;
                let _ = reply.send(Ok(self.objects()));
            }
        }
    }

    fn metrics(&self, is_stale: bool) -> String {
        let sample = Sample {
            node: Some(self.name.clone()),
            config: ConfigSample::new(true, is_stale, self.loaded_at),
            pools: metrics::pool_samples(&self.engine),
            sessions: metrics::session_samples(&self.engine, &self.sessions, &self.name),
            probes: metrics::probe_samples(&self.engine, &self.name),
            announced: metrics::announced_addresses(&self.engine, &self.name),
            ..Sample::default()
        };
        metrics::encode(&sample, &self.latency).unwrap_or_default()
    }

    /// Returns the objects and states that make up a recording.
    fn objects(&self) -> ProcessSnapshot {
        let held = self.engine.service_keys().filter_map(|key| {
            let holding = self.engine.holding(key)?;
            Some((key.clone(), holding.addresses.to_vec()))
        });

        let sessions = metrics::session_samples(&self.engine, &self.sessions, &self.name);
        let sessions = sessions.into_iter().map(|session| {
            let is_up = session.status.is_established();
            let reason = if is_up { None } else { session.status.reason() };
            let mut state = SessionState::new(is_up, reason).with_unsendable(&session.unsendable);
            state.bfd_problem = session.status.bfd_problem().map(str::to_owned);
            state.families = session.status.families();
            ((self.name.clone(), session.endpoint), state)
        });

        let probed = self
            .engine
            .probe_statuses(&self.name)
            .map(|(service, status)| ((self.name.clone(), service.clone()), status.clone()));

        ProcessSnapshot {
            sources: self.files.clone(),
            namespace: self.configuration.namespace().to_owned(),
            config_map: self.configuration.config_map.clone(),
            held: held.collect(),
            sessions: sessions.collect(),
            probed: probed.collect(),
            dataplane: BTreeMap::new(),
        }
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
