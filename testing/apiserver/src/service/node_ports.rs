//! The node ports of a Service: one for each of its ports, and one for the health checks of load balancers.
//!
//! The rules are those of Kubernetes' `pkg/registry/core/service/storage`, in the same order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::allocations::Allocation;
use super::{invalid_service, number};
use crate::failure::Failure;
use crate::validation::invalid;

/// The node ports that a Service uses.
pub(super) fn of(service: &Value) -> impl Iterator<Item = u16> {
    let spec = &service["spec"];
    let of_ports = spec["ports"].as_array().into_iter().flatten().map(|port| &port["nodePort"]);
    let all = of_ports.chain([&spec["healthCheckNodePort"]]).map(number);
    all.filter_map(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

/// Returns true if the Service has a port for health checks.
pub(super) fn needs_health_check(service: &Value) -> bool {
    let spec = &service["spec"];
    spec["type"] == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local"
}

/// Returns true if the type of the Service has node ports.
pub(super) fn has_node_ports(service: &Value) -> bool {
    ["NodePort", "LoadBalancer"].iter().any(|type_| service["spec"]["type"] == *type_)
}

/// Gives a Service the node ports that it needs. `before` is the Service that it replaces.
pub(super) fn allocate(
    allocation: &mut Allocation<'_>,
    before: Option<&Value>,
    service: &mut Value,
) -> Result<(), Failure> {
    if let Some(before) = before {
        keep(before, service);
    }
    if has_node_ports(service) {
        match before {
            None => allocate_new(allocation, service)?,
            Some(before) => allocate_missing(allocation, before, service)?,
        }
    }

    let needed = before.is_some_and(needs_health_check);
    if needs_health_check(service) && !needed {
        allocate_health_check(allocation, service)?;
    }
    Ok(())
}

/// Restores ports that an update leaves out: the Service keeps them.
fn keep(before: &Value, service: &mut Value) {
    if has_node_ports(before) && has_node_ports(service) {
        let (former, current) = (port_numbers(before), port_numbers(service));
        let kept: BTreeSet<i64> = former.intersection(&current).copied().collect();

        let ports = |of: &Value| of["spec"]["ports"].as_array().cloned().unwrap_or_default();
        let by_name: BTreeMap<String, i64> =
            ports(before).iter().map(|port| (port_name(port), number(&port["nodePort"]))).collect();
        for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
            let former = by_name.get(&port_name(port)).filter(|it| !kept.contains(it));
            if number(&port["nodePort"]) == 0
                && let Some(former) = former
            {
                set_port(port, "nodePort", *former);
            }
        }
    }

    let spec = &mut service["spec"];
    let is_unset = number(&spec["healthCheckNodePort"]) == 0;
    if is_unset && let Some(fields) = spec.as_object_mut() {
        fields.remove("healthCheckNodePort");
    }
    if is_unset && needs_health_check(before) && needs_health_check(service) {
        set_port(&mut service["spec"], "healthCheckNodePort", number_of_health_check(before));
    }
}

fn number_of_health_check(service: &Value) -> i64 {
    number(&service["spec"]["healthCheckNodePort"])
}

fn port_name(port: &Value) -> String {
    port["name"].as_str().unwrap_or_default().to_owned()
}

fn port_numbers(service: &Value) -> BTreeSet<i64> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.map(|port| number(&port["nodePort"])).filter(|port| *port != 0).collect()
}

/// Sets a port, or removes the field for 0, which means none.
fn set_port(object: &mut Value, field: &str, port: i64) {
    if port != 0 {
        object[field] = json!(port);
    } else if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// Returns true if ports without a number get one.
fn allocates(service: &Value) -> bool {
    let spec = &service["spec"];
    spec["type"] == "NodePort" || spec["allocateLoadBalancerNodePorts"] == true
}

/// The ports of a new Service. Ports of the same number, such as 53 of TCP and of UDP, share a node port.
fn allocate_new(allocation: &mut Allocation<'_>, service: &mut Value) -> Result<(), Failure> {
    let allocates = allocates(service);
    let ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let mut shared: BTreeMap<i64, i64> = BTreeMap::new();

    for (at, port) in ports.iter().enumerate() {
        let wanted = number(&port["nodePort"]);
        if wanted == 0 && !allocates {
            continue;
        }

        let number_of_port = number(&port["port"]);
        let node_port = match shared.get(&number_of_port) {
            Some(shared) if wanted == 0 || wanted == *shared => *shared,
            Some(_) => reserve(allocation, service, at, wanted)?,
            None => {
                let requested = ports
                    .iter()
                    .filter(|port| number(&port["port"]) == number_of_port)
                    .map(|port| number(&port["nodePort"]))
                    .find(|port| *port != 0);
                let node_port = match requested {
                    Some(requested) => reserve(allocation, service, at, requested)?,
                    None => next(allocation)?,
                };
                shared.insert(number_of_port, node_port);
                node_port
            }
        };
        set_port(&mut service["spec"]["ports"][at], "nodePort", node_port);
    }
    Ok(())
}

/// The ports that an update adds.
fn allocate_missing(
    allocation: &mut Allocation<'_>,
    before: &Value,
    service: &mut Value,
) -> Result<(), Failure> {
    let allocates = allocates(service);
    let former = port_numbers(before);
    let ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let mut reserved = BTreeSet::new();

    for (at, port) in ports.iter().enumerate() {
        let wanted = number(&port["nodePort"]);
        if wanted == 0 && !allocates {
            continue;
        }
        if wanted == 0 {
            let node_port = next(allocation)?;
            set_port(&mut service["spec"]["ports"][at], "nodePort", node_port);
        } else if !former.contains(&wanted) && reserved.insert(wanted) {
            reserve(allocation, service, at, wanted)?;
        }
    }
    Ok(())
}

fn reserve(
    allocation: &mut Allocation<'_>,
    service: &Value,
    at: usize,
    wanted: i64,
) -> Result<i64, Failure> {
    let reserved = allocation.reserve_port(wanted);
    let path = format!("spec.ports[{at}].nodePort");
    reserved
        .map(|()| wanted)
        .map_err(|why| invalid_service(service, invalid(&path, &json!(wanted), &why)))
}

fn next(allocation: &mut Allocation<'_>) -> Result<i64, Failure> {
    let port = allocation.next_port();
    port.map(i64::from)
        .map_err(|why| Failure::internal(format!("failed to allocate a nodePort: {why}")))
}

/// A port that a Service asks for is no field error on the real server: it answers 500.
fn allocate_health_check(
    allocation: &mut Allocation<'_>,
    service: &mut Value,
) -> Result<(), Failure> {
    let wanted = number_of_health_check(service);
    if wanted != 0 {
        return allocation.reserve_port(wanted).map_err(|why| {
            Failure::internal(format!(
                "failed to allocate requested HealthCheck NodePort {wanted}: {why}"
            ))
        });
    }

    let port = allocation.next_port().map_err(|why| {
        Failure::internal(format!("failed to allocate a HealthCheck NodePort 0: {why}"))
    })?;
    service["spec"]["healthCheckNodePort"] = json!(port);
    Ok(())
}
