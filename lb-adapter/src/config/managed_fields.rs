//! A summary of `metadata.managedFields`: who wrote the status of an object, and when.
//!
//! The list itself is often larger than the object, so that the rest of it is skipped while it is read.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{NOWHERE, scalar};
use super::schema::Schema;
use super::yaml::{Key, Kind, Value};

/// One entry of the list, without what is skipped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManagedFields {
    #[serde(default)]
    manager: Option<String>,
    #[serde(default)]
    subresource: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default, rename = "fieldsV1")]
    fields: Option<Fields>,
}

#[derive(Debug, Deserialize)]
struct Fields {
    #[serde(default, rename = "f:status")]
    status: Option<StatusFields>,
}

#[derive(Debug, Deserialize)]
struct StatusFields {
    #[serde(default, rename = "f:loadBalancer")]
    load_balancer: Option<IgnoredAny>,
}

impl ManagedFields {
    /// Returns the entry as a mapping of `manager`, `time` and, if the manager owns it, `loadBalancer`. None if the entry
    /// is not about the subresource `status`.
    fn summary(self) -> Option<Value> {
        if self.subresource.as_deref() != Some("status") {
            return None;
        }
        let load_balancer = self.fields.and_then(|it| it.status).and_then(|it| it.load_balancer);

        let entry = |key: &str, text: String| {
            let key = Key { text: key.to_owned(), position: NOWHERE };
            (key, Value { position: NOWHERE, kind: scalar(text, Schema::Text) })
        };
        let manager = self.manager.map(|it| entry("manager", it));
        let time = self.time.map(|it| entry("time", it));
        let owned = load_balancer.map(|_| entry("loadBalancer", "owned".to_owned()));

        let kind = Kind::Mapping(manager.into_iter().chain(time).chain(owned).collect());
        Some(Value { position: NOWHERE, kind })
    }
}

/// Returns the summaries of the entries about the status, or None if there is no such entry.
pub(super) fn summary(entries: Vec<ManagedFields>) -> Option<Value> {
    let summaries: Vec<Value> = entries.into_iter().filter_map(ManagedFields::summary).collect();
    if summaries.is_empty() {
        return None;
    }
    Some(Value { position: NOWHERE, kind: Kind::Sequence(summaries) })
}
