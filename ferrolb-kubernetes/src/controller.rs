//! `ferrolb controller`: assigns addresses to Services, and writes them to their status.
//!
//! ```text
//! Lease ──► Leader: Informer ──► Engine ──► status of Services, Events, status of pools
//!                       │
//!                       └──► Heartbeats ──► status of nodes whose speakers are silent
//! ```
//!
//! Only the leader watches and writes. A standby waits for the Lease and keeps no state, so a new leader starts from the objects
//! of the API server. When leading ends, all work of the leader stops at the same moment.

use std::sync::Arc;

use kube::Client;
use tokio::sync::{Notify, mpsc};

use super::configuration_state::{ConfigurationState, NO_CONFIGURATION};
use super::controller_facts::Standby;
use super::events::{self, EventContent, EventRecorder};
use super::heartbeats::Heartbeats;
use super::informer::{Informer, Settled};
use super::lease::Candidate;
use super::object_cache::{ObservedService, Update};
use super::pool_changes::{DuePoolChange, PoolChanges};
use super::pool_status::PoolStatusWriter;
use super::resource::{Kind, WatchTarget};
use super::service_status::{MANAGER, ServiceSnapshot};
use super::service_status_writer::ServiceStatusWriter;
use super::surroundings::Surroundings;
use super::watch::WatchEvent;
use super::{ControllerOptions, client, reachability};
use ferrolb_api::{EventKind, Program};
use ferrolb_node::Error;
use ferrolb_node::api::{Identity, answer};
use ferrolb_node::events::{NewEvent, allocation_events};
use ferrolb_node::grace::GracePeriodChange;
use ferrolb_node::http::{StatusRequest, next_request};
use ferrolb_node::metrics;
use ferrolb_node::signals::Signals;
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::model::{Config, NamespacedName, ServiceKey, ServiceType};
use lb_adapter::planner::PlannerOptions;

/// Runs until a signal arrives.
///
/// # Errors
///
/// The controller could not start. Once it runs, no response of the API server ends it.
pub async fn controller(options: ControllerOptions) -> Result<(), Error> {
    let signals = Signals::new().map_err(Error::new)?;
    let client = client::connect(options.cluster.kubeconfig.as_ref()).await?;
    let identity = options.cluster.process(Program::Controller, None);
    reachability::record_in(identity.events());
    let (_http, requests) = options.cluster.listen(&identity, &client).await?;

    run_controller(options, Surroundings { identity, client, requests, signals }).await;
    Ok(())
}

/// Runs a controller in these surroundings until a signal arrives.
pub async fn run_controller(options: ControllerOptions, surroundings: Surroundings) {
    let Surroundings { identity: process, client, mut requests, mut signals } = surroundings;
    let identity = options.identity();
    let election = options.election;
    let namespace = options.cluster.namespace.clone();
    let mut candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, election);

    let mut standby = Standby::new(process.clone(), &namespace, candidate.leader());
    loop {
        tokio::select! {
            biased;
            () = signals.any() => return,
            () = candidate.elected() => {}
            () = stand_by(&mut standby, &mut requests) => {}
        }

        let leading = NewEvent::info(EventKind::Leader, "this controller leads");
        process.events().record(leading);
        let mut leader = Leader::new(client.clone(), &options, process.clone());
        tokio::select! {
            biased;
            () = signals.any() => {
                drop(leader);
                candidate.resign().await;
                return;
            }
            _ = candidate.lead(leader.run(&mut requests)) => {
                let text = "this controller no longer leads: the Lease could not be renewed";
                process.events().record(NewEvent::warning(EventKind::Leader, text));
            }
        }
    }
}

/// The name of the Lease, in the namespace of the configuration.
const LEASE: &str = "ferrolb-controller";

/// Answers requests. A standby is alive and ready, and has nothing to report.
async fn stand_by(standby: &mut Standby, requests: &mut mpsc::Receiver<StatusRequest>) {
    loop {
        answer(standby, next_request(requests).await).await;
    }
}

/// A controller that leads: its state and its writers.
pub(super) struct Leader {
    pub(super) identity: Identity,
    pub(super) namespace: String,
    pub(super) informer: Informer,
    pub(super) engine: Engine,
    pub(super) services: ServiceStatusWriter,
    pools: PoolStatusWriter,
    pool_changes: PoolChanges,
    pub(super) heartbeats: Heartbeats,
    configuration: ConfigurationState,
    events: EventRecorder,
}

