//! The status that a Service should have, and the patch that produces it.
//!
//! Owns the form: `status.loadBalancer.ingress`, one condition, and MetalLB's annotation that names the pool. A patch contains
//! the resourceVersion for which it was made, so that a deposed or late writer changes nothing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::object_tree::ObjectTree;
use lb_adapter::config::Value as Tree;

/// The parts of a Service that this crate writes, as last seen at the API server.
///
/// The controller keeps one for each Service, and reads most of them only when the Service changes. The status is kept as text,
/// since that takes a tenth of the memory of its tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ServiceSnapshot {
    pub(super) version: Box<str>,
    pub(super) uid: Box<str>,
    generation: i64,
    /// The pool in the annotation.
    pool: Option<Box<str>>,
    has_addresses: bool,
    /// True if the status is ours: the controller wrote it, and its condition is present.
    is_ours: bool,
    /// A [`Status`] in JSON.
    status: Box<str>,
}

/// The parts of a Service's status that are read and written here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Status {
    /// The entries of `status.loadBalancer.ingress`.
    ingress: Vec<Value>,
    conditions: Vec<Value>,
}

/// The status that a Service should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DesiredStatus {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) pool: Option<String>,
    /// The reason why the Service has no address, or not the requested one.
    pub(super) refusal: Option<String>,
    /// The notice that the Service will lose its address.
    pub(super) notice: Option<String>,
    /// True if this controller serves the Service; otherwise everything that it wrote is removed.
    pub(super) ours: bool,
}

/// MetalLB's annotation that names the pool of an address.
const POOL: &str = "metallb.io/ip-allocated-from-pool";
/// The field manager of everything that the controller writes.
pub(super) const MANAGER: &str = "ferrolb-controller";
/// The type of our condition.
pub(super) const CONDITION: &str = "ferrolb.io/AddressAssigned";

fn metadata_text<'a>(object: &'a ObjectTree, key: &str) -> &'a str {
    object.text(&["metadata", key]).unwrap_or_default()
}

/// Returns the list at the end of these keys, as JSON.
fn json_list(object: &ObjectTree, path: &[&str]) -> Vec<Value> {
    let items = object.get(path).map_or(&[][..], Tree::items);
    items.iter().map(Tree::to_json).collect()
}

impl ServiceSnapshot {
    /// The snapshot of a Service.
    pub(super) fn of(object: &ObjectTree) -> Self {
        let status = Status {
            ingress: json_list(object, &["status", "loadBalancer", "ingress"]),
            conditions: json_list(object, &["status", "conditions"]),
        };

        let snapshot = Self {
            version: metadata_text(object, "resourceVersion").into(),
            uid: metadata_text(object, "uid").into(),
            generation: metadata_text(object, "generation").parse().unwrap_or(0),
            pool: object.annotation(POOL).map(Box::from),
            is_ours: object.has_status_of(MANAGER) && status.condition().is_some(),
            ..Self::default()
        };
        snapshot.with_status(&status)
    }

    fn with_status(self, status: &Status) -> Self {
        Self {
            has_addresses: !status.ingress.is_empty(),
            status: json!(status).to_string().into(),
            ..self
        }
    }

    fn status(&self) -> Status {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// Returns true if this snapshot is newer than another one of the same Service. Versions grow with every change; a version
    /// that is not a number counts as newer if it differs.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        match (self.version.parse::<u64>(), other.version.parse::<u64>()) {
            (Ok(own), Ok(others)) => own > others,
            _ => self.version != other.version,
        }
    }

    /// Returns true if the status has an address.
    pub(super) fn has_addresses(&self) -> bool {
        self.has_addresses
    }

    /// Returns true if the status is ours: by `managedFields` the controller wrote it, and it has our condition. MetalLB's
    /// annotation proves nothing, since MetalLB writes it too. Nor does the condition alone, which stays when another
    /// controller takes over.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Returns the patch of the status subresource that produces the desired status, or `None` if nothing differs. `now` is the
    /// time in the format of the API.
    pub(super) fn patch(&self, desired: &DesiredStatus, now: &str) -> Option<Value> {
        let (mut metadata, mut status) = (json!({"resourceVersion": self.version}), json!({}));
        let current = self.status();

        if !current.has_exactly(&desired.addresses) {
            status["loadBalancer"] = json!({"ingress": ingress(&desired.addresses)});
        }
        if self.pool.as_deref() != desired.pool.as_deref() {
            metadata["annotations"] = json!({POOL: desired.pool});
        }
        let condition = current.desired_condition(desired, self.generation, now);
        if current.condition() != condition.as_ref() {
            status["conditions"] = current.with_condition(condition);
        }

        if metadata.get("annotations").is_none() && status == json!({}) {
            return None;
        }
        Some(json!({"metadata": metadata, "status": status}))
    }
}

