//! `ferrolb speaker`: announces, from one node, the Services that the node should carry.
//!
//! ```text
//! watches ──► mirror ──► engine ──► sessions          what is true ──► BGPNodeStatus, ServiceBGPStatus
//! ```
//!
//! Addresses are the controller's business: what a Service has is what its status says. While the API server is away
//! everything stays as it was. Sessions begin when all objects have been listed and what is probed has been tried, so
//! that the first table a router gets is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kube::Client;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::announced;
use super::configuration_state::ConfigurationState;
use super::drain::DrainTrigger;
use super::events::{self, Events};
use super::mirror::Mirror;
use super::node_status;
use super::resource::{Kind, Watched};
use super::service_bgp_status::{News, ServiceStatuses};
use super::status_object::{StatusObject, node_as_owner};
use super::watch::{Restarts, Seen, Watches};
use super::{OnExit, SpeakerOptions, assignment, client};
use ferrolb_node::Error;
use ferrolb_node::http::{self, StatusRequest};
use ferrolb_node::metrics::{self, ApiSample, ConfigSample, DrainSample, Latency, Sample};
use ferrolb_node::probe::NodeProbes;
use ferrolb_node::sessions::SourceAddresses;
use ferrolb_node::sessions::{DesiredSession, SessionKey, Sessions, desired_sessions};
use ferrolb_node::signals::Signals;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{NextHopPolicy, ServiceKey};
use lb_adapter::planner::{PlannerOptions, RouteKey};

/// Runs until a signal comes.
///
/// # Errors
///
/// Why it could not begin. Once it runs, neither the API server nor a router ends it.
pub async fn speaker(options: SpeakerOptions) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::new)?;
    let client = client::connect(options.cluster.kubeconfig.as_ref()).await?;
    let (_http, mut asked) = options.cluster.listen().await?;
    let mut speaker = Speaker::new(client, &options);
    tokio::select! {
        () = speaker.run(&mut asked) => {}
        () = signals.any() => {}
    }
    speaker.end(&options, &mut signals).await;
    Ok(())
}

/// Who fields belong to.
const MANAGER: &str = "ferrolb-speaker";

struct Speaker {
    node: String,
    watches: Watches,
    restarts: Restarts,
    mirror: Mirror,
    engine: Engine,
    synced: bool,
    sessions: Sessions,
    sources: SourceAddresses,
    probing: NodeProbes,
    /// The Services of which something else may have to be probed now; none stands for all.
    unprobed: Option<BTreeSet<ServiceKey>>,
    /// What the sessions were told.
    wanted: BTreeMap<SessionKey, DesiredSession>,
    /// The routes that are others now.
    changed: BTreeSet<RouteKey>,
    /// Whether the sessions themselves may be others.
    regrouped: bool,
    /// The Services whose status may be another.
    touched: BTreeSet<ServiceKey>,
    bell: Arc<Notify>,
    drain: DrainTrigger,
    statuses: ServiceStatuses,
    status: StatusObject,
    configuration: ConfigurationState,
    events: Events,
    latency: Latency,
    loaded_at: Option<f64>,
}

