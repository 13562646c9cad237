//! EndpointSlices of discovery.k8s.io/v1, and v1 Endpoints, which they replaced.

use std::sync::Arc;

use super::metadata::Metadata;
use super::values;
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{self, Endpoint, EndpointSlice, ServiceKey};

/// Reads an EndpointSlice; none, with a warning, if FerroLB cannot use it.
pub(super) fn slice(
    metadata: Metadata,
    object: &Mapping<'_>,
    report: &mut Report<'_>,
) -> Option<EndpointSlice> {
    let Some(service) = metadata.labels.get(SERVICE_NAME) else {
        let message = format!("the label {SERVICE_NAME} is missing, expected the Service's name");
        report.warning(object.path, object.position, message);
        return None;
    };

    let field = object.required("addressType", "IPv4 or IPv6", report);
    let has_addresses = field.and_then(|field| field.choice(report, &ADDRESS_TYPES));
    if let (Some(false), Some(field)) = (has_addresses, field) {
        field.warning(report, "FQDN endpoints are on no node, the slice is ignored");
        return None;
    }

    let service = ServiceKey::new(&metadata.namespace, service);
    let mut slice = EndpointSlice::new(metadata.name, service);
    slice.endpoints = values::items(object, "endpoints", report, endpoint);
    has_addresses.map(|_| slice)
}

fn endpoint(field: Field<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    let mapping = field.mapping(report)?;
    mapping.required("addresses", "the endpoint's addresses", report);
    let addresses = values::items(&mapping, "addresses", report, values::address);

    let mut endpoint = Endpoint::new(addresses.first().copied());
    endpoint.node_name = node_name(&mapping, report);
    endpoint.target = target(&mapping);
    if let Some(conditions) = mapping.get("conditions") {
        let conditions = conditions.mapping(report)?;
        endpoint.ready = conditions.boolean("ready", report);
        endpoint.serving = conditions.boolean("serving", report);
        endpoint.terminating = conditions.boolean("terminating", report);
    }
    Some(endpoint)
}

/// Reads an Endpoints object as the only slice of the Service of the same name.
pub(super) fn endpoints(
    metadata: Metadata,
    object: &Mapping<'_>,
    report: &mut Report<'_>,
) -> EndpointSlice {
    let key = metadata.key();
    let mut slice = EndpointSlice::new(metadata.name, key);
    let subsets = values::items(object, "subsets", report, subset);
    slice.endpoints = subsets.into_iter().flatten().collect();
    slice
}

fn subset(field: Field<'_>, report: &mut Report<'_>) -> Option<Vec<Endpoint>> {
    let subset = field.mapping(report)?;
    let mut endpoints = Vec::new();
    for (key, is_ready) in [("addresses", true), ("notReadyAddresses", false)] {
        for mut endpoint in values::items(&subset, key, report, subset_address) {
            endpoint.ready = Some(is_ready);
            endpoints.push(endpoint);
        }
    }
    Some(endpoints)
}

fn subset_address(field: Field<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    let mapping = field.mapping(report)?;
    let ip = mapping.required("ip", "the endpoint's address", report)?;
    let mut endpoint = Endpoint::new(values::address(ip, report)?);
    endpoint.node_name = node_name(&mapping, report);
    endpoint.target = target(&mapping);
    Some(endpoint)
}

fn node_name(endpoint: &Mapping<'_>, report: &mut Report<'_>) -> Option<Arc<str>> {
    values::optional(endpoint, "nodeName", report, values::filled_string).map(Arc::from)
}

/// Returns the object that an endpoint stands for. It only matters for counting, so that mistakes in it are not errors.
fn target(endpoint: &Mapping<'_>) -> Option<u64> {
    let target = endpoint.get("targetRef")?;
    let uid = target.entry("uid").filter(|uid| !uid.is_empty())?;
    Some(model::hash_uid(&uid))
}

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The types of addresses, and true if they are IP addresses.
const ADDRESS_TYPES: [(&str, bool); 3] = [("IPv4", true), ("IPv6", true), ("FQDN", false)];
