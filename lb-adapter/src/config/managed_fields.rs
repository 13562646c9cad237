//! A summary of `metadata.managedFields`: who wrote the status of an object, and when.
//!
//! The list is often larger than the rest of the object. Everything else is skipped during reading.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::place::Position;
use super::schema::ScalarType;
use super::tree::{Content, MappingKey, Scalar, Value};

/// One entry of the list, without the skipped fields.
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

        let load_balancer =
            self.fields.and_then(|fields| fields.status).and_then(|status| status.load_balancer);
        let pairs = [
            ("manager", self.manager),
            ("time", self.time),
            ("loadBalancer", load_balancer.map(|_| "owned".to_owned())),
        ];

        let mut entries = Vec::new();
        for (key, text) in pairs {
            let Some(text) = text else { continue };
            let key = MappingKey { text: key.to_owned(), position: Position::NOWHERE };
            let scalar = Scalar::new(text, ScalarType::Text);
            entries.push((key, without_position(Content::Scalar(scalar))));
        }
        Some(without_position(Content::Mapping(entries)))
    }
}

/// Returns the summaries of the entries about the status, or None if there is no such entry.
pub(super) fn summary(entries: Vec<ManagedFields>) -> Option<Value> {
    let summaries: Vec<Value> = entries.into_iter().filter_map(ManagedFields::summary).collect();
    if summaries.is_empty() {
        return None;
    }
    Some(without_position(Content::Sequence(summaries)))
}

fn without_position(content: Content) -> Value {
    Value { position: Position::NOWHERE, content }
}
