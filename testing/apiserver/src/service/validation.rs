//! The checks of the real server on a Service.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::cluster_ips::is_headless;
use super::node_ports::needs_health_check;
use super::{is_externally_accessible, number};
use crate::validation::{
    invalid, is_address, is_dns_label, is_dns_subdomain, is_qualified_name, items,
};

/// The first reason to refuse a Service, as `path: reason`. `before` is the Service that it replaces.
pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Result<(), String> {
    if let Some(before) = before {
        service_update(before, object)?;
    }
    service(object)
}

fn service(object: &Value) -> Result<(), String> {
    let spec = &object["spec"];
    let type_ = spec["type"].as_str().unwrap_or_default();
    one_of("type", &spec["type"], &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])?;
    if ["LoadBalancer", "NodePort"].contains(&type_) && is_headless(object) {
        let why = format!("may not be set to 'None' for {type_} services");
        return Err(invalid("spec.clusterIPs[0]", &spec["clusterIP"], &why));
    }
    if type_ == "ExternalName" {
        external_name(spec)?;
    }

    for field in ["loadBalancerClass", "allocateLoadBalancerNodePorts"] {
        if !spec[field].is_null() && type_ != "LoadBalancer" {
            let why = "may only be used when `type` is 'LoadBalancer'";
            return Err(format!("spec.{field}: Forbidden: {why}"));
        }
    }
    let class = &spec["loadBalancerClass"];
    if !class.is_null() && !class.as_str().is_some_and(is_qualified_name) {
        return Err(invalid("spec.loadBalancerClass", class, "a qualified name"));
    }

    session_affinity(spec)?;
    traffic_policies(object)?;
    for (at, range) in items(&spec["loadBalancerSourceRanges"]) {
        let is_range = range.as_str().is_some_and(|it| it.contains('/'));
        if !is_range {
            let path = format!("spec.loadBalancerSourceRanges[{at}]");
            return Err(invalid(&path, range, "must be a valid CIDR value"));
        }
    }
    for (at, address) in items(&spec["clusterIPs"]) {
        if address != "None" && !address.as_str().is_some_and(is_address) {
            return Err(invalid(&format!("spec.clusterIPs[{at}]"), address, "must be a valid IP"));
        }
    }
    service_ports(spec, type_)?;
    load_balancer_status(object, type_)?;
    conditions(&object["status"]["conditions"])
}

fn one_of(field: &str, value: &Value, known: &[&str]) -> Result<(), String> {
    if known.iter().any(|known| value == known) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
    let known = known.join(", ");
    Err(format!("spec.{field}: Unsupported value: {value}: supported values: {known}"))
}

fn external_name(spec: &Value) -> Result<(), String> {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if !spec[field].is_null() {
            return Err(format!(
                "spec.{field}: Forbidden: may not be set for ExternalName services"
            ));
        }
    }
    match spec["externalName"].as_str().unwrap_or_default() {
        "" => Err("spec.externalName: Required value".to_owned()),
        name if is_dns_subdomain(name.strip_suffix('.').unwrap_or(name)) => Ok(()),
        _ => Err(invalid(
            "spec.externalName",
            &spec["externalName"],
            "a lowercase RFC 1123 subdomain",
        )),
    }
}

fn session_affinity(spec: &Value) -> Result<(), String> {
    one_of("sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"])?;
    if spec["sessionAffinity"] == "None" {
        return Ok(());
    }

    let seconds = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
    if seconds.as_i64().is_some_and(|it| (1..=86_400).contains(&it)) {
        return Ok(());
    }
    let why = "must be greater than 0 and less than 86400";
    Err(invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why))
}

fn traffic_policies(object: &Value) -> Result<(), String> {
    let spec = &object["spec"];
    let external = &spec["externalTrafficPolicy"];
    if is_externally_accessible(object) {
        one_of("externalTrafficPolicy", external, &["Cluster", "Local"])?;
    } else if !external.is_null() {
        let why = "may only be set for externally-accessible services";
        return Err(invalid("spec.externalTrafficPolicy", external, why));
    }

    let health_check = &spec["healthCheckNodePort"];
    if !needs_health_check(object) && number(health_check) != 0 {
        let why =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        return Err(invalid("spec.healthCheckNodePort", health_check, why));
    }

    if !spec["internalTrafficPolicy"].is_null() {
        one_of("internalTrafficPolicy", &spec["internalTrafficPolicy"], &["Cluster", "Local"])?;
    }
    if spec["trafficDistribution"].is_null() {
        return Ok(());
    }
    let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    one_of("trafficDistribution", &spec["trafficDistribution"], &known)
}

