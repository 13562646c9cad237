//! One object that a program keeps about itself: made where it is not there, and its status written when that has
//! changed, at a pace; and with a heartbeat, so that a status that nobody renews can be told from one that still holds.
//! Without a heartbeat it is seen to now and then, for whoever else removes or writes it does not say so.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::answered;
use ferrolb_node::causes;

/// The object.
pub(super) struct StatusObject {
    api: Api<DynamicObject>,
    /// What it is made as: name, labels, and what Kubernetes removes it with.
    made: Value,
    manager: &'static str,
    pace: Duration,
    written: Option<Value>,
    due: Option<Instant>,
    /// How long at most between two writes.
    heartbeat: Option<Duration>,
    /// When the next one is due that only renews, or sees to it.
    renewal: Option<Instant>,
    /// The object as it was seen last.
    seen: Option<Seen>,
    under_way: Option<JoinHandle<Option<Seen>>>,
}

/// What has to be known of the object to write the next status.
#[derive(Debug)]
struct Seen {
    version: String,
    /// `status.conditions`.
    conditions: Value,
}

/// So long until it is looked again at what others may have removed or written.
pub(super) const PERIOD: Duration = Duration::from_secs(600);
/// So long after a failure or a conflict, or while the cluster has no such resource.
const PAUSE: Duration = Duration::from_secs(20);
/// So long at most for the last time, when the program ends.
const LAST: Duration = Duration::from_secs(1);

impl StatusObject {
    /// One of this kind, as `group`, `version`, `kind` and plural, and of this name; written once in `pace` at most.
    pub(super) fn new(
        client: Client,
        namespace: &str,
        (group, version, kind, plural): (&str, &str, &str, &str),
        name: &str,
        manager: &'static str,
        pace: Duration,
    ) -> Self {
        let resource = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&resource, plural);
        let made =
            json!({"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}});
        Self {
            api: Api::namespaced_with(client, namespace, &resource),
            made,
            manager,
            pace,
            written: None,
            due: Some(Instant::now()),
            heartbeat: None,
            renewal: None,
            seen: None,
            under_way: None,
        }
    }

    /// With these labels.
    pub(super) fn labels(mut self, labels: Value) -> Self {
        self.made["metadata"]["labels"] = labels;
        self
    }

    /// With `heartbeatTime`, when the status was written, and `heartbeatPeriodSeconds`, within which it is written again.
    pub(super) fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = Some(period);
        self
    }

    /// Whoever it goes with: a Node, whose object may be known later than it is written first. If it is another now,
    /// the object has gone or is about to, and is made again.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        let owners = json!([owner]);
        let before = std::mem::replace(&mut self.made["metadata"]["ownerReferences"], owners);
        if !before.is_null() && before != self.made["metadata"]["ownerReferences"] {
            if let Some(under_way) = self.under_way.take() {
                under_way.abort();
            }
            (self.written, self.seen) = (None, None);
            self.mark();
        }
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + self.pace);
    }

    /// Waits until it is time to write; loses nothing when it is dropped.
    pub(super) async fn due(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            self.seen = under_way.await.ok().flatten();
            self.under_way = None;
            if self.seen.is_none() {
                // A heartbeat does not shorten the pause: it is renewed by the next write.
                (self.written, self.renewal) = (None, None);
                self.due = Some(Instant::now() + PAUSE);
            }
        }
        match self.due.into_iter().chain(self.renewal).min() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Writes what is true for the last time, if that is soon done. No heartbeat follows.
    pub(super) async fn finish(&mut self, status: Value) {
        let written = async {
            if let Some(under_way) = &mut self.under_way {
                self.seen = under_way.await.ok().flatten();
                self.under_way = None;
            }
            self.begin(status, None);
            if let Some(under_way) = &mut self.under_way {
                drop(under_way.await);
            }
        };
        drop(tokio::time::timeout(LAST, written).await);
    }

    /// Begins to write what is true now, if it is not what is written, or its heartbeat or a look at it is due. Conditions
    /// need not say since when.
    pub(super) fn write(&mut self, status: Value) {
        self.due = None;
        let now = Instant::now();
        if self.written.as_ref() == Some(&status) && self.renewal.is_none_or(|at| now < at) {
            return;
        }
        if self.heartbeat.is_none() && self.renewal.is_some_and(|at| now >= at) {
            // Whatever it is by now.
            self.seen = None;
        }
        self.renewal = Some(now + self.heartbeat.unwrap_or(PERIOD));
        self.begin(status, self.heartbeat);
    }

    /// Begins to write this, and when the next heartbeat is to be expected.
    fn begin(&mut self, mut status: Value, next: Option<Duration>) {
        self.written = Some(status.clone());
        if self.heartbeat.is_some() {
            status["heartbeatTime"] = json!(time(Timestamp::now()));
            status["heartbeatPeriodSeconds"] = json!(next.map(|it| it.as_secs()));
        }
        let (api, made, manager) = (self.api.clone(), self.made.clone(), self.manager);
        let seen = self.seen.take();
        self.under_way = Some(tokio::spawn(async move {
            let kind = made["kind"].as_str().unwrap_or_default();
            match answered(put(&api, &made, manager, seen, status)).await {
                Ok(Some(seen)) => return Some(seen),
                Ok(None) => tracing::debug!(kind, "the object goes with another one"),
                Err(error) => {
                    tracing::debug!(kind, error = causes(&error), "the status cannot be written");
                }
            }
            None
        }));
    }
}

