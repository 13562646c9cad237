//! `ferrolb speaker`: announces Services from one node.
//!
//! ```text
//! Informer ──► Engine ──► PendingUpdates ──► Announcer (sessions)
//!                                       └──► SpeakerReports (BGPNodeStatus, ServiceBGPStatus, Events)
//! ```
//!
//! The controller assigns addresses; the speaker takes those in the status of each Service. While the API server is unreachable,
//! everything stays as it is. Sessions start once all objects have been listed and all probes have been tried once, so that the
//! first table that a router gets is complete.

use std::sync::Arc;

use kube::Client;
use tokio::sync::{Notify, mpsc};

use super::announcer::Announcer;
use super::dataplane::Dataplane;
use super::dataplane_events::DataplaneEvents;
use super::drain::DrainTrigger;
use super::informer::{Informer, Settled};
use super::node_status::SpeakerState;
use super::pending_updates::{ChangeScope, PendingUpdates, Targets};
use super::resource::{Kind, WatchTarget};
use super::service_bgp_status::AnnouncementChange;
use super::speaker_reports::SpeakerReports;
use super::surroundings::{NodeNetwork, Surroundings};
use super::watch::WatchEvent;
use super::{
    OnExit, SpeakerOptions, announcement_events, client, events, node_status, reachability,
};
use ferrolb_api::{DrainStage, Program};
use ferrolb_node::Error;
use ferrolb_node::api::{Identity, answer};
use ferrolb_node::drain::{Drain, DrainRequester, DrainStep};
use ferrolb_node::http::{StatusRequest, next_request};
use ferrolb_node::metrics::Latency;
use ferrolb_node::probe::NodeProbes;
use ferrolb_node::signals::Signals;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{NextHopPolicy, ServiceKey};
use lb_adapter::planner::PlannerOptions;

/// Runs until a signal arrives.
///
/// # Errors
///
/// The speaker could not start. Once it runs, neither the API server nor a router ends it.
pub async fn speaker(options: SpeakerOptions) -> Result<(), Error> {
    let signals = Signals::new().map_err(Error::new)?;
    let client = client::connect(options.cluster.kubeconfig.as_ref()).await?;
    let identity = options.cluster.process(Program::Speaker, Some(&options.node));
    reachability::record_in(identity.events());
    let (_http, requests) = options.cluster.listen(&identity, &client).await?;

    let surroundings = Surroundings { identity, client, requests, signals };
    // It is large, and would make all futures around it large.
    Box::pin(run_speaker(options, surroundings, NodeNetwork::of_host())).await;
    Ok(())
}

/// Runs a speaker in these surroundings until a signal arrives.
pub async fn run_speaker(
    options: SpeakerOptions,
    surroundings: Surroundings,
    network: NodeNetwork,
) {
    let Surroundings { identity, client, mut requests, mut signals } = surroundings;
    let mut speaker = Speaker::new(&client, &options, identity, network);
    tokio::select! {
        biased;
        () = signals.any() => {}
        () = speaker.run(&mut requests) => {}
    }
    speaker.end(&options, &mut signals).await;
}

/// The speaker of one node: its state, its sessions and its reports.
pub(super) struct Speaker {
    pub(super) node: String,
    pub(super) namespace: String,
    pub(super) identity: Identity,
    pub(super) informer: Informer,
    pub(super) engine: Engine,
    probing: NodeProbes,
    pub(super) dataplane: Dataplane,
    pending: PendingUpdates,
    pub(super) announcer: Announcer,
    pub(super) drain: Drain,
    drain_trigger: DrainTrigger,
    dataplane_events: DataplaneEvents,
    reports: SpeakerReports,
    pub(super) latency: Latency,
    /// Notified when a session changes, or when the API server starts or stops refusing a watch.
    changed: Arc<Notify>,
}

