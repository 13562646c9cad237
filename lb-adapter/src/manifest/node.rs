//! v1 Node.

use std::net::IpAddr;

use super::metadata::Metadata;
use super::values;
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::Node;

/// Reads a Node.
pub(super) fn read(metadata: Metadata, object: &Mapping<'_>, report: &mut Report<'_>) -> Node {
    let mut node = Node::new(metadata.name);
    node.labels = metadata.labels;
    let status = object.get("status").and_then(|field| field.mapping(report));
    let Some(status) = &status else { return node };

    // A stable sort: addresses of one type stay in the order written.
    let mut addresses = values::items(status, "addresses", report, address);
    addresses.sort_by_key(|(address_type, _)| *address_type);
    node.addresses = addresses.into_iter().map(|(_, address)| address).collect();

    for (condition_type, status) in values::items(status, "conditions", report, condition) {
        match condition_type.as_str() {
            "Ready" => node.ready = status == "True",
            "NetworkUnavailable" => node.network_unavailable = status == "True",
            _ => {}
        }
    }
    node
}

/// Reads the type and the status of a condition. The status is True, False or Unknown.
fn condition(field: Field<'_>, report: &mut Report<'_>) -> Option<(String, String)> {
    let entry = field.mapping(report)?;
    let condition_type = values::optional(&entry, "type", report, values::filled_string)?;
    let status = values::optional(&entry, "status", report, values::filled_string)?;
    Some((condition_type, status))
}

/// The types of addresses, in the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AddressType {
    Internal,
    External,
    Name,
}

fn address(field: Field<'_>, report: &mut Report<'_>) -> Option<(AddressType, IpAddr)> {
    let entry = field.mapping(report)?;
    let address_type = entry.required("type", "the type of the address", report);
    let address_type = address_type.and_then(|field| field.choice(report, &ADDRESS_TYPES));
    let field = entry.required("address", "the address", report)?;

    match address_type? {
        // A host name may look like an address, but routes cannot be announced from it.
        AddressType::Name => None,
        address_type => Some((address_type, values::address(field, report)?)),
    }
}

const ADDRESS_TYPES: [(&str, AddressType); 5] = [
    ("InternalIP", AddressType::Internal),
    ("ExternalIP", AddressType::External),
    ("Hostname", AddressType::Name),
    ("InternalDNS", AddressType::Name),
    ("ExternalDNS", AddressType::Name),
];
