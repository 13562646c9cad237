//! Writes the status of Services: some at a time, and again after a failure.
//!
//! At most one write of a Service is under way, and its content is decided when it begins. A conflict is not a
//! failure: another writer was faster, and the watch is about to show what it wrote.
//!
//! A Service that has to be looked at is in exactly one place: in the queue, under way, or in a pause after a failed
//! write. [`Writer::begin`] returns only when the queue is empty or [`AT_ONCE`] writes are under way, and
//! [`Writer::next`] wakes up when a write or a pause ends. So nothing waits in the queue while the controller sleeps,
//! and first in is first out, so that no Service keeps others from their turn.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::client::answered;
use super::object::Object;
use super::reach;
use super::resource::Kind;
use super::service_status::Face;
use ferrolb_node::causes;
use lb_adapter::model::ServiceKey;

/// How many writes may be under way.
const AT_ONCE: usize = 16;
/// Pauses after failures of one Service grow between these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// The result of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// The API server took it, and the Service looks like this now.
    Done(Box<Face>),
    /// It was out of date, or the Service is gone.
    Outdated,
    /// It failed, and will be tried again.
    Failed,
}

/// The Services whose status may have to be written.
pub(super) struct Writer {
    client: Client,
    manager: &'static str,
    /// The Services to look at, the one that has waited longest first.
    due: VecDeque<ServiceKey>,
    /// The same as a set, to look a Service up.
    queued: BTreeSet<ServiceKey>,
    /// The Services whose last write failed or was outdated.
    failed: BTreeMap<ServiceKey, Error>,
    /// The failed Services that wait for the end of their pause, by that end.
    paused: BTreeSet<(Instant, ServiceKey)>,
    /// The Services whose write is under way, and whether they have changed since it began.
    busy: BTreeMap<ServiceKey, bool>,
    under_way: JoinSet<Written>,
    /// The Service of each task.
    tasks: HashMap<Id, ServiceKey>,
}

/// The record of a Service whose write failed.
struct Error {
    times: u32,
    /// The end of the pause.
    at: Instant,
    /// Whether a newer version of the Service ends the pause.
    outdated: bool,
}

impl Writer {
    /// Has nothing to write yet. Gives up what is under way when it is dropped.
    pub(super) fn new(client: Client, manager: &'static str) -> Self {
        Self {
            client,
            manager,
            due: VecDeque::new(),
            queued: BTreeSet::new(),
            failed: BTreeMap::new(),
            paused: BTreeSet::new(),
            busy: BTreeMap::new(),
            under_way: JoinSet::new(),
            tasks: HashMap::new(),
        }
    }

    /// Notes that a Service has to be looked at. One whose write is under way gets its turn after that, and one whose
    /// write failed after its pause.
    pub(super) fn mark(&mut self, key: &ServiceKey) {
        if let Some(changed) = self.busy.get_mut(key) {
            *changed = true;
            return;
        }
        let pauses = |failure: &Error| self.paused.contains(&(failure.at, key.clone()));
        if !self.failed.get(key).is_some_and(pauses) {
            self.queue(key.clone());
        }
    }

    /// Notes that the watch has shown a Service, which then has to be looked at. This ends the pause after a conflict.
    pub(super) fn seen(&mut self, key: &ServiceKey) {
        if let Some(failure) = self.failed.get(key).filter(|failure| failure.outdated) {
            self.paused.remove(&(failure.at, key.clone()));
        }
        self.mark(key);
    }

    /// Notes that a Service is gone.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        if let Some(failure) = self.failed.remove(key) {
            self.paused.remove(&(failure.at, key.clone()));
        }
        if self.queued.remove(key) {
            self.due.retain(|queued| queued != key);
        }
        if let Some(changed) = self.busy.get_mut(key) {
            *changed = false;
        }
    }

    /// Returns true if a write of the Service is under way, so that the watch may still show it as it was before.
    pub(super) fn is_busy(&self, key: &ServiceKey) -> bool {
        self.busy.contains_key(key)
    }

    /// Begins the writes that are due. `patch` returns what a Service lacks, if anything.
    pub(super) fn begin(&mut self, mut patch: impl FnMut(&ServiceKey) -> Option<Value>) {
        self.end_pauses();

        // A Service that lacks nothing takes no place.
        while self.under_way.len() < AT_ONCE
            && let Some(key) = self.due.pop_front()
        {
            self.queued.remove(&key);
            match patch(&key) {
                Some(patch) => self.write(key, patch),
                None => drop(self.failed.remove(&key)),
            }
        }

        if self.due.is_empty() {
            // The queue of a whole cluster is not kept.
            self.due = VecDeque::new();
        }
    }

    /// Waits until a write or a pause has ended; for ever if there is neither. Loses nothing when it is dropped.
    pub(super) async fn next(&mut self) -> Option<(ServiceKey, Written)> {
        let pause = self.paused.first().map(|(at, _)| *at);
        tokio::select! {
            Some(ended) = self.under_way.join_next_with_id() => {
                let (id, written) = match ended {
                    Ok((id, written)) => (id, written),
                    Err(error) => {
                        tracing::error!(error = causes(&error), "a write of a Service's status ended in a panic");
                        (error.id(), Written::Failed)
                    }
                };
                let key = self.tasks.remove(&id)?;
                self.ended(&key, &written);
                Some((key, written))
            }
            () = sleep_until(pause) => None,
        }
    }

    fn queue(&mut self, key: ServiceKey) {
        if self.queued.insert(key.clone()) {
            self.due.push_back(key);
        }
    }

    fn end_pauses(&mut self) {
        let now = Instant::now();
        while self.paused.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.paused.pop_first() {
                self.queue(key);
            }
        }
    }

    fn write(&mut self, key: ServiceKey, patch: Value) {
        let resource = Kind::Service.api_resource();
        let api: Api<Object> = Api::namespaced_with(self.client.clone(), &key.namespace, &resource);
        let params =
            PatchParams { field_manager: Some(self.manager.to_owned()), ..PatchParams::default() };
        let service = key.clone();

        let task = self.under_way.spawn(async move {
            let patch = Patch::Merge(patch);
            let written = api.patch_status(&service.name, &params, &patch);
            match answered(written).await {
                Ok(object) => Written::Done(Box::new(Face::of(&object))),
                Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                    Written::Outdated
                }
                Err(error) => {
                    reach::warn_if_news!(error, %service, "the status could not be written");
                    Written::Failed
                }
            }
        });

        self.tasks.insert(task.id(), key.clone());
        self.busy.insert(key, false);
    }

    fn ended(&mut self, key: &ServiceKey, written: &Written) {
        let changed = self.busy.remove(key).unwrap_or(false);
        let outdated = match written {
            Written::Done(_) => {
                self.failed.remove(key);
                if changed {
                    self.queue(key.clone());
                }
                return;
            }
            // The watch may have shown the other writer's version while this write was under way.
            Written::Outdated if changed => {
                self.queue(key.clone());
                return;
            }
            Written::Outdated => true,
            Written::Failed => false,
        };

        let times = self.failed.get(key).map_or(0, |failure| failure.times);
        let pause = (PAUSE.0 * 2_u32.saturating_pow(times)).min(PAUSE.1);
        let at = Instant::now() + pause;
        self.failed.insert(key.clone(), Error { times: times.saturating_add(1), at, outdated });
        self.paused.insert((at, key.clone()));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
