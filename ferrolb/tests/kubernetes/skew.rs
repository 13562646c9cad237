//! Two versions in one cluster: an upgrade and a downgrade, step by step, with Services that come in between. See `baseline` for
//! the other version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::baseline;
use crate::cluster::{Cluster, addresses_of, wait};
use crate::program::Program;
use crate::speaker::{EVERYWHERE, NODES, ONE_AT_A_TIME, Router};
use crate::transitions::{apply, peer, pool, unconfigured};

/// Which version.
#[derive(Clone, Copy, Debug)]
enum Version {
    Current,
    Baseline,
}

/// The cluster in its present mixture of versions.
struct Mixture {
    cluster: Cluster,
    router: Arc<Router>,
    controller: Option<Program>,
    speakers: BTreeMap<&'static str, Program>,
    /// The addresses of the Services so far, which never change.
    addresses: BTreeMap<String, Vec<String>>,
    /// The prefixes that all nodes announce without a gap.
    kept: Arc<Mutex<BTreeSet<String>>>,
    steps: usize,
}

impl Mixture {
    fn start(&self, version: Version, program: &str, name: &str, more: &[&str]) -> Program {
        let [current, other] = baseline::binaries();
        let binary = match version {
            Version::Current => current,
            Version::Baseline => other,
        };
        let mut arguments = self.cluster.arguments(program, name, more);
        // The environment turns the socket off too, and a version without a socket does not know the argument.
        arguments.retain(|argument| argument != "--socket=off");
        Program::spawn_binary(&binary, arguments)
    }

    /// Replaces the CRDs, as `kubectl apply` does.
    fn define(&self, version: Version) {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kustomize/crds");
        let folder: PathBuf = match version {
            Version::Current => own,
            Version::Baseline => baseline::folder().unwrap_or(own),
        };
        for name in ["ferrolb.io.yaml", "metallb.io.yaml"] {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
                self.cluster.server.as_ref().unwrap().put(document);
            }
        }
    }

    /// Replaces the controller, as a Deployment does.
    async fn replace_controller(&mut self, version: Version) {
        if let Some(controller) = self.controller.take() {
            controller.terminate().await;
        }
        let name = format!("controller-{}", self.steps);
        self.controller = Some(self.start(version, "controller", &name, &[]));
    }

    /// Replaces the speakers, one after another as a DaemonSet does.
    async fn replace_speakers(&mut self, version: Version) {
        for (node, _) in NODES {
            if let Some(speaker) = self.speakers.remove(node) {
                speaker.terminate().await;
            }
            let arguments = ["--node-name", node, "--on-exit", "restart", "--heartbeat", "1s"];
            let speaker = self.start(version, "speaker", node, &arguments);
            self.speakers.insert(node, speaker);
            self.reports(node).await;
        }
    }

    /// Waits until a speaker reports in its BGPNodeStatus, from now on, that its session is up.
    async fn reports(&self, node: &str) {
        let begin = jiff::Timestamp::now();
        wait(&format!("{node} to report"), async || {
            let object =
                self.cluster.node_statuses().get(node).await.map_err(|it| it.to_string())?;
            let status = &object.data["status"];
            let heartbeat = status["heartbeatTime"].as_str().and_then(|it| it.parse().ok());
            let is_new = heartbeat.is_some_and(|time: jiff::Timestamp| time > begin);
            let is_up = status["established"] == "1/1";
            if is_new && is_up { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }

    /// Shows that this mixture works: it serves one more Service, and what was there has not changed.
    async fn check(&mut self, what: &str) {
        self.steps += 1;
        let name = format!("service-{}", self.steps);
        self.cluster.endpoints(&name, &[("kube1", true)]).await;
        self.cluster.create(&name, json!({})).await;

        let service = wait(&format!("{what}: an address for {name}"), async || {
            let service = self.cluster.services().get(&name).await.unwrap();
            let addresses = addresses_of(&service);
            if addresses.is_empty() { Err(format!("{:?}", service.status)) } else { Ok(addresses) }
        })
        .await;
        let prefix = format!("{}/32", service[0]);
        wait(&format!("{what}: the route of {name}"), async || {
            let table = self.router.table();
            let nodes = table.get(&prefix).map(Vec::as_slice).unwrap_or_default();
            if nodes == EVERYWHERE { Ok(()) } else { Err(format!("{table:?}")) }
        })
        .await;
        self.addresses.insert(name, service);
        self.kept.lock().unwrap().insert(prefix);

        for (name, addresses) in &self.addresses {
            let service = self.cluster.services().get(name).await.unwrap();
            assert_eq!(addresses_of(&service), *addresses, "{what}: {name}");
        }
        for (node, _) in NODES {
            self.reports(node).await;
        }
    }
}

/// Watches the router until the task is aborted. Returns the first gap.
async fn watch(
    router: Arc<Router>,
    kept: Arc<Mutex<BTreeSet<String>>>,
    gap: Arc<Mutex<Option<String>>>,
) {
    loop {
        let table = router.table();
        for prefix in kept.lock().unwrap().iter() {
            let nodes = table.get(prefix).map(Vec::as_slice).unwrap_or_default();
            if nodes != EVERYWHERE {
                gap.lock().unwrap().get_or_insert_with(|| format!("{prefix}: {nodes:?}"));
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn skew_addresses_and_routes_stay_through_an_upgrade_and_a_downgrade() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(cluster) = unconfigured().await else { return };
    for (node, address) in NODES {
        cluster.add_node(node, address).await;
    }
    let router = Arc::new(Router::new().await);
    let mut mixture = Mixture {
        cluster,
        router: Arc::clone(&router),
        controller: None,
        speakers: BTreeMap::new(),
        addresses: BTreeMap::new(),
        kept: Arc::default(),
        steps: 0,
    };

    mixture.define(Version::Baseline);
    let mut tor = peer(router.port());
    tor["enableGracefulRestart"] = json!(true);
    apply(&mixture.cluster, "BGPPeer", "tor", tor).await;
    apply(&mixture.cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    apply(&mixture.cluster, "BGPAdvertisement", "all", json!({})).await;
    mixture.replace_controller(Version::Baseline).await;
    mixture.replace_speakers(Version::Baseline).await;
    mixture.check("the baseline").await;
    let gap = Arc::default();
    let watch = tokio::spawn(watch(router, Arc::clone(&mixture.kept), Arc::clone(&gap)));

    mixture.define(Version::Current);
    mixture.check("baseline programs with current CRDs").await;
    mixture.replace_controller(Version::Current).await;
    mixture.check("a current controller with baseline speakers").await;
    mixture.replace_speakers(Version::Current).await;
    mixture.check("everything upgraded").await;

    mixture.replace_controller(Version::Baseline).await;
    mixture.check("a baseline controller with current speakers").await;
    mixture.replace_speakers(Version::Baseline).await;
    mixture.check("baseline programs again").await;
    mixture.define(Version::Baseline);
    mixture.check("everything downgraded").await;

    // An upgrade by someone who forgets the CRDs.
    mixture.replace_controller(Version::Current).await;
    mixture.replace_speakers(Version::Current).await;
    mixture.check("current programs with baseline CRDs").await;

    watch.abort();
    let gap: Option<String> = gap.lock().unwrap().clone();
    assert_eq!(gap, None, "a route was missing");
    for (_, speaker) in mixture.speakers {
        speaker.terminate().await;
    }
    mixture.controller.unwrap().terminate().await;
    mixture.cluster.end().await;
}
