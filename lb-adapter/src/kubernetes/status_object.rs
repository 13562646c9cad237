//! One object that a program keeps about itself: made where it is not there, and its status written when that has
//! changed, at a pace.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The object.
pub(super) struct StatusObject {
    api: Api<DynamicObject>,
    /// What it is made as: name, labels, and what Kubernetes removes it with.
    made: Value,
    manager: &'static str,
    pace: Duration,
    written: Option<Value>,
    due: Option<Instant>,
    /// The version of the object; not known before it was read.
    version: Option<String>,
    under_way: Option<JoinHandle<Option<String>>>,
}

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
            version: None,
            under_way: None,
        }
    }

    /// With these labels.
    pub(super) fn labels(mut self, labels: Value) -> Self {
        self.made["metadata"]["labels"] = labels;
        self
    }

    /// Whoever it goes with: a Node, whose object may be known later than it is written first. If it is another now,
    /// the object has gone or is about to, and is made again.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        let owners = json!([owner]);
        let before = std::mem::replace(&mut self.made["metadata"]["ownerReferences"], owners);
        if !before.is_null() && before != self.made["metadata"]["ownerReferences"] {
            (self.written, self.version) = (None, None);
            self.due = Some(Instant::now() + PAUSE);
        }
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + self.pace);
    }

    /// Waits until it is time to write; loses nothing when it is dropped.
    pub(super) async fn due(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            self.version = under_way.await.ok().flatten();
            self.under_way = None;
            if self.version.is_none() {
                self.written = None;
                self.due = Some(Instant::now() + PAUSE);
            }
        }
        match self.due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Writes what is true for the last time, if that is soon done.
    pub(super) async fn finish(&mut self, status: Value) {
        let written = async {
            if let Some(under_way) = &mut self.under_way {
                self.version = under_way.await.ok().flatten();
                self.under_way = None;
            }
            self.write(status);
            if let Some(under_way) = &mut self.under_way {
                drop(under_way.await);
            }
        };
        drop(tokio::time::timeout(LAST, written).await);
    }

    /// Begins to write what is true now, if it is not what is written.
    pub(super) fn write(&mut self, status: Value) {
        self.due = None;
        if self.written.as_ref() == Some(&status) {
            return;
        }
        let (api, made, manager) = (self.api.clone(), self.made.clone(), self.manager);
        let version = self.version.take();
        self.written = Some(status.clone());
        self.under_way = Some(tokio::spawn(async move {
            match put(&api, &made, manager, version, status).await {
                Ok(version) => Some(version),
                Err(error) => {
                    let kind = made["kind"].as_str().unwrap_or_default();
                    tracing::debug!(kind, %error, "the status cannot be written");
                    None
                }
            }
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
/// gives back its version.
async fn put(
    api: &Api<DynamicObject>,
    made: &Value,
    manager: &'static str,
    version: Option<String>,
    status: Value,
) -> Result<String, kube::Error> {
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let of = |object: DynamicObject| object.metadata.resource_version.unwrap_or_default();
    let version = match version {
        Some(version) => version,
        None => match api.get_opt(name).await? {
            Some(object) => of(object),
            None => {
                let object =
                    serde_json::from_value(made.clone()).map_err(kube::Error::SerdeError)?;
                let params =
                    PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
                of(api.create(&params, &object).await?)
            }
        },
    };
    let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    Ok(of(api.patch_status(name, &params, &Patch::Merge(patch)).await?))
}

/// A Node, for what is removed with it.
pub(super) fn node_as_owner(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid})
}
