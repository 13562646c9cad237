//! v1 Node.

use std::net::IpAddr;

use super::object::{self, Metadata};
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::Node;

/// Reads a Node.
pub(super) fn read(metadata: Metadata, object: &Mapping<'_>, report: &mut Report<'_>) -> Node {
    let mut node = Node::new(metadata.name);
    node.labels = metadata.labels;
    let mut addresses = object::optional(object, "status", report, |field, report| {
        let status = field.mapping(report)?;
        Some(object::items(&status, "addresses", report, address))
    })
    .unwrap_or_default();
    // A stable sort: within a type the order is the one written.
    addresses.sort_by_key(|(kind, _)| *kind);
    node.addresses = addresses.into_iter().map(|(_, address)| address).collect();
    node
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AddressType {
    Internal,
    External,
    Name,
}

fn address(field: Field<'_>, report: &mut Report<'_>) -> Option<(AddressType, IpAddr)> {
    let entry = field.mapping(report)?;
    let kind = entry.required("type", "the type of the address", report);
    let kind = kind.and_then(|field| field.choice(report, &ADDRESS_TYPES));
    let field = entry.required("address", "the address", report)?;
    match kind? {
        // A host name, perhaps one that looks like an address: nothing to announce from.
        AddressType::Name => None,
        kind => Some((kind, object::address(field, report)?)),
    }
}

const ADDRESS_TYPES: [(&str, AddressType); 5] = [
    ("InternalIP", AddressType::Internal),
    ("ExternalIP", AddressType::External),
    ("Hostname", AddressType::Name),
    ("InternalDNS", AddressType::Name),
    ("ExternalDNS", AddressType::Name),
];
