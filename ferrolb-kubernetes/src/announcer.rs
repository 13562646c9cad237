//! The sessions of a speaker's node, and their routes.
//!
//! Owns how a plan and its changes reach the sessions, and the rule by which a Service counts as announced to a peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_session::{Connector, GracefulShutdown, IpNet, Route};
use tokio::sync::Notify;

use super::node_conditions::ConfiguredPeer;
use ferrolb_node::events::{EventLog, RouteChanges, changed_routes};
use ferrolb_node::metrics;
use ferrolb_node::metrics::SessionSample;
use ferrolb_node::sessions::{
    DesiredSession, SessionKey, Sessions, SourceAddresses, desired_sessions,
};
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::{Plan, PlannedRoute, RouteKey};

/// Announces the routes of one node's plan.
pub(super) struct Announcer {
    node: String,
    sessions: Sessions,
    sources: SourceAddresses,
    /// The configuration and routes that were last applied to the sessions.
    desired: BTreeMap<SessionKey, DesiredSession>,
    /// The sessions that could not be opened at the last attempt, with the errors.
    failed: BTreeMap<SessionKey, String>,
    log: EventLog,
}

impl Announcer {
    /// No sessions yet. `changed` is notified when a session changes; `log` records what happens to sessions and routes.
    pub(super) fn new(
        node: &str,
        connector: Arc<dyn Connector>,
        changed: Arc<Notify>,
        log: EventLog,
    ) -> Self {
        Self {
            node: node.to_owned(),
            sessions: Sessions::new(changed, log.clone()).with_connector(connector),
            sources: SourceAddresses::default(),
            desired: BTreeMap::new(),
            failed: BTreeMap::new(),
            log,
        }
    }

    /// Returns the sessions, for an action of an operator.
    pub(super) fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// Brings all sessions and their routes in line with the plan. Returns true if the routes of any session changed.
    pub(super) async fn reconcile(&mut self, engine: &Engine) -> bool {
        let desired = desired_sessions(engine, &mut self.sources);
        let changed = changed_routes(&self.desired, &desired);
        self.desired = desired;
        let failed = self.sessions.apply(&self.desired).await;
        let failed: BTreeMap<_, _> =
            failed.into_iter().map(|(session, error)| (session, format!("{error:#}"))).collect();
        for (session, error) in &failed {
            // Each reconciliation tries again. An error that repeats is logged once.
            if self.failed.get(session) != Some(error) {
                tracing::error!("cannot open the session {session}: {error}");
            }
        }
        self.failed = failed;
        self.record(&changed);
        !changed.is_empty()
    }

    /// Waits until the system has accepted all routes of all Established sessions; see [`Sessions::routes_sent`].
    pub(super) fn routes_sent(&self) -> impl Future<Output = bool> + Send + use<> {
        self.sessions.routes_sent()
    }

    fn record(&self, changed: &BTreeMap<SessionKey, RouteChanges>) {
        for (session, changes) in changed {
            self.log.record_all(changes.events(session));
        }
    }

    /// Announces and withdraws the routes that have changed. Returns true if the routes of any session changed.
    pub(super) async fn update_routes(
        &mut self,
        engine: &Engine,
        routes: BTreeSet<RouteKey>,
    ) -> bool {
        let Some(plan) = engine.plan(&self.node) else { return false };
        let sessions = change_routes(plan, routes, &mut self.desired);
        for key in sessions.keys() {
            if let Some(desired) = self.desired.get(key) {
                self.sessions.announce(key, &desired.routes).await;
            }
        }
        self.record(&sessions);
        !sessions.is_empty()
    }

    /// Asks the sessions which routes they cannot carry. Returns the Services whose peers may have changed.
    pub(super) async fn refresh_unsendable(&mut self, engine: &Engine) -> BTreeSet<ServiceKey> {
        let changed = self.sessions.refresh_unsendable(false).await;
        match engine.plan(&self.node) {
            Some(plan) => services_of(plan, &changed),
            None => BTreeSet::new(),
        }
    }