impl Drop for StatusObject {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.abort();
        }
    }
}

/// Writes the status of the object as it was seen last, so that of two writers the one that is late changes nothing;
/// gives back what it is then. One that is removed with another object than ours is left alone: it is made anew when it
/// is gone.
async fn put(
    api: &Api<DynamicObject>,
    made: &Value,
    manager: &'static str,
    seen: Option<Seen>,
    mut status: Value,
) -> Result<Option<Seen>, kube::Error> {
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let of = |object: DynamicObject| Seen {
        version: object.metadata.resource_version.unwrap_or_default(),
        conditions: object.data["status"]["conditions"].clone(),
    };
    let seen = match seen {
        Some(seen) => seen,
        None => match api.get_opt(name).await? {
            Some(object) => {
                let owners = object.owner_references().iter().map(|owner| owner.uid.as_str());
                let ours = made["metadata"]["ownerReferences"][0]["uid"].as_str();
                if goes_with_another(owners, ours) {
                    return Ok(None);
                }
                of(object)
            }
            None => {
                let object =
                    serde_json::from_value(made.clone()).map_err(kube::Error::SerdeError)?;
                let params =
                    PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
                of(api.create(&params, &object).await?)
            }
        },
    };
    if let Some(conditions) = status.get_mut("conditions") {
        note_transitions(conditions, &seen.conditions, Timestamp::now());
    }
    let patch = json!({"metadata": {"resourceVersion": seen.version}, "status": status});
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    Ok(Some(of(api.patch_status(name, &params, &Patch::Merge(patch)).await?)))
}

/// Whether an object of these owners is removed though ours is there: with a pod of MetalLB's, or a Node that was another
/// one of this name. What has no owner is removed with nobody.
pub(super) fn goes_with_another<'a>(
    owners: impl IntoIterator<Item = &'a str>,
    ours: Option<&str>,
) -> bool {
    let mut owners = owners.into_iter().peekable();
    owners.peek().is_some() && !owners.any(|owner| Some(owner) == ours)
}

/// Has conditions say since when they are as they are: since now, but for those that were so before.
pub(super) fn note_transitions(conditions: &mut Value, before: &Value, now: Timestamp) {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        let is_as_before =
            |it: &&Value| it["type"] == condition["type"] && it["status"] == condition["status"];
        let before = before.as_array().into_iter().flatten().find(is_as_before);
        let since = before.and_then(|it| it["lastTransitionTime"].as_str().map(str::to_owned));
        condition["lastTransitionTime"] = json!(since.unwrap_or_else(|| time(now)));
    }
}

/// A time as objects of Kubernetes have it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A Node, for what is removed with it.
pub(super) fn node_as_owner(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid})
}

#[cfg(test)]
#[path = "status_object_tests.rs"]
mod tests;