impl Leader {
    fn new(client: Client, options: &ControllerOptions, identity: Identity) -> Self {
        let namespace = options.cluster.namespace.clone();
        let mut targets = options.cluster.configuration();
        // Only speakers need passwords.
        targets.retain(|target| target.kind != Kind::Secret);
        targets.extend([WatchTarget::all(Kind::Service), WatchTarget::all(Kind::Namespace)]);

        // A controller does not report refused resources.
        let unused = Arc::new(Notify::new());
        let mut informer =
            Informer::new(client.clone(), &namespace, targets, unused, identity.events().clone());
        // Address assignment need not wait for these.
        informer.watch_separately(WatchTarget::within(Kind::BgpNodeStatus, &namespace));

        let class = options.cluster.class.clone();
        let planning = PlannerOptions { class: class.clone(), ..PlannerOptions::default() };
        Self {
            identity,
            namespace: namespace.clone(),
            informer,
            engine: Engine::new(planning, None),
            services: ServiceStatusWriter::new(client.clone(), class),
            pools: PoolStatusWriter::new(client.clone(), &namespace, MANAGER),
            pool_changes: PoolChanges::new(options.pool_grace_period),
            heartbeats: Heartbeats::new(client.clone(), &namespace, MANAGER),
            configuration: ConfigurationState::of_controller(client.clone(), &namespace, MANAGER),
            events: EventRecorder::new(client, MANAGER, options.cluster.pod.clone()),
        }
    }

    /// Runs until it is dropped.
    async fn run(&mut self, requests: &mut mpsc::Receiver<StatusRequest>) {
        loop {
            let has_synced = self.informer.has_synced();
            // The order is fixed, as in the loop of a speaker and for the same reason.
            tokio::select! {
                biased;
                request = next_request(requests) => answer(self, request).await,
                Some(event) = self.informer.next() => self.take_all(event),
                () = self.services.due(), if self.engine.is_ready() => {}
                due = self.pool_changes.due() => self.take_pool_change(due),
                () = self.pools.due(), if has_synced => {
                    self.pools.write(&metrics::pool_samples(&self.engine));
                }
                () = self.heartbeats.due() => self.heartbeats.mark(),
                () = self.configuration.object.due() => {
                    let release = self.pool_changes.until();
                    self.configuration.write(self.informer.config_status(), release.as_deref());
                }
            }

            if self.engine.is_ready() {
                self.services.write(&self.engine, &self.pool_changes);
            }
        }
    }

    /// Processes an event and all events that are queued behind it.
    fn take_all(&mut self, event: WatchEvent) {
        self.take(event);
        while let Some(event) = self.informer.try_next() {
            self.take(event);
        }
        self.settle();
    }

    fn take(&mut self, event: WatchEvent) {
        let Some(event) = self.heartbeats.take(event) else { return };
        for deletion in self.informer.missed_deletions(&event, &self.engine) {
            self.take_one(deletion);
        }
        self.take_one(event);
    }

    fn take_one(&mut self, event: WatchEvent) {
        match &event {
            WatchEvent::Listed(Kind::Service, _) => self.services.listed(),
            WatchEvent::Applied(Kind::IpAddressPool, pool) => self.pools.observe(pool),
            WatchEvent::Deleted(Kind::IpAddressPool, (_, name)) => self.pools.remove(name),
            _ => {}
        }

        match self.informer.take(event) {
            None => {}
            Some(Update::Service(service)) => self.take_service(*service),
            Some(Update::Other(change)) => {
                if let Change::ServiceGone(key) = &change {
                    self.services.remove(key);
                    self.pools.mark();
                }
                self.apply(change);
            }
        }
    }

    fn take_service(&mut self, observed: ObservedService) {
        let ObservedService { service, addresses, object } = observed;
        let snapshot = Box::new(ServiceSnapshot::of(&object));

        // Addresses that another controller may have left are not ours to remove.
        let is_foreign = service.type_ != ServiceType::LoadBalancer && !snapshot.is_ours();
        let status = if is_foreign {
            Some(Vec::new())
        } else {
            self.status_of(&service.key, &snapshot, addresses)
        };

        let key = service.key.clone();
        let effects = self.engine.apply(Change::Service { service, status });
        // Use the engine's key, which shares the memory of its names.
        if let Some(key) = self.engine.key_of(&key) {
            self.services.observe(key, snapshot);
        }
        // Also if no status is to be written: a Service may have been given back the address that its status still has.
        self.pools.mark();
        self.follow(effects);
    }

