//! discovery.k8s.io/v1 EndpointSlice, and v1 Endpoints which it replaced.

use std::sync::Arc;

use super::object::{self, Metadata};
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{self, Endpoint, EndpointSlice, ServiceKey};

/// Reads an EndpointSlice; none, with a warning, if it is of no use here.
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
    let types = [("IPv4", true), ("IPv6", true), ("FQDN", false)];
    let field = object.required("addressType", "IPv4 or IPv6", report);
    let addresses = field.and_then(|field| field.choice(report, &types));
    if let (Some(false), Some(field)) = (addresses, field) {
        field.warning(report, "FQDN endpoints are on no node, the slice is not read");
        return None;
    }
    let service = ServiceKey::new(&metadata.namespace, service);
    let mut slice = EndpointSlice::new(metadata.name, service);
    slice.endpoints = object::items(object, "endpoints", report, endpoint);
    addresses.map(|_| slice)
}

fn endpoint(field: Field<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    let mapping = field.mapping(report)?;
    mapping.required("addresses", "the endpoint's addresses", report);
    let addresses = object::items(&mapping, "addresses", report, object::address);
    let mut endpoint = Endpoint::new(addresses.first().copied());
    endpoint.node_name =
        object::optional(&mapping, "nodeName", report, object::filled).map(Arc::from);
    endpoint.target = target(&mapping);
    if let Some(conditions) = mapping.get("conditions") {
        let conditions = conditions.mapping(report)?;
        let condition = |key: &str, report: &mut Report<'_>| {
            conditions.get(key).and_then(|field| field.boolean(report))
        };
        endpoint.ready = condition("ready", report);
        endpoint.serving = condition("serving", report);
        endpoint.terminating = condition("terminating", report);
    }
    Some(endpoint)
}

/// Reads an Endpoints object as the one slice of its Service, which has the same name.
pub(super) fn endpoints(
    metadata: Metadata,
    object: &Mapping<'_>,
    report: &mut Report<'_>,
) -> EndpointSlice {
    let key = metadata.key();
    let mut slice = EndpointSlice::new(metadata.name, key);
    let subsets = object::items(object, "subsets", report, |field, report| {
        let subset = field.mapping(report)?;
        let mut listed = object::items(&subset, "addresses", report, subset_address);
        listed.iter_mut().for_each(|endpoint| endpoint.ready = Some(true));
        let waiting = listed.len();
        listed.extend(object::items(&subset, "notReadyAddresses", report, subset_address));
        listed.iter_mut().skip(waiting).for_each(|endpoint| endpoint.ready = Some(false));
        Some(listed)
    });
    slice.endpoints = subsets.into_iter().flatten().collect();
    slice
}

fn subset_address(field: Field<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    let mapping = field.mapping(report)?;
    let address =
        object::address(mapping.required("ip", "the endpoint's address", report)?, report);
    let mut endpoint = Endpoint::new(address?);
    endpoint.node_name =
        object::optional(&mapping, "nodeName", report, object::filled).map(Arc::from);
    endpoint.target = target(&mapping);
    Some(endpoint)
}

/// Returns the object that an endpoint stands for. Only counting depends on it, so that mistakes in it are no errors.
fn target(endpoint: &Mapping<'_>) -> Option<u64> {
    let target = endpoint.get("targetRef")?;
    let uid = target.entry("uid").filter(|uid| !uid.is_empty())?;
    Some(model::hash_uid(&uid))
}

const SERVICE_NAME: &str = "kubernetes.io/service-name";
