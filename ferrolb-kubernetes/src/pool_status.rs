//! The status of IPAddressPools: how full they are.
//!
//! Owns the counters and the rule for a contested status. A status that another controller wrote is corrected, such as one from
//! a deposed leader that does not know this yet. If the other controller corrects it too, like a MetalLB in the same namespace,
//! the pauses grow, so that the two controllers do not overwrite each other all the time.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::object_tree::ObjectTree;
use super::resource::Kind;
use super::status_writer::{Decision, Limits, Outcome, StatusWriter, log_failure, patch_status};
use ferrolb_node::metrics::{PoolSample, PoolUsage};
use lb_adapter::config::Value as Tree;

/// Writes the status of IPAddressPools, each at most once a second.
pub(super) struct PoolStatusWriter {
    api: Api<ObjectTree>,
    manager: &'static str,
    /// The objects that exist.
    observed: BTreeMap<String, ObservedPool>,
    /// The status that each pool should have.
    desired: BTreeMap<String, Value>,
    /// The pools whose status another controller has changed.
    contested: BTreeMap<String, Contest>,
    writer: StatusWriter<String, ()>,
}

/// A pool as the watch delivered it.
struct ObservedPool {
    version: String,
    status: Value,
}

/// The number of times that another controller changed the status of a pool, and the time of the next correction.
struct Contest {
    times: u32,
    at: Instant,
}

/// The longest pause before the status of a contested pool is corrected.
const TRUCE: Duration = Duration::from_secs(600);
/// The delay before a change is written, together with later ones.
const PACE: Duration = Duration::from_secs(1);

const LIMITS: Limits = Limits {
    at_once: 16,
    follows_load: false,
    spacing: Duration::ZERO,
    pause: (Duration::from_secs(5), Duration::from_secs(5)),
};

impl PoolStatusWriter {
    /// A writer that has not seen a pool yet. Dropping it aborts the writes under way.
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        Self {
            api: Api::namespaced_with(client, namespace, &Kind::IpAddressPool.api_resource()),
            manager,
            observed: BTreeMap::new(),
            desired: BTreeMap::new(),
            contested: BTreeMap::new(),
            writer: StatusWriter::new(LIMITS),
        }
    }

    /// Notes a pool as the watch delivers it.
    pub(super) fn observe(&mut self, object: &ObjectTree) {
        let (_, name) = object.name();
        let observed = ObservedPool {
            version: object.text(&["metadata", "resourceVersion"]).unwrap_or_default().to_owned(),
            status: counters_of(object),
        };

        let desired = self.desired.get(&name);
        let is_right = desired == Some(&observed.status);
        let was_right =
            desired.is_some() && self.observed.get(&name).map(|before| &before.status) == desired;
        if was_right && !is_right {
            self.contest(&name);
        }

        if !is_right {
            self.writer.mark_at(&name, Instant::now() + PACE);
        }
        self.observed.insert(name, observed);
    }

    /// Notes that another controller has changed a status that was right.
    fn contest(&mut self, name: &str) {
        let now = Instant::now();
        let recent = self.contested.get(name).filter(|contest| contest.at + TRUCE > now);
        let times = recent.map_or(0, |contest| contest.times);
        if times == 1 {
            tracing::warn!(
                pool = name,
                "another controller also writes the status of the pool, with different counters"
            );
        }

        let pause = PACE.saturating_mul(4_u32.saturating_pow(times)).min(TRUCE);
        let contest = Contest { times: times.saturating_add(1), at: now + pause };
        self.contested.insert(name.to_owned(), contest);
    }

    /// Forgets a pool that was deleted.
    pub(super) fn remove(&mut self, name: &str) {
        self.observed.remove(name);
        self.contested.remove(name);
        self.writer.forget(&name.to_owned());
    }

    /// Notes that the counters of any pool may have changed.
    pub(super) fn mark(&mut self) {
        let at = Instant::now() + PACE;
        for name in self.observed.keys() {
            self.writer.mark_at(name, at);
        }
    }

    /// Waits until [`write`](Self::write) has to be called, and never returns if there is nothing to write. Cancel safe.
    pub(super) async fn due(&mut self) {
        while let Some((name, outcome)) = self.writer.next().await {
            if let Outcome::Failed(failure) = outcome {
                log_failure!(failure, pool = name, "cannot write the status of the pool");
            }
        }
    }

    /// Starts to write the status of the pools that differs from these samples.
    pub(super) fn write(&mut self, samples: &[PoolSample]) {
        self.desired =
            samples.iter().map(|sample| (sample.name.clone(), counters_from(sample))).collect();

        let Self { api, manager, observed, desired, contested, writer } = self;
        let now = Instant::now();
        writer.begin(|name| {
            let (Some(observed), Some(desired)) = (observed.get(name), desired.get(name)) else {
                return Decision::Skip;
            };
            if observed.status == *desired {
                return Decision::Skip;
            }
            if let Some(contest) = contested.get(name).filter(|contest| contest.at > now) {
                return Decision::Wait(contest.at);
            }

            let patch =
                json!({"metadata": {"resourceVersion": observed.version}, "status": desired});
            let (api, manager, name) = (api.clone(), *manager, name.clone());
            Decision::Write(async move {
                patch_status(&api, manager, &name, patch).await?;
                Ok(())
            })
        });
    }
}

const COUNTERS: [&str; 4] = ["assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"];

/// Returns the counters that the status of a pool has.
fn counters_of(object: &ObjectTree) -> Value {
    let mut status = json!({});
    for counter in COUNTERS {
        status[counter] = object.get(&["status", counter]).map_or(Value::Null, Tree::to_json);
    }
    status
}

/// Returns the counters that the status of a pool should have.
fn counters_from(sample: &PoolSample) -> Value {
    json!({
        "assignedIPv4": sample.ipv4.in_use,
        "assignedIPv6": sample.ipv6.in_use,
        "availableIPv4": free(sample.ipv4),
        "availableIPv6": free(sample.ipv6),
    })
}

fn free(usage: PoolUsage) -> i64 {
    let free = usage.total.saturating_sub(u128::from(usage.in_use));
    i64::try_from(free).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "pool_status_tests.rs"]
mod tests;
