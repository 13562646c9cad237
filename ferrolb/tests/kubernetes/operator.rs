//! The actions of an operator on speakers, over their Unix sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::wait;
use crate::speaker::{EVERYWHERE, World};

const WITHOUT_KUBE2: &[&str] = &["kube1", "kube3"];

impl World {
    /// Sends a request to the speaker of a node, and returns its answer.
    fn ask(&self, node: &str, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = UnixStream::connect(self.socket(node)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();

        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{method} {path}: {response}");
        serde_json::from_str(body).unwrap()
    }

    fn get(&self, node: &str, path: &str) -> Value {
        self.ask(node, "GET", path, &Value::Null)
    }

    /// The texts of the events of this kind.
    fn events(&self, node: &str, kind: &str) -> Vec<String> {
        let events = self.get(node, "/v1/events");
        let events = events["events"].as_array().unwrap();
        let events = events.iter().filter(|event| event["kind"] == kind);
        events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
    }

    async fn expect_drain(&self, node: &str, stage: &str, requested_by: &Value) {
        wait(&format!("{stage}, requested by {requested_by}"), async || {
            let drain = self.get(node, "/v1/status")["drain"].clone();
            let is_met = drain["stage"] == stage && drain["requested_by"] == *requested_by;
            if is_met { Ok(()) } else { Err(drain.to_string()) }
        })
        .await;
    }

    /// Waits until the BGPNodeStatus says whether an operator has disabled the node's only peer, and gives this reason for Degraded.
    async fn expect_disabled(&self, node: &str, disabled: bool, reason: &str) {
        let statuses = self.cluster.node_statuses();
        wait(&format!("{reason} in the status"), async || {
            let object = statuses.get(&self.cluster.node(node)).await;
            let status = object.map_err(|it| it.to_string())?.data["status"].take();
            let has_reason = |it: &Value| it["type"] == "Degraded" && it["reason"] == reason;
            let is_met = status["sessions"][0]["disabled"] == disabled
                && status["conditions"].as_array().unwrap().iter().any(has_reason);
            if is_met { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }

    async fn expect_nodes(&self, what: &str, nodes: &[&str]) {
        self.router.wait_for(what, &[("192.0.2.0/32", nodes)]).await;
    }
}

#[tokio::test]
async fn the_drain_of_an_operator_and_that_of_the_node_object_are_independent() {
    let world = World::new().await;
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    world.expect_nodes("a Service from every node", EVERYWHERE).await;

    let nodes: Api<Node> = Api::all(world.cluster.client.clone());
    let second = world.cluster.node("kube2");
    let annotate = async |value: Value| {
        let annotations = json!({"annotations": {"example.com/maintenance": value}});
        let patch = Patch::Merge(json!({"metadata": annotations}));
        nodes.patch(&second, &PatchParams::default(), &patch).await.unwrap();
    };

    let answer = world.ask("kube2", "POST", "/v1/drain", &json!({"message": "new kernel"}));
    assert_eq!(answer["requested_by"], "operator", "{answer}");
    world.expect_nodes("all but the drained node", WITHOUT_KUBE2).await;
    world.expect_drain("kube2", "drained", &json!("operator")).await;

    annotate(json!("yes")).await;
    world.expect_drain("kube2", "drained", &json!("operator, annotation")).await;
    let answer = world.ask("kube2", "POST", "/v1/undrain", &json!({}));
    assert_eq!(answer["stage"], "drained", "{answer}");
    assert!(answer["note"].as_str().unwrap().contains("the node stays drained"), "{answer}");
    world.expect_nodes("still without it", WITHOUT_KUBE2).await;

    annotate(Value::Null).await;
    world.expect_nodes("every node again", EVERYWHERE).await;
    world.expect_drain("kube2", "serving", &Value::Null).await;

    // The other way round: the annotation goes, and the operator's request stays.
    annotate(json!("yes")).await;
    world.expect_drain("kube2", "drained", &json!("annotation")).await;
    world.ask("kube2", "POST", "/v1/drain", &json!({}));
    annotate(Value::Null).await;
    world.expect_drain("kube2", "drained", &json!("operator")).await;
    world.ask("kube2", "POST", "/v1/undrain", &json!({}));
    world.expect_nodes("every node at last", EVERYWHERE).await;
    assert_eq!(world.events("kube2", "operator").len(), 4);
    world.end().await;
}

#[tokio::test]
async fn a_disabled_peer_of_a_speaker_stays_so_while_services_change() {
    let world = World::new().await;
    world.cluster.endpoints("web", &[("kube1", true)]).await;
    world.cluster.create("web", json!({})).await;
    world.expect_nodes("a Service from every node", EVERYWHERE).await;

    let peers = world.get("kube2", "/v1/peers");
    let peer = peers["peers"][0]["name"].as_str().unwrap();
    let path = |action: &str| format!("/v1/peers/{peer}/{action}");
    world.ask("kube2", "POST", &path("disable"), &json!({"message": "new line card"}));
    world.expect_nodes("all but its node", WITHOUT_KUBE2).await;
    assert_eq!(world.get("kube2", "/v1/peers")["peers"][0]["disabled"], true);
    world.expect_disabled("kube2", true, "PeersDisabled").await;

    world.cluster.create("smtp", json!({})).await;
    world.cluster.endpoints("smtp", &[("kube1", true)]).await;
    let both = |nodes| [("192.0.2.0/32", nodes), ("192.0.2.1/32", nodes)];
    world.router.wait_for("another Service", &both(WITHOUT_KUBE2)).await;
    world.ask("kube2", "POST", &path("enable"), &json!({}));
    world.router.wait_for("both from every node", &both(EVERYWHERE)).await;
    world.expect_disabled("kube2", false, "AsExpected").await;

    let announced = world.events("kube2", "announced");
    assert_eq!(announced.len(), 2, "{announced:?}");
    for kind in ["started", "configuration_loaded", "session_up", "session_down"] {
        assert!(!world.events("kube2", kind).is_empty(), "{kind}");
    }
    world.end().await;
}