impl Speaker {
    fn new(client: Client, options: &SpeakerOptions) -> Self {
        let (namespace, node) = (options.cluster.namespace.clone(), options.node.clone());
        let restarts = Restarts::default();
        let bell = Arc::new(Notify::new());

        let mut watches = Watches::new(restarts.clone()).ringing(&bell);
        let others = [
            Watched::all(Kind::Service),
            Watched::all(Kind::EndpointSlice).with_labels("kubernetes.io/service-name"),
            Watched::all(Kind::Namespace),
            Watched::all(Kind::Node).named(&node),
        ];
        let watched: Vec<_> = options.cluster.configuration().into_iter().chain(others).collect();
        for watched in &watched {
            watches.watch(&client, watched.clone());
        }

        let planning = PlannerOptions {
            class: options.cluster.class.clone(),
            follow_status: true,
            ignore_exclude_label: options.ignore_exclude_label,
            probing: true,
            next_hop: NextHopPolicy::SessionAddress,
            ..PlannerOptions::default()
        };

        Self {
            watches,
            restarts,
            mirror: Mirror::new(&namespace, watched.iter().map(|watched| watched.kind)),
            engine: Engine::new(planning, Some(node.clone())),
            synced: false,
            sessions: Sessions::new(Arc::clone(&bell)),
            sources: SourceAddresses::default(),
            probing: NodeProbes::new(&node),
            unprobed: None,
            wanted: BTreeMap::new(),
            changed: BTreeSet::new(),
            regrouped: false,
            touched: BTreeSet::new(),
            bell,
            drain: DrainTrigger::new(options),
            statuses: ServiceStatuses::new(client.clone(), &namespace, &node, MANAGER),
            status: node_status::object(
                client.clone(),
                &namespace,
                &node,
                MANAGER,
                options.heartbeat,
            ),
            configuration: ConfigurationState::of_speaker(
                client.clone(),
                &namespace,
                &node,
                MANAGER,
            ),
            events: Events::new(client, MANAGER, options.cluster.pod.clone()),
            latency: Latency::new(),
            loaded_at: None,
            node,
        }
    }

    /// Goes on until it is dropped.
    async fn run(&mut self, asked: &mut mpsc::Receiver<StatusRequest>) {
        loop {
            self.drain_as_asked().await;
            tokio::select! {
                seen = self.watches.next() => self.take_all(seen).await,
                found = self.probing.next() => self.take_finding(found).await,
                () = self.bell.notified() => self.look_at_sessions().await,
                () = self.drain.ended() => self.drained(),
                // Before, it is not known what is announced, nor the Node that the objects go with.
                news = self.statuses.work(), if self.may_speak() => self.tell(news),
                () = self.status.due(), if self.synced => self.write_status(),
                () = self.configuration.object.due(), if self.synced => {
                    self.configuration.write(self.mirror.state(), None);
                }
                question = http::next_request(asked) => self.answer(question),
            }
        }
    }

    /// Looks at the sessions after a change. The peers to which a Service can be announced may have changed with it.
    async fn look_at_sessions(&mut self) {
        let changed = self.sessions.refresh_unsendable(false).await;
        if let Some(plan) = self.engine.plan(&self.node) {
            self.touched.extend(announced::services_of(plan, &changed));
        }
        self.note_services();
        self.status.mark();
    }

    /// Begins to drain, or calls it off, as the Node asks.
    async fn drain_as_asked(&mut self) {
        match (self.drain.wanted, self.drain.under_way.is_some()) {
            (true, false) if !self.drain.done => {
                tracing::warn!(node = self.node, "the Node asks to be drained");
                self.drain.since = Some(Instant::now());
                self.drain.under_way = Some(Box::pin(self.sessions.drain(&self.drain.how())));
            }
            (false, true) => {
                tracing::warn!(node = self.node, "the drain was called off");
                (self.drain.since, self.drain.under_way) = (None, None);
                self.regrouped = true;
                self.speak().await;
            }
            _ => return,
        }
        self.status.mark();
    }

    /// All sessions have ended by a drain.
    fn drained(&mut self) {
        tracing::warn!(node = self.node, "drained");
        (self.drain.since, self.drain.done) = (None, true);
        self.sessions = Sessions::new(Arc::clone(&self.bell));
        self.wanted.clear();
        self.touch_all();
        self.note_services();
        self.status.mark();
    }

    /// Ends the sessions as the operator chose, and says so.
    async fn end(mut self, options: &SpeakerOptions, signals: &mut Signals) {
        // A node that is to carry no traffic is not left for a restart.
        let on_exit = match options.on_exit {
            OnExit::Restart if self.drain.wanted => OnExit::Drain,
            other => other,
        };
        match on_exit {
            OnExit::Drain => {
                tracing::info!(marked = ?options.drain_marked, withdrawn = ?self.drain.withdrawn(), "draining");
                // One that is under way goes on: routes that are marked stay so.
                let under_way = self.drain.under_way.take();
                let mut drained =
                    under_way.unwrap_or_else(|| Box::pin(self.sessions.drain(&self.drain.how())));
                self.drain.since.get_or_insert_with(Instant::now);
                self.status.mark();
                loop {
                    tokio::select! {
                        () = &mut drained => break,
                        // A second signal does not wait.
                        () = signals.any() => break,
                        () = self.status.due(), if self.synced => self.write_status(),
                    }
                }
                (self.drain.since, self.drain.done) = (None, true);
            }
            OnExit::Restart => self.sessions.close_for_restart("ferrolb is restarting").await,
            OnExit::Withdraw => {}
        }
        self.sessions.shutdown("ferrolb is stopping").await;
        if self.synced {
            // Nobody renews it from now on.
            let status = node_status::ended(self.own_status());
            self.status.finish(status).await;
        }
    }

