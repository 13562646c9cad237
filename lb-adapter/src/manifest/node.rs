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
    let status = object.get("status").and_then(|field| field.mapping(report));
    let mut addresses = Vec::new();
    if let Some(status) = &status {
        addresses = object::items(status, "addresses", report, address);
        for (kind, status) in object::items(status, "conditions", report, condition) {
            match kind.as_str() {
                "Ready" => node.ready = status == "True",
                "NetworkUnavailable" => node.network_unavailable = status == "True",
                _ => {}
            }
        }
    }
    // A stable sort: within a type the order is the one written.
    addresses.sort_by_key(|(kind, _)| *kind);
    node.addresses = addresses.into_iter().map(|(_, address)| address).collect();
    node
}

/// Type and status, which is True, False or Unknown.
fn condition(field: Field<'_>, report: &mut Report<'_>) -> Option<(String, String)> {
    let entry = field.mapping(report)?;
    let kind = object::optional(&entry, "type", report, object::filled)?;
    let status = object::optional(&entry, "status", report, object::filled)?;
    Some((kind, status))
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
