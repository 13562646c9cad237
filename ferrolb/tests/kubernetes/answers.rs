//! The answers of a leading controller, of a standby and of a speaker about themselves.

use std::path::Path;

use serde_json::{Value, json};

use crate::access::configured;
use crate::api::{self, LISTS, Place, Response};
use crate::cluster::{real_server, wait};

/// Asks for a path. The API server of the test runs in this thread, so a thread of its own waits.
async fn ask(place: &Place, path: &str) -> Response {
    let (place, path) = (place.clone(), path.to_owned());
    tokio::task::spawn_blocking(move || place.get(&path)).await.unwrap()
}

/// Asks for a path whose answer must have this form.
async fn answer(place: &Place, path: &str, form: &str) -> Value {
    let (place, path, form) = (place.clone(), path.to_owned(), form.to_owned());
    tokio::task::spawn_blocking(move || place.answer(&path, &form)).await.unwrap()
}

/// Waits for the socket of a program.
async fn place(path: &Path) -> Place {
    wait("a socket", async || match path.exists() {
        true => Ok(()),
        false => Err("there is none".to_owned()),
    })
    .await;
    api::place(path)
}

#[tokio::test]
async fn leader_standby_and_speaker_answer_in_the_published_form_without_a_password() {
    if real_server().is_some() {
        // The tests of a real server leave no Node with a loopback address behind.
        return;
    }
    let cluster = configured().await;
    cluster.add_node("kube1", std::net::Ipv4Addr::new(127, 22, 35, 25)).await;
    let sockets = tempfile::tempdir().unwrap();
    let path = |name: &str| sockets.path().join(format!("{name}.sock"));
    let start = |program: &str, name: &str, more: &[&str]| {
        let path = path(name);
        let socket = ["--socket", path.to_str().unwrap()];
        cluster.start(program, name, &[&socket[..], more].concat())
    };
    let controller = start("controller", "a", &["--retry-period", "200ms"]);
    let leader = place(&path("a")).await;
    wait("a leader", async || match answer(&leader, "/v1/status", "/v1/status").await {
        status if status["leader"] == true && status.get("not_ready").is_none() => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    let second = start("controller", "b", &["--retry-period", "200ms"]);
    let speaker = start("speaker", "s", &["--node-name", "kube1", "--heartbeat", "1s"]);
    let [standby, node] = [place(&path("b")).await, place(&path("s")).await];

    cluster.create("web", json!({})).await;
    cluster.create("no", json!({"loadBalancerIP": "203.0.113.1"})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    cluster.wait_for_addresses("web", &["192.0.2.0"]).await;

    // No router answers signed packets there. The controller knows the Services and pools, and the nodes from what their speakers report.
    wait("the report of the speaker", async || {
        let nodes = answer(&leader, "/v1/nodes", "/v1/nodes").await;
        let kube1 = &nodes["nodes"][0];
        match kube1["peers"][0]["reason"].as_str() {
            Some(reason) if kube1["name"] == "kube1" && reason.contains("may have no password") => {
                Ok(())
            }
            _ => Err(nodes.to_string()),
        }
    })
    .await;
    let services = answer(&leader, "/v1/services", "/v1/services").await;
    let states: Vec<_> =
        services["services"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["pending", "assigned"], "{services}");
    let problem = &services["services"][0]["problem"];
    assert!(problem["reason"].as_str().unwrap().contains("203.0.113.1"), "{problem}");
    assert_eq!(problem["needs_action"], true);
    let pools = answer(&leader, "/v1/pools", "/v1/pools").await;
    assert_eq!((&pools["pools"][0]["ipv4"]["in_use"], &pools["pending"]), (&json!(1), &json!(1)));
    let pool = answer(&leader, "/v1/pools/tor", "/v1/pools/NAME").await;
    let holder = format!("{}/web", cluster.namespace);
    assert_eq!(pool["holders"], json!([{"address": "192.0.2.0", "services": [holder]}]));
    let status = answer(&leader, "/v1/status", "/v1/status").await;
    let watched: Vec<_> =
        status["watches"].as_array().unwrap().iter().map(|it| &it["resource"]).collect();
    assert!(watched.contains(&&json!("services")), "{status}");

    // The standby says who leads.
    let status = answer(&standby, "/v1/status", "/v1/status").await;
    assert_eq!(status["leader"], false);
    wait("the standby to know the leader", async || {
        let standby = standby.clone();
        let asking = tokio::task::spawn_blocking(move || standby.error("/v1/services", 503));
        let error = asking.await.unwrap();
        if error.ends_with("the leader is a") { Ok(()) } else { Err(error) }
    })
    .await;

    // The speaker knows the password, and says only that there is one.
    wait("the reason of the speaker", async || {
        let peer = answer(&node, "/v1/peers/tor", "/v1/peers/NAME").await;
        let reason = peer["last_error"]["text"].as_str().unwrap_or_default();
        let is_right =
            reason.contains("may have no password") && peer["detail"]["has_password"] == true;
        if is_right { Ok(()) } else { Err(peer.to_string()) }
    })
    .await;
    let status = answer(&node, "/v1/status", "/v1/status").await;
    assert_eq!((&status["program"], &status["node"]), (&json!("speaker"), &json!("kube1")));
    assert_eq!(status["configuration"]["state"], "valid");
    assert!(status["dataplane"].is_object(), "{status}");
    let explanation = format!("/v1/services/{holder}");
    let explained = answer(&node, &explanation, "/v1/services/NAMESPACE/NAME").await;
    assert!(explained["summary"].as_str().unwrap().contains("not announced"), "{explained}");

    let paths = [
        "/v1/status",
        "/v1/peers/tor",
        "/v1/peers/tor/routes",
        &explanation,
        "/v1/pools/tor",
        "/metrics",
        "/objects",
    ];
    for place in [&leader, &node, &standby] {
        for path in paths.into_iter().chain(LISTS.iter().map(|(path, _)| *path)) {
            let Response { status, head, body } = ask(place, path).await;
            assert!([200, 404, 503].contains(&status), "{path}: {head} {body}");
            assert!(!format!("{head}{body}").contains("hunter2"), "{path}: {body}");
        }
    }
    for (path, form) in LISTS {
        answer(&node, path, form).await;
    }

    drop(second);
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}
