//! `ferrolb controller`: gives addresses to Services, and writes down what it gave.
//!
//! ```text
//! Lease ──► leader: watches ──► mirror ──► engine ──► status of Services, events, status of pools
//!                     │
//!                     └──► heartbeats ──► status of nodes whose speakers are silent
//! ```
//!
//! Only the leader watches and writes; a standby waits for the Lease and holds nothing, so that it begins with what
//! the API server has. When leading ends, everything that it does ends in the same moment.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kube::Client;
use tokio::sync::mpsc;

use super::configuration_state::{ConfigurationState, NO_CONFIGURATION};
use super::events::{self, Events, Told};
use super::heartbeats::Heartbeats;
use super::lease::Candidate;
use super::mirror::Mirror;
use super::pool_changes::{Due, PoolChanges};
use super::pools::PoolStatus;
use super::resource::{Kind, Watched};
use super::service_status::{Face, MANAGER, Wanted};
use super::watch::{Restarts, Seen, Watches};
use super::writer::{Writer, Written};
use super::{ControllerOptions, client};
use ferrolb_node::Error;
use ferrolb_node::grace::GracePeriodChange;
use ferrolb_node::http::{self, StatusRequest};
use ferrolb_node::metrics::{self, ApiSample, ConfigSample, Latency, Sample};
use ferrolb_node::signals::Signals;
use lb_adapter::allocator::{NotServed, check_served};
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::model::{Config, NamespacedName, Service, ServiceKey, ServiceType};
use lb_adapter::planner::PlannerOptions;

/// Runs until a signal comes.
///
/// # Errors
///
/// Why it could not begin. Once it runs, no answer of the API server ends it.
pub async fn controller(options: ControllerOptions) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::new)?;
    let client = client::connect(options.cluster.kubeconfig.as_ref()).await?;
    let (_http, mut asked) = options.cluster.listen().await?;

    let identity = options.identity();
    let election = options.election;
    let namespace = options.cluster.namespace.clone();
    let mut candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, election);

    loop {
        tokio::select! {
            () = candidate.elected() => {}
            () = stand_by(&mut asked) => {}
            () = signals.any() => return Ok(()),
        }

        let mut leader = Leader::new(client.clone(), &options);
        tokio::select! {
            _ = candidate.lead(leader.run(&mut asked)) => {}
            () = signals.any() => {
                drop(leader);
                candidate.resign().await;
                return Ok(());
            }
        }
    }
}

/// The Lease's name, in the namespace of the configuration.
const LEASE: &str = "ferrolb-controller";

/// A standby is alive and ready, and has nothing to report.
async fn stand_by(asked: &mut mpsc::Receiver<StatusRequest>) {
    loop {
        match http::next_request(asked).await {
            StatusRequest::Live(tell) => drop(tell.send(())),
            StatusRequest::Ready(tell) => drop(tell.send(Ok(()))),
            StatusRequest::Objects(tell) => drop(tell.send(Err(http::OBJECTS_NOT_KEPT.to_owned()))),
            StatusRequest::Metrics(tell) => {
                let text = metrics::encode(&Sample::default(), &Latency::new());
                drop(tell.send(text.unwrap_or_default()));
            }
        }
    }
}

/// All that a leader knows and does.
struct Leader {
    watches: Watches,
    restarts: Restarts,
    mirror: Mirror,
    engine: Engine,
    synced: bool,
    faces: BTreeMap<ServiceKey, Box<Face>>,
    /// What was written and has not been seen yet: until then, what is seen of the status is from before.
    unseen: BTreeMap<ServiceKey, Box<str>>,
    writer: Writer,
    events: Events,
    pools: PoolStatus,
    pool_changes: PoolChanges,
    heartbeats: Heartbeats,
    configuration: ConfigurationState,
    loaded_at: Option<f64>,
    failed_writes: u64,
    class: Option<String>,
}

