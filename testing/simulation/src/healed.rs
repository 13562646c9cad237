//! The state at which a cluster must arrive once nothing disturbs it any more: nothing due stays undone, every packet finds its
//! way, and what the speakers explain is what the routers have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ferrolb_node::api::{Answer, Query};
use ferrolb_node::http::StatusRequest;
use lb_adapter::model::ServiceKey;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::addresses::{addresses, contains, is_foreign};
use crate::dataplane::{Proxy, ready_nodes};
use crate::plan::{Size, Who};
use crate::process::{DRAIN, Processes};
use crate::router::routes;
use crate::world::{POOLS, Violation, World, node_name, router_address};

/// Returns how many tasks a world of this size may have once it has settled: watches, clients, sessions and the parts of the
/// simulation. A large world has half as many.
fn most_tasks(size: Size) -> usize {
    100 + 60 * size.processes().count()
}

/// What is not yet as it must be.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Violation>);

impl Problems {
    /// Checks everything but what the speakers explain.
    pub(crate) fn find(world: &World, proxies: &[Arc<Proxy>]) -> Vec<Violation> {
        let mut problems = Self::default();
        problems.check_services(world);
        let expected = expected_routes(world);
        for router in 0..world.size.routers {
            problems.check_routes(world, router, &expected);
            problems.check_client(world, proxies, router);
        }
        problems.check_pools(world);
        problems.check_statuses(world, &expected);

        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        if tasks > most_tasks(world.size) {
            problems.add("bounded memory", format!("{tasks} tasks"));
        }
        problems.0
    }

    /// Checks what the speakers explain. This takes long, and says little before the rest is right.
    pub(crate) async fn find_in_explanations(
        world: &World,
        processes: &Processes,
    ) -> Vec<Violation> {
        let mut problems = Self::default();
        problems.check_explanations(world, processes).await;
        problems.0
    }

    fn add(&mut self, invariant: &'static str, text: String) {
        self.0.push(Violation { invariant, text });
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Returns the Services that FerroLB serves.
fn served(world: &World) -> Vec<Arc<Value>> {
    let services = world.server.objects("services").into_iter();
    services
        .filter(|service| service["spec"]["type"] == "LoadBalancer" && !is_foreign(service))
        .collect()
}

impl Problems {
    /// Every Service that is served has an address of the pool that it asks for, and no other Service has one.
    fn check_services(&mut self, world: &World) {
        let served: BTreeSet<_> = served(world).iter().map(|it| name(it).to_owned()).collect();
        for service in world.server.objects("services").iter().filter(|it| !is_foreign(it)) {
            let held = addresses(service);
            let asked = service["metadata"]["annotations"]["metallb.io/address-pool"].as_str();
            let is_right = |address: &IpAddr| {
                (0..POOLS.len()).any(|pool| {
                    contains(pool, *address) && asked.is_none_or(|asked| POOLS[pool].0 == asked)
                })
            };
            let conditions = service["status"]["conditions"].as_array();
            let condition = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == "ferrolb.io/AddressAssigned");

            let is_done = if served.contains(name(service)) {
                held.len() == 1
                    && held.iter().all(is_right)
                    && condition.is_some_and(|condition| condition["status"] == "True")
            } else {
                held.is_empty() && condition.is_none()
            };
            if !is_done {
                let status = &service["status"];
                self.add("nothing undone", format!("the status of {} is {status}", name(service)));
            }
        }
    }
}

impl Problems {
    /// The status of each pool counts the addresses that Services have.
    fn check_pools(&mut self, world: &World) {
        let held: BTreeSet<IpAddr> = served(world).iter().flat_map(|it| addresses(it)).collect();
        let objects = world.server.objects("ipaddresspools.metallb.io");
        for (pool, (pool_name, _)) in POOLS.iter().enumerate() {
            let assigned = held.iter().filter(|address| contains(pool, **address)).count();
            let object = objects.iter().find(|object| name(object) == *pool_name);
            let reported = object.map(|object| &object["status"]["assignedIPv4"]);
            if reported.is_none_or(|reported| *reported != assigned) {
                self.add(
                    "nothing undone",
                    format!(
                        "the pool {pool_name} reports {reported:?} of {assigned} assigned addresses"
                    ),
                );
            }
        }
    }
}

/// Returns the routes that every router should have: by address and node, with the Services.
fn expected_routes(world: &World) -> BTreeMap<(IpAddr, usize), BTreeSet<String>> {
    let slices = world.server.objects("endpointslices.discovery.k8s.io");
    let nodes = world.server.objects("nodes");
    let mut routes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for service in served(world) {
        let ready = ready_nodes(&slices, name(&service));
        let is_local = service["spec"]["externalTrafficPolicy"] == "Local";
        for node in 0..world.size.speakers {
            let node_name = node_name(node);
            let has_endpoint =
                if is_local { ready.contains(&node_name) } else { !ready.is_empty() };
            let object = nodes.iter().find(|object| name(object) == node_name);
            if !has_endpoint || object.is_none_or(|object| !may_serve(object)) {
                continue;
            }
            for address in addresses(&service) {
                routes.entry((address, node)).or_default().insert(name(&service).to_owned());
            }
        }
    }
    routes
}

/// Returns true if a node may carry traffic.
fn may_serve(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    let is_ready = conditions
        .into_iter()
        .flatten()
        .all(|condition| condition["type"] != "Ready" || condition["status"] == "True");
    let label =
        &node["metadata"]["labels"]["node.kubernetes.io/exclude-from-external-load-balancers"];
    is_ready && label.is_null() && node["metadata"]["annotations"][DRAIN].is_null()
}

impl Problems {
    /// A router has all routes that it should have, none of them depreferenced, and no other.
    fn check_routes(
        &mut self,
        world: &World,
        router: usize,
        expected: &BTreeMap<(IpAddr, usize), BTreeSet<String>>,
    ) {
        let found = routes(world, router);
        for (address, node) in expected.keys() {
            match found.get(&(*address, *node)) {
                Some(false) => {}
                Some(true) => self.add(
                    "nothing undone",
                    format!("router {router}: {address} over node {node} is still depreferenced"),
                ),
                None => self.add(
                    "nothing undone",
                    format!("router {router} lacks {address} over node {node}"),
                ),
            }
        }
        for (address, node) in found.keys().filter(|route| !expected.contains_key(route)) {
            self.add("no wrong route", format!("router {router} has {address} over node {node}"));
        }
    }
}

impl Problems {
    /// A packet that a client sends to any route arrives.
    fn check_client(&mut self, world: &World, proxies: &[Arc<Proxy>], router: usize) {
        for (address, node) in routes(world, router).keys() {
            if !proxies[*node].forwards(*address) {
                self.add(
                    "every packet arrives",
                    format!(
                        "router {router} sends packets for {address} to node {node}, which drops them"
                    ),
                );
            }
        }
    }
}

impl Problems {
    /// The objects in which the speakers report say the same.
    fn check_statuses(
        &mut self,
        world: &World,
        expected: &BTreeMap<(IpAddr, usize), BTreeSet<String>>,
    ) {
        let mut announced = BTreeSet::new();
        for ((_, node), services) in expected {
            announced.extend(services.iter().map(|service| (service.clone(), node_name(*node))));
        }
        let statuses = world.server.objects("servicebgpstatuses.metallb.io");
        let reported = statuses.iter().filter_map(|object| {
            let status = &object["status"];
            let peers =
                status["peers"].as_array().filter(|peers| peers.len() == world.size.routers)?;
            let node = status["node"].as_str().filter(|_| !peers.is_empty())?;
            Some((status["serviceName"].as_str()?.to_owned(), node.to_owned()))
        });
        let reported: BTreeSet<_> = reported.collect();
        for (service, node) in announced.symmetric_difference(&reported) {
            self.add(
                "nothing undone",
                format!("the ServiceBGPStatus of {service} on {node} differs from the routes"),
            );
        }

        let nodes = world.server.objects("bgpnodestatuses.ferrolb.io");
        for node in (0..world.size.speakers).map(node_name) {
            let object = nodes.iter().find(|object| object["status"]["node"] == *node);
            let conditions = object.and_then(|object| object["status"]["conditions"].as_array());
            let is_degraded = conditions
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == "Degraded" && condition["status"] != "False");
            if object.is_none() || is_degraded {
                let status = object.map(|object| object["status"].to_string()).unwrap_or_default();
                self.add("nothing undone", format!("the BGPNodeStatus of {node} is {status}"));
            }
        }
    }
}

