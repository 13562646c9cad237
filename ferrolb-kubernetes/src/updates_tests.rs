//! The UPDATEs that a speaker sends while pods come and go among a thousand Services: no more than routes change.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, EventKind, Import, PeerConfig, PeerHandle};
use ferrolb_node::drain::DrainTimes;
use ferrolb_node::log::Log;
use lb_adapter::model::DataplaneGate;
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use super::super::{ControllerOptions, DataplaneOptions};
use super::*;

const NAMESPACE: &str = "ferrolb-system";
/// Every other Service has the policy Local.
const SERVICES: u32 = 1_000;
/// Services whose routes show that the speaker has seen all earlier changes of slices.
const MARKERS: [u32; 2] = [SERVICES + 1, SERVICES + 3];

/// A speaker of the node `n0`, and its router.
struct Fixture {
    server: ApiServer,
    _router: bgp_session::Speaker,
    peer: PeerHandle,
    _signals: mpsc::Sender<()>,
    _requests: mpsc::Sender<StatusRequest>,
}

/// UPDATEs, announced and withdrawn prefixes.
type Received = (u64, u64, u64);

impl Fixture {
    /// Starts the speaker, and waits until it has announced all Services that have a pod it may serve.
    async fn new(services: &[(u32, &[u32])]) -> Self {
        let router = bgp_session::Speaker::builder(Asn(64_635), BgpIdentifier::new(192, 0, 2, 1));
        let router = router.listen(SocketAddr::from(([127, 0, 0, 1], 0))).start().await.unwrap();
        let peer = PeerConfig::new(IpAddr::from(Ipv4Addr::LOCALHOST), Asn(64_636));
        let peer = router.add_peer(peer.passive().import(Import::Keep)).await.unwrap();
        let mut events = router.events();

        let server = ApiServer::builder().node_ports(10_000..=65_535).start_in_memory();
        server
            .put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
        server.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n0"},
            "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}));
        let port = router.listen_addr().unwrap().port();
        let config = format!(
            "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}}}\n\
             address-pools:\n- {{name: default, protocol: bgp, addresses: [10.64.0.0/16]}}\n"
        );
        server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": NAMESPACE, "name": "config"}, "data": {"config": config}}));
        for (number, nodes) in services {
            server.put(service(*number));
            server.put(slice(*number, &ready(nodes)));
        }
        MARKERS.iter().for_each(|number| server.put(service(*number)));

        let (signals, received_signals) = mpsc::channel(1);
        let (requests, received_requests) = mpsc::channel(1);
        let surroundings = Surroundings {
            identity: Identity::new(Program::Speaker, Some("n0".to_owned()), Log::fixed("info")),
            client: Client::new(server.service("admin"), NAMESPACE),
            requests: received_requests,
            signals: Signals::from_caller(received_signals),
        };
        drop(tokio::spawn(run_speaker(options(), surroundings, NodeNetwork::of_host())));

        let fixture =
            Self { server, _router: router, peer, _signals: signals, _requests: requests };
        let announced =
            services.iter().filter(|(number, nodes)| number % 2 == 0 || nodes.contains(&0));
        fixture.until_announced(u64::try_from(announced.count()).unwrap()).await;

        // The End-of-RIB of each family is an UPDATE too, and precedes that of the first marker.
        let negotiated = fixture.peer.status().negotiated.unwrap();
        let mut complete = 0;
        while complete < negotiated.families.len() {
            let event = events.next().await.unwrap().unwrap();
            complete += usize::from(matches!(event.kind, EventKind::EndOfRib(_)));
        }
        fixture.write(MARKERS[0], Vec::new()).await;
        fixture
    }

    fn received(&self) -> Received {
        let status = self.peer.status();
        let stats = &status.stats;
        (stats.received.update, stats.prefixes_announced_in, stats.prefixes_withdrawn_in)
    }

    /// Waits until so many prefixes have been announced since the start.
    async fn until_announced(&self, count: u64) {
        let announced = async {
            while self.received().1 < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), announced).await;
        assert!(waited.is_ok(), "{:?} instead of {count}", self.received());
    }

    /// Writes these slices one after the other, and then that of a marker. Returns what the router receives for them.
    async fn write(&self, marker: u32, slices: Vec<Value>) -> Received {
        let (updates, announced, withdrawn) = self.received();
        slices.into_iter().for_each(|slice| self.server.put(slice));

        self.server.put(slice(marker, &ready(&[0])));
        self.until_announced(announced + 1).await;
        let (more_updates, more_announced, more_withdrawn) = self.received();
        (more_updates - updates, more_announced - announced, more_withdrawn - withdrawn)
    }
}

