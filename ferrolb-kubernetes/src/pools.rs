//! The status of IPAddressPools: how full they are.
//!
//! What there is to write follows from what is seen. A status that another controller wrote, such as one that was deposed
//! and does not know it, is set right. If that controller does the same, as a MetalLB in the same namespace does, the pauses
//! grow, so that two controllers do not write against each other all the time.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::answered;
use super::object::Object;
use super::reach;
use super::resource::Kind;
use ferrolb_node::metrics::{PoolSample, PoolUsage};
use lb_adapter::config::Value as Tree;

/// Writes the status of IPAddressPools: what has changed, once a second at most.
pub(super) struct PoolStatus {
    api: Api<Object>,
    manager: &'static str,
    /// The objects that there are: version and status.
    seen: BTreeMap<String, (String, Value)>,
    /// What they should say.
    wanted: BTreeMap<String, Value>,
    /// The pools whose status another controller has changed.
    contested: BTreeMap<String, Contest>,
    /// The time at which the first of them that differs is set right.
    truce: Option<Instant>,
    due: Option<Instant>,
    /// Whether what was under way is written.
    under_way: JoinSet<bool>,
}

/// The count of another controller's changes to the status of a pool, and the time at which it is set right.
struct Contest {
    times: u32,
    at: Instant,
}

/// The longest pause before the status of a contested pool is set right.
const TRUCE: Duration = Duration::from_secs(600);

const PACE: Duration = Duration::from_secs(1);
/// So long after a failure.
const PAUSE: Duration = Duration::from_secs(5);

impl PoolStatus {
    /// None seen yet. Dropped, what is under way is given up.
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        let api = Api::namespaced_with(client, namespace, &Kind::IpAddressPool.api_resource());
        let (seen, wanted, contested) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (truce, due) = (None, None);
        Self { api, manager, seen, wanted, contested, truce, due, under_way: JoinSet::new() }
    }

    /// A pool is there, as it is now.
    pub(super) fn see(&mut self, object: &Object) {
        let (_, name) = object.name();
        let version = object.text(&["metadata", "resourceVersion"]).unwrap_or_default().to_owned();
        let counter = |key| object.get(&["status", key]).map_or(Value::Null, Tree::to_json);
        let status: Value =
            COUNTERS.map(|key| (key.to_owned(), counter(key))).into_iter().collect();
        let wanted = self.wanted.get(&name);
        let is_right = wanted == Some(&status);
        let was_right = wanted.is_some() && self.seen.get(&name).map(|(_, it)| it) == wanted;
        if was_right && !is_right {
            self.contest(&name);
        }
        self.seen.insert(name, (version, status));
        if !is_right {
            self.mark();
        }
    }

    /// Notes that another controller has changed a status that was right.
    fn contest(&mut self, name: &str) {
        let now = Instant::now();
        let recent = self.contested.get(name).filter(|contest| contest.at + TRUCE > now);
        let times = recent.map_or(0, |contest| contest.times);
        if times == 1 {
            tracing::warn!(
                pool = name,
                "another controller writes the status of the pool too, with other counters"
            );
        }
        let pause = PACE.saturating_mul(4_u32.saturating_pow(times)).min(TRUCE);
        let contest = Contest { times: times.saturating_add(1), at: now + pause };
        self.contested.insert(name.to_owned(), contest);
    }

    /// A pool is gone.
    pub(super) fn gone(&mut self, name: &str) {
        self.seen.remove(name);
        self.contested.remove(name);
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + PACE);
    }

    /// Waits until it is time to write; for ever if there is nothing to. Loses nothing when it is dropped.
    pub(super) async fn due(&mut self) {
        while let Some(written) = self.under_way.join_next().await {
            if !written.unwrap_or(false) {
                self.due = Some(Instant::now() + PAUSE);
            }
        }
        match self.due.into_iter().chain(self.truce).min() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Begins to write what the objects do not say of these pools.
    pub(super) fn write(&mut self, samples: &[PoolSample]) {
        let now = Instant::now();
        (self.due, self.truce) = (None, None);
        self.wanted = samples.iter().map(|it| (it.name.clone(), status(it))).collect();

        for (name, status) in &self.wanted {
            let Some((version, seen)) = self.seen.get(name) else { continue };
            if seen == status {
                continue;
            }
            if let Some(contest) = self.contested.get(name).filter(|contest| contest.at > now) {
                self.truce = self.truce.into_iter().chain([contest.at]).min();
                continue;
            }

            let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
            let (api, manager, name) = (self.api.clone(), self.manager, name.clone());
            self.under_way.spawn(async move {
                let params = PatchParams {
                    field_manager: Some(manager.to_owned()),
                    ..PatchParams::default()
                };
                let patch = Patch::Merge(patch);
                match answered(api.patch_status(&name, &params, &patch)).await {
                    Ok(_) => true,
                    // It is gone, or somebody was faster: that is about to be seen.
                    Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => true,
                    Err(error) => {
                        reach::warn_if_news!(
                            error,
                            pool = name,
                            "the status of the pool could not be written"
                        );
                        false
                    }
                }
            });
        }
    }
}

const COUNTERS: [&str; 4] = ["assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"];

fn status(sample: &PoolSample) -> Value {
    let free = |usage: PoolUsage| {
        let free = usage.total.saturating_sub(u128::from(usage.in_use));
        i64::try_from(free).unwrap_or(i64::MAX)
    };
    let (ipv4, ipv6) = (sample.ipv4, sample.ipv6);
    let counts = [json!(ipv4.in_use), json!(ipv6.in_use), json!(free(ipv4)), json!(free(ipv6))];
    COUNTERS.map(str::to_owned).into_iter().zip(counts).collect()
}

#[cfg(test)]
#[path = "pools_tests.rs"]
mod tests;
