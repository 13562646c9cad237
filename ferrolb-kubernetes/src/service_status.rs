//! What a Service's status should say, and the patch that makes it say so.
//!
//! Owns the form: `status.loadBalancer.ingress`, one condition, and MetalLB's annotation that names the pool. A patch
//! carries the resourceVersion that it was made for, so that whoever was deposed or is late changes nothing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::object::Object;
use lb_adapter::config::Value as Tree;

/// What the API server has of a Service, as far as it is written here.
///
/// There is one for each Service, and most are looked at when the Service changes and never again: so the status is
/// kept as text, which takes a tenth of what its tree would.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Face {
    pub(super) version: Box<str>,
    pub(super) uid: Box<str>,
    generation: i64,
    /// The pool that the annotation names.
    pool: Option<Box<str>>,
    has_addresses: bool,
    /// Whether the status is ours: the controller wrote it, and its condition is there.
    is_ours: bool,
    /// A [`Status`] in JSON.
    status: Box<str>,
}

/// What of a Service's status is read and written here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Status {
    /// The entries of `status.loadBalancer.ingress`.
    ingress: Vec<Value>,
    conditions: Vec<Value>,
}

/// What it should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) pool: Option<String>,
    /// Why it has no address, or not the one that it asks for.
    pub(super) refusal: Option<String>,
    /// The notice that it is about to lose its address.
    pub(super) notice: Option<String>,
    /// Whether it is served here at all; if not, everything of ours goes.
    pub(super) ours: bool,
}

/// The annotation by which MetalLB says where an address is from.
const POOL: &str = "metallb.io/ip-allocated-from-pool";
/// The field manager of all that the controller writes. The API server notes it beside the fields.
pub(super) const MANAGER: &str = "ferrolb-controller";
/// Our condition.
const CONDITION: &str = "ferrolb.io/AddressAssigned";

impl Face {
    /// That of a Service as it was seen.
    pub(super) fn of(object: &Object) -> Self {
        let text = |key: &str| object.text(&["metadata", key]).unwrap_or_default();
        let list = |path: &[&str]| -> Vec<Value> {
            let items = object.get(path).map_or(&[][..], Tree::items);
            items.iter().map(Tree::to_json).collect()
        };
        let status = Status {
            ingress: list(&["status", "loadBalancer", "ingress"]),
            conditions: list(&["status", "conditions"]),
        };
        let face = Self {
            version: text("resourceVersion").into(),
            uid: text("uid").into(),
            generation: text("generation").parse().unwrap_or(0),
            pool: object.annotation(POOL).map(Box::from),
            is_ours: object.has_status_of(MANAGER) && status.condition().is_some(),
            ..Self::default()
        };
        face.with_status(&status)
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

    /// Whether it came after another of the same Service. Versions grow with every change; what is no number is not
    /// compared, and counts as newer where it differs.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        match (self.version.parse::<u64>(), other.version.parse::<u64>()) {
            (Ok(own), Ok(others)) => own > others,
            _ => self.version != other.version,
        }
    }

    /// Whether the status has an address.
    pub(super) fn has_addresses(&self) -> bool {
        self.has_addresses
    }

    /// Returns true if the status is ours. Two things have to agree: the API server says that the controller wrote it, and
    /// it has the condition. MetalLB's annotation proves nothing, since MetalLB writes it too; nor does the condition
    /// alone, which stays when another controller takes over.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The patch of the status subresource by which it becomes what is wanted; `None` if it is so. `now` is the time
    /// as the API writes it.
    pub(super) fn patch(&self, wanted: &Wanted, now: &str) -> Option<Value> {
        let ingress: Vec<Value> = wanted
            .addresses
            .iter()
            .map(|address| json!({"ip": address.to_string(), "ipMode": "VIP"}))
            .collect();
        let (mut metadata, mut status) = (json!({"resourceVersion": self.version}), json!({}));
        let seen = self.status();
        if !seen.is_at(&wanted.addresses) {
            status["loadBalancer"] = if ingress.is_empty() {
                json!({"ingress": null})
            } else {
                json!({"ingress": ingress})
            };
        }
        if self.pool.as_deref() != wanted.pool.as_deref() {
            metadata["annotations"] = json!({POOL: wanted.pool});
        }
        let condition = seen.wanted_condition(wanted, self.generation, now);
        if seen.condition() != condition.as_ref() {
            let others = seen.conditions.iter().filter(|it| it["type"] != CONDITION).cloned();
            let all: Vec<Value> = others.chain(condition).collect();
            status["conditions"] = if all.is_empty() { Value::Null } else { Value::Array(all) };
        }
        let nothing = metadata.get("annotations").is_none() && status == json!({});
        (!nothing).then(|| json!({"metadata": metadata, "status": status}))
    }
}

impl Status {
    fn condition(&self) -> Option<&Value> {
        self.conditions.iter().find(|condition| condition["type"] == CONDITION)
    }

