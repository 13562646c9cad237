//! An object in which a program reports its own status.
//!
//! Creates the object if it does not exist, and writes its status after changes, with a least time between two writes. A
//! heartbeat shows that the status is up to date. An object without a heartbeat is read again from time to time, since it is not
//! watched and another program may have removed or changed it.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::PostParams;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::object_tree::ObjectTree;
use super::status_writer::{Decision, Limits, Outcome, StatusWriter, WriteError, patch_status};
use ferrolb_node::{causes, time_of_day};
use lb_adapter::config::Value as Tree;

/// One object, found by its name.
pub(super) struct StatusObject {
    object: ObjectWriter,
    pace: Duration,
    /// The longest time between two writes.
    heartbeat: Option<Duration>,
    /// The last written status.
    written: Option<Value>,
    /// The time at which the status was taken that is being written, and of the last one that has been written.
    write_began: Option<Instant>,
    reported: Option<Instant>,
    /// The time of the next heartbeat, or at which the object is read again.
    renewal: Option<Instant>,
    /// The object as last seen.
    observed: Option<ObservedStatus>,
    writer: StatusWriter<(), ObservedStatus>,
}

/// The client, the field manager and the template that writes of the object use.
#[derive(Clone)]
struct ObjectWriter {
    api: Api<ObjectTree>,
    manager: &'static str,
    /// The object to create, without a status.
    template: Value,
}

/// The parts of the object that the next write depends on.
#[derive(Debug)]
struct ObservedStatus {
    version: String,
    /// `status.conditions`.
    conditions: Value,
}

/// The time after which an object that is not watched is read again.
pub(super) const REREAD_PERIOD: Duration = Duration::from_secs(600);
/// The pause after a failure or a conflict, or while the cluster lacks the resource.
const PAUSE: Duration = Duration::from_secs(20);
/// The longest time for the last write of a program that ends.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

const LIMITS: Limits =
    Limits { at_once: 1, follows_load: false, spacing: Duration::ZERO, pause: (PAUSE, PAUSE) };

impl StatusObject {
    /// An object of this kind, given as `group`, `version`, `kind` and plural, and of this name. `pace` is
    /// the least time between two writes.
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
        let template =
            json!({"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}});
        let api = Api::namespaced_with(client, namespace, &resource);

        let mut writer = StatusWriter::new(LIMITS);
        writer.mark(&());
        Self {
            object: ObjectWriter { api, manager, template },
            pace,
            heartbeat: None,
            written: None,
            write_began: None,
            reported: None,
            renewal: None,
            observed: None,
            writer,
        }
    }

    /// Sets the labels with which the object is created.
    pub(super) fn labels(mut self, labels: Value) -> Self {
        self.object.template["metadata"]["labels"] = labels;
        self
    }

    /// Adds `heartbeatTime`, the time of the last write, and `heartbeatPeriodSeconds`, within which the next one follows.
    pub(super) fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = Some(period);
        self
    }

    /// Sets the owner, a Node, which may become known only after the first write. If the Node was replaced, the object of the
    /// old one has been or will be removed, so it is created again.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        let owners = json!([owner]);
        let field = &mut self.object.template["metadata"]["ownerReferences"];
        let before = std::mem::replace(field, owners.clone());
        if before.is_null() || before == owners {
            return;
        }

        self.writer.reset();
        self.forget_written();
        self.mark();
    }

    /// Notes that the status may have changed.
    pub(super) fn mark(&mut self) {
        self.writer.mark_at(&(), Instant::now() + self.pace);
    }

    /// Notes that the status may change at this time by itself.
    pub(super) fn mark_at(&mut self, at: Instant) {
        self.writer.mark_at(&(), at.max(Instant::now() + self.pace));
    }

    /// Waits until [`write`](Self::write) has to be called, or until a write has succeeded. Cancel safe.
    pub(super) async fn due(&mut self) {
        while let Some(((), outcome)) = self.writer.next().await {
            match outcome {
                Outcome::Done(observed) => {
                    self.observed = Some(observed);
                    self.reported = self.write_began;
                    return;
                }
                Outcome::Outdated => self.forget_written(),
                Outcome::Failed(failure) => {
                    let kind = self.object.kind();
                    tracing::debug!(
                        kind,
                        error = causes(&failure.error),
                        "cannot write the status"
                    );
                    self.forget_written();
                }
            }
        }
    }

    /// Returns the time as of which the last written status is true.
    pub(super) fn reported(&self) -> Option<Instant> {
        self.reported
    }

    /// Starts to write the current status, if it differs from the written one or its renewal is due. Sets the
    /// `lastTransitionTime` of its conditions.
    pub(super) fn write(&mut self, status: Value) {
        let now = Instant::now();
        let Self { object, heartbeat, written, write_began, renewal, observed, writer, .. } = self;

        writer.begin(|()| {
            if let Some(at) = renewal.filter(|at| now < *at)
                && written.as_ref() == Some(&status)
            {
                return Decision::Wait(at);
            }

            if heartbeat.is_none() && renewal.is_some_and(|at| now >= at) {
                // Another program may have changed the object: read it first.
                *observed = None;
            }
            *renewal = Some(now + heartbeat.unwrap_or(REREAD_PERIOD));
            *written = Some(status.clone());
            *write_began = Some(now);

            let status = with_heartbeat(status.clone(), *heartbeat, *heartbeat);
            let (object, observed) = (object.clone(), observed.take());
            Decision::Write(async move { object.write(observed, status).await })
        });

        if let Some(at) = *renewal {
            writer.mark_at(&(), at);
        }
    }

    /// Writes the final status, but gives up after a short time. No heartbeat follows.
    pub(super) async fn finish(&mut self, status: Value) {
        let status = with_heartbeat(status, self.heartbeat, None);
        let last_write = async {
            while self.writer.is_writing(&()) {
                if let Some(((), Outcome::Done(observed))) = self.writer.next().await {
                    self.observed = Some(observed);
                }
            }
            self.object.write(self.observed.take(), status).await
        };
        match tokio::time::timeout(LAST_WRITE_TIMEOUT, last_write).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = causes(&error), "cannot write the last status");
            }
            Err(_) => tracing::debug!("cannot write the last status in time"),
        }
    }

    /// Makes the next turn read the object and write its status. A heartbeat does not shorten the pause until then.
    fn forget_written(&mut self) {
        (self.written, self.renewal, self.observed) = (None, None, None);
    }
}

