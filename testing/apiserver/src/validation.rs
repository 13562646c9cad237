//! The checks of the real server on objects of the kinds that FerroLB touches: on names, on labels, and on the fields of
//! EndpointSlices, Events and Leases. Services have a module of their own, and custom resources have schemas instead.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::resource::Resource;
use crate::service;

/// The first reason to refuse an object, as `path: reason`. `before` is the object that it replaces.
pub(crate) fn validate(
    resource: &Resource,
    object: &Value,
    before: Option<&Value>,
) -> Result<(), String> {
    metadata(resource, object)?;
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => service::validate(object, before),
        ("discovery.k8s.io", "EndpointSlice") => {
            if let Some(before) = before
                && before["addressType"] != object["addressType"]
            {
                return Err(invalid("addressType", &object["addressType"], "field is immutable"));
            }
            endpoint_slice(object, before)
        }
        ("", "ConfigMap" | "Secret") => immutable(object, before),
        ("" | "events.k8s.io", "Event") => event(object),
        ("coordination.k8s.io", "Lease") => lease(object),
        ("rbac.authorization.k8s.io", "Role") => role(object),
        _ => Ok(()),
    }
}

/// A role of a namespace has no rights outside of it.
fn role(object: &Value) -> Result<(), String> {
    let mut rules = items(&object["rules"]);
    match rules.find(|(_, rule)| items(&rule["nonResourceURLs"]).next().is_some()) {
        None => Ok(()),
        Some((number, rule)) => Err(invalid(
            &format!("rules[{number}].nonResourceURLs"),
            &rule["nonResourceURLs"],
            "namespaced rules cannot apply to non-resource URLs",
        )),
    }
}

/// Returns true for a label of RFC 1123.
pub(crate) fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && has_the_letters_of_a_label(text)
}

/// Returns true for lower-case letters and digits with hyphens between them.
fn has_the_letters_of_a_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let outer = |c: Option<char>| c.is_some_and(|c| inner(c) && c != '-');
    text.chars().all(inner) && outer(text.chars().next()) && outer(text.chars().last())
}

/// Returns true for a subdomain of RFC 1123: labels, each of any length, with dots between them.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(has_the_letters_of_a_label)
}

/// Returns true for a name of at most 63 letters, digits, `-`, `_` and `.` that begins and ends with a letter or digit.
fn is_qualified_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(inner)
        && outer(text.chars().next())
        && outer(text.chars().last())
}

/// Returns true for a key of labels and annotations: a name, optionally after a DNS subdomain and a slash.
pub(crate) fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        None => is_qualified_part(text),
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_qualified_part(name),
    }
}

/// Returns true for an address, except for an IPv4-mapped IPv6 address.
pub(crate) fn is_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(_)) => true,
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Err(_) => false,
    }
}

pub(crate) fn invalid(path: &str, value: &Value, why: &str) -> String {
    format!("{path}: Invalid value: {value}: {why}")
}

pub(crate) fn items(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

fn metadata(resource: &Resource, object: &Value) -> Result<(), String> {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let (valid, expected) = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Service") => (
            is_dns_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, \
             and end with an alphanumeric character",
        ),
        ("", "Namespace") => (is_dns_label(name), "a lowercase RFC 1123 label"),
        ("rbac.authorization.k8s.io", _) => {
            (!name.is_empty() && !name.contains(['/', '%']), "a path segment")
        }
        _ => (is_dns_subdomain(name), "a lowercase RFC 1123 subdomain"),
    };
    if !valid {
        return Err(invalid("metadata.name", &metadata["name"], expected));
    }

    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        if !is_qualified_name(key) {
            return Err(invalid("metadata.labels", &key.as_str().into(), "a qualified name"));
        }
        if !value.is_string() || !(text.is_empty() || is_qualified_part(text)) {
            return Err(invalid("metadata.labels", value, "a valid label"));
        }
    }
    for key in metadata["annotations"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if !is_qualified_name(&key.to_lowercase()) {
            return Err(invalid("metadata.annotations", &key.as_str().into(), "a qualified name"));
        }
    }
    for (at, owner) in items(&metadata["ownerReferences"]) {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().is_none_or(str::is_empty) {
                return Err(format!("metadata.ownerReferences[{at}].{field}: Required value"));
            }
        }
    }
    Ok(())
}

