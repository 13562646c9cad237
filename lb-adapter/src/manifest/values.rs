//! Optional values of objects. A mistake is reported, and the value counts as absent.

use std::net::IpAddr;

use crate::config::field::{Field, Mapping};
use crate::config::report::Report;

/// Reads an IP address.
pub(super) fn address(field: Field<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let address = field.string(report)?.parse().ok();
    if address.is_none() {
        field.expected(report, "an IP address");
    }
    address
}

/// Reads a string. An empty string counts as absent.
pub(super) fn filled_string(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
    field.string(report).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads the value of an optional key by the function.
pub(super) fn optional<'a, T>(
    mapping: &'a Mapping<'_>,
    key: &'a str,
    report: &mut Report<'_>,
    read: impl FnOnce(Field<'a>, &mut Report<'_>) -> Option<T>,
) -> Option<T> {
    read(mapping.get(key)?, report)
}

/// Reads the items of an optional list, each by the function. Items with mistakes are left out.
pub(super) fn items<T>(
    mapping: &Mapping<'_>,
    key: &str,
    report: &mut Report<'_>,
    mut read: impl FnMut(Field<'_>, &mut Report<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(list) = mapping.get(key) else { return Vec::new() };
    let fields: Vec<_> = list.list(report).collect();

    let mut items: Vec<_> = fields.into_iter().filter_map(|field| read(field, report)).collect();
    // The items are kept for as long as the object exists.
    items.shrink_to_fit();
    items
}
