//! The reference cluster with a working data path: everything of a real one except the kubelet, whose part the scenarios
//! play.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_dataplane::{Client, EcmpConfig, EcmpRouter, KubeProxy, Network, POD_CIDR, Pods};

use crate::cluster::{Cluster, wait};
use crate::pressure::Pressure;
use crate::programs::{API, NODES, Programs, ROUTER};
use crate::tally::{Scope, Tally};

/// The connections that the client opens per second.
const PER_SECOND: u32 = 500;
/// The time that a pod serves after it was deleted.
pub(crate) const GRACE: Duration = Duration::from_millis(2500);
/// The time from the end of a process until its endpoint is gone: the kubelet and the controller of EndpointSlices.
const UNNOTICED: Duration = Duration::from_millis(150);
/// The number of the first pod. Smaller ones are for tests that choose it.
const FIRST_POD: u8 = 20;
/// The port of Services, and that of their pods.
pub(crate) const PORT: u16 = 25;
const TARGET_PORT: u16 = 2525;

/// The settings of a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorldConfig {
    /// The speakers' `--dataplane-gate`.
    pub(crate) gate: &'static str,
    /// True if speakers restart gracefully, and the router waits for them.
    pub(crate) graceful_restart: bool,
}

/// A pod of a Service.
#[derive(Clone, Debug)]
struct Pod {
    service: String,
    node: &'static str,
    address: SocketAddr,
    conditions: [bool; 3],
}

/// A running client, and the address that it connects to.
struct Running {
    client: Client,
    vip: Ipv4Addr,
    since: Instant,
}

/// A cluster with its router, its pods and a client.
pub(crate) struct World {
    // Dropped in this order: the programs that dial end first.
    pub(crate) programs: Programs,
    pub(crate) proxies: BTreeMap<&'static str, KubeProxy>,
    pub(crate) router: EcmpRouter,
    pub(crate) network: Network,
    processes: Pods,
    /// The pods by name, as the API server shows them.
    pods: BTreeMap<String, Pod>,
    running: Option<Running>,
    pressure: Pressure,
    /// The counts of the clients so far.
    pub(crate) tallies: Vec<Tally>,
    /// The number of the next pod and that of the next address.
    next: (u8, u8),
}

/// Runs a story in a cluster of its own, on the host of the API server.
pub(crate) fn run<T: Send>(
    config: WorldConfig,
    story: impl AsyncFnOnce(&mut World) -> T + Send,
) -> T {
    // Two clusters at the same time would disturb each other's times.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let network = Network::build(ROUTER, API, &NODES);
    let nodes: Vec<Ipv4Addr> = NODES.iter().map(|(_, address)| *address).collect();
    let router = EcmpConfig::new(ROUTER, 64635, 64636, &nodes);
    let router = router.graceful_restart(config.graceful_restart);
    let router = EcmpRouter::start(&network.router, &router);

    network.api.clone().enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().build().unwrap().block_on(async {
            let mut world = World::begin(config, network, router).await;
            let result = story(&mut world).await;
            world.end().await;
            result
        })
    })
}

impl World {
    async fn begin(config: WorldConfig, network: Network, router: EcmpRouter) -> Self {
        let restart = if config.graceful_restart { ", enable-graceful-restart: true" } else { "" };
        let text = format!(
            "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: {ROUTER}{restart}}}\n\
             address-pools:\n- name: default\n  protocol: bgp\n  addresses: [172.22.35.64/26]\n\
             - name: public\n  protocol: bgp\n  addresses: [200.1.154.64/26]\n  auto-assign: false\n"
        );
        let cluster = Cluster::at(API.into(), &text).await;
        let kubeconfig = cluster.server.as_ref().expect("a server of ours").kubeconfig("admin");

        let on_exit = if config.graceful_restart { "restart" } else { "drain" };
        let arguments = [
            ["--on-exit", on_exit],
            ["--drain-annotation", "ferrolb.io/drain"],
            ["--dataplane-gate", config.gate],
        ];
        let hosts = network.nodes.iter().map(|(name, node)| (*name, node.host.clone()));
        let api = network.api.clone();
        let programs =
            Programs::start(cluster, api, hosts.collect(), &["a"], arguments.as_flattened()).await;

        let mut proxies = BTreeMap::new();
        for (name, node) in &network.nodes {
            let proxy = KubeProxy::start(&node.host, node.address, kubeconfig.clone(), POD_CIDR);
            proxies.insert(*name, proxy);
        }

        let (pods, tallies, running) = (BTreeMap::new(), Vec::new(), None);
        let processes = Pods::new();
        let next = (FIRST_POD, 70);
        let pressure = Pressure::start();
        let world = Self {
            programs,
            proxies,
            router,
            network,
            processes,
            pods,
            running,
            pressure,
            tallies,
            next,
        };
        for number in 0..NODES.len() {
            wait("a session", async || match world.router.established(number)? {
                true => Ok(()),
                false => Err(format!("session {number} is not Established")),
            })
            .await;
        }
        world
    }