    async fn take_all(&mut self, seen: Option<Seen>) {
        let begin = Instant::now();
        let Some(seen) = seen else { return };
        self.take(seen);
        while let Some(seen) = self.watches.try_next() {
            self.take(seen);
        }
        self.settle();
        if self.speak().await {
            self.latency.observe(begin.elapsed().as_secs_f64());
        }
    }

    async fn take_finding(&mut self, found: Option<Change>) {
        found.into_iter().for_each(|found| self.apply(found));
        self.speak().await;
    }

    fn take(&mut self, seen: Seen) {
        if let Seen::Listed(kind, Some(listed)) = &seen {
            for name in self.mirror.missing(*kind, listed, &self.engine) {
                self.take(Seen::Gone(*kind, name));
            }
        }

        if let Seen::Applied(Kind::Node, node) = &seen {
            if let Some(uid) = node.text(&["metadata", "uid"]) {
                let owner = node_as_owner(&self.node, uid);
                self.status.set_owner(&owner);
                self.configuration.object.set_owner(&owner);
                self.statuses.set_owner(&owner);
            }
            let asks = self.drain.take(node);
            if self.drain.done && !asks {
                tracing::warn!(node = self.node, "the Node no longer asks to be drained");
                self.drain.done = false;
                self.regrouped = true;
                self.touch_all();
            }
            self.drain.wanted = asks;
        }

        let Some(change) = self.mirror.take(seen) else { return };
        self.apply(change);
    }

    fn settle(&mut self) {
        let before = self.mirror.state().clone();
        if let Some(config) = self.mirror.settle() {
            self.loaded_at =
                SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|it| it.as_secs_f64());
            tracing::info!("the configuration has been loaded");
            self.apply(config);
        }

        self.mirror.news().tell(&mut self.events);
        if *self.mirror.state() != before {
            self.status.mark();
            self.configuration.object.mark();
        }