impl Leader {
    fn new(client: Client, options: &ControllerOptions) -> Self {
        let namespace = options.cluster.namespace.clone();
        let restarts = Restarts::default();
        let mut watches = Watches::new(restarts.clone());

        let others = [Watched::all(Kind::Service), Watched::all(Kind::Namespace)];
        // Passwords are the speakers' business.
        let configuration = options.cluster.configuration().into_iter();
        let configuration = configuration.filter(|watched| watched.kind != Kind::Secret);
        let watched: Vec<_> = configuration.chain(others).collect();
        for watched in &watched {
            watches.watch(&client, watched.clone());
        }
        // No Service waits for these.
        watches.watch(&client, Watched::within(Kind::BgpNodeStatus, &namespace));

        let class = options.cluster.class.clone();
        let planning = PlannerOptions { class: class.clone(), ..PlannerOptions::default() };
        Self {
            watches,
            restarts,
            mirror: Mirror::new(&namespace, watched.iter().map(|watched| watched.kind)),
            engine: Engine::new(planning, None),
            synced: false,
            faces: BTreeMap::new(),
            unseen: BTreeMap::new(),
            writer: Writer::new(client.clone(), MANAGER),
            events: Events::new(client.clone(), MANAGER, options.cluster.pod.clone()),
            pools: PoolStatus::new(client.clone(), &namespace, MANAGER),
            pool_changes: PoolChanges::new(options.pool_grace_period),
            heartbeats: Heartbeats::new(client.clone(), &namespace, MANAGER),
            configuration: ConfigurationState::of_controller(client, &namespace, MANAGER),
            loaded_at: None,
            failed_writes: 0,
            class,
        }
    }

    /// Goes on until it is dropped.
    async fn run(&mut self, asked: &mut mpsc::Receiver<StatusRequest>) {
        loop {
            tokio::select! {
                seen = self.watches.next() => {
                    if let Some(seen) = seen {
                        self.take(seen);
                        while let Some(seen) = self.watches.try_next() {
                            self.take(seen);
                        }
                        self.settle();
                    }
                }
                written = self.writer.next() => {
                    if let Some((key, written)) = written {
                        self.written(&key, written);
                    }
                }
                () = self.pools.due(), if self.synced => self.pools.write(&metrics::pool_samples(&self.engine)),
                due = self.pool_changes.due() => self.pools_due(due),
                () = self.heartbeats.due() => self.heartbeats.mark(),
                () = self.configuration.object.due() => {
                    let release = self.pool_changes.until();
                    self.configuration.write(self.mirror.state(), release.as_deref());
                }
                question = http::next_request(asked) => self.answer(question),
            }
            self.begin_writes();
        }
    }

    fn take(&mut self, seen: Seen) {
        let Some(seen) = self.heartbeats.take(seen) else { return };
        if let Seen::Listed(kind, Some(listed)) = &seen {
            for name in self.mirror.missing(*kind, listed, &self.engine) {
                self.take(Seen::Gone(*kind, name));
            }
        }

        let face = match &seen {
            Seen::Applied(Kind::Service, object) => Some(Box::new(Face::of(object))),
            Seen::Listed(Kind::Service, _) => {
                // A list is of now.
                self.unseen.clear();
                None
            }
            Seen::Applied(Kind::IpAddressPool, object) => {
                self.pools.see(object);
                None
            }
            Seen::Gone(Kind::IpAddressPool, (_, name)) => {
                self.pools.gone(name);
                None
            }
            _ => None,
        };

        let Some(change) = self.mirror.take(seen) else { return };
        match (change, face) {
            (Change::Service { service, status }, Some(face)) => {
                self.take_service(service, status, face);
            }
            (Change::ServiceGone(key), _) => {
                self.faces.remove(&key);
                self.unseen.remove(&key);
                self.writer.forget(&key);
                self.pools.mark();
                self.apply(Change::ServiceGone(key));
            }
            (change, _) => self.apply(change),
        }
    }

