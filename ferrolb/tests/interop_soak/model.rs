//! The routes that the routers should have, from the objects in the API server and the rules in `docs/services.md`.
//!
//! Shares no code with the planner. It takes each address from the status of its Service, and checks the addresses as well.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use test_apiserver::ApiServer;

use crate::programs::NODES;
use crate::routers::TablePath;

/// What the objects of a moment ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The paths that each router should have while all sessions are up.
    pub(crate) paths: BTreeSet<TablePath>,
    /// For each Service of our class, the problem of its addresses, if there is one.
    pub(crate) services: BTreeMap<String, Option<String>>,
    /// The address of each Service that has one.
    pub(crate) addresses: BTreeMap<String, IpAddr>,
}

const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Reads the objects of the test's namespace.
pub(crate) fn wanted(server: &ApiServer, namespace: &str, class: &str) -> Wanted {
    let nodes = server.objects("nodes");
    let slices =
        endpoints_by_service(&server.objects("endpointslices.discovery.k8s.io"), namespace);

    let mut wanted = Wanted::default();
    let mut owners: BTreeMap<IpAddr, String> = BTreeMap::new();
    for service in server.objects("services") {
        let (metadata, spec) = (&service["metadata"], &service["spec"]);
        if metadata["namespace"] != namespace || spec["loadBalancerClass"] != class {
            // A Service that is no LoadBalancer has no class. Its address must still go.
            if !metadata["namespace"].eq(namespace) || metadata["labels"]["soak"] != "true" {
                continue;
            }
        }

        let name = text(&metadata["name"]).to_owned();
        let address = text(&service["status"]["loadBalancer"]["ingress"][0]["ip"]).parse().ok();
        let balances = spec["type"] == "LoadBalancer";
        let problem = match address {
            Some(address) if !balances => Some(format!("{address} at type {}", spec["type"])),
            None if balances => Some("no address".to_owned()),
            Some(address) => misfit(spec, address)
                .or_else(|| Some(format!("{address} belongs to {} too", owners.get(&address)?))),
            None => None,
        };
        wanted.services.insert(name.clone(), problem);

        let Some(address) = address.filter(|_| balances) else { continue };
        owners.insert(address, name.clone());
        wanted.addresses.insert(name.clone(), address);
        let endpoints = slices.get(&name).map(Vec::as_slice).unwrap_or_default();
        let local = spec["externalTrafficPolicy"] == "Local";
        for (node, hop) in NODES {
            let serves = endpoints.iter().any(|endpoint| {
                endpoint["conditions"]["ready"] == true && (!local || endpoint["nodeName"] == node)
            });
            if serves && nodes.iter().any(|it| it["metadata"]["name"] == node && may_carry(it)) {
                wanted.paths.insert((format!("{address}/32"), hop.into()));
            }
        }
    }
    wanted
}

/// The problem of an address that its Service did not ask for.
fn misfit(spec: &Value, address: IpAddr) -> Option<String> {
    let asked = spec["loadBalancerIP"].as_str().filter(|asked| !asked.is_empty())?;
    (asked != address.to_string()).then(|| format!("{address} instead of {asked}"))
}

/// Returns true if a node is ready and not excluded from load balancers.
fn may_carry(node: &Value) -> bool {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let unready = conditions.any(|it| it["type"] == "Ready" && it["status"] != "True");
    let excluded = node["metadata"]["labels"].get(EXCLUDE).is_some();
    !unready && !excluded
}

fn endpoints_by_service(slices: &[Arc<Value>], namespace: &str) -> BTreeMap<String, Vec<Value>> {
    let mut endpoints: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice["metadata"]["namespace"] == namespace) {
        let service = text(&slice["metadata"]["labels"]["kubernetes.io/service-name"]);
        let found = slice["endpoints"].as_array().into_iter().flatten().cloned();
        endpoints.entry(service.to_owned()).or_default().extend(found);
    }
    endpoints
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