    async fn end(self) {
        self.programs.end().await.end().await;
    }

    /// Waits until every kube-proxy is idle, so that its next sync starts at once.
    pub(crate) async fn settle(&self) {
        // Events that are under way arrive first.
        tokio::time::sleep(Duration::from_millis(100)).await;
        wait("idle kube-proxies", async || {
            let busy = self.proxies.iter().find(|(_, proxy)| !proxy.is_idle());
            busy.map_or(Ok(()), |(node, _)| Err((*node).to_owned()))
        })
        .await;
    }

    /// An address that no Service has had for minutes. Until then nodes remember connections to it in conntrack.
    pub(crate) fn address(&mut self) -> Ipv4Addr {
        self.next.1 = if self.next.1 < 126 { self.next.1 + 1 } else { 71 };
        Ipv4Addr::new(172, 22, 35, self.next.1)
    }

    /// Creates a Service with that address, and then the slice of its pods, as the controller of EndpointSlices does.
    pub(crate) async fn create(&self, service: &str, policy: &str, vip: Ipv4Addr) {
        let spec = json!({
            "loadBalancerIP": vip,
            "externalTrafficPolicy": policy,
            "ports": [{"name": "smtp", "port": PORT, "targetPort": TARGET_PORT}],
        });
        self.programs.cluster.create(service, spec).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.write_slice(service).await;
    }

