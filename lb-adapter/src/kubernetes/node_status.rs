//! Our own BGPNodeStatus: what is true of one node, sessions as they are and not as they are meant.
//!
//! One object a node, written when something has changed and once in two seconds at most.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::mirror::ConfigState;
use crate::metrics::{DrainSample, SessionSample};

/// The object of one node.
pub(super) struct NodeStatus {
    api: Api<DynamicObject>,
    node: String,
    manager: &'static str,
    written: Option<Value>,
    due: Option<Instant>,
    under_way: Option<JoinHandle<bool>>,
}

const PACE: Duration = Duration::from_secs(2);
/// So long after a failure, or while the cluster has no such resource.
const PAUSE: Duration = Duration::from_secs(20);

impl NodeStatus {
    pub(super) fn new(client: Client, namespace: &str, node: &str, manager: &'static str) -> Self {
        let kind = GroupVersionKind::gvk("ferrolb.io", "v1alpha1", "BGPNodeStatus");
        let resource = ApiResource::from_gvk_with_plural(&kind, "bgpnodestatuses");
        Self {
            api: Api::namespaced_with(client, namespace, &resource),
            node: node.to_owned(),
            manager,
            written: None,
            due: Some(Instant::now()),
            under_way: None,
        }
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + PACE);
    }

    /// Waits until it is time to write.
    pub(super) async fn due(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            let written = under_way.await.unwrap_or(false);
            self.under_way = None;
            if !written {
                self.written = None;
                self.due = Some(Instant::now() + PAUSE);
            }
        }
        match self.due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Begins to write what is true now, if it is not what is written.
    pub(super) fn write(&mut self, status: Value) {
        self.due = None;
        if self.written.as_ref() == Some(&status) {
            return;
        }
        let (api, node, manager) = (self.api.clone(), self.node.clone(), self.manager);
        self.written = Some(status.clone());
        self.under_way = Some(tokio::spawn(async move {
            match put(&api, &node, manager, status).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::debug!(%error, "the BGPNodeStatus cannot be written");
                    false
                }
            }
        }));
    }
}

impl Drop for NodeStatus {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.abort();
        }
    }
}

async fn put(
    api: &Api<DynamicObject>,
    node: &str,
    manager: &'static str,
    status: Value,
) -> Result<(), kube::Error> {
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"status": status}));
    match api.patch_status(node, &params, &patch).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 => {}
        other => return other.map(drop),
    }
    let object = json!({"apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus", "metadata": {"name": node}});
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let create = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    api.create(&create, &object).await?;
    api.patch_status(node, &params, &patch).await.map(drop)
}

/// What there is to say.
pub(super) fn status(
    node: &str,
    config: &ConfigState,
    sessions: &[SessionSample],
    services: usize,
    drain: DrainSample,
) -> Value {
    let sessions: Vec<Value> = sessions.iter().map(session).collect();
    let stale = config.errors.first().map(ToString::to_string);
    json!({
        "node": node,
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": {
            "loaded": config.loaded,
            "stale": config.is_stale(),
            "message": stale,
        },
        "drain": match drain {
            DrainSample::Serving => "Serving",
            DrainSample::Graceful => "Graceful",
            DrainSample::Withdrawn => "Withdrawn",
        },
        "services": services,
        "sessions": sessions,
    })
}

fn session(session: &SessionSample) -> Value {
    let status = &session.status;
    json!({
        "peer": session.name,
        "address": session.endpoint,
        "state": format!("{:?}", status.state()),
        "established": status.is_established(),
        "prefixes": session.prefixes,
        "flaps": status.stats().sessions_lost,
        "lastError": status.last_down().or_else(|| status.last_failure()),
    })
}