fn options() -> SpeakerOptions {
    SpeakerOptions {
        cluster: ControllerOptions::of_test(NAMESPACE).cluster,
        node: "n0".to_owned(),
        ignore_exclude_label: false,
        on_exit: OnExit::Withdraw,
        drain: DrainTimes { marked: Duration::ZERO, withdrawn: Duration::ZERO },
        drain_annotation: None,
        drain_taint: None,
        heartbeat: Duration::from_secs(60),
        dataplane: DataplaneOptions {
            gate: DataplaneGate::Off,
            delay: Duration::from_secs(1),
            kube_proxy_port: 1,
        },
    }
}

fn service(number: u32) -> Value {
    let policy = if number.is_multiple_of(2) { "Cluster" } else { "Local" };
    let address = Ipv4Addr::from(0x0a40_0000 + number).to_string();
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": format!("s{number}")},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": policy, "ports": [{"port": 25}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
}

/// A pod: its number within the Service, its node, and whether it is ready or terminates.
type Pod = (usize, u32, bool);

fn ready(nodes: &[u32]) -> Vec<Pod> {
    nodes.iter().enumerate().map(|(pod, node)| (pod, *node, true)).collect()
}

fn slice(number: u32, pods: &[Pod]) -> Value {
    let endpoints = pods.iter().map(|(pod, node, is_ready)| {
        json!({"addresses": [format!("10.{}.{}.{pod}", number / 256, number % 256)], "nodeName": format!("n{node}"),
            "conditions": {"ready": is_ready, "serving": true, "terminating": !is_ready}})
    });
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "default", "name": format!("s{number}-a"),
            "labels": {"kubernetes.io/service-name": format!("s{number}")}},
        "endpoints": endpoints.collect::<Vec<_>>(), "ports": []})
}

/// Returns the slices of a rolling restart: each pod gets a successor on its node, terminates, and is gone.
fn restart(number: u32, nodes: &[u32]) -> Vec<Value> {
    let mut pods = ready(nodes);
    let mut slices = Vec::new();
    for at in 0..pods.len() {
        let (old, node, _) = pods[at];
        pods.push((old + 100, node, true));
        slices.push(slice(number, &pods));
        pods[at].2 = false;
        slices.push(slice(number, &pods));
        pods.swap_remove(at);
        slices.push(slice(number, &pods));
    }
    slices
}

/// Ten pods on five nodes.
const SPREAD: [u32; 10] = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4];

fn services() -> impl Iterator<Item = u32> {
    0..SERVICES
}

#[tokio::test]
async fn a_rolling_restart_brings_no_update_under_either_policy() {
    let all: Vec<(u32, &[u32])> = services().map(|number| (number, &SPREAD[..])).collect();
    let fixture = Fixture::new(&all).await;
    let slices = [2, 3].into_iter().flat_map(|number| restart(number, &SPREAD)).collect();
    // That of the marker.
    assert_eq!(fixture.write(MARKERS[1], slices).await, (1, 1, 0));
}

#[tokio::test]
async fn pods_that_leave_a_node_bring_one_withdrawal_for_each_route_that_is_lost() {
    // Of the Local ones, every other one has its only pod on the node.
    let places = |number: u32| if number % 4 == 1 { &[0][..] } else { &[0, 1][..] };
    let all: Vec<(u32, &[u32])> = services().map(|number| (number, places(number))).collect();
    let fixture = Fixture::new(&all).await;

    // A drain evicts the pods of another node first: nothing changes. Then those of this node: all Local ones are lost.
    let mut slices = Vec::new();
    for number in services().filter(|number| places(*number).contains(&1)) {
        slices.push(slice(number, &[(0, 0, true), (1, 1, false)]));
        slices.push(slice(number, &ready(&[0, 2])));
    }
    for number in services() {
        slices.push(slice(number, &[(0, 0, false), (2, 2, true)]));
        slices.push(slice(number, &ready(&[2, 3])));
    }
    let (updates, announced, withdrawn) = fixture.write(MARKERS[1], slices).await;
    assert_eq!((announced, withdrawn), (1, u64::from(SERVICES / 2)));
    assert!(updates <= 1 + u64::from(SERVICES / 2), "{updates}");
}