        if !self.synced && self.mirror.is_complete() {
            self.synced = true;
            tracing::info!("all objects have been listed");
            self.apply(Change::Synced);
        }
        if self.synced {
            let gone = match self.unprobed.replace(BTreeSet::new()) {
                None => self.probing.update_all(&self.engine),
                Some(services) => self.probing.update(&self.engine, &services),
            };
            gone.into_iter().for_each(|gone| self.apply(gone));
        }
    }

    fn apply(&mut self, change: Change) {
        if let Change::Node(node) = &change
            && self.engine.nodes().any(|known| known == node)
        {
            // A Node changes every few minutes in what is not of interest here: images, heartbeats.
            return;
        }
        let all = matches!(
            change,
            Change::Config(_) | Change::Node(_) | Change::NodeGone(_) | Change::Synced
        );
        let probed = matches!(change, Change::Probed { .. });
        let effects = self.engine.apply(change);
        if all {
            self.regrouped = true;
            self.unprobed = None;
            self.touch_all();
        } else if let Some(unprobed) = self.unprobed.as_mut().filter(|_| !probed) {
            unprobed.extend(effects.planned.iter().cloned());
        }
        self.touched.extend(effects.planned);
        for changed in effects.routes.into_values() {
            self.changed.extend(changed);
        }
    }

    /// The status of every Service may be another.
    fn touch_all(&mut self) {
        self.touched.extend(self.engine.service_keys().cloned());
    }

    /// Whether it is known what is to be announced.
    fn may_speak(&self) -> bool {
        self.synced && !self.probing.first_attempts_are_pending()
    }

    /// Brings the sessions in line; says whether there was anything to do.
    async fn speak(&mut self) -> bool {
        if self.drain.done {
            self.changed.clear();
            self.note_services();
        }
        if !self.may_speak() || self.drain.done || self.drain.since.is_some() {
            return false;
        }
        if self.regrouped {
            self.regrouped = false;
            self.changed.clear();
            self.wanted = desired_sessions(&self.engine, &mut self.sources);
            for (session, error) in self.sessions.apply(&self.wanted).await {
                tracing::error!("no session of {session}: {error}");
            }
            self.note_services();
            return true;
        }
        let changed = std::mem::take(&mut self.changed);
        let plan = self.engine.plan(&self.node);
        let touched = plan.map(|plan| announced::change_routes(plan, changed, &mut self.wanted));
        let touched = touched.unwrap_or_default();
        for key in &touched {
            if let Some(wanted) = self.wanted.get(key) {
                self.sessions.announce(key, &wanted.routes).await;
            }
        }
        self.note_services();
        !touched.is_empty()
    }

    /// Hands on to which peers Services are announced now.
    fn note_services(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return;
        }
        let plan = self.engine.plan(&self.node).filter(|_| !self.drain.done);
        for key in touched {
            let peers = plan.map(|plan| announced::peers_of(plan, &key, &self.sessions));
            self.statuses.set(&key, peers.unwrap_or_default());
        }
        self.status.mark();
    }

    /// Tells of a Service that this node began to announce, or does not announce any more.
    fn tell(&mut self, news: News) {
        let told = assignment::told(news, &self.node, &self.engine, self.drain.done);
        if let Some((key, told)) = told {
            self.events.tell(events::service(&key.namespace, &key.name, None), told);
        }
    }

    fn drain_stage(&self) -> DrainSample {
        match self.drain.since {
            None if self.drain.done => DrainSample::Withdrawn,
            None => DrainSample::Serving,
            Some(_) => DrainSample::Graceful,
        }
    }

    fn write_status(&mut self) {
        let status = self.own_status();
        self.status.write(status);
    }

    fn own_status(&self) -> serde_json::Value {
        let services = match self.sessions.is_empty() {
            true => 0,
            false => self.engine.plan(&self.node).map_or(0, |plan| plan.services().count()),
        };
        let sessions = metrics::session_samples(&self.engine, &self.sessions, &self.node);
        let (drain, refused) = (self.drain_stage(), self.watches.refused());
        node_status::status(&self.node, self.mirror.state(), &sessions, services, drain, &refused)
    }

    fn answer(&self, question: StatusRequest) {
        match question {
            StatusRequest::Live(tell) => drop(tell.send(())),
            // A router that is down is no reason to restart this.
            StatusRequest::Ready(tell) => drop(tell.send(self.is_ready())),
            StatusRequest::Objects(tell) => drop(tell.send(Err(http::OBJECTS_NOT_KEPT.to_owned()))),
            StatusRequest::Metrics(tell) => {
                drop(tell.send(metrics::encode(&self.sample(), &self.latency).unwrap_or_default()));
            }
        }
    }

    /// Returns an error with the reason if the speaker is not ready.
    fn is_ready(&self) -> Result<(), String> {
        if !self.synced {
            return Err("not all objects have been listed yet".to_owned());
        }
        let state = self.mirror.state();
        // A speaker that is installed before it is configured is ready for its configuration.
        if !state.loaded && !state.is_absent {
            return Err("there has been no valid configuration yet".to_owned());
        }
        Ok(())
    }

    fn sample(&self) -> Sample {
        let (state, (updates, refused)) = (self.mirror.state(), self.mirror.counts());
        let restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sample {
            node: Some(self.node.clone()),
            config: ConfigSample::new(state.loaded, state.is_stale(), self.loaded_at),
            sessions: metrics::session_samples(&self.engine, &self.sessions, &self.node),
            probes: metrics::probe_samples(&self.engine, &self.node),
            announced: metrics::announced_addresses(&self.engine, &self.node),
            drain: self.drain_stage(),
            api: ApiSample::new(updates, refused, restarts),
            ..Sample::default()
        }
    }
}