impl Speaker {
    fn new(
        client: &Client,
        options: &SpeakerOptions,
        identity: Identity,
        network: NodeNetwork,
    ) -> Self {
        let node = options.node.clone();
        let changed = Arc::new(Notify::new());
        let log = identity.events().clone();

        let mut targets = options.cluster.configuration();
        targets.extend([
            WatchTarget::all(Kind::Service),
            WatchTarget::all(Kind::EndpointSlice).with_labels("kubernetes.io/service-name"),
            WatchTarget::all(Kind::Namespace),
            WatchTarget::all(Kind::Node).named(&node),
        ]);
        let namespace = options.cluster.namespace.clone();
        let informer =
            Informer::new(client.clone(), &namespace, targets, Arc::clone(&changed), log.clone());

        let planning = PlannerOptions {
            class: options.cluster.class.clone(),
            follow_status: true,
            ignore_exclude_label: options.ignore_exclude_label,
            probing: true,
            next_hop: NextHopPolicy::SessionAddress,
            dataplane_gate: Some(options.dataplane.gate),
            ..PlannerOptions::default()
        };

        Self {
            namespace,
            identity,
            informer,
            engine: Engine::new(planning, Some(node.clone())),
            probing: NodeProbes::new(&node, log.clone()),
            dataplane: Dataplane::new(client, network.dataplane, options),
            pending: PendingUpdates::default(),
            announcer: Announcer::new(&node, network.connector, Arc::clone(&changed), log.clone()),
            dataplane_events: DataplaneEvents::new(&node, log.clone()),
            drain: Drain::new(&node, options.drain, log),
            drain_trigger: DrainTrigger::new(options),
            reports: SpeakerReports::new(client, options),
            latency: Latency::new(),
            changed,
            node,
        }
    }

    /// Runs until it is dropped.
    async fn run(&mut self, requests: &mut mpsc::Receiver<StatusRequest>) {
        loop {
            self.follow_drain_requests().await;

            self.dataplane.set_reported(self.reports.node_status.reported());
            let has_synced = self.informer.has_synced();
            // Before that, neither the announcements nor the Node that owns the objects is known.
            let may_announce = self.may_announce();
            // Each change is an Event. The writes of statuses are faster than those of Events, and wait for them.
            let events_have_room = self.reports.events.has_room();
            // The order is fixed, so that a simulation can repeat it. No branch keeps the later ones waiting for long: each has a
            // queue of bounded size, and the tasks that fill it run only while this one waits.
            tokio::select! {
                biased;
                request = next_request(requests) => answer(self, request).await,
                stage = self.drain.advanced() => self.note_drain_stage(stage),
                () = self.changed.notified() => self.follow_sessions().await,
                changes = self.dataplane.next() => self.take_dataplane(changes).await,
                change = self.probing.next() => self.take_probe_result(change).await,
                Some(event) = self.informer.next() => self.take_all(event).await,
                change = self.reports.services.next(), if may_announce && events_have_room => {
                    self.report(change);
                }
                () = self.reports.events.room(), if !events_have_room => {}
                () = self.reports.node_status.due(), if has_synced => self.write_node_status(),
                () = self.reports.configuration.object.due(), if has_synced => {
                    self.reports.configuration.write(self.informer.config_status(), None);
                }
            }
        }
    }

    /// Processes an event and all events that are queued behind it, and announces the result.
    async fn take_all(&mut self, event: WatchEvent) {
        let begin = self.informer.received_at();
        self.take(event);
        while let Some(event) = self.informer.try_next() {
            self.take(event);
        }

        self.settle();
        if self.announce().await {
            self.latency.observe(begin.elapsed().as_secs_f64());
            self.latency.observe_sent(begin, self.announcer.routes_sent());
        }
    }

    fn take(&mut self, event: WatchEvent) {
        for deletion in self.informer.missed_deletions(&event, &self.engine) {
            self.take_one(deletion);
        }
        self.take_one(event);
    }

    fn take_one(&mut self, event: WatchEvent) {
        if let WatchEvent::Applied(Kind::Node, node) = &event {
            self.reports.set_owner(node);
            self.drain_trigger.observe(node, &mut self.drain);
        }

        if let Some(update) = self.informer.take(event) {
            self.apply(update.into());
        }
    }

