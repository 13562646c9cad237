//! `kubectl ferrolb`: the whole cluster in one table, and a speaker's own answers, with the rights of `ferrolb-viewer`.

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{Cluster, wait};
use crate::ports::ReservedPort;
use crate::program::Program;

/// A user with the roles of a viewer, and the name that kubectl gives to the program.
struct Viewer {
    directory: TempDir,
    kubeconfig: std::path::PathBuf,
}

impl Viewer {
    /// Binds the roles, unless the server is a real one.
    fn of(cluster: &Cluster) -> Option<Self> {
        let server = cluster.server.as_ref()?;
        let account =
            json!([{"kind": "ServiceAccount", "namespace": cluster.system, "name": "alice"}]);
        for (kind, role) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
            let mut metadata = json!({"name": "alice"});
            if kind == "RoleBinding" {
                metadata["namespace"] = json!(cluster.system);
            }
            server.put(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": "ferrolb-viewer"},
                "subjects": account,
            }));
        }

        let directory = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_ferrolb"), directory.path().join("kubectl-ferrolb")).unwrap();
        let kubeconfig = server.kubeconfig(&format!("{}/alice", cluster.system));
        Some(Self { directory, kubeconfig })
    }

    /// Runs the plugin. The API server is in this thread.
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.directory.path().join("kubectl-ferrolb"));
        for variable in ["FERROLB_SOCKET", "FERROLB_URL", "FERROLB_NAMESPACE", "FERROLB_OUTPUT"] {
            command.env_remove(variable);
        }
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The output of a command that ends with this exit code.
    async fn ask(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let [out, error] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{error}");
        if code == 2 { error } else { out }
    }
}

/// The report of a speaker.
fn report(cluster: &Cluster, node: &str, heartbeat: jiff::Timestamp, status: Value) -> Value {
    let mut object = json!({
        "apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus",
        "metadata": {"name": node, "namespace": cluster.system},
        "status": {
            "node": node, "version": "0.1.0", "drain": "Serving", "services": 2, "bfd": "-",
            "heartbeatTime": heartbeat, "heartbeatPeriodSeconds": 60,
        },
    });
    for (key, value) in status.as_object().into_iter().flatten() {
        object["status"][key] = value.clone();
    }
    object
}

fn conditions(ready: &str, degraded: &str, message: &str) -> Value {
    json!([
        {"type": "Ready", "status": ready, "reason": "A", "message": ""},
        {"type": "Degraded", "status": degraded, "reason": "B", "message": message},
    ])
}

#[tokio::test]
async fn the_status_of_a_cluster_is_one_table_with_problems_first() {
    let cluster = Cluster::new("").await;
    let Some(viewer) = Viewer::of(&cluster) else { return };
    let server = cluster.server.as_ref().unwrap();
    let namespace = ["--namespace", &cluster.system];
    let status = [&["status"], &namespace[..]].concat();

    let error = viewer.ask(2, &status).await;
    let expected = format!(
        "ferrolb: error: no speaker has reported in the namespace {}: give FerroLB's namespace with --namespace\n",
        cluster.system
    );
    assert_eq!(error, expected);

    let now = jiff::Timestamp::now();
    let ready = json!({"established": "2/2", "conditions": conditions("True", "False", "")});
    server.put(report(&cluster, "kube1", now, ready.clone()));
    assert!(viewer.ask(0, &status).await.contains(": 1 node, all ready\n"));

    let down = "tor2 (192.0.2.2:179): no route to the peer";
    let degraded =
        json!({"established": "1/2", "bfd": "1/2", "conditions": conditions("True", "True", down)});
    server.put(report(&cluster, "kube2", now, degraded));
    assert!(viewer.ask(0, &status).await.contains(": 2 nodes, 1 degraded\n"));

    server.put(report(&cluster, "kube3", now - jiff::SignedDuration::from_mins(4), ready));
    server.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "smtp", "namespace": cluster.namespace},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]},
        "status": {"conditions": [
            {"type": "ferrolb.io/AddressAssigned", "status": "False", "message": "no pool has a free address"},
        ]},
    }));
    let table = viewer.ask(1, &status).await;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    let at = |word: &str| rows.iter().position(|row| row.first() == Some(&word)).unwrap();
    assert!(at("kube3") < at("kube2") && at("kube2") < at("kube1"), "{table}");
    assert_eq!(rows[at("kube3")][..3], ["kube3", "silent", "2/2?"], "{table}");
    assert_eq!(rows[at("kube2")][..6], ["kube2", "degraded", "1/2", "1/2", "2", "no"], "{table}");
    assert_eq!(rows[at("kube2") + 1].join(" "), down, "{table}");
    assert!(table.contains(": 3 nodes, 1 silent, 1 degraded\n"), "{table}");
    let services = table.split("Services without an address\n").nth(1).unwrap();
    assert!(
        services.contains("smtp") && services.contains("no pool has a free address"),
        "{table}"
    );
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");

    let json = viewer.ask(1, &[&status[..], &["--output", "json"]].concat()).await;
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["nodes"][0]["condition"], "silent", "{json}");
    assert_eq!(document["nodes"][1]["sessions"], "1/2", "{json}");
    assert_eq!(document["nodes"][1]["problems"][0]["text"], down, "{json}");
    let pending = document["pending"].as_array().unwrap();
    assert!(pending.iter().any(|it| it["name"] == "smtp"), "{json}");
    cluster.end().await;
}

