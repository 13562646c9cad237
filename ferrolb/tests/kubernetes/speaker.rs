//! The routes that the nodes of a cluster announce: a controller, three speakers, and a router of our own on loopback
//! addresses.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, PeerHandle, Speaker};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_apiserver::Cut;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

use crate::cluster::{Cluster, METALLB, real_server, wait};
use crate::program::Program;

/// The addresses of the nodes. All of 127.0.0.0/8 is local.
pub(crate) const NODES: [(&str, Ipv4Addr); 3] = [
    ("kube1", Ipv4Addr::new(127, 22, 35, 25)),
    ("kube2", Ipv4Addr::new(127, 22, 35, 26)),
    ("kube3", Ipv4Addr::new(127, 22, 35, 27)),
];

/// A router that keeps the routes it receives.
pub(crate) struct Router {
    pub(crate) speaker: Speaker,
    peers: Vec<PeerHandle>,
}

impl Router {
    pub(crate) async fn new() -> Self {
        let speaker = Speaker::builder(Asn(64_635), BgpIdentifier::new(172, 22, 35, 1))
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .start()
            .await
            .unwrap();
        let mut peers = Vec::new();
        for (_, address) in NODES {
            let config = PeerConfig::new(std::net::IpAddr::from(address), Asn(64_636));
            peers.push(
                speaker
                    .add_peer(config.passive().import(Import::Keep).graceful_restart())
                    .await
                    .unwrap(),
            );
        }
        Self { speaker, peers }
    }

    pub(crate) fn port(&self) -> u16 {
        self.speaker.listen_addr().unwrap().port()
    }

    pub(crate) fn config(&self) -> String {
        self.config_with("")
    }

    /// The configuration with these further keys of the peer.
    fn config_with(&self, peer: &str) -> String {
        let port = self.port();
        format!(
            "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}{peer}}}\n\
             address-pools:\n- name: default\n  protocol: bgp\n  addresses: [192.0.2.0/28]\n"
        )
    }

    /// The session with that node.
    fn peer(&self, node: &str) -> PeerHandle {
        let at = NODES.iter().position(|(name, _)| *name == node).unwrap();
        self.peers[at].clone()
    }

    /// The prefixes, each with the nodes that announce it.
    pub(crate) fn table(&self) -> BTreeMap<String, Vec<&'static str>> {
        let mut table: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        for (prefix, paths) in self.speaker.loc_rib().iter() {
            for path in paths {
                let hop = path.attributes.next_hop.map(|hop| hop.address());
                let node =
                    NODES.iter().find(|(_, address)| Some(std::net::IpAddr::from(*address)) == hop);
                table.entry(prefix.to_string()).or_default().extend(node.map(|(name, _)| *name));
            }
        }
        table.values_mut().for_each(|nodes| nodes.sort_unstable());
        table
    }

    /// The nodes that announce a prefix, each with true if it asks for less traffic than others.
    pub(crate) fn preferences(&self, prefix: &str) -> BTreeMap<&'static str, bool> {
        let mut preferences = BTreeMap::new();
        for (found, paths) in self.speaker.loc_rib().iter() {
            for path in paths.iter().filter(|_| found.to_string() == prefix) {
                let hop = path.attributes.next_hop.map(|hop| hop.address());
                let mut nodes = NODES.iter();
                let node = nodes.find(|(_, address)| Some(std::net::IpAddr::from(*address)) == hop);
                preferences.insert(node.unwrap().0, path.attributes.med == Some(u32::MAX));
            }
        }
        preferences
    }

    pub(crate) async fn wait_for(&self, what: &str, expected: &[(&str, &[&str])]) {
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(prefix, nodes)| ((*prefix).to_owned(), nodes.to_vec())).collect();
        wait(what, async || {
            let table = self.table();
            if table == expected { Ok(()) } else { Err(format!("{table:?}")) }
        })
        .await;
    }
}