fn service_ports(spec: &Value, type_: &str) -> Result<(), String> {
    let ports: Vec<&Value> = items(&spec["ports"]).map(|(_, port)| port).collect();
    if ports.is_empty() && type_ != "ExternalName" && spec["clusterIP"] != "None" {
        return Err("spec.ports: Required value".to_owned());
    }

    let (mut names, mut numbers, mut node_ports) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, port) in ports.iter().enumerate() {
        let path = |field: &str| format!("spec.ports[{at}].{field}");
        match port["name"].as_str().unwrap_or_default() {
            "" if ports.len() > 1 => return Err(format!("{}: Required value", path("name"))),
            "" => {}
            name if !is_dns_label(name) => {
                return Err(invalid(&path("name"), &port["name"], "a lowercase RFC 1123 label"));
            }
            name if !names.insert(name) => {
                return Err(format!("{}: Duplicate value: {name:?}", path("name")));
            }
            _ => {}
        }

        if !port["port"].as_u64().is_some_and(|it| (1..=65_535).contains(&it)) {
            let why = "must be between 1 and 65535, inclusive";
            return Err(invalid(&path("port"), &port["port"], why));
        }

        let protocol = port["protocol"].as_str().unwrap_or_default();
        if !["TCP", "UDP", "SCTP"].contains(&protocol) {
            return Err(format!("{}: Unsupported value: {protocol:?}", path("protocol")));
        }
        if !numbers.insert((protocol, port["port"].as_u64())) {
            return Err(format!("spec.ports[{at}]: Duplicate value: {port}"));
        }

        let Some(node_port) = port["nodePort"].as_u64().filter(|it| *it != 0) else { continue };
        if type_ == "ClusterIP" {
            let why = "may not be used when `type` is 'ClusterIP'";
            return Err(format!("{}: Forbidden: {why}", path("nodePort")));
        }
        if !node_ports.insert((protocol, node_port)) {
            return Err(format!("{}: Duplicate value: {node_port}", path("nodePort")));
        }
    }
    Ok(())
}

fn load_balancer_status(object: &Value, type_: &str) -> Result<(), String> {
    for (at, entry) in items(&object["status"]["loadBalancer"]["ingress"]) {
        let path = |field: &str| format!("status.loadBalancer.ingress[{at}].{field}");
        if type_ != "LoadBalancer" {
            let why = "may only be used when `spec.type` is 'LoadBalancer'";
            return Err(format!("status.loadBalancer.ingress: Forbidden: {why}"));
        }

        let ip = entry["ip"].as_str().unwrap_or_default();
        if !ip.is_empty() && !is_address(ip) {
            return Err(invalid(&path("ip"), &entry["ip"], "must be a valid IP address"));
        }
        match entry["ipMode"].as_str() {
            Some(_) if ip.is_empty() => {
                let why = "may not be specified when `ip` is not set";
                return Err(format!("{}: Forbidden: {why}", path("ipMode")));
            }
            Some("VIP" | "Proxy") | None => {}
            Some(mode) => return Err(format!("{}: Unsupported value: {mode:?}", path("ipMode"))),
        }

        if let Some(name) = entry["hostname"].as_str()
            && (!is_dns_subdomain(name) || name.parse::<IpAddr>().is_ok())
        {
            return Err(invalid(&path("hostname"), &entry["hostname"], "must be a DNS name"));
        }
    }
    Ok(())
}

fn conditions(conditions: &Value) -> Result<(), String> {
    let mut types = BTreeSet::new();
    for (at, condition) in items(conditions) {
        for field in ["type", "status", "reason", "lastTransitionTime"] {
            if condition[field].as_str().is_none_or(str::is_empty) {
                return Err(format!("status.conditions[{at}].{field}: Required value"));
            }
        }
        if !types.insert(condition["type"].as_str()) {
            let found = &condition["type"];
            return Err(format!("status.conditions[{at}].type: Duplicate value: {found}"));
        }
    }
    Ok(())
}

fn service_update(before: &Value, object: &Value) -> Result<(), String> {
    let (was, is) = (&before["spec"], &object["spec"]);
    let stays = was["type"] == "LoadBalancer" && is["type"] == "LoadBalancer";
    if stays && was["loadBalancerClass"] != is["loadBalancerClass"] {
        let found = &is["loadBalancerClass"];
        return Err(invalid("spec.loadBalancerClass", found, "may not change once set"));
    }

    let checked = needs_health_check(before) && needs_health_check(object);
    if checked && number(&was["healthCheckNodePort"]) != number(&is["healthCheckNodePort"]) {
        return Err("spec.healthCheckNodePort: Forbidden: field is immutable".to_owned());
    }

    let has_cluster_ip = |spec: &Value| spec["type"] != "ExternalName";
    if has_cluster_ip(was) && has_cluster_ip(is) {
        for field in ["/clusterIPs/0", "/ipFamilies/0"] {
            let (was, is) = (was.pointer(field), is.pointer(field));
            if was.is_some() && was != is {
                let path = format!("spec{}", field.replace("/0", "[0]").replace('/', "."));
                return Err(invalid(&path, is.unwrap_or(&Value::Null), "may not change once set"));
            }
        }
    }
    Ok(())
}
