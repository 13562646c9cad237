//! The Services as last seen at the API server, and the writes of their status.
//!
//! Owns the order of events between the watch and our own writes: while a write is under way, and until the watch has delivered
//! the written version, a status from the watch is outdated and does not count. The engine decides the content of a status, and
//! [`super::service_status`] owns its form.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::{Api, Client};

use super::object_tree::ObjectTree;
use super::pool_changes::PoolChanges;
use super::resource::Kind;
use super::service_status::{DesiredStatus, MANAGER, ServiceSnapshot};
use super::status_object::time;
use super::status_writer::{Decision, Limits, Outcome, StatusWriter, log_failure, patch_status};
use ferrolb_node::time_of_day;
use lb_adapter::allocator::{NotServed, check_served};
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;

/// Writes the status of Services.
pub(super) struct ServiceStatusWriter {
    client: Client,
    /// The class of the Services that are served here.
    class: Option<String>,
    snapshots: BTreeMap<ServiceKey, Box<ServiceSnapshot>>,
    /// The written versions that the watch has not delivered yet.
    unconfirmed: BTreeMap<ServiceKey, Box<str>>,
    /// A successful write returns the Service as written.
    writer: StatusWriter<ServiceKey, Box<ServiceSnapshot>>,
    failed_writes: u64,
}

const LIMITS: Limits = Limits {
    at_once: 16,
    follows_load: false,
    spacing: Duration::ZERO,
    pause: (Duration::from_millis(200), Duration::from_secs(15)),
};

impl ServiceStatusWriter {
    /// A writer that has not seen a Service yet. Dropping it aborts the writes under way.
    pub(super) fn new(client: Client, class: Option<String>) -> Self {
        Self {
            client,
            class,
            snapshots: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            writer: StatusWriter::new(LIMITS),
            failed_writes: 0,
        }
    }

    /// Returns true if the status in this snapshot from the watch is older than a write of ours.
    pub(super) fn is_outdated(&mut self, key: &ServiceKey, snapshot: &ServiceSnapshot) -> bool {
        if self.unconfirmed.get(key).is_some_and(|version| *version == snapshot.version) {
            self.unconfirmed.remove(key);
        }
        self.writer.is_writing(key) || self.unconfirmed.contains_key(key)
    }

    /// Notes a Service as the watch delivers it, and queues it. Pass the key of the engine, which shares the memory of its names.
    pub(super) fn observe(&mut self, key: &ServiceKey, snapshot: Box<ServiceSnapshot>) {
        self.writer.observed(key);
        self.snapshots.insert(key.clone(), snapshot);
    }

    /// Notes that all Services have been listed. A list is newer than all earlier writes.
    pub(super) fn listed(&mut self) {
        self.unconfirmed.clear();
    }

    /// Forgets a Service that was deleted.
    pub(super) fn remove(&mut self, key: &ServiceKey) {
        self.snapshots.remove(key);
        self.unconfirmed.remove(key);
        self.writer.forget(key);
    }

    /// Queues a Service.
    pub(super) fn mark(&mut self, key: &ServiceKey) {
        self.writer.mark(key);
    }

    /// Queues all Services.
    pub(super) fn mark_all(&mut self) {
        for key in self.snapshots.keys() {
            self.writer.mark(key);
        }
    }

    /// The Services that exist, with their UIDs.
    pub(super) fn services(&self) -> impl ExactSizeIterator<Item = (&ServiceKey, &str)> {
        self.snapshots.iter().map(|(key, snapshot)| (key, &*snapshot.uid))
    }

    /// Returns the UID of a Service, if it exists.
    pub(super) fn uid(&self, key: &ServiceKey) -> Option<&str> {
        Some(&self.snapshots.get(key)?.uid)
    }

    /// Returns the number of writes that failed.
    pub(super) fn failed_writes(&self) -> u64 {
        self.failed_writes
    }

    /// Waits until [`write`](Self::write) has to be called, and never returns if there is nothing to write. Cancel safe.
    pub(super) async fn due(&mut self) {
        if let Some((key, outcome)) = self.writer.next().await {
            self.take_outcome(&key, outcome);
        }
    }

    fn take_outcome(&mut self, key: &ServiceKey, outcome: Outcome<Box<ServiceSnapshot>>) {
        match outcome {
            Outcome::Done(written) => {
                // The watch or another writer may have been faster, or the Service may be gone.
                if self.snapshots.get(key).is_some_and(|known| written.is_newer_than(known)) {
                    self.unconfirmed.insert(key.clone(), written.version.clone());
                    self.snapshots.insert(key.clone(), written);
                }
            }
            Outcome::Outdated => {}
            Outcome::Failed(failure) => {
                log_failure!(failure, service = %key, "cannot write the status of the Service");
                self.failed_writes += 1;
            }
        }
    }

    /// Starts to write the status of the Services that differs from the decisions of the engine.
    pub(super) fn write(&mut self, engine: &Engine, pool_changes: &PoolChanges) {
        let Self { client, class, snapshots, writer, .. } = self;
        let now = time(time_of_day());
        writer.begin(|key| {
            let Some(snapshot) = snapshots.get(key) else { return Decision::Skip };
            let desired = desired_status(engine, pool_changes, key, class.as_deref(), snapshot);
            let Some(patch) = desired.and_then(|desired| snapshot.patch(&desired, &now)) else {
                return Decision::Skip;
            };

            let resource = Kind::Service.api_resource();
            let api: Api<ObjectTree> =
                Api::namespaced_with(client.clone(), &key.namespace, &resource);
            let name = key.name.clone();
            Decision::Write(async move {
                let object = patch_status(&api, MANAGER, &name, patch).await?;
                Ok(Box::new(ServiceSnapshot::of(&object)))
            })
        });
    }
}

/// Returns the status that a Service should have, or `None` if its status must stay as it is.
fn desired_status(
    engine: &Engine,
    pool_changes: &PoolChanges,
    key: &ServiceKey,
    class: Option<&str>,
    snapshot: &ServiceSnapshot,
) -> Option<DesiredStatus> {
    let service = engine.service_of(key)?;
    let mut desired = match check_served(&service, class) {
        Ok(()) => assigned_status(engine, key),
        // Another controller serves it and writes its status.
        Err(NotServed::Class { .. }) => return None,
        Err(NotServed::Type(_)) if snapshot.is_ours() => DesiredStatus::default(),
        Err(NotServed::Type(_)) => return None,
    };

    if engine.is_stranded(key) {
        // If the name of its pool is not known, the status must stay as it is.
        let pool = desired.pool.as_deref().filter(|pool| !pool.is_empty())?;
        desired.notice = pool_changes.notice(pool);
    }
    Some(desired)
}

/// Returns the status of a Service that this controller serves, by the decisions of the engine.
fn assigned_status(engine: &Engine, key: &ServiceKey) -> DesiredStatus {
    let holding = engine.holding(key);
    DesiredStatus {
        pool: holding.as_ref().map(|holding| holding.pool.to_string()),
        addresses: holding.map(|holding| holding.addresses.to_vec()).unwrap_or_default(),
        refusal: engine.refusal(key).map(ToString::to_string),
        notice: None,
        ours: true,
    }
}