    /// Applies the configuration once no event is waiting.
    fn settle(&mut self) {
        let Settled { config, has_new_status } = self.informer.settle(&mut self.reports.events);
        if let Some(config) = config {
            self.informer.note_loaded();
            self.apply(Change::Config(config));
        }
        if has_new_status {
            self.reports.node_status.mark();
            self.reports.configuration.object.mark();
        }

        if self.informer.note_synced() {
            tracing::info!("all objects have been listed");
            self.apply(Change::Synced);
        }
        if self.informer.has_synced() {
            self.update_targets();
        }
    }

    /// Brings the probes and the dataplane gate in line with the engine.
    fn update_targets(&mut self) {
        let changes = match self.pending.take_probes() {
            Targets::All => self.probing.update_all(&self.engine),
            Targets::Of(services) => self.probing.update(&self.engine, &services),
        };
        for change in changes {
            self.apply(change);
        }

        let reports = &self.reports.services;
        let is_announced = |key: &ServiceKey| reports.is_announced(key);
        match self.pending.take_dataplane() {
            Targets::All => self.dataplane.update_all(&self.engine, is_announced),
            Targets::Of(services) => self.dataplane.update(&self.engine, &services, is_announced),
        }
        loop {
            let changes = self.dataplane.take_changes();
            if changes.is_empty() {
                break;
            }
            self.dataplane_events.record(&changes);
            for change in changes {
                self.apply(change);
            }
        }
        self.pack_when_settled();
    }

    /// Frees memory after the dataplane has changed many Services one by one.
    fn pack_when_settled(&mut self) {
        if self.dataplane.pack_when_settled() {
            self.engine.pack();
        }
    }

    fn apply(&mut self, change: Change) {
        if let Change::Node(node) = &change
            && self.engine.nodes().any(|known| known == node)
        {
            // A Node changes every few minutes in ways that do not matter here: images, heartbeats.
            return;
        }

        let scope = ChangeScope::of(&change);
        let effects = self.engine.apply(change);
        self.pending.note(scope, effects, &self.engine);
    }

    async fn take_probe_result(&mut self, change: Option<Change>) {
        if let Some(change) = change {
            self.apply(change);
            self.update_targets();
        }
        self.announce().await;
    }

    async fn take_dataplane(&mut self, changes: Vec<Change>) {
        self.dataplane_events.record(&changes);
        self.dataplane_events.record_proxy(self.dataplane.proxy_is_healthy());
        for change in changes {
            self.apply(change);
        }
        self.pack_when_settled();

        self.reports.node_status.mark();
        self.announce().await;
    }

    /// Follows a change of the sessions, which may change the peers to which a Service can be announced.
    async fn follow_sessions(&mut self) {
        let services = self.announcer.refresh_unsendable(&self.engine).await;
        self.pending.note_services(services);
        self.report_services();
        self.reports.node_status.mark();
    }

    /// Starts or ends a drain, as the Node and the operator request.
    pub(super) async fn follow_drain_requests(&mut self) {
        match self.drain.due() {
            None => return,
            Some(DrainStep::Begin) => {
                self.drain.begin(self.announcer.drain(&self.drain.procedure()));
            }
            Some(DrainStep::Cancel) => {
                self.drain.serve();
                self.pending.note_sessions();
                self.announce().await;
            }
            Some(DrainStep::Resume) => {
                self.drain.serve();
                self.pending.note_all(&self.engine);
                self.announce().await;
            }
        }
        self.reports.node_status.mark();
    }

    fn note_drain_stage(&mut self, stage: DrainStage) {
        if stage == DrainStage::Drained {
            self.announcer.reset();
            self.pending.note_all_services(&self.engine);
            self.report_services();
        }
        self.reports.node_status.mark();
    }

    /// Returns true if the routes to announce are known.
    fn may_announce(&self) -> bool {
        self.informer.has_synced()
            && !self.probing.first_attempts_are_pending()
            && !self.dataplane.first_checks_are_pending()
    }