    fn take_service(
        &mut self,
        service: Box<Service>,
        status: Option<Vec<String>>,
        face: Box<Face>,
    ) {
        // Addresses that another controller may have left are not ours to take back.
        let is_left = service.type_ != ServiceType::LoadBalancer && !face.is_ours();
        let status =
            if is_left { Some(Vec::new()) } else { self.status_of(&service.key, &face, status) };

        let seen = service.key.clone();
        let effects = self.engine.apply(Change::Service { service, status });
        // The engine has a key that shares its names with others; here it is the same, not another with the same names.
        if let Some(key) = self.engine.key_of(&seen) {
            self.writer.seen(key);
            self.faces.insert(key.clone(), face);
        }
        self.follow(effects);
    }

    /// What a Service holds by what was seen of it. What was given and is being written, or is still to be seen,
    /// counts more than a status from before; and a status that somebody emptied is filled again.
    fn status_of(
        &mut self,
        key: &ServiceKey,
        face: &Face,
        status: Option<Vec<String>>,
    ) -> Option<Vec<String>> {
        if self.unseen.get(key).is_some_and(|version| *version == face.version) {
            self.unseen.remove(key);
        }
        let older =
            self.writer.is_busy(key) || self.unseen.contains_key(key) || !face.has_addresses();
        let known = self.synced && self.engine.holding(key).is_some();
        if older && known { None } else { status }
    }

    fn settle(&mut self) {
        let before = self.mirror.state().clone();
        if let Some(Change::Config(config)) = self.mirror.settle() {
            // Before everything has been listed, no change of pools has been seen that could have to wait.
            let in_force = if self.synced {
                self.pool_changes.take(config, &self.engine)
            } else {
                Some(config)
            };
            if let Some(config) = in_force {
                self.configure(config);
            }
        }

        self.mirror.news().tell(&mut self.events);
        if *self.mirror.state() != before {
            self.configuration.object.mark();
            if self.mirror.state().is_absent {
                tracing::info!("{NO_CONFIGURATION}");
            }
        }

        if !self.synced && self.mirror.is_complete() {
            self.synced = true;
            tracing::info!(services = self.faces.len(), "all objects have been listed");
            self.apply(Change::Synced);
            self.mark_all();
        }
    }

    /// Puts a configuration in force.
    fn configure(&mut self, config: Arc<Config>) {
        self.loaded_at =
            SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|it| it.as_secs_f64());
        tracing::info!("the configuration has been loaded");