/// Adds the heartbeat to a status, if the object has one. `next` is the time within which another heartbeat follows.
fn with_heartbeat(mut status: Value, period: Option<Duration>, next: Option<Duration>) -> Value {
    if period.is_some() {
        status["heartbeatTime"] = json!(time(time_of_day()));
        status["heartbeatPeriodSeconds"] = json!(next.map(|period| period.as_secs()));
    }
    status
}

impl ObjectWriter {
    fn kind(&self) -> &str {
        self.template["kind"].as_str().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.template["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Writes the status at the last seen version, so that the slower of two writers changes nothing. Returns the object after
    /// the write. An object that will be removed with another owner is left alone, and ours is created after its removal.
    async fn write(
        &self,
        observed: Option<ObservedStatus>,
        mut status: Value,
    ) -> Result<ObservedStatus, WriteError> {
        let observed = match observed {
            Some(observed) => observed,
            None => self.get_or_create().await?,
        };
        if let Some(conditions) = status.get_mut("conditions") {
            note_transitions(conditions, &observed.conditions, time_of_day());
        }

        let patch = json!({"metadata": {"resourceVersion": observed.version}, "status": status});
        let object = patch_status(&self.api, self.manager, self.name(), patch).await?;
        Ok(ObservedStatus::of(&object))
    }

    async fn get_or_create(&self) -> Result<ObservedStatus, WriteError> {
        if let Some(object) = self.api.get_opt(self.name()).await? {
            let ours = self.template["metadata"]["ownerReferences"][0]["uid"].as_str();
            if belongs_to_another(&object, ours) {
                return Err(WriteError::NotOurs);
            }
            return Ok(ObservedStatus::of(&object));
        }

        let object: ObjectTree =
            serde_json::from_value(self.template.clone()).map_err(kube::Error::SerdeError)?;
        let params =
            PostParams { field_manager: Some(self.manager.to_owned()), ..PostParams::default() };
        let created = self.api.create(&params, &object).await?;
        Ok(ObservedStatus::of(&created))
    }
}

impl ObservedStatus {
    fn of(object: &ObjectTree) -> Self {
        let version = object.text(&["metadata", "resourceVersion"]).unwrap_or_default();
        let conditions = object.get(&["status", "conditions"]).map_or(Value::Null, Tree::to_json);
        Self { version: version.to_owned(), conditions }
    }
}

/// Returns true if an object belongs to another owner, with which it will be removed: a pod of MetalLB, or a former Node of this
/// name. `ours` is the UID of our owner. An object without an owner belongs to no other.
pub(super) fn belongs_to_another(object: &ObjectTree, ours: Option<&str>) -> bool {
    let owners = object.get(&["metadata", "ownerReferences"]).map_or(&[][..], Tree::items);
    let mut uids = owners.iter().filter_map(|owner| owner.get("uid")?.text()).peekable();
    uids.peek().is_some() && !uids.any(|uid| Some(uid) == ours)
}

/// Sets the `lastTransitionTime` of conditions: the former time if the status has not changed, and now otherwise.
pub(super) fn note_transitions(conditions: &mut Value, before: &Value, now: Timestamp) {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        let mut known = before.as_array().into_iter().flatten();
        let same = known.find(|before| {
            before["type"] == condition["type"] && before["status"] == condition["status"]
        });
        let since = same.and_then(|before| before["lastTransitionTime"].as_str());
        condition["lastTransitionTime"] = match since {
            Some(since) => json!(since),
            None => json!(time(now)),
        };
    }
}

/// Returns a time in the form of Kubernetes objects.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns the owner reference to a Node, for objects that are removed with it.
pub(super) fn node_as_owner(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid})
}

#[cfg(test)]
#[path = "status_object_tests.rs"]
mod tests;
