//! The running parts of a lab: the nodes' sessions and the routers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::SpeakerError;
use ferrolb_api::Timestamp;
use ferrolb_node::api::Identity;
use ferrolb_node::events::{allocation_events, changed_routes};
use ferrolb_node::files::{ManifestResult, StateFile};
use ferrolb_node::sessions::{DesiredSession, SessionKey, SessionStatus, Sessions};
use lb_adapter::engine::Engine;
use lb_adapter::manifest::{Manifests, Source};
use lb_adapter::planner::{RouterTable, expected_router_table};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::LabArgs;
use super::layout::{Layout, desired_session, dialled_sessions};
use super::loopback::LoopbackAddresses;
use super::routers::Routers;
use crate::Failure;
use crate::input::{ConfigurationArgs, Reload};
use crate::output::Problems;

/// A cluster with its routers.
#[derive(Debug)]
pub(super) struct LabCluster {
    pub(super) engine: Engine,
    pub(super) identity: Identity,
    pub(super) configuration: ConfigurationArgs,
    /// The files in force.
    pub(super) files: Vec<Source>,
    /// The directory or file that they are from.
    pub(super) source: PathBuf,
    pub(super) reload: Reload,
    /// The time when the manifests in force were read.
    pub(super) loaded_at: Option<Timestamp>,
    state_file: StateFile,
    loopback: LoopbackAddresses,
    pub(super) routers: Routers,
    pub(super) sessions: Sessions,
    /// The configuration and routes that were last applied to the sessions.
    desired: BTreeMap<SessionKey, DesiredSession>,
    /// The planned tables of the routers.
    pub(super) expected: BTreeMap<SocketAddr, RouterTable>,
    /// Wakes the lab when a session or a table changes.
    wake: Arc<Notify>,
}

impl LabCluster {
    /// Returns a cluster without objects.
    pub(super) fn new(
        args: &LabArgs,
        identity: Identity,
        state_file: StateFile,
        problems: Problems,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let events = identity.events().clone();
        Self {
            engine: Engine::new(args.cluster.options(), None).remembering(state_file.held()),
            identity,
            configuration: args.cluster.configuration.clone(),
            files: Vec::new(),
            source: args.dir.clone(),
            reload: Reload::new(problems, events.clone()),
            loaded_at: None,
            state_file,
            loopback: LoopbackAddresses::default(),
            routers: Routers::new(args.port, Arc::clone(&wake)),
            sessions: Sessions::new(Arc::clone(&wake), events),
            desired: BTreeMap::new(),
            expected: BTreeMap::new(),
            wake,
        }
    }

    /// Puts the manifests of a reading in force, unless they have errors.
    ///
    /// # Errors
    ///
    /// The same as those of [`apply`](Self::apply).
    pub(super) async fn take(&mut self, reading: ManifestResult) -> Result<(), Failure> {
        match self.reload.accept(reading, |_| Ok(())) {
            Some(manifests) => self.apply(manifests).await,
            None => Ok(()),
        }
    }

    /// Puts manifests in force.
    ///
    /// # Errors
    ///
    /// The addresses cannot be saved, or a router cannot listen. Everything else is done nevertheless.
    pub(super) async fn apply(&mut self, mut manifests: Manifests) -> Result<(), Failure> {
        self.files = std::mem::take(&mut manifests.sources);
        let effects = self.engine.load(manifests);
        self.identity.events().record_all(allocation_events(&effects.events));
        self.loaded_at = Some(Timestamp::now());
        let saved = self.state_file.save(&self.engine.held());

        // New routers listen before the nodes dial, and old ones stop after the nodes have ended their sessions.
        let layout = Layout::new(&self.engine, &mut self.loopback);
        let prepared = self.routers.prepare(&layout.routers).await;
        let desired = self.desired_sessions(&layout);
        // The view shows sessions that could not be opened.
        self.sessions.apply(&desired).await;
        for (session, changes) in &changed_routes(&self.desired, &desired) {
            self.identity.events().record_all(changes.events(session));
        }
        self.desired = desired;
        self.routers.retain(&layout.routers).await;

        self.expected.clear();
        for router in layout.routers.keys() {
            let table = expected_router_table(self.engine.plans(), *router);
            self.expected.insert(*router, table);
        }

        saved.map_err(Failure::unusable)?;
        prepared.map_err(|error| match error {
            SpeakerError::Listen { .. } => Failure::Unusable(format!("{error:#}; try --port 0")),
            other => Failure::Unusable(format!("{other:#}")),
        })
    }

    fn desired_sessions(&self, layout: &Layout) -> BTreeMap<SessionKey, DesiredSession> {
        let mut desired = BTreeMap::new();
        let sessions = dialled_sessions(&self.engine).zip(&layout.sessions);
        for ((plan, peer_plan, _), session) in sessions {
            if let Some(address) = self.routers.listen_address(session.router) {
                let wanted = desired_session(session, address, plan, peer_plan);
                desired.insert(session.key.clone(), wanted);
            }
        }
        desired
    }

    /// Waits for a change, and for the changes that follow at once: for as long as the last check took, so that checks
    /// take at most half of the time.
    pub(super) fn changed(&self, last_check: Duration) -> impl Future<Output = ()> + use<> {
        let wake = Arc::clone(&self.wake);
        async move {
            wake.notified().await;
            sleep(last_check.clamp(MIN_BATCH, MAX_BATCH)).await;
        }
    }

    /// Returns the status of a session, if it runs.
    pub(super) fn status(&self, key: &SessionKey) -> Option<SessionStatus> {
        self.sessions.status(key)
    }

    /// Returns a note for each node with an unexpected loopback address.
    pub(super) fn loopback_notes(&self) -> impl Iterator<Item = String> {
        self.loopback.notes()
    }

    /// Ends the sessions and stops the routers.
    pub(super) async fn shutdown(&mut self) {
        self.sessions.shutdown("the lab is closing").await;
        self.routers.shutdown().await;
    }
}

/// Events come in bursts, which are worth one check.
const MIN_BATCH: Duration = Duration::from_millis(5);
/// The longest delay of a change on the screen.
const MAX_BATCH: Duration = Duration::from_millis(250);