/// Starts a process that serves the answers of the node kube1 at a free port.
async fn speaker(directory: &Path) -> (Program, ReservedPort) {
    let reserved = ReservedPort::of(Ipv4Addr::LOCALHOST.into());
    let address = reserved.address();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/reference");
    let arguments = ["run", manifests.to_str().unwrap(), "--node", "kube1", "--socket", "off"];
    let mut arguments: Vec<std::ffi::OsString> = arguments.iter().map(Into::into).collect();
    arguments.extend(["--http".into(), address.to_string().into()]);
    arguments.extend(["--state-file".into(), directory.join("kube1.json").into()]);
    let program = Program::spawn(arguments);
    wait("the process to listen", async || {
        tokio::net::TcpStream::connect(address).await.map(drop).map_err(|it| it.to_string())
    })
    .await;
    (program, reserved)
}

#[tokio::test]
async fn a_speaker_s_own_answers_come_through_the_api_server() {
    let cluster = Cluster::new("").await;
    let Some(viewer) = Viewer::of(&cluster) else { return };
    let server = cluster.server.as_ref().unwrap();
    let (process, reserved) = speaker(viewer.directory.path()).await;
    let pod = |name: &str, node: &str, port: u16| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": cluster.system, "labels": {
                "app.kubernetes.io/name": "ferrolb", "app.kubernetes.io/component": "speaker",
            }},
            "spec": {"nodeName": node, "containers": [
                {"name": "speaker", "ports": [{"name": "http", "containerPort": port}]},
            ]},
            "status": {"podIP": "127.0.0.1"},
        })
    };
    server.put(pod("speaker-a", "kube1", reserved.address().port()));
    // Nothing listens there.
    server.put(pod("speaker-b", "kube2", 1));

    let own = ["--namespace", &cluster.system, "--node", "kube1"];
    let of_node = |command: &[&'static str]| [command, &own[..]].concat();
    let status = viewer.run(&of_node(&["status", "-o", "json"])).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["program"], &status["node"]), (&json!("run"), &json!("kube1")));
    let services = viewer.ask(0, &of_node(&["services"])).await;
    assert!(services.contains("smtp"), "{services}");
    let pools = viewer.ask(0, &of_node(&["pools"])).await;
    assert!(pools.contains("default"), "{pools}");
    let events = viewer.ask(0, &of_node(&["events", "-o", "json"])).await;
    assert!(events.lines().next().unwrap().contains("\"kind\":\"started\""), "{events}");

    // The speaker's own refusals arrive as they are.
    let error = viewer.ask(2, &of_node(&["pools", "none"])).await;
    assert!(error.starts_with("ferrolb: error: there is no pool \"none\""), "{error}");

    #[cfg(feature = "bundle")]
    {
        let file = viewer.directory.path().join("kube1.tar.gz");
        let path = file.to_str().unwrap();
        let arguments = [&["support-bundle", "--output", path], &own[..]].concat();
        viewer.ask(0, &arguments).await;
        assert!(std::fs::metadata(&file).unwrap().len() > 1_000);
    }

    let system = ["--namespace", &cluster.system];
    let asked = async |arguments: &[&str]| viewer.ask(2, &[arguments, &system[..]].concat()).await;
    let error = asked(&["peers"]).await;
    assert!(
        error.contains("--node NODE says which speaker of the cluster to ask: kube1, kube2"),
        "{error}"
    );
    let error = asked(&["peers", "--node", "kube9"]).await;
    assert!(error.contains("--node kube9: no speaker runs there, only on kube1, kube2"), "{error}");
    let error = asked(&["events", "--follow", "--node", "kube1"]).await;
    assert!(error.contains("the API server passes on single answers only"), "{error}");
    let error = asked(&["services", "--node", "kube2"]).await;
    assert!(
        error.contains("the speaker of kube2 (pod ") && error.contains("reach service"),
        "{error}"
    );
    let error = viewer.ask(2, &["drain"]).await;
    assert!(error.contains("kubectl") && error.contains("only reads"), "{error}");

    let used: Vec<_> = server.asked().into_iter().filter(|it| it.who.ends_with("/alice")).collect();
    assert!(used.iter().any(|it| it.resource == "pods/proxy" && it.allowed), "{used:?}");
    drop(process);
    cluster.end().await;
}