/// Returns `ingress` entries for these addresses. Without addresses, this is null, which removes the field.
fn ingress(addresses: &[IpAddr]) -> Value {
    if addresses.is_empty() {
        return Value::Null;
    }
    let addresses = addresses.iter();
    addresses.map(|address| json!({"ip": address.to_string(), "ipMode": "VIP"})).collect()
}

impl Status {
    fn condition(&self) -> Option<&Value> {
        self.conditions.iter().find(|condition| condition["type"] == CONDITION)
    }

    /// Returns all conditions with ours replaced by this one. If there are none, this is null, which removes the field.
    fn with_condition(&self, condition: Option<Value>) -> Value {
        let others = self.conditions.iter().filter(|other| other["type"] != CONDITION).cloned();
        let all: Vec<Value> = others.chain(condition).collect();
        if all.is_empty() { Value::Null } else { Value::Array(all) }
    }

    /// Returns true if the status has exactly these addresses, each with `ipMode: VIP`, which servers before Kubernetes 1.29
    /// leave out.
    fn has_exactly(&self, addresses: &[IpAddr]) -> bool {
        self.ingress.len() == addresses.len()
            && self.ingress.iter().zip(addresses).all(|(entry, address)| {
                let ip = entry["ip"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
                let mode = entry["ipMode"].as_str().unwrap_or("VIP");
                ip == Some(*address) && mode == "VIP" && entry["hostname"].is_null()
            })
    }

    /// Returns the condition that the Service should have, or `None` if this controller does not serve it.
    fn desired_condition(
        &self,
        desired: &DesiredStatus,
        generation: i64,
        now: &str,
    ) -> Option<Value> {
        if !desired.ours {
            return None;
        }

        let (status, reason, message) = match (&desired.refusal, &desired.notice) {
            (Some(refusal), _) => ("False", "AllocationFailed", refusal.clone()),
            (None, Some(notice)) => ("True", "PoolGone", notice.clone()),
            (None, None) => {
                let pool = desired.pool.as_deref().unwrap_or_default();
                ("True", "IPAllocated", format!("from the pool {pool}"))
            }
        };

        let before = self.condition();
        if let Some(before) = before
            && before["status"] == status
            && before["reason"] == reason
            && before["message"] == message.as_str()
        {
            // Only the generation differs, which is no reason to write.
            return Some(before.clone());
        }

        let with_same_status = before.filter(|before| before["status"] == status);
        let since = with_same_status.and_then(|before| before["lastTransitionTime"].as_str());
        Some(json!({
            "type": CONDITION,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since.unwrap_or(now),
            "observedGeneration": generation,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn snapshot(status: Value, annotations: Value) -> ServiceSnapshot {
        let object = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "a", "resourceVersion": "7", "generation": 3, "annotations": annotations},
            "status": status});
        ServiceSnapshot::of(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let of = |version: &str| ServiceSnapshot {
            version: version.into(),
            ..ServiceSnapshot::default()
        };
        assert!(of("10").is_newer_than(&of("9")));
        assert!(!of("9").is_newer_than(&of("10")));
        assert!(!of("10").is_newer_than(&of("10")));
        assert!(of("b").is_newer_than(&of("a")) && !of("a").is_newer_than(&of("a")));
    }

    fn at(address: &str) -> DesiredStatus {
        DesiredStatus {
            addresses: vec![address.parse().unwrap()],
            pool: Some("default".to_owned()),
            refusal: None,
            notice: None,
            ours: true,
        }
    }

    /// As the API server merges it.
    fn applied(snapshot: &ServiceSnapshot, patch: &Value) -> ServiceSnapshot {
        let (mut after, mut status) = (snapshot.clone(), snapshot.status());
        if let Some(load_balancer) = patch["status"].get("loadBalancer") {
            status.ingress = load_balancer["ingress"].as_array().cloned().unwrap_or_default();
        }
        if let Some(annotations) = patch["metadata"].get("annotations") {
            after.pool = annotations[POOL].as_str().map(Box::from);
        }
        if let Some(conditions) = patch["status"].get("conditions") {
            status.conditions = conditions.as_array().cloned().unwrap_or_default();
        }
        after.with_status(&status)
    }

    /// Returns the Service with the desired condition.
    fn with_condition(snapshot: ServiceSnapshot, desired: &DesiredStatus) -> ServiceSnapshot {
        let mut status = snapshot.status();
        status.conditions = vec![status.desired_condition(desired, 3, NOW).unwrap()];
        snapshot.with_status(&status)
    }

    #[test]
    fn an_address_is_written_with_its_mode_its_pool_and_a_condition_and_only_once() {
        let before = snapshot(json!({"loadBalancer": {}}), Value::Null);
        let patch = before.patch(&at("172.22.35.70"), NOW).unwrap();
        assert_eq!(
            patch["status"]["loadBalancer"],
            json!({"ingress": [{"ip": "172.22.35.70", "ipMode": "VIP"}]})
        );
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(patch["metadata"]["annotations"][POOL], "default");
        assert_eq!(patch["status"]["conditions"][0]["status"], "True");
        assert_eq!(patch["status"]["conditions"][0]["observedGeneration"], 3);
        assert_eq!(applied(&before, &patch).patch(&at("172.22.35.70"), "later"), None);
    }

    #[test]
    fn an_address_in_another_spelling_is_left_alone() {
        let wanted = at("2001:db8::1");
        let before = snapshot(
            json!({"loadBalancer": {"ingress": [{"ip": "2001:DB8:0::1"}]}}),
            json!({POOL: "default"}),
        );
        let before = with_condition(before, &wanted);
        assert_eq!(before.patch(&wanted, NOW), None);
        assert!(before.patch(&at("2001:db8::2"), NOW).is_some());
    }

    #[test]
    fn conditions_of_others_stay_and_the_time_is_that_of_the_last_transition() {
        let other = json!({"type": "example.com/Other", "status": "True"});
        let before = snapshot(json!({"loadBalancer": {}, "conditions": [other]}), Value::Null);
        let refused = DesiredStatus {
            refusal: Some("no address is free".to_owned()),
            ours: true,
            ..DesiredStatus::default()
        };
        let patch = before.patch(&refused, NOW).unwrap();
        assert_eq!(patch["status"]["conditions"][0], other);
        assert_eq!(patch["status"]["conditions"][1]["reason"], "AllocationFailed");
        let refused_before = applied(&before, &patch);
        let again = DesiredStatus { refusal: Some("another reason".to_owned()), ..refused };
        let patch = refused_before.patch(&again, "2027-01-01T00:00:00Z").unwrap();
        assert_eq!(patch["status"]["conditions"][1]["lastTransitionTime"], NOW);
        assert!(patch["status"].get("loadBalancer").is_none());
    }

    #[test]
    fn a_service_that_is_no_longer_ours_is_left_without_a_trace() {
        let before = snapshot(
            json!({"loadBalancer": {"ingress": [{"ip": "172.22.35.70", "ipMode": "VIP"}]}}),
            json!({POOL: "default"}),
        );
        let before = with_condition(before, &at("172.22.35.70"));
        let patch = before.patch(&DesiredStatus::default(), NOW).unwrap();
        assert_eq!(patch["status"], json!({"loadBalancer": {"ingress": null}, "conditions": null}));
        assert_eq!(patch["metadata"]["annotations"][POOL], Value::Null);
    }
}