/// The lock that a test holds while it uses the addresses of the nodes.
pub(crate) static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A cluster with a router, three nodes, and all our programs.
pub(crate) struct World {
    /// The nodes have the same addresses in every test, so only one cluster can run at a time.
    _turn: tokio::sync::MutexGuard<'static, ()>,
    pub(crate) cluster: Cluster,
    pub(crate) router: Router,
    controller: Program,
    speakers: BTreeMap<&'static str, Program>,
    /// The dataplane gate of the speakers.
    gate: &'static str,
    sockets: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let router = Router::new().await;
        let config = router.config();
        Self::with(router, &config).await
    }

    async fn with(router: Router, config: &str) -> Self {
        Self::with_gate(router, config, "off").await
    }

    pub(crate) async fn with_gate(router: Router, config: &str, gate: &'static str) -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let cluster = Cluster::new(config).await;
        if gate != "off"
            && let Some(server) = &cluster.server
        {
            // The gate asks which other nodes announce a Service.
            for document in serde_saphyr::from_multiple::<Value>(METALLB).unwrap() {
                server.put(document);
            }
        }
        for (name, address) in NODES {
            cluster.add_node(name, address).await;
        }
        let controller = cluster.start("controller", "a", &[]);
        let (speakers, sockets) = (BTreeMap::new(), tempfile::tempdir().unwrap());
        let mut world = Self { _turn: turn, cluster, router, controller, speakers, gate, sockets };
        for (name, _) in NODES {
            world.start(name);
        }
        world
    }

    fn start(&mut self, node: &'static str) {
        self.start_with(node, "drain");
    }

    fn start_with(&mut self, node: &'static str, on_exit: &str) {
        let socket = self.socket(node);
        let arguments = [
            "--socket",
            socket.to_str().unwrap(),
            "--on-exit",
            on_exit,
            "--node-name",
            &self.cluster.node(node),
            "--drain-marked",
            "300ms",
            "--drain-withdrawn",
            "100ms",
            "--drain-annotation",
            "example.com/maintenance",
            "--dataplane-gate",
            self.gate,
        ];
        self.speakers.insert(node, self.cluster.start("speaker", node, &arguments));
    }

    pub(crate) fn socket(&self, node: &str) -> std::path::PathBuf {
        self.sockets.path().join(node)
    }

    /// Restarts a speaker with an exit that leaves its routes, ends it, and waits for the end of its session.
    async fn end_for_a_restart(&mut self, node: &'static str, table: &[(&str, &[&str])]) {
        self.speakers.remove(node).unwrap().terminate().await;
        self.start_with(node, "restart");
        self.router.wait_for("a speaker with another end", table).await;
        self.speakers.remove(node).unwrap().terminate().await;
        let peer = self.router.peer(node);
        wait("the end of the session", async || {
            let is_up = peer.status().is_established();
            if is_up { Err("still Established".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    pub(crate) async fn end(self) {
        for (_, speaker) in self.speakers {
            speaker.terminate().await;
        }
        self.controller.terminate().await;
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        for (name, _) in NODES {
            nodes.delete(&self.cluster.node(name), &DeleteParams::default()).await.unwrap();
        }
        self.cluster.end().await;
    }
}

pub(crate) const EVERYWHERE: &[&str] = &["kube1", "kube2", "kube3"];

#[tokio::test]
async fn routes_follow_services_endpoints_and_nodes() {
    let mut world = World::new().await;
    let services = world.cluster.services();
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    world.router.wait_for("a Service from every node", &[("192.0.2.0/32", EVERYWHERE)]).await;

    world.cluster.create("smtp", json!({"externalTrafficPolicy": "Local"})).await;
    world.cluster.endpoints("smtp", &[("kube2", true)]).await;
    let web = ("192.0.2.0/32", EVERYWHERE);
    world.router.wait_for("one where its pod is", &[web, ("192.0.2.1/32", &["kube2"])]).await;

    world.cluster.endpoints("smtp", &[("kube3", true)]).await;
    world.router.wait_for("the pod's new node", &[web, ("192.0.2.1/32", &["kube3"])]).await;
    world.cluster.endpoints("smtp", &[("kube1", true), ("kube3", true)]).await;
    world.router.wait_for("both pods", &[web, ("192.0.2.1/32", &["kube1", "kube3"])]).await;

    world.cluster.endpoints("smtp", &[("kube1", false), ("kube3", true)]).await;
    world.router.wait_for("the ready one", &[web, ("192.0.2.1/32", &["kube3"])]).await;
    let cluster = Patch::Merge(json!({"spec": {"externalTrafficPolicy": "Cluster"}}));
    services.patch("smtp", &PatchParams::default(), &cluster).await.unwrap();
    world.router.wait_for("every node again", &[web, ("192.0.2.1/32", EVERYWHERE)]).await;

    world.speakers.remove("kube2").unwrap().kill();
    let rest: &[&str] = &["kube1", "kube3"];
    world.router.wait_for("a node lost", &[("192.0.2.0/32", rest), ("192.0.2.1/32", rest)]).await;
    world.start("kube2");
    world.router.wait_for("and back", &[web, ("192.0.2.1/32", EVERYWHERE)]).await;

    services.delete("smtp", &DeleteParams::default()).await.unwrap();
    world.router.wait_for("the Service gone", &[web]).await;
    world.end().await;
}

#[tokio::test]
async fn a_node_withdraws_the_route_when_its_pod_fails_the_probe() {
    if real_server().is_some() {
        // The pods run on this machine, and the API rejects endpoints at loopback addresses.
        return;
    }
    let listen = |at| tokio::net::TcpListener::bind(SocketAddr::from(at));
    let pod = listen(([127, 22, 35, 80], 0)).await.unwrap();
    let port = pod.local_addr().unwrap().port();
    let router = Router::new().await;
    let probe =
        format!("  probe: tcp:{port}\n  probe-interval: 100ms\n  probe-fall: 1\n  probe-rise: 1\n");
    let config = format!("{}{probe}", router.config());
    let world = World::with(router, &config).await;

    // Nothing listens at the port of the pods on kube1 and kube3.
    let pod_at = |node: &str, address: &str| json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true}});
    let pods = [("kube1", "127.22.35.81"), ("kube2", "127.22.35.80"), ("kube3", "127.22.35.82")];
    let pods = pods.map(|(node, address)| pod_at(node, address));
    world.cluster.put_slice("web", pods.into());
    world.cluster.create("web", json!({"externalTrafficPolicy": "Local"})).await;
    world.router.wait_for("the node whose pod answers", &[("192.0.2.0/32", &["kube2"])]).await;

    let other = listen(([127, 22, 35, 81], port)).await.unwrap();
    let both: &[&str] = &["kube1", "kube2"];
    world.router.wait_for("another one that answers", &[("192.0.2.0/32", both)]).await;
    drop(pod);
    world.router.wait_for("the one that is left", &[("192.0.2.0/32", &["kube1"])]).await;

    // A pod that has moved is probed at its new address.
    world.cluster.put_slice("web", vec![pod_at("kube3", "127.22.35.81")]);
    world.router.wait_for("the pod's new node", &[("192.0.2.0/32", &["kube3"])]).await;
    drop(other);
    world.router.wait_for("nobody", &[]).await;
    world.end().await;
}

#[tokio::test]
async fn an_operator_drains_a_node_and_undrains_it() {
    let world = World::new().await;
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    world.router.wait_for("a Service from every node", &[("192.0.2.0/32", EVERYWHERE)]).await;

    let nodes: Api<Node> = Api::all(world.cluster.client.clone());
    let [first, second] = ["kube1", "kube2"].map(|name| world.cluster.node(name));

    // A cordon has no effect on announcements.
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    nodes.patch(&first, &PatchParams::default(), &cordon).await.unwrap();
    let annotate = |value: Value| {
        Patch::Merge(json!({"metadata": {"annotations": {"example.com/maintenance": value}}}))
    };
    nodes.patch(&second, &PatchParams::default(), &annotate(json!("yes"))).await.unwrap();
    world
        .router
        .wait_for("all but the drained node", &[("192.0.2.0/32", &["kube1", "kube3"])])
        .await;

    nodes.patch(&second, &PatchParams::default(), &annotate(Value::Null)).await.unwrap();
    world.router.wait_for("every node again", &[("192.0.2.0/32", EVERYWHERE)]).await;
    world.end().await;
}

#[tokio::test]
async fn a_speaker_that_exits_for_a_restart_leaves_its_routes_at_the_router() {
    let router = Router::new().await;
    let config = router.config_with(", enable-graceful-restart: true");
    let mut world = World::with(router, &config).await;
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    world.router.wait_for("a Service from every node", &[("192.0.2.0/32", EVERYWHERE)]).await;

    world.cluster.endpoints("gone", &[("kube1", true)]).await;
    world.cluster.create("gone", json!({})).await;
    let everywhere = [("192.0.2.0/32", EVERYWHERE), ("192.0.2.1/32", EVERYWHERE)];
    world.router.wait_for("two Services from every node", &everywhere).await;

    world.end_for_a_restart("kube2", &everywhere).await;
    let kept = |world: &World| {
        let table = world.router.table();
        assert_eq!(table.get("192.0.2.0/32").map(Vec::as_slice), Some(EVERYWHERE), "{table:?}");
    };
    kept(&world);
    world.cluster.services().delete("gone", &DeleteParams::default()).await.unwrap();

    let stale: (&str, &[&str]) = ("192.0.2.1/32", &["kube2"]);
    world.router.wait_for("a stale route of it alone", &[everywhere[0], stale]).await;
    world.start_with("kube2", "drain");
    wait("the end of what is not announced again", async || {
        kept(&world);
        let table = world.router.table();
        if table.len() == 1 { Ok(()) } else { Err(format!("{table:?}")) }
    })
    .await;
    assert!(world.router.peer("kube2").status().is_established());

    world.speakers.remove("kube2").unwrap().terminate().await;
    world
        .router
        .wait_for("a drain takes them away", &[("192.0.2.0/32", &["kube1", "kube3"])])
        .await;
    world.end().await;
}

/// Pods that answer probes, except during a pause.
struct Pod {
    serving: tokio::task::JoinHandle<()>,
    answers: watch::Sender<bool>,
    asked: Arc<AtomicUsize>,
}

impl Pod {
    /// Starts pods at this address, and returns the address with their port.
    async fn at(address: SocketAddr) -> (Self, SocketAddr) {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, may_answer) = watch::channel(true);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut may_answer = may_answer.clone();
                tokio::spawn(async move {
                    may_answer.wait_for(|it| *it).await.ok();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
                });
            }
        });
        (Self { serving, answers, asked }, address)
    }

    async fn wait_for_a_probe(&self) {
        let before = self.asked.load(Ordering::Relaxed);
        wait("a try", async || {
            let probed = self.asked.load(Ordering::Relaxed) > before;
            if probed { Ok(()) } else { Err("none".to_owned()) }
        })
        .await;
    }

    /// Closes the port, as a process that exits does.
    async fn end(self) {
        self.serving.abort();
        self.serving.await.unwrap_err();
    }
}