    /// Returns the addresses that a Service holds according to its status, or `None` if the engine's assignment stays.
    ///
    /// An assignment that is being written, or that the watch has not confirmed yet, wins over an older status. It also stays
    /// if another program has emptied the status, which is then written again.
    fn status_of(
        &mut self,
        key: &ServiceKey,
        snapshot: &ServiceSnapshot,
        addresses: Vec<String>,
    ) -> Option<Vec<String>> {
        let is_outdated = self.services.is_outdated(key, snapshot) || !snapshot.has_addresses();
        let is_assigned = self.informer.has_synced() && self.engine.holding(key).is_some();
        if is_outdated && is_assigned { None } else { Some(addresses) }
    }

    /// Applies the configuration once no event is waiting.
    fn settle(&mut self) {
        let Settled { config, has_new_status } = self.informer.settle(&mut self.events);
        if let Some(config) = config {
            self.take_config(config);
        }
        if has_new_status {
            self.configuration.object.mark();
            if self.informer.config_status().is_absent {
                tracing::info!("{NO_CONFIGURATION}");
            }
        }

        if self.informer.note_synced() {
            let services = self.services.services().len();
            tracing::info!(services, "all objects have been listed");
            self.apply(Change::Synced);
            self.mark_all();
        }
    }

    /// Applies a configuration, unless it has to wait for its pools.
    fn take_config(&mut self, config: Arc<Config>) {
        // Until everything has been listed, no pool counts as removed, so nothing has to wait.
        let in_force = if self.informer.has_synced() {
            self.pool_changes.take(config, &self.engine)
        } else {
            Some(config)
        };
        if let Some(config) = in_force {
            self.configure(config);
        }
    }

    /// Applies a configuration.
    fn configure(&mut self, config: Arc<Config>) {
        self.informer.note_loaded();

        let grace_change = self.pool_changes.follow(self.engine.config().map(Arc::as_ref), &config);
        self.apply(Change::Config(config));
        match grace_change {
            Some(GracePeriodChange::Started) => self.announce_grace_period(),
            Some(GracePeriodChange::Cancelled) => {
                tracing::info!("there is a pool again: no addresses are released");
                self.configuration.object.mark();
            }
            Some(GracePeriodChange::Skipped) => self.apply(Change::GracePeriodOver),
            None => {}
        }
        self.mark_all();
    }

    fn take_pool_change(&mut self, due: DuePoolChange) {
        match due {
            DuePoolChange::Config(config) => self.configure(config),
            DuePoolChange::GracePeriodOver => {
                tracing::warn!("the grace period ended without a pool: releasing the addresses");
                self.apply(Change::GracePeriodOver);
                self.configuration.object.mark();
                self.mark_all();
            }
        }
    }

    /// Announces the end of the grace period in the log, and in an Event for each Service whose address is released then.
    fn announce_grace_period(&mut self) {
        let (mut services, until) = (0, self.pool_changes.until().unwrap_or_default());
        for (key, uid) in self.services.services() {
            if !self.engine.is_stranded(key) {
                continue;
            }
            let Some(held) = self.engine.holding(key) else { continue };
            services += 1;

            let Some(message) = self.pool_changes.notice(&held.pool) else { continue };
            let event =
                EventContent { is_warning: true, reason: "PoolGone", action: "Allocate", message };
            self.events.publish(events::service(&key.namespace, &key.name, Some(uid)), event);
        }

        tracing::warn!(
            services,
            until,
            "the last pool is gone: Services keep its addresses for the grace period"
        );
        self.configuration.object.mark();
    }

    fn mark_all(&mut self) {
        self.pools.mark();
        self.services.mark_all();
    }

    fn apply(&mut self, change: Change) {
        let effects = self.engine.apply(change);
        self.follow(effects);
    }

    /// Publishes the Events of a change, and queues the statuses that it affects.
    fn follow(&mut self, Effects { events, written, .. }: Effects) {
        self.identity.events().record_all(allocation_events(&events));
        for event in events {
            let NamespacedName { namespace, name, .. } = &*event.service;
            let reason = event.reason.as_str();
            tracing::info!(service = %event.service, reason, "{}", event.message);

            // A deleted Service needs no Events.
            let Some(uid) = self.services.uid(&event.service) else { continue };
            let content = EventContent {
                is_warning: event.reason.is_warning(),
                reason,
                action: "Allocate",
                message: event.message,
            };
            self.events.publish(events::service(namespace, name, Some(uid)), content);
        }

        if !written.is_empty() {
            self.pools.mark();
        }
        for key in &written {
            self.services.mark(key);
        }
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod ownership_tests;