    /// Merges into a Service.
    pub(crate) async fn patch(&self, service: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        let services = self.programs.cluster.services();
        services.patch(service, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Merges into the metadata of a Node.
    pub(crate) async fn patch_node(&self, node: &str, metadata: Value) {
        let nodes: Api<Node> = Api::all(self.programs.cluster.client.clone());
        let patch = Patch::Merge(json!({"metadata": metadata}));
        nodes.patch(node, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Deletes a Service.
    pub(crate) async fn delete(&self, service: &str) {
        let services = self.programs.cluster.services();
        services.delete(service, &DeleteParams::default()).await.unwrap();
    }

    /// Deletes a Service and its pods at once, and waits until the router has no route to its address.
    pub(crate) async fn remove(&mut self, service: &str, vip: Ipv4Addr) {
        self.delete(service).await;
        self.remove_pods(service).await;
        self.expect_route(vip, &[]).await;
    }

    /// Kills the pods of a Service, and deletes its slice.
    pub(crate) async fn remove_pods(&mut self, service: &str) {
        let of_service = self.pods.iter().filter(|(_, pod)| pod.service == service);
        let pods: Vec<String> = of_service.map(|(name, _)| name.clone()).collect();
        for pod in pods {
            let pod = self.pods.remove(&pod).expect("a pod");
            self.processes.kill(pod.address);
        }
        let slices: Api<EndpointSlice> =
            Api::namespaced(self.programs.cluster.client.clone(), &self.programs.cluster.namespace);
        slices.delete(&format!("{service}-1"), &DeleteParams::default()).await.unwrap();
    }

    /// Starts the process of a pod that is not ready yet. Returns the pod's name.
    pub(crate) fn start_process(&mut self, service: &str, node: &'static str) -> String {
        let (number, _) = self.next;
        self.next.0 = if number < 250 { number + 1 } else { FIRST_POD };
        self.start_process_at(service, node, number)
    }

    /// The same for a pod whose address ends with this number.
    pub(crate) fn start_process_at(
        &mut self,
        service: &str,
        node: &'static str,
        number: u8,
    ) -> String {
        let name = format!("{service}-{number}");
        let host = &self.network.nodes[node];
        let address = host.add_pod_address(number, TARGET_PORT);
        self.processes.start(&host.pods, node, &name, address);

        let (service, conditions) = (service.to_owned(), [true, true, false]);
        self.pods.insert(name.clone(), Pod { service, node, address, conditions });
        name
    }

    /// Starts a pod, and makes it ready.
    pub(crate) async fn start_pod(&mut self, service: &str, node: &'static str) -> String {
        let name = self.start_process(service, node);
        self.write_slice(service).await;
        name
    }

    /// Makes a pod terminating: it is not ready, and still serves.
    pub(crate) async fn terminate_pod(&mut self, pod: &str) {
        let entry = self.pods.get_mut(pod).expect("a pod");
        entry.conditions = [false, true, true];
        let service = entry.service.clone();
        self.write_slice(&service).await;
    }

    /// Ends the process of a pod, and a moment later removes its endpoint.
    pub(crate) async fn end_pod(&mut self, pod: &str) {
        let pod = self.pods.remove(pod).expect("a pod");
        self.processes.kill(pod.address);
        tokio::time::sleep(UNNOTICED).await;
        self.write_slice(&pod.service).await;
    }

    /// Deletes a pod as Kubernetes does, with its grace period.
    pub(crate) async fn delete_pod(&mut self, pod: &str) {
        self.terminate_pod(pod).await;
        tokio::time::sleep(GRACE).await;
        self.end_pod(pod).await;
    }

    /// Writes the slice of a Service with its pods as they are.
    pub(crate) async fn write_slice(&self, service: &str) {
        let endpoint = |pod: &Pod| {
            let [ready, serving, terminating] = pod.conditions;
            json!({"addresses": [pod.address.ip()], "nodeName": pod.node,
                "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
        };
        let pods = self.pods.values().filter(|pod| pod.service == service);
        let endpoints: Vec<Value> = pods.map(endpoint).collect();
        self.apply_slice(service, endpoints).await;
    }

    async fn apply_slice(&self, service: &str, endpoints: Vec<Value>) {
        let cluster = &self.programs.cluster;
        let mut slice = crate::cluster::slice_of(service, endpoints);
        slice["ports"] = json!([{"name": "smtp", "port": TARGET_PORT, "protocol": "TCP"}]);
        let slices: Api<EndpointSlice> =
            Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let params = PatchParams::apply("test").force();
        slices.patch(&format!("{service}-1"), &params, &Patch::Apply(slice)).await.unwrap();
    }

    /// Waits until the router sends packets for this address to these nodes and no others.
    pub(crate) async fn expect_route(&self, vip: Ipv4Addr, nodes: &[&str]) {
        wait(&format!("{vip} through {nodes:?}"), async || {
            let found = self.nodes_of(vip);
            if found == nodes { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// Waits until the router sends packets for this address anywhere.
    pub(crate) async fn expect_any_route(&self, vip: Ipv4Addr) {
        wait(&format!("a route to {vip}"), async || {
            if self.nodes_of(vip).is_empty() { Err("none".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// Waits until the rules of a node serve this address.
    pub(crate) async fn expect_served(&self, node: &str, vip: Ipv4Addr) {
        wait(&format!("{vip} to be served by {node}"), async || {
            let served = self.proxies[node].served(vip);
            match served.last() {
                Some((_, true)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// The nodes to which the router sends packets for this address, in order.
    pub(crate) fn nodes_of(&self, vip: Ipv4Addr) -> Vec<&'static str> {
        let hops = self.router.next_hops(vip);
        let mut nodes: Vec<_> = hops.iter().filter_map(|hop| self.network.node_at(*hop)).collect();
        nodes.sort_unstable();
        nodes
    }

    /// Lets the client open connections to this address until [`World::close`].
    pub(crate) fn open(&mut self, vip: Ipv4Addr) {
        let target = SocketAddr::from((vip, PORT));
        let client = Client::start(&self.network.client, target, PER_SECOND);
        self.running = Some(Running { client, vip, since: Instant::now() });
    }

    /// Stops the client, and counts what became of its connections.
    pub(crate) fn close(&mut self, scope: Scope) {
        let Running { client, vip, since } = self.running.take().expect("a running client");
        let attempts = client.stop();
        let mut tally = Tally::of(attempts, &scope, &self.router.history(vip), |at| {
            self.processes.any_ran(TARGET_PORT, at)
        });

        for (node, proxy) in &self.proxies {
            let address = IpAddr::from(self.network.nodes[node].address);
            let served = proxy.served(vip);
            let history = self.router.history(vip);
            tally.add_node((*node, address), &history, &served, since, &self.pressure);
        }
        self.tallies.push(tally);
    }
}