impl Problems {
    /// What a speaker explains about each Service and router is what the router has.
    async fn check_explanations(&mut self, world: &World, processes: &Processes) {
        for node in 0..world.size.speakers {
            for service in world.server.objects("services") {
                let Some(answer) = explanation(processes, node, name(&service)).await else {
                    self.add(
                        "explanation",
                        format!("node {node} does not explain {}", name(&service)),
                    );
                    continue;
                };
                let Answer::Service(explained) = answer else { continue };
                for router in 0..world.size.routers {
                    let prefix = format!("{}:", router_address(router));
                    let is_explained =
                        explained.nodes.iter().filter(|it| it.node == node_name(node)).any(|it| {
                            let passed = |gates: &[ferrolb_api::Gate]| {
                                gates.iter().all(|gate| gate.passed == Some(true))
                            };
                            passed(&it.gates)
                                && it.peers.iter().any(|peer| {
                                    peer.peer.starts_with(&prefix) && passed(&peer.gates)
                                })
                        });
                    let found = routes(world, router);
                    let held = addresses(&service);
                    let is_announced = !is_foreign(&service)
                        && service["spec"]["type"] == "LoadBalancer"
                        && held.iter().any(|address| found.contains_key(&(*address, node)));
                    // A shared address is announced as long as one of its Services needs it.
                    let is_shared =
                        !service["metadata"]["annotations"]["metallb.io/allow-shared-ip"].is_null();
                    if is_explained != is_announced && !(is_shared && is_announced) {
                        self.add(
                            "explanation",
                            format!("node {node} says {} about {} at router {router}, which has {is_announced}", is_explained, name(&service)),
                        );
                    }
                }
            }
        }
    }
}

/// Asks the speaker of a node about a Service.
async fn explanation(processes: &Processes, node: usize, service: &str) -> Option<Answer> {
    let requests = processes.requests(Who::Speaker(node))?;
    let (reply, answer) = oneshot::channel();
    let query = Query::Service(ServiceKey::new("default", service));
    requests.send(StatusRequest::Api(query, reply)).await.ok()?;
    answer.await.ok()?.ok()
}
