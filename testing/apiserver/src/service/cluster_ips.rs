//! The address families and cluster IPs of a Service.
//!
//! The rules are those of Kubernetes' `pkg/registry/core/service/storage` on a dual-stack cluster, in the same order.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::allocations::Allocation;
use super::invalid_service;
use crate::failure::Failure;
use crate::validation::{invalid, items};

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

/// The cluster IPs that a Service uses.
pub(super) fn of(service: &Value) -> impl Iterator<Item = IpAddr> {
    let addresses = service["spec"]["clusterIPs"].as_array().into_iter().flatten();
    addresses.filter_map(|address| address.as_str()?.parse().ok())
}

/// Gives a Service its families and cluster IPs. `before` is the Service that it replaces.
pub(super) fn allocate(
    allocation: &mut Allocation<'_>,
    before: Option<&Value>,
    service: &mut Value,
) -> Result<(), Failure> {
    normalize(before, service);
    if service["spec"]["type"] == "ExternalName" {
        return Ok(());
    }

    let problem = set_families(before, service).err();
    if let Some(why) = problem {
        return Err(invalid_service(service, why));
    }
    if is_headless(service) {
        return Ok(());
    }
    allocate_addresses(allocation, before, service)
}

/// Returns true if the Service has no cluster IP on purpose.
pub(super) fn is_headless(service: &Value) -> bool {
    service["spec"]["clusterIP"] == "None"
}

fn has_selector(service: &Value) -> bool {
    service["spec"]["selector"].as_object().is_some_and(|selector| !selector.is_empty())
}

/// Keeps `clusterIP`, the older field, and `clusterIPs` in line. Clients may leave out either of them.
fn normalize(before: Option<&Value>, service: &mut Value) {
    let spec = &mut service["spec"];
    for (field, empty) in [("clusterIP", json!("")), ("clusterIPs", json!([]))] {
        if (spec[field] == empty || spec[field].is_null())
            && let Some(fields) = spec.as_object_mut()
        {
            fields.remove(field);
        }
    }

    let Some(before) = before else {
        if spec["clusterIP"].is_string() && spec["clusterIPs"].is_null() {
            spec["clusterIPs"] = json!([spec["clusterIP"]]);
        }
        return;
    };
    if before["spec"]["type"] == "ExternalName" || spec["type"] == "ExternalName" {
        return;
    }

    let former = &before["spec"];
    let is_changed = spec["clusterIP"].is_string() && spec["clusterIP"] != former["clusterIP"];
    if spec["clusterIP"].is_null() && former["clusterIP"].is_string() {
        spec["clusterIP"] = former["clusterIP"].clone();
    }
    if spec["clusterIPs"].is_null() && former["clusterIPs"].is_array() {
        spec["clusterIPs"] = former["clusterIPs"].clone();
    }
    if is_changed && spec["clusterIPs"] == former["clusterIPs"] {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
}

/// Sets `ipFamilyPolicy` and `ipFamilies`, from what the Service asks for and from the addresses that it has.
fn set_families(before: Option<&Value>, service: &mut Value) -> Result<(), String> {
    if service["spec"]["ipFamilyPolicy"].is_null() {
        let former = before.map_or(&Value::Null, |before| &before["spec"]["ipFamilyPolicy"]);
        let without_pods = is_headless(service) && !has_selector(service);
        service["spec"]["ipFamilyPolicy"] = match former {
            Value::String(_) => former.clone(),
            _ if without_pods => json!("RequireDualStack"),
            _ => json!("SingleStack"),
        };
    }

    check_cluster_ips(service)?;
    let is_single = service["spec"]["ipFamilyPolicy"] == "SingleStack";
    if let Some(before) = before
        && is_single
    {
        drop_second(before, service);
    }
    check_policy(service)?;
    infer_families(service);

    // On a dual-stack cluster, every policy but SingleStack means both families.
    let families = &mut service["spec"]["ipFamilies"];
    if families.as_array().is_none_or(Vec::is_empty) {
        *families = json!([FAMILIES[0]]);
    }
    if !is_single
        && let Some(list) = families.as_array_mut()
        && let [only] = list.as_slice()
    {
        let other = if *only == FAMILIES[0] { FAMILIES[1] } else { FAMILIES[0] };
        list.push(json!(other));
    }
    Ok(())
}

fn check_cluster_ips(service: &Value) -> Result<(), String> {
    let spec = &service["spec"];
    let all = &spec["clusterIPs"];
    match (spec["clusterIP"].as_str(), all.get(0)) {
        (Some(_), None) => return Err("spec.clusterIPs: Required value".to_owned()),
        (Some(first), Some(other)) if other != first => {
            return Err(invalid("spec.clusterIPs", all, "first value must match `clusterIP`"));
        }
        (None, Some(_)) => {
            let why = "must be empty when `clusterIP` is not specified";
            return Err(invalid("spec.clusterIPs", all, why));
        }
        _ => {}
    }

    let families: Vec<&Value> = items(&spec["ipFamilies"]).map(|(_, family)| family).collect();
    for (at, family) in families.iter().enumerate() {
        let path = format!("spec.ipFamilies[{at}]");
        if !FAMILIES.iter().any(|known| *family == known) {
            let known = r#"supported values: "IPv4", "IPv6""#;
            return Err(format!("{path}: Unsupported value: {family}: {known}"));
        }
        if families[..at].contains(family) {
            return Err(format!("{path}: Duplicate value: {family}"));
        }
    }

    for (at, address) in items(all).filter(|(_, address)| *address != "None") {
        let path = format!("spec.clusterIPs[{at}]");
        let Some(parsed) = address.as_str().and_then(|it| it.parse().ok()) else {
            return Err(invalid(
                &path,
                address,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ));
        };
        let expected = families.get(at).filter(|_| !is_headless(service));
        if let Some(expected) = expected
            && **expected != family_of(parsed)
        {
            let text = expected.as_str().unwrap_or_default();
            let why = format!("expected an {text} value as indicated by `ipFamilies[{at}]`");
            return Err(invalid(&path, address, &why));
        }
    }
    Ok(())
}

fn family_of(address: IpAddr) -> &'static str {
    if address.is_ipv6() { FAMILIES[1] } else { FAMILIES[0] }
}

