//! Speakers ask for Secrets by their names, so that a role can name them.

use std::net::Ipv4Addr;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::access::{configured, metallb};
use crate::cluster::{Cluster, ROLES, object, wait};

/// Restricts the right to read Secrets to these names.
fn allow_secrets(cluster: &Cluster, names: &[&str]) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(ROLES).unwrap();
    let mut role = documents
        .into_iter()
        .find(|it| it["kind"] == "Role" && it["metadata"]["name"] == "ferrolb-speaker")
        .unwrap();
    role["metadata"]["namespace"] = json!(cluster.system);
    let rules = role["rules"].as_array_mut().unwrap();
    let rule = rules.iter_mut().find(|rule| rule["resources"] == json!(["secrets"])).unwrap();
    rule["resourceNames"] = json!(names);
    cluster.server.as_ref().unwrap().put(role);
}

/// The names in the requests for Secrets of a speaker so far, each with true if it was allowed.
fn asked_for(cluster: &Cluster) -> Vec<(Option<String>, bool)> {
    let asked = cluster.asked("speaker").into_iter().filter(|it| it.resource == "secrets");
    asked.map(|it| (it.name, it.allowed)).collect()
}

/// Waits for this number of sessions in the report of the node, and for this reason of its condition `Ready`.
async fn expect(cluster: &Cluster, sessions: usize, reason: &str) {
    let api = cluster.node_statuses();
    wait(&format!("{sessions} sessions, and {reason}"), async || {
        let node = api.get("kube1").await.map_err(|it| it.to_string())?;
        let status = &node.data["status"];
        let found = status["sessions"].as_array().map(Vec::len);
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default();
        let as_expected = found == Some(sessions) && ready["reason"] == reason;
        if as_expected { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_speaker_reads_the_secrets_of_its_peers_by_name_and_no_others() {
    let cluster = configured().await;
    if cluster.server.is_none() {
        return;
    }
    allow_secrets(&cluster, &["tor"]);
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let secret = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
            "metadata": {"name": name, "namespace": cluster.system}, "stringData": {"password": name}})
    };
    for name in ["second", "unrelated"] {
        cluster.server.as_ref().unwrap().put(secret(name));
    }

    let arguments = ["--node-name", "kube1", "--heartbeat", "1s", "--on-exit", "withdraw"];
    let speaker = cluster.start("speaker", "s", &arguments);
    expect(&cluster, 1, "NoSession").await;
    let asked = asked_for(&cluster);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|it| *it == (Some("tor".to_owned()), true)), "{asked:?}");

    // A peer whose Secret the role does not name: the other one stays.
    let peers = metallb(&cluster, "v1beta2", "BGPPeer", "bgppeers");
    let peer = json!({"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "second"},
        "spec": {"myASN": 64636, "peerASN": 64635, "peerAddress": "127.0.0.2", "peerPort": 1,
            "passwordSecret": {"name": "second"}}});
    peers.create(&PostParams::default(), &object(peer)).await.unwrap();
    expect(&cluster, 1, "WatchRefused").await;
    let states = metallb(&cluster, "v1beta1", "ConfigurationState", "configurationstates");
    wait("the peer to be invalid", async || {
        let state = states.get("speaker-kube1").await.map_err(|it| it.to_string())?;
        let summary = state.data["status"]["errorSummary"].to_string();
        if summary.contains("second") { Ok(()) } else { Err(summary) }
    })
    .await;

    allow_secrets(&cluster, &["tor", "second"]);
    expect(&cluster, 2, "NoSession").await;

    // A wrong name leaves the peer in force with its old Secret, which is no error and still watched.
    let wrong = json!({"spec": {"passwordSecret": {"name": "typo"}}});
    peers.patch("second", &PatchParams::default(), &Patch::Merge(wrong)).await.unwrap();
    wait("the error to name the wrong Secret alone", async || {
        let state = states.get("speaker-kube1").await.map_err(|it| it.to_string())?;
        let summary = state.data["status"]["errorSummary"].as_str().unwrap_or_default();
        let is_right = summary.contains("\"typo\"") && !summary.contains("\"second\"");
        if is_right { Ok(()) } else { Err(summary.to_owned()) }
    })
    .await;

    // A Secret that is no longer referred to is not asked for again.
    peers.delete("second", &DeleteParams::default()).await.unwrap();
    expect(&cluster, 1, "NoSession").await;
    allow_secrets(&cluster, &["tor"]);
    cluster.server.as_ref().unwrap().cut_watches(test_apiserver::Cut::Clean);
    let before = asked_for(&cluster).len();
    wait("the watch of the other Secret to begin again", async || {
        if asked_for(&cluster).len() > before { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    let asked = asked_for(&cluster).split_off(before);
    assert!(asked.iter().all(|it| *it == (Some("tor".to_owned()), true)), "{asked:?}");
    speaker.terminate().await;
}

/// The ConfigMap names Secrets too.
#[tokio::test]
async fn the_secrets_of_a_configmap_are_read_by_name() {
    let config = "peers:\n- {my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: 1, password-secret: tor}\n\
                  address-pools: [{name: a, protocol: bgp, addresses: [192.0.2.0/28]}]\n";
    let cluster = Cluster::new(config).await;
    if cluster.server.is_none() {
        return;
    }
    allow_secrets(&cluster, &["tor"]);
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let arguments = ["--node-name", "kube1", "--heartbeat", "1s", "--on-exit", "withdraw"];
    let speaker = cluster.start("speaker", "s", &arguments);
    wait("the Secret to be looked for", async || {
        if asked_for(&cluster).is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;

    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "tor", "namespace": cluster.system}, "stringData": {"password": "hunter2"}});
    let api: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(cluster.client.clone(), &cluster.system);
    let params = PatchParams::apply("test").force();
    api.patch("tor", &params, &Patch::Apply(secret)).await.unwrap();
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    expect(&cluster, 1, "NoSession").await;
    let asked = asked_for(&cluster);
    assert!(asked.iter().all(|it| *it == (Some("tor".to_owned()), true)), "{asked:?}");
    speaker.terminate().await;
    cluster.end().await;
}