        let turn = self.pool_changes.follow(self.engine.config().map(Arc::as_ref), &config);
        self.apply(Change::Config(config));
        match turn {
            Some(GracePeriodChange::Started) => self.tell_of_grace_period(),
            Some(GracePeriodChange::Cancelled) => {
                tracing::info!("there is a pool again: no address is released");
                self.configuration.object.mark();
            }
            Some(GracePeriodChange::Skipped) => self.apply(Change::GracePeriodOver),
            None => {}
        }
        self.mark_all();
    }

    fn pools_due(&mut self, due: Due) {
        match due {
            Due::Config(config) => self.configure(config),
            Due::GracePeriodOver => {
                tracing::warn!(
                    "there has been no pool for the grace period: addresses are released"
                );
                self.apply(Change::GracePeriodOver);
                self.configuration.object.mark();
                self.mark_all();
            }
        }
    }

    /// Announces the end of the grace period, to each Service whose address is released then and in the log.
    fn tell_of_grace_period(&mut self) {
        let (mut services, until) = (0, self.pool_changes.until().unwrap_or_default());
        for (key, face) in &self.faces {
            if !self.engine.is_stranded(key) {
                continue;
            }
            let Some(held) = self.engine.holding(key) else { continue };
            services += 1;

            let Some(message) = self.pool_changes.notice(&held.pool) else { continue };
            let told = Told { warning: true, reason: "PoolGone", action: "Allocate", message };
            self.events.tell(events::service(&key.namespace, &key.name, Some(&face.uid)), told);
        }

        tracing::warn!(
            services,
            until,
            "the last pool is gone: its addresses stay for the grace period"
        );
        self.configuration.object.mark();
    }

    fn mark_all(&mut self) {
        self.pools.mark();
        self.faces.keys().for_each(|key| self.writer.mark(key));
    }

    fn apply(&mut self, change: Change) {
        let effects = self.engine.apply(change);
        self.follow(effects);
    }

    /// Tells and writes what has become of a change.
    fn follow(&mut self, Effects { events, written, .. }: Effects) {
        for event in events {
            let NamespacedName { namespace, name, .. } = &*event.service;
            tracing::info!(service = %event.service, reason = event.reason.as_str(), "{}", event.message);
            // A Service that is gone has no use for Events.
            let Some(face) = self.faces.get(&event.service) else { continue };
            let told = Told {
                warning: event.reason.is_warning(),
                reason: event.reason.as_str(),
                action: "Allocate",
                message: event.message,
            };
            self.events.tell(events::service(namespace, name, Some(&face.uid)), told);
        }
        if !written.is_empty() {
            self.pools.mark();
        }
        written.iter().for_each(|key| self.writer.mark(key));
    }

    fn begin_writes(&mut self) {
        if !self.engine.is_ready() {
            return;
        }
        let Self { writer, engine, faces, class, pool_changes, .. } = self;
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        writer.begin(|key| {
            let face = faces.get(key)?;
            let mut wanted = wanted(engine, key, class.as_deref(), face)?;
            if engine.is_stranded(key) {
                // Without the name of its pool, nothing in its status is known to be wrong.
                let pool = wanted.pool.as_deref().filter(|pool| !pool.is_empty())?;
                wanted.notice = pool_changes.notice(pool);
            }
            face.patch(&wanted, &now)
        });
    }

    fn written(&mut self, key: &ServiceKey, written: Written) {
        match written {
            Written::Done(face) => {
                // The watch may have been faster, or another writer; or the Service is gone.
                if self.faces.get(key).is_some_and(|seen| face.is_newer_than(seen)) {
                    self.unseen.insert(key.clone(), face.version.clone());
                    self.faces.insert(key.clone(), face);
                }
            }
            Written::Outdated => {}
            Written::Failed => self.failed_writes += 1,
        }
    }

    fn answer(&self, question: StatusRequest) {
        match question {
            StatusRequest::Live(tell) => drop(tell.send(())),
            StatusRequest::Ready(tell) => drop(tell.send(match self.synced {
                true => Ok(()),
                false => Err("not all objects have been listed yet".to_owned()),
            })),
            StatusRequest::Objects(tell) => drop(tell.send(Err(http::OBJECTS_NOT_KEPT.to_owned()))),
            StatusRequest::Metrics(tell) => {
                drop(
                    tell.send(metrics::encode(&self.sample(), &Latency::new()).unwrap_or_default()),
                );
            }
        }
    }

    fn sample(&self) -> Sample {
        let (state, (updates, refused)) = (self.mirror.state(), self.mirror.counts());
        let restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sample {
            config: ConfigSample::new(state.loaded, state.is_stale(), self.loaded_at),
            pools: metrics::pool_samples(&self.engine),
            api: ApiSample::new(updates, refused + self.failed_writes, restarts),
            ..Sample::default()
        }
    }
}

/// Returns what the status of a Service should say; `None` leaves it alone.
fn wanted(engine: &Engine, key: &ServiceKey, class: Option<&str>, face: &Face) -> Option<Wanted> {
    let service = engine.service_of(key)?;
    match check_served(&service, class) {
        Ok(()) => {}
        // Another controller serves it, and its status is that controller's business.
        Err(NotServed::Class { .. }) => return None,
        Err(NotServed::Type(_)) => return face.is_ours().then(Wanted::default),
    }
    let holding = engine.holding(key);
    Some(Wanted {
        pool: holding.as_ref().map(|it| it.pool.to_string()),
        addresses: holding.map(|it| it.addresses.to_vec()).unwrap_or_default(),
        refusal: engine.refusal(key).map(ToString::to_string),
        notice: None,
        ours: true,
    })
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod ownership_tests;