    /// Whether the status has these addresses, each as one that takes traffic as it is (`ipMode: VIP`, which servers
    /// before Kubernetes 1.29 leave out), and nothing else.
    fn is_at(&self, addresses: &[IpAddr]) -> bool {
        self.ingress.len() == addresses.len()
            && self.ingress.iter().zip(addresses).all(|(entry, address)| {
                let ip = entry["ip"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
                let mode = entry["ipMode"].as_str().unwrap_or("VIP");
                ip == Some(*address) && mode == "VIP" && entry["hostname"].is_null()
            })
    }

    fn wanted_condition(&self, wanted: &Wanted, generation: i64, now: &str) -> Option<Value> {
        if !wanted.ours {
            return None;
        }

        let (status, reason, message) = match (&wanted.refusal, &wanted.notice) {
            (Some(refusal), _) => ("False", "AllocationFailed", refusal.clone()),
            (None, Some(notice)) => ("True", "PoolGone", notice.clone()),
            (None, None) => {
                let pool = wanted.pool.as_deref().unwrap_or_default();
                ("True", "IPAllocated", format!("from the pool {pool}"))
            }
        };

        let before = self.condition();
        let since = before.filter(|before| before["status"] == status);
        let since = since.and_then(|before| before["lastTransitionTime"].as_str()).unwrap_or(now);
        // What was true of an older generation still is: the number alone is no reason to write.
        let same = |before: &&Value| {
            before["status"] == status
                && before["reason"] == reason
                && before["message"] == message.as_str()
        };
        if let Some(before) = before.filter(same) {
            return Some(before.clone());
        }

        Some(json!({
            "type": CONDITION,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
            "observedGeneration": generation,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn face(status: Value, annotations: Value) -> Face {
        let object = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "a", "resourceVersion": "7", "generation": 3, "annotations": annotations},
            "status": status});
        Face::of(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn an_answer_is_newer_by_its_version_as_a_number() {
        let of = |version: &str| Face { version: version.into(), ..Face::default() };
        assert!(of("10").is_newer_than(&of("9")));
        assert!(!of("9").is_newer_than(&of("10")));
        assert!(!of("10").is_newer_than(&of("10")));
        assert!(of("b").is_newer_than(&of("a")) && !of("a").is_newer_than(&of("a")));
    }

    fn at(address: &str) -> Wanted {
        Wanted {
            addresses: vec![address.parse().unwrap()],
            pool: Some("default".to_owned()),
            refusal: None,
            notice: None,
            ours: true,
        }
    }

    /// As the API server merges it.
    fn applied(face: &Face, patch: &Value) -> Face {
        let (mut after, mut status) = (face.clone(), face.status());
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

    /// With the condition that is wanted.
    fn with_condition(face: Face, wanted: &Wanted) -> Face {
        let mut status = face.status();
        status.conditions = vec![status.wanted_condition(wanted, 3, NOW).unwrap()];
        face.with_status(&status)
    }

    #[test]
    fn an_address_is_written_with_its_mode_its_pool_and_a_condition_and_only_once() {
        let before = face(json!({"loadBalancer": {}}), Value::Null);
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
    fn what_stands_there_in_another_spelling_is_left_alone() {
        let wanted = at("2001:db8::1");
        let before = face(
            json!({"loadBalancer": {"ingress": [{"ip": "2001:DB8:0::1"}]}}),
            json!({POOL: "default"}),
        );
        let before = with_condition(before, &wanted);
        assert_eq!(before.patch(&wanted, NOW), None);
        assert!(before.patch(&at("2001:db8::2"), NOW).is_some());
    }

    #[test]
    fn conditions_of_others_stay_and_the_time_is_that_of_the_last_turn() {
        let other = json!({"type": "example.com/Other", "status": "True"});
        let before = face(json!({"loadBalancer": {}, "conditions": [other]}), Value::Null);
        let refused = Wanted {
            refusal: Some("no address is free".to_owned()),
            ours: true,
            ..Wanted::default()
        };
        let patch = before.patch(&refused, NOW).unwrap();
        assert_eq!(patch["status"]["conditions"][0], other);
        assert_eq!(patch["status"]["conditions"][1]["reason"], "AllocationFailed");
        let refused_before = applied(&before, &patch);
        let again = Wanted { refusal: Some("another reason".to_owned()), ..refused };
        let patch = refused_before.patch(&again, "2027-01-01T00:00:00Z").unwrap();
        assert_eq!(patch["status"]["conditions"][1]["lastTransitionTime"], NOW);
        assert!(patch["status"].get("loadBalancer").is_none());
    }

    #[test]
    fn a_service_that_is_no_longer_ours_is_left_without_a_trace() {
        let before = face(
            json!({"loadBalancer": {"ingress": [{"ip": "172.22.35.70", "ipMode": "VIP"}]}}),
            json!({POOL: "default"}),
        );
        let before = with_condition(before, &at("172.22.35.70"));
        let patch = before.patch(&Wanted::default(), NOW).unwrap();
        assert_eq!(patch["status"], json!({"loadBalancer": {"ingress": null}, "conditions": null}));
        assert_eq!(patch["metadata"]["annotations"][POOL], Value::Null);
    }
}
