//! Writes the status of Services: what is due, some at a time, again after a failure.
//!
//! At most one write of a Service is under way, and what it says is decided when it begins. A conflict is no
//! failure: somebody was faster, and what they wrote is about to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::answered;
use super::object::Object;
use super::resource::Kind;
use super::service_status::Face;
use crate::model::ServiceKey;

/// So many writes at a time.
const AT_ONCE: usize = 16;
/// Pauses after failures of one Service grow between these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// What a write came to.
#[derive(Debug)]
pub(super) enum Written {
    /// It is written, and looks like this now.
    Done(Box<Face>),
    /// It was out of date, or the Service is gone.
    Outdated,
    /// It failed, and is tried again.
    Failed,
}

/// The Services whose status is to be written.
pub(super) struct Writer {
    client: Client,
    manager: &'static str,
    due: BTreeSet<ServiceKey>,
    /// Those that have failed: how often, and when they are due again.
    failed: BTreeMap<ServiceKey, (u32, Instant)>,
    busy: BTreeSet<ServiceKey>,
    under_way: JoinSet<(ServiceKey, Written)>,
}

impl Writer {
    /// Nothing to write yet. Dropped, what is under way is given up.
    pub(super) fn new(client: Client, manager: &'static str) -> Self {
        Self {
            client,
            manager,
            due: BTreeSet::new(),
            failed: BTreeMap::new(),
            busy: BTreeSet::new(),
            under_way: JoinSet::new(),
        }
    }

    /// A Service is to be looked at.
    pub(super) fn mark(&mut self, key: &ServiceKey) {
        self.due.insert(key.clone());
    }

    /// A Service is gone.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        self.due.remove(key);
        self.failed.remove(key);
    }

    /// Whether a write of it is under way, so that what is seen of it now may be from before.
    pub(super) fn is_busy(&self, key: &ServiceKey) -> bool {
        self.busy.contains(key)
    }

    /// Begins what is due. `patch` is what a Service lacks, if anything.
    pub(super) fn begin(&mut self, mut patch: impl FnMut(&ServiceKey) -> Option<Value>) {
        let now = Instant::now();
        let ready: Vec<ServiceKey> = self
            .due
            .iter()
            .filter(|key| !self.busy.contains(*key))
            .filter(|key| self.failed.get(*key).is_none_or(|(_, at)| *at <= now))
            .take(AT_ONCE.saturating_sub(self.under_way.len()))
            .cloned()
            .collect();
        for key in ready {
            self.due.remove(&key);
            match patch(&key) {
                Some(patch) => self.write(key, patch),
                None => drop(self.failed.remove(&key)),
            }
        }
    }

    fn write(&mut self, key: ServiceKey, patch: Value) {
        let resource = Kind::Service.api_resource();
        let api: Api<Object> = Api::namespaced_with(self.client.clone(), &key.namespace, &resource);
        let params =
            PatchParams { field_manager: Some(self.manager.to_owned()), ..PatchParams::default() };
        self.busy.insert(key.clone());
        self.under_way.spawn(async move {
            let patch = Patch::Merge(patch);
            let written = api.patch_status(&key.name, &params, &patch);
            let written = match answered(written).await {
                Ok(object) => Written::Done(Box::new(Face::of(&object))),
                Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                    Written::Outdated
                }
                Err(error) => {
                    tracing::warn!(service = %key, %error, "the status could not be written");
                    Written::Failed
                }
            };
            (key, written)
        });
    }

    /// Waits until a write has ended, or something that failed is due again; for ever if there is neither.
    pub(super) async fn next(&mut self) -> Option<(ServiceKey, Written)> {
        // Few have failed, however many are due.
        let due = |key: &ServiceKey| self.due.contains(key) && !self.busy.contains(key);
        let again = self.failed.iter().filter(|(key, _)| due(key)).map(|(_, (_, at))| *at).min();
        tokio::select! {
            Some(ended) = self.under_way.join_next() => {
                // A task that panicked is a fault of ours; its Service is written at its next change.
                let (key, written) = ended.ok()?;
                self.busy.remove(&key);
                if matches!(written, Written::Failed) {
                    let (times, at) = self.failed.entry(key.clone()).or_insert_with(|| (0, Instant::now()));
                    *times += 1;
                    *at = Instant::now() + (PAUSE.0 * 2_u32.saturating_pow(*times - 1)).min(PAUSE.1);
                    self.due.insert(key.clone());
                } else {
                    self.failed.remove(&key);
                }
                Some((key, written))
            }
            () = sleep_until(again) => None,
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