fn endpoint_slice(object: &Value, before: Option<&Value>) -> Result<(), String> {
    let type_ = object["addressType"].as_str().unwrap_or_default();
    if !["IPv4", "IPv6", "FQDN"].contains(&type_) {
        return Err(format!("addressType: Unsupported value: {type_:?}"));
    }
    let mut names = BTreeSet::new();
    for (at, port) in items(&object["ports"]) {
        let name = port["name"].as_str().unwrap_or_default();
        if !(name.is_empty() || is_dns_label(name)) || !names.insert(name) {
            return Err(invalid(&format!("ports[{at}].name"), &port["name"], "a label, only once"));
        }
    }
    if before.is_some_and(|before| before["endpoints"] == object["endpoints"]) {
        return Ok(());
    }

    for (at, endpoint) in items(&object["endpoints"]) {
        let path = format!("endpoints[{at}].addresses");
        if items(&endpoint["addresses"]).next().is_none() {
            return Err(format!("{path}: Required value: must contain at least 1 address"));
        }
        for (number, address) in items(&endpoint["addresses"]).filter(|_| type_ != "FQDN") {
            let refused = endpoint_address(address.as_str().unwrap_or_default(), type_);
            refused.map_err(|why| invalid(&format!("{path}[{number}]"), address, why))?;
        }
        let node = &endpoint["nodeName"];
        if !node.is_null() && !node.as_str().is_some_and(is_dns_subdomain) {
            let why = "a lowercase RFC 1123 subdomain";
            return Err(invalid(&format!("endpoints[{at}].nodeName"), node, why));
        }
    }
    Ok(())
}

fn endpoint_address(address: &str, type_: &str) -> Result<(), &'static str> {
    let Ok(address) = address.parse::<IpAddr>() else { return Err("must be a valid IP address") };
    if !is_address(&address.to_string()) {
        return Err("must not be an IPv4-mapped IPv6 address");
    }
    if address.is_ipv4() != (type_ == "IPv4") {
        return Err("must be an address of the slice's addressType");
    }
    let (is_link_local, is_link_local_multicast) = match address {
        IpAddr::V4(it) => (it.is_link_local(), it.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(it) => (it.is_unicast_link_local(), it.segments()[0] & 0xff0f == 0xff02),
    };
    match address {
        it if it.is_unspecified() => Err("may not be unspecified"),
        it if it.is_loopback() => Err("may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        _ if is_link_local => Err("may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        _ if is_link_local_multicast => {
            Err("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
        }
        _ => Ok(()),
    }
}

fn immutable(object: &Value, before: Option<&Value>) -> Result<(), String> {
    let Some(before) = before else { return Ok(()) };
    if before["immutable"] == true && before["data"] != object["data"] {
        return Err("data: Forbidden: field is immutable when `immutable` is set".to_owned());
    }
    if object["kind"] == "Secret" && before["type"] != object["type"] {
        return Err(invalid("type", &object["type"], "field is immutable"));
    }
    Ok(())
}

fn event(object: &Value) -> Result<(), String> {
    let field = if object["regarding"].is_object() { "regarding" } else { "involvedObject" };
    let about = &object[field];

    let of_cluster = about["namespace"].as_str().unwrap_or_default().is_empty();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if of_cluster && !["default", "kube-system"].contains(&namespace) {
        let path = format!("{field}.namespace");
        return Err(invalid(&path, &about["namespace"], "does not match event.namespace"));
    }
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    if text("note").len() > 1024 || text("message").len() > 1024 {
        return Err("note: Invalid value: can have at most 1024 characters".to_owned());
    }
    if object["eventTime"].is_null() {
        // The rest applies to Events of the newer form only.
        return Ok(());
    }

    let controller = &object["reportingController"];
    if !controller.as_str().is_some_and(is_qualified_name) {
        return Err(invalid("reportingController", controller, "a qualified name"));
    }
    for field in ["reportingInstance", "action", "reason"] {
        if !(1..=128).contains(&text(field).len()) {
            return Err(invalid(field, &object[field], "must have 1 to 128 characters"));
        }
    }
    match text("type") {
        "Normal" | "Warning" => Ok(()),
        _ => Err(invalid("type", &object["type"], "has to be Normal or Warning")),
    }
}

fn lease(object: &Value) -> Result<(), String> {
    let spec = &object["spec"];
    if spec["leaseDurationSeconds"].as_i64().is_some_and(|it| it <= 0) {
        let found = &spec["leaseDurationSeconds"];
        return Err(invalid("spec.leaseDurationSeconds", found, "must be greater than 0"));
    }
    if spec["leaseTransitions"].as_i64().is_some_and(|it| it < 0) {
        let found = &spec["leaseTransitions"];
        return Err(invalid("spec.leaseTransitions", found, "must be greater than or equal to 0"));
    }
    Ok(())
}
