//! Everything that is alive in a lab: the nodes' sessions and the routers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::SpeakerError;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::layout::{Layout, dialled, wanted_session};
use super::loopback::Loopback;
use super::routers::Routers;
use crate::cli::Failure;
use crate::output::SessionRow;
use ferrolb_node::files::StateFile;
use ferrolb_node::sessions::{DesiredSession, SessionKey, SessionStatus, Sessions};
use lb_adapter::engine::Engine;
use lb_adapter::manifest::Manifests;
use lb_adapter::planner::{PlannerOptions, RouterTable, expected_router_table};

/// The lab's cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) engine: Engine,
    memory: StateFile,
    loopback: Loopback,
    pub(super) routers: Routers,
    pub(super) sessions: Sessions,
    /// What the routers should hold.
    expected: BTreeMap<SocketAddr, RouterTable>,
    bell: Arc<Notify>,
}

impl Cluster {
    /// Nothing yet. The routers will listen on this port.
    pub(super) fn new(port: u16, options: PlannerOptions, memory: StateFile) -> Self {
        let bell = Arc::new(Notify::new());
        Self {
            engine: Engine::new(options, None).remembering(memory.held()),
            memory,
            loopback: Loopback::default(),
            routers: Routers::new(port, Arc::clone(&bell)),
            sessions: Sessions::new(Arc::clone(&bell)),
            expected: BTreeMap::new(),
            bell,
        }
    }

    /// Puts these manifests in force.
    ///
    /// # Errors
    ///
    /// The addresses cannot be remembered, or a router cannot listen. What could be done is done.
    pub(super) async fn apply(&mut self, manifests: Manifests) -> Result<(), Failure> {
        self.engine.load(manifests);
        let remembered = self.memory.save(&self.engine.held());
        let layout = Layout::of(&self.engine, &mut self.loopback);
        let prepared = self.routers.prepare(&layout.routers).await;
        let wanted = self.wanted(&layout);
        // What could not be opened, the sessions tell.
        self.sessions.apply(&wanted).await;
        self.routers.retain(&layout.routers).await;
        let plans = self.engine.plans();
        let expected = |router: &SocketAddr| expected_router_table(plans.clone(), *router);
        self.expected = layout.routers.keys().map(|it| (*it, expected(it))).collect();
        remembered.map_err(Failure::unusable)?;
        prepared.map_err(|error| match error {
            SpeakerError::Listen { .. } => Failure::Unusable(format!("{error}; try --port 0")),
            other => Failure::unusable(other),
        })
    }

    /// Waits for something to happen, and for what happens together with it: for as long as it took
    /// to look at the last time, so that looking leaves the sessions half of the time.
    pub(super) async fn changed(&self, looking: Duration) {
        self.bell.notified().await;
        sleep(looking.clamp(TOGETHER, LONGEST)).await;
    }

    /// Whether all is as it should be. While much is missing this is much faster than to say what.
    pub(super) fn is_as_planned(&self) -> bool {
        let up = self.picture_of_sessions().iter().all(SessionRow::is_established);
        up && self
            .expected
            .iter()
            .all(|(router, expected)| self.routers.len(*router) >= expected.len())
            && self.differences().is_empty()
    }

    /// What is not as it should be; nothing if all is.
    pub(super) fn differences(&self) -> Vec<String> {
        let sessions = self.picture_of_sessions().into_iter().filter_map(|row| {
            let why = row.reason.as_deref().unwrap_or("not yet up");
            let up = row.is_established();
            (!up).then(|| format!("session {} with {}: {}: {why}", row.node, row.peer, row.state))
        });
        let mut differences: Vec<String> = sessions.collect();
        for (router, expected) in &self.expected {
            let router_name = router.ip();
            let found = expected.diff(&self.table(*router));
            differences.extend(found.into_iter().map(|it| format!("router {router_name}: {it}")));
        }
        differences
    }

    pub(super) async fn shutdown(&mut self) {
        self.sessions.shutdown("the lab is closing").await;
        self.routers.shutdown().await;
    }

    /// A session's status, if it could be asked for.
    pub(super) fn status(&self, key: &SessionKey) -> Option<SessionStatus> {
        self.sessions.status(key)
    }

    /// The nodes that dial from where one would not look for them.
    pub(super) fn loopback_notes(&self) -> impl Iterator<Item = String> {
        self.loopback.notes()
    }

    fn wanted(&self, layout: &Layout) -> BTreeMap<SessionKey, DesiredSession> {
        let sessions = dialled(&self.engine).zip(&layout.links);
        let wanted = sessions.filter_map(|((plan, peer_plan, _), link)| {
            let listens_at: SocketAddr = self.routers.listens_at(link.router)?;
            let wanted = wanted_session(link, listens_at, plan, peer_plan);
            Some((link.key.clone(), wanted))
        });
        wanted.collect()
    }
}

/// Events come in bursts, which are worth one look.
const TOGETHER: Duration = Duration::from_millis(5);
/// Nobody should wait longer to see what is new.
const LONGEST: Duration = Duration::from_millis(250);