#[tokio::test]
async fn a_restarted_speaker_probes_before_it_announces() {
    if real_server().is_some() {
        // The pods run on this machine, and the API rejects endpoints at loopback addresses.
        return;
    }
    let (well, at) = Pod::at(([127, 22, 35, 80], 0).into()).await;
    let (ill, _) = Pod::at(([127, 22, 35, 81], at.port()).into()).await;
    let router = Router::new().await;
    let config = router.config_with(", enable-graceful-restart: true");
    let probe = format!(
        "  probe: http:{}/\n  probe-interval: 100ms\n  probe-timeout: 30s\n  probe-fall: 1\n",
        at.port()
    );

    let mut world = World::with(router, &format!("{config}{probe}")).await;
    for (service, address) in [("ill", "127.22.35.81"), ("web", "127.22.35.80")] {
        let pod =
            json!({"addresses": [address], "nodeName": "kube2", "conditions": {"ready": true}});
        world.cluster.put_slice(service, vec![pod]);
        world.cluster.create(service, json!({"externalTrafficPolicy": "Local"})).await;
    }

    let both: [(&str, &[&str]); 2] = [("192.0.2.0/32", &["kube2"]), ("192.0.2.1/32", &["kube2"])];
    world.router.wait_for("both Services", &both).await;
    world.end_for_a_restart("kube2", &both).await;
    ill.end().await;
    well.answers.send_replace(false);
    world.start_with("kube2", "drain");
    well.wait_for_a_probe().await;

    // Long enough for a session to start.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        assert_eq!(world.router.table().len(), 2, "both are stale until it is known which is well");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let web = world.cluster.services().get("web").await.unwrap();
    let web = format!("{}/32", crate::cluster::addresses_of(&web)[0]);
    well.answers.send_replace(true);
    wait("the end of what is ill", async || {
        let table = world.router.table();
        assert_eq!(table.get(&web).map(Vec::as_slice), Some(&["kube2"][..]), "{table:?}");
        if table.len() == 1 { Ok(()) } else { Err(format!("{table:?}")) }
    })
    .await;
    assert!(world.router.peer("kube2").status().is_established());
    world.end().await;
}

#[tokio::test]
async fn speakers_keep_announcing_during_an_api_server_outage_and_catch_up_afterwards() {
    let world = World::new().await;
    let Some(server) = &world.cluster.server else { return };
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    let web = ("192.0.2.0/32", EVERYWHERE);
    world.router.wait_for("a Service from every node", &[web]).await;

    server.go_away();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.router.table().len(), 1, "nothing is withdrawn in an outage");
    server.compact();
    server.come_back();
    wait("the server to be back", async || {
        world.cluster.services().get("web").await.map_err(|it| it.to_string())
    })
    .await;

    world.cluster.endpoints("late", &[("kube1", true)]).await;
    world.cluster.create("late", json!({})).await;
    world.router.wait_for("what came later", &[web, ("192.0.2.1/32", EVERYWHERE)]).await;
    for how in [Cut::Clean, Cut::MidEvent, Cut::Gone] {
        server.cut_watches(how);
        world.cluster.services().delete("late", &DeleteParams::default()).await.unwrap();
        world.router.wait_for("the Service gone", &[web]).await;
        world.cluster.create("late", json!({})).await;
        world.router.wait_for("and there again", &[web, ("192.0.2.1/32", EVERYWHERE)]).await;
    }
    world.end().await;
}