/// An update to SingleStack that changes neither the families nor the addresses means the first of each.
fn drop_second(before: &Value, service: &mut Value) {
    for field in ["clusterIPs", "ipFamilies"] {
        let list = &mut service["spec"][field];
        if *list == before["spec"][field]
            && let Some(list) = list.as_array_mut()
        {
            list.truncate(1);
        }
    }
}

fn check_policy(service: &Value) -> Result<(), String> {
    let spec = &service["spec"];
    let policy = &spec["ipFamilyPolicy"];
    let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    if !known.iter().any(|known| policy == known) {
        let known = r#"supported values: "PreferDualStack", "RequireDualStack", "SingleStack""#;
        return Err(format!("spec.ipFamilyPolicy: Unsupported value: {policy}: {known}"));
    }
    if policy != "SingleStack" {
        return Ok(());
    }

    for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if items(&spec[field]).count() == 2 {
            let why = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            return Err(invalid("spec.ipFamilyPolicy", policy, &why));
        }
    }
    Ok(())
}

/// Adds the families of the cluster IPs that have none yet.
fn infer_families(service: &mut Value) {
    if is_headless(service) {
        return;
    }
    let mut families = service["spec"]["ipFamilies"].as_array().cloned().unwrap_or_default();
    let known = families.len();
    families.extend(of(service).skip(known).map(|address| json!(family_of(address))));
    service["spec"]["ipFamilies"] = json!(families);
}

fn allocate_addresses(
    allocation: &mut Allocation<'_>,
    before: Option<&Value>,
    service: &mut Value,
) -> Result<(), Failure> {
    let former: Vec<IpAddr> = before.into_iter().flat_map(of).collect();
    let families = service["spec"]["ipFamilies"].as_array().cloned().unwrap_or_default();
    let mut addresses = service["spec"]["clusterIPs"].as_array().cloned().unwrap_or_default();

    for wanted in of(service).filter(|address| !former.contains(address)) {
        let taken = allocation.check_address(wanted);
        let path = "spec.clusterIPs";
        taken.map_err(|why| invalid_service(service, invalid(path, &json!(addresses), &why)))?;
    }
    for family in families.iter().skip(addresses.len()) {
        let address = allocation.next_address(family == FAMILIES[1]);
        let address = address.map_err(|why| {
            Failure::internal(format!("failed to allocate a serviceIP for Service: {why}"))
        })?;
        addresses.push(json!(address.to_string()));
    }

    service["spec"]["clusterIP"] = addresses.first().cloned().unwrap_or_default();
    service["spec"]["clusterIPs"] = json!(addresses);
    Ok(())
}
