//! What all Kubernetes objects have in common.

use std::net::IpAddr;

use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{Labels, ServiceKey, Timestamp};

/// `metadata` of an object, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) namespace: String,
    /// Whether it is written, and not the one that Kubernetes takes where there is none.
    pub(super) has_namespace: bool,
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) created: Option<Timestamp>,
}

impl Metadata {
    /// Reads the metadata of an object, which must at least have a name. Also returns true if it could be read.
    pub(super) fn read(object: &Mapping<'_>, report: &mut Report<'_>) -> (Self, bool) {
        match Self::read_whole(object, report) {
            Some(metadata) => (metadata, true),
            None => (Self::default(), false),
        }
    }

    fn read_whole(object: &Mapping<'_>, report: &mut Report<'_>) -> Option<Self> {
        let field = object.required("metadata", "the object's name at least", report)?;
        let metadata = field.mapping(report)?;
        let name = metadata.required("name", "the object's name", report);
        let name = name.and_then(|field| self::name(field, report));
        // The API takes an empty namespace for none.
        let namespace = metadata.get("namespace").filter(|field| !field.is_empty_text());
        let namespace = namespace.map(|field| self::name(field, report));
        let strings = |key: &str, report: &mut Report<'_>| {
            metadata.get(key).map(|field| field.strings(report)).unwrap_or_default()
        };
        let labels = strings("labels", report);
        let annotations = strings("annotations", report);
        let created = metadata.get("creationTimestamp").and_then(|field| timestamp(field, report));
        Some(Self {
            has_namespace: namespace.is_some(),
            namespace: namespace.unwrap_or_else(|| Some("default".to_owned()))?,
            name: name?,
            labels,
            annotations,
            created,
        })
    }

    /// Namespace and name.
    pub(super) fn key(&self) -> ServiceKey {
        ServiceKey::new(&self.namespace, &self.name)
    }
}

/// A name of an object or a namespace: an RFC 1123 subdomain.
fn name(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = field.string(report)?;
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid = name.starts_with(alphanumeric)
        && name.ends_with(alphanumeric)
        && name.len() <= 253
        && name.chars().all(|c| alphanumeric(c) || matches!(c, '-' | '.'));
    if !valid {
        field.expected(report, "lower case letters, digits, dashes and dots");
        return None;
    }
    Some(name.to_owned())
}

fn timestamp(field: Field<'_>, report: &mut Report<'_>) -> Option<Timestamp> {
    // A time is a text here, though YAML 1.1 has a type for it: the API knows strings only.
    let text = field.string(report)?;
    match text.parse() {
        Ok(timestamp) => Some(timestamp),
        Err(_) => {
            field.expected(report, "a time such as 2018-09-12T08:30:00Z");
            None
        }
    }
}

/// An IP address.
pub(super) fn address(field: Field<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let address = field.string(report)?.parse().ok();
    if address.is_none() {
        field.expected(report, "an IP address");
    }
    address
}

/// The value of an optional key, read by the function; a mistake in it counts as absent.
pub(super) fn optional<'a, T>(
    mapping: &'a Mapping<'_>,
    key: &'a str,
    report: &mut Report<'_>,
    read: impl FnOnce(Field<'a>, &mut Report<'_>) -> Option<T>,
) -> Option<T> {
    mapping.get(key).and_then(|field| read(field, report))
}

/// The items of an optional list, each read by the function; those with mistakes are left out.
pub(super) fn items<T>(
    mapping: &Mapping<'_>,
    key: &str,
    report: &mut Report<'_>,
    mut read: impl FnMut(Field<'_>, &mut Report<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(list) = mapping.get(key) else { return Vec::new() };
    let fields: Vec<_> = list.list(report).collect();
    let mut items: Vec<_> = fields.into_iter().filter_map(|field| read(field, report)).collect();
    // They are kept.
    items.shrink_to_fit();
    items
}

/// A string that is not empty.
pub(super) fn filled(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
    field.string(report).filter(|text| !text.is_empty()).map(str::to_owned)
}