    /// Returns the names of the peers to which a Service is announced, except for those whose session can carry none of its
    /// routes.
    pub(super) fn peers_of(&self, plan: &Plan, key: &ServiceKey) -> BTreeSet<String> {
        let mut peers = BTreeSet::new();
        for (peer, prefix) in plan.announced(key) {
            let session = SessionKey::new(plan.node(), &peer.peer.name);
            let unsendable = self.sessions.unsendable(&session);
            if unsendable.binary_search_by_key(&prefix, |route| route.prefix).is_err() {
                peers.insert(peer.peer.name.clone());
            }
        }
        peers
    }

    /// Returns the sessions.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Returns true if there is no session.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Returns the state of the sessions, for metrics and the status.
    pub(super) fn samples(&self, engine: &Engine) -> Vec<SessionSample> {
        metrics::session_samples(engine, &self.sessions, &self.node)
    }

    /// Returns the peers that the configuration gives to the node, even those whose session could not be opened.
    pub(super) fn configured_peers(&self, engine: &Engine) -> Vec<ConfiguredPeer> {
        let Some(plan) = engine.plan(&self.node) else { return Vec::new() };
        let peers = plan.peers.iter().map(|planned| ConfiguredPeer {
            name: planned.peer.name.clone(),
            endpoint: planned.peer.endpoint(),
            has_bfd: planned.peer.bfd_profile.is_some(),
        });
        peers.collect()
    }

    /// Drains all sessions and ends them. Dropping the future cancels the drain.
    pub(super) fn drain(
        &self,
        procedure: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.sessions.drain(procedure)
    }

    /// Starts over without sessions, after all of them have ended.
    pub(super) fn reset(&mut self) {
        self.sessions.forget_ended();
        self.desired.clear();
    }

    /// Ends all sessions in a way that lets routers keep the routes.
    pub(super) async fn close_for_restart(&mut self) {
        self.sessions.close_for_restart("ferrolb is restarting").await;
    }

    /// Ends all sessions.
    pub(super) async fn shut_down(&mut self) {
        self.sessions.shutdown("ferrolb is stopping").await;
    }
}

/// Applies the changes of a plan to the routes of the sessions. Returns the changes for each session in question.
fn change_routes(
    plan: &Plan,
    changed: BTreeSet<RouteKey>,
    desired: &mut BTreeMap<SessionKey, DesiredSession>,
) -> BTreeMap<SessionKey, RouteChanges> {
    let mut touched: BTreeMap<SessionKey, RouteChanges> = BTreeMap::new();
    for RouteKey { peer, prefix, .. } in changed {
        let Some(peer_plan) = plan.peer(&peer) else { continue };
        let key = SessionKey::new(plan.node(), &*peer);
        let Some(session) = desired.get_mut(&key) else { continue };

        let before = session.routes.get(&prefix).cloned();
        match peer_plan.routes.get(&prefix) {
            Some(route) => {
                let attributes = Arc::clone(route.attributes());
                session.routes.insert(Route::with_attributes(prefix, attributes));
            }
            None => drop(session.routes.remove(&prefix)),
        }
        let now = session.routes.get(&prefix);
        touched.entry(key).or_default().note(prefix, before.as_ref(), now);
    }
    touched
}

/// Returns the Services to which these routes of sessions belong.
fn services_of(
    plan: &Plan,
    changed: &BTreeMap<SessionKey, BTreeSet<IpNet>>,
) -> BTreeSet<ServiceKey> {
    let mut services = BTreeSet::new();
    for (session, prefixes) in changed {
        let Some(peer_plan) = plan.peer(&session.peer) else { continue };
        let routes = prefixes.iter().filter_map(|prefix| peer_plan.routes.get(prefix));
        services.extend(routes.flat_map(PlannedRoute::services).cloned());
    }
    services
}
