//! The status of IPAddressPools: how full they are.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::resource::Kind;
use crate::metrics::{PoolSample, Usage};

/// Writes the status of IPAddressPools: what has changed, once a second at most.
#[derive(Debug)]
pub(super) struct PoolStatus {
    api: Api<DynamicObject>,
    manager: &'static str,
    written: BTreeMap<String, Value>,
    due: Option<Instant>,
}

const PACE: Duration = Duration::from_secs(1);

impl PoolStatus {
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        let api = Api::namespaced_with(client, namespace, &Kind::IpAddressPool.api_resource());
        Self { api, manager, written: BTreeMap::new(), due: None }
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + PACE);
    }

    /// Waits until it is time to write; for ever if there is nothing to.
    pub(super) async fn due(&self) {
        match self.due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// What is to be written of these pools now: name and patch.
    pub(super) fn patches(&mut self, samples: &[PoolSample]) -> Vec<(String, Value)> {
        self.due = None;
        let mut patches = Vec::new();
        for sample in samples {
            let free = |usage: Usage| usage.total.saturating_sub(u128::from(usage.in_use));
            let status = json!({
                "assignedIPv4": sample.ipv4.in_use,
                "assignedIPv6": sample.ipv6.in_use,
                "availableIPv4": i64::try_from(free(sample.ipv4)).unwrap_or(i64::MAX),
                "availableIPv6": i64::try_from(free(sample.ipv6)).unwrap_or(i64::MAX),
            });
            if self.written.get(&sample.name) != Some(&status) {
                self.written.insert(sample.name.clone(), status.clone());
                patches.push((sample.name.clone(), json!({"status": status})));
            }
        }
        self.written.retain(|name, _| samples.iter().any(|sample| sample.name == *name));
        patches
    }

    /// The write of one, to be awaited elsewhere.
    pub(super) fn write(&self, name: String, patch: Value) -> impl Future<Output = ()> + use<> {
        let (api, manager) = (self.api.clone(), self.manager);
        async move {
            let params =
                PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
            match api.patch_status(&name, &params, &Patch::Merge(patch)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => {
                    tracing::warn!(pool = name, %error, "the status of the pool could not be written");
                }
            }
        }
    }
}
