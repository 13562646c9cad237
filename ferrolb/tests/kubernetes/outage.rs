//! The logs and states of our programs while the API server is unreachable, or forbids requests.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use test_apiserver::Cut;

use crate::access::configured;
use crate::cluster::{Cluster, real_server, wait};
use crate::statuses::ready;

const NODE: Ipv4Addr = Ipv4Addr::new(127, 22, 35, 25);

/// The warnings and errors of a log, without those about peers: the test has no router.
fn warnings(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let warns = |line: &&str| {
        (line.contains(" WARN ") || line.contains(" ERROR ")) && !line.contains(" peer{")
    };
    text.lines().filter(warns).map(str::to_owned).collect()
}

async fn says(log: &Path, part: &str) {
    wait(part, async || {
        let text = std::fs::read_to_string(log).unwrap();
        if text.contains(part) { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn an_outage_is_logged_once_at_its_start_and_once_at_its_end() {
    if real_server().is_some() {
        // A test cannot stop a real server.
        return;
    }
    let cluster = configured().await;
    let logs = tempfile::tempdir().unwrap();
    let log = |name: &str| logs.path().join(name);
    cluster.add_node("kube1", NODE).await;

    let quick = ["--retry-period", "200ms"];
    let leader = cluster.start_logged("controller", "a", &quick, &log("leader"));
    says(&log("leader"), "all objects have been listed").await;
    let standby = cluster.start_logged("controller", "b", &quick, &log("standby"));
    says(&log("standby"), "another replica leads").await;

    let node = ["--node-name", "kube1", "--heartbeat", "1s", "--on-exit", "withdraw"];
    let speaker = cluster.start_logged("speaker", "s", &node, &log("speaker"));
    ready(&cluster, "False", "NoSession").await;
    let names = ["leader", "standby", "speaker"];
    let before = names.map(|name| warnings(&log(name)).len());

    let server = cluster.server.as_ref().unwrap();
    server.go_away();
    for name in names {
        says(&log(name), "the API server is unreachable").await;
    }
    // Long enough for each program to retry several times.
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.come_back();
    for name in names {
        says(&log(name), "the API server responds again, after ").await;
    }
    ready(&cluster, "False", "NoSession").await;
    for (name, before) in names.into_iter().zip(before) {
        let warned = warnings(&log(name)).split_off(before);
        assert_eq!(warned.len(), 1, "{name}: {warned:#?}");
        assert!(warned[0].contains("unreachable, everything stays as it is: "), "{warned:?}");
        let text = std::fs::read_to_string(log(name)).unwrap();
        assert_eq!(text.matches("the API server responds again").count(), 1, "{text}");
        assert!(!text.contains("kube_"), "the client library logs: {text}");
    }

    for program in [speaker, standby, leader] {
        program.terminate().await;
    }
    cluster.end().await;
}

/// Gives the speaker's role for the whole cluster these rules.
fn allow(cluster: &Cluster, rules: &Value) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "ferrolb-speaker"}, "rules": rules});
    cluster.server.as_ref().unwrap().put(role);
}

#[tokio::test]
async fn a_speaker_whose_watches_are_forbidden_is_not_ready_and_logs_it_once() {
    if real_server().is_some() {
        // A test cannot stop a real server.
        return;
    }
    let cluster = configured().await;
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("speaker");
    cluster.add_node("kube1", NODE).await;
    let arguments = ["--node-name", "kube1", "--on-exit", "withdraw"];
    let speaker = cluster.start_logged("speaker", "s", &arguments, &log);
    ready(&cluster, "False", "NoSession").await;

    let documents: Vec<Value> = serde_saphyr::from_multiple(crate::cluster::ROLES).unwrap();
    let role = documents.iter().find(|document| {
        document["kind"] == "ClusterRole" && document["metadata"]["name"] == "ferrolb-speaker"
    });
    let rules = role.unwrap()["rules"].clone();
    allow(&cluster, &json!([]));
    let server = cluster.server.as_ref().unwrap();
    server.cut_watches(Cut::Clean);
    let status = ready(&cluster, "False", "WatchRefused").await;
    let message = status["conditions"][0]["message"].as_str().unwrap();
    for resource in ["services", "endpointslices", "nodes"] {
        assert!(message.contains(&format!("{resource}: ")), "{message}");
    }

    tokio::time::sleep(Duration::from_secs(2)).await;
    allow(&cluster, &rules);
    ready(&cluster, "False", "NoSession").await;
    let refused = warnings(&log);
    let of_services: Vec<_> =
        refused.iter().filter(|line| line.contains("to watch services,")).collect();
    assert_eq!(of_services.len(), 1, "{refused:#?}");
    says(&log, "the API server no longer refuses services").await;
    // `Cluster::end` would fail, because the API server has forbidden requests of the speaker.
    speaker.terminate().await;
}
