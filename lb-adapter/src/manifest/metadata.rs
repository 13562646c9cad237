//! The metadata that all Kubernetes objects have.

use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{Labels, ServiceKey, Timestamp};

/// The fields of `metadata` that are read.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) namespace: String,
    /// True if the namespace is written, and not the default one.
    pub(super) has_namespace: bool,
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) created: Option<Timestamp>,
}

impl Metadata {
    /// Reads the metadata of an object, which must at least have a name. Also returns true if it could be read.
    pub(super) fn read(object: &Mapping<'_>, report: &mut Report<'_>) -> (Self, bool) {
        match Self::read_all(object, report) {
            Some(metadata) => (metadata, true),
            None => (Self::default(), false),
        }
    }

    fn read_all(object: &Mapping<'_>, report: &mut Report<'_>) -> Option<Self> {
        let field = object.required("metadata", "at least the object's name", report)?;
        let metadata = field.mapping(report)?;

        let name = metadata.required("name", "the object's name", report);
        let name = name.and_then(|field| dns_name(field, report));
        // To the API an empty namespace is an absent one.
        let namespace = metadata.get_filled("namespace");
        let has_namespace = namespace.is_some();
        let namespace = match namespace {
            Some(field) => dns_name(field, report),
            None => Some("default".to_owned()),
        };

        let labels = labels_or_annotations(&metadata, "labels", report);
        let annotations = labels_or_annotations(&metadata, "annotations", report);
        let created = metadata.get("creationTimestamp").and_then(|field| timestamp(field, report));
        Some(Self {
            has_namespace,
            namespace: namespace?,
            name: name?,
            labels,
            annotations,
            created,
        })
    }

    /// Returns namespace and name.
    pub(super) fn key(&self) -> ServiceKey {
        ServiceKey::new(&self.namespace, &self.name)
    }
}

fn labels_or_annotations(metadata: &Mapping<'_>, key: &str, report: &mut Report<'_>) -> Labels {
    metadata.get(key).map(|field| field.strings(report)).unwrap_or_default()
}

/// Reads the name of an object or a namespace: an RFC 1123 subdomain.
fn dns_name(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = field.string(report)?;
    let is_valid = name.starts_with(is_lower_alphanumeric)
        && name.ends_with(is_lower_alphanumeric)
        && name.len() <= 253
        && name.chars().all(|c| is_lower_alphanumeric(c) || matches!(c, '-' | '.'));
    if !is_valid {
        field.expected(report, "a name of lower case letters, digits, dashes and dots");
        return None;
    }
    Some(name.to_owned())
}

fn is_lower_alphanumeric(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn timestamp(field: Field<'_>, report: &mut Report<'_>) -> Option<Timestamp> {
    // YAML 1.1 has a type for times, but to the API they are strings.
    let timestamp = field.string(report)?.parse().ok();
    if timestamp.is_none() {
        field.expected(report, "a time such as 2018-09-12T08:30:00Z");
    }
    timestamp
}