    /// Brings the sessions in line with the plan. Returns true if the routes of any session changed.
    async fn announce(&mut self) -> bool {
        if self.drain.is_drained() {
            self.pending.take_routes();
            self.report_services();
        }
        if !self.may_announce() || !self.drain.is_serving() {
            return false;
        }

        let has_changed = if self.pending.take_sessions() {
            self.announcer.reconcile(&self.engine).await
        } else {
            let routes = self.pending.take_routes();
            self.announcer.update_routes(&self.engine, routes).await
        };
        self.report_services();
        has_changed
    }

    /// Updates the reported peers of the Services whose announcements may have changed.
    fn report_services(&mut self) {
        let services = self.pending.take_services();
        if services.is_empty() {
            return;
        }

        let plan = self.engine.plan(&self.node).filter(|_| !self.drain.is_drained());
        for key in services {
            let peers = plan.map(|plan| self.announcer.peers_of(plan, &key));
            self.reports.services.set(&key, peers.unwrap_or_default());
        }
        self.reports.node_status.mark();
    }

    /// Publishes an Event about a Service that this node has started or stopped announcing.
    fn report(&mut self, change: AnnouncementChange) {
        let is_drained = self.drain.is_drained();
        if let Some((key, event)) =
            announcement_events::event(change, &self.node, &self.engine, is_drained)
        {
            let service = events::service(&key.namespace, &key.name, None);
            self.reports.events.publish(service, event);
        }
    }

    fn write_node_status(&mut self) {
        self.reports.clock.follow();
        let status = self.node_status();
        self.reports.node_status.write(status);
        if let Some(at) = self.dataplane.next_overdue() {
            self.reports.node_status.mark_at(at);
        }
    }

    fn node_status(&self) -> serde_json::Value {
        let services = if self.announcer.is_empty() {
            0
        } else {
            self.engine.plan(&self.node).map_or(0, |plan| plan.services().count())
        };
        let mut status = node_status::status(&SpeakerState {
            node: &self.node,
            config: self.informer.config_status(),
            peers: &self.announcer.configured_peers(&self.engine),
            sessions: &self.announcer.samples(&self.engine),
            services,
            drain: self.drain.sample(),
            refused: &self.informer.refused(),
            dataplane: &self.dataplane.problems(),
            clock: &self.reports.clock,
        });
        status["dataplane"] = self.dataplane.report();
        status
    }

    /// Ends the sessions as `--on-exit` says, and reports the end.
    async fn end(mut self, options: &SpeakerOptions, signals: &mut Signals) {
        // Routers must not keep routes to a node that should be drained.
        let on_exit = match options.on_exit {
            OnExit::Restart if self.drain.is_requested() => OnExit::Drain,
            other => other,
        };
        match on_exit {
            OnExit::Drain => self.drain_at_exit(signals).await,
            OnExit::Restart => self.announcer.close_for_restart().await,
            OnExit::Withdraw => {}
        }
        self.announcer.shut_down().await;

        if self.informer.has_synced() {
            // No heartbeat renews the status from now on.
            let status = node_status::ended(self.node_status());
            self.reports.node_status.finish(status).await;
        }
    }

    /// Drains the node, and reports the progress. A drain that is under way continues, so that marked routes stay marked.
    async fn drain_at_exit(&mut self, signals: &mut Signals) {
        self.drain.set_requested(DrainRequester::Signal, true);
        if self.drain.is_serving() {
            self.drain.begin(self.announcer.drain(&self.drain.procedure()));
        }
        self.reports.node_status.mark();

        let has_synced = self.informer.has_synced();
        while !self.drain.is_drained() {
            tokio::select! {
                biased;
                // A second signal ends the wait.
                () = signals.any() => self.drain.finish(),
                _ = self.drain.advanced() => self.reports.node_status.mark(),
                () = self.reports.node_status.due(), if has_synced => self.write_node_status(),
            }
        }
    }
}

#[cfg(test)]
#[path = "updates_tests.rs"]
mod updates_tests;
