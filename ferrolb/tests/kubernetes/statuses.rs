//! The lifetime of a speaker's statuses: renewal, expiry and removal.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::access::{configured, metallb};
use crate::cluster::{Cluster, real_server, wait};
use crate::questions::ask;

const NODE: Ipv4Addr = Ipv4Addr::new(127, 22, 35, 25);

/// Waits until the condition Ready of a speaker has this status and reason. Returns the whole status.
pub(crate) async fn ready(cluster: &Cluster, status: &str, reason: &str) -> Value {
    let statuses = cluster.node_statuses();
    wait(&format!("Ready to be {status} by {reason}"), async || {
        let object = statuses.get(&cluster.node("kube1")).await.map_err(|it| it.to_string())?;
        let found = &object.data["status"];
        let ready = &found["conditions"][0];
        let is_expected =
            ready["type"] == "Ready" && ready["status"] == status && ready["reason"] == reason;
        if is_expected { Ok(found.clone()) } else { Err(found.to_string()) }
    })
    .await
}

#[tokio::test]
async fn the_status_of_a_killed_or_stopped_speaker_becomes_stale() {
    let cluster = configured().await;
    cluster.add_node("kube1", NODE).await;
    let node = cluster.node("kube1");
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let begin = || {
        let arguments = ["--node-name", &node, "--heartbeat", "2s"];
        // Longer than a status is valid without a renewal.
        let times = ["--drain-marked", "7s", "--drain-withdrawn", "100ms"];
        cluster.start("speaker", "s", &[&arguments[..], &times[..]].concat())
    };
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let service = format!("{}/web", cluster.namespace);
    let explain = ["explain", &service, "--lb-class", &cluster.class, "--node", &node];

    let speaker = begin();
    let first = ready(&cluster, "False", "NoSession").await;
    assert_eq!(first["heartbeatPeriodSeconds"], 2);
    wait("a session, and another heartbeat", async || {
        let status = ready(&cluster, "False", "NoSession").await;
        let sessions = status["sessions"].as_array().map(Vec::len);
        let renewed = status["heartbeatTime"] != first["heartbeatTime"];
        if renewed && sessions == Some(1) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    wait("it to be believed", async || {
        let explained = ask(&cluster, &explain).await;
        if explained.contains("is not up") { Ok(()) } else { Err(explained) }
    })
    .await;
    speaker.kill();
    let status = ready(&cluster, "Unknown", "SpeakerStoppedReporting").await;
    // Its last report can still be read, but is marked as stale.
    assert_eq!(status["sessions"].as_array().map(Vec::len), Some(1));
    let explained = ask(&cluster, &explain).await;
    assert!(!explained.contains("is not up"), "{explained}");

    let since = |status: &Value| {
        let since = status["conditions"][0]["lastTransitionTime"].as_str().unwrap();
        since.parse::<Timestamp>().unwrap()
    };
    wait("another second, in which it is back", async || {
        let now = Timestamp::now();
        if now.as_second() > since(&status).as_second() { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    let speaker = begin();
    let back = ready(&cluster, "False", "NoSession").await;
    assert!(since(&back) > since(&status), "{back} {status}");
    speaker.signal(rustix::process::Signal::STOP);
    ready(&cluster, "Unknown", "SpeakerStoppedReporting").await;
    speaker.signal(rustix::process::Signal::CONT);
    ready(&cluster, "False", "NoSession").await;
    // A speaker that exits cleanly reports until its end, and then promises no further heartbeat.
    let statuses = cluster.node_statuses();
    let drain = wait("a drain that is told of", async || {
        let status = statuses.get(&node).await.unwrap().data["status"].clone();
        let is_draining =
            status["drain"] == "Graceful" && status["conditions"][0]["status"] == "True";
        if is_draining { Ok(()) } else { Err(status.to_string()) }
    });
    let ((), ()) = tokio::join!(speaker.terminate(), drain);
    let ended = statuses.get(&node).await.unwrap().data["status"].clone();
    assert_eq!(ended["conditions"][0]["reason"], "SpeakerEnded");
    assert_eq!((&ended["sessions"], &ended["heartbeatPeriodSeconds"]), (&json!([]), &Value::Null));
    assert_eq!((&ended["drain"], &ended["services"]), (&json!("Withdrawn"), &json!(0)));
    controller.terminate().await;
    cluster.end().await;
}

/// The kinds of objects that a speaker writes.
fn kinds(cluster: &Cluster) -> [Api<DynamicObject>; 3] {
    [
        cluster.node_statuses(),
        metallb(cluster, "v1beta1", "ServiceBGPStatus", "servicebgpstatuses"),
        metallb(cluster, "v1beta1", "ConfigurationState", "configurationstates"),
    ]
}

/// Removes the objects whose only owners are missing Nodes, as the garbage collector of a cluster does.
async fn collect_garbage(cluster: &Cluster) {
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let nodes = nodes.list(&ListParams::default()).await.unwrap().items;
    let nodes: Vec<_> = nodes.into_iter().filter_map(|node| node.uid()).collect();
    for api in kinds(cluster) {
        for object in api.list(&ListParams::default()).await.unwrap().items {
            let owners = object.owner_references();
            let lost = !owners.is_empty() && owners.iter().all(|it| !nodes.contains(&it.uid));
            if lost {
                // The object may be gone by now.
                drop(api.delete(&object.name_any(), &DeleteParams::default()).await);
            }
        }
    }
}

#[tokio::test]
async fn a_speaker_recreates_its_statuses_when_its_node_is_recreated() {
    let cluster = configured().await;
    cluster.add_node("kube1", NODE).await;
    let node = cluster.node("kube1");
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);

    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let complete = async |what: &str| {
        let uid = nodes.get(&node).await.unwrap().uid();
        wait(what, async || {
            collect_garbage(&cluster).await;
            for api in kinds(&cluster) {
                let found = api.list(&ListParams::default()).await.unwrap().items;
                let of_the_node = found.iter().filter(|it| {
                    let owner = it.owner_references().first().map(|owner| owner.uid.clone());
                    owner == uid && it.data["status"].is_object()
                });
                if of_the_node.count() != 1 {
                    return Err(format!("{found:?}"));
                }
            }
            Ok(())
        })
        .await;
    };
    complete("what a speaker says").await;
    for collected_before in [true, false] {
        nodes.delete(&node, &DeleteParams::default()).await.unwrap();
        if collected_before {
            collect_garbage(&cluster).await;
        }
        let asked = cluster.asked("speaker").len();
        cluster.add_node("kube1", NODE).await;
        if !collected_before && real_server().is_none() {
            // Objects that are being deleted do not count as present.
            wait("the speaker to look", async || {
                let asked = cluster.asked("speaker").split_off(asked);
                let looks =
                    |it: &&str| asked.iter().any(|at| at.verb == "get" && at.resource == **it);
                let kinds = ["bgpnodestatuses", "configurationstates"];
                if kinds.iter().all(looks) { Ok(()) } else { Err(format!("{asked:?}")) }
            })
            .await;
        }
        complete("the same of another Node").await;
    }
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn statuses_owned_by_a_metallb_pod_are_left_alone_until_it_is_gone() {
    if real_server().is_some() {
        // The garbage collector of a real cluster would remove objects whose owner, a pod, is missing.
        return;
    }
    let cluster = configured().await;
    cluster.add_node("kube1", NODE).await;
    let node = cluster.node("kube1");
    let [_, services, states] = kinds(&cluster);
    // Statuses as MetalLB's speaker on this node writes them, owned by its pod. One is of a Service that is not announced.
    let pod =
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "speaker-x", "uid": "of-the-pod"}]);
    let server = cluster.server.as_ref().unwrap();
    let metallbs = |kind: &str, name: &str, labels: Value, status: Value| {
        server.put(json!({"apiVersion": "metallb.io/v1beta1", "kind": kind, "status": status,
            "metadata": {"namespace": cluster.system, "name": name, "labels": labels,
                "ownerReferences": pod}}));
    };
    for (name, service) in [("bgp-aaaaa", "other"), ("bgp-bbbbb", "web")] {
        let labels = json!({"metallb.io/node": "kube1", "metallb.io/service-name": service,
            "metallb.io/service-namespace": cluster.namespace});
        let status = json!({"node": "kube1", "serviceName": service,
            "serviceNamespace": cluster.namespace, "peers": ["metallbs"]});
        metallbs("ServiceBGPStatus", name, labels, status);
    }
    metallbs("ConfigurationState", "speaker-kube1", json!({}), json!({"result": "Unknown"}));
    let of = async |api: &Api<DynamicObject>, owner: &str| {
        let mut found = api.list(&ListParams::default()).await.unwrap().items;
        found.retain(|it| it.owner_references().first().is_some_and(|it| it.kind == owner));
        found
    };
    let before = (of(&services, "Pod").await, of(&states, "Pod").await);
    assert_eq!((before.0.len(), before.1.len()), (2, 1));

    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let ours = wait("ours beside it", async || {
        let found = of(&services, "Node").await;
        let said = found.iter().filter(|it| it.data["status"]["peers"] == json!(["tor"]));
        if said.count() == 1 { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await;
    assert_eq!(ours[0].labels()["metallb.io/service-name"], "web");
    assert_eq!((of(&services, "Pod").await, of(&states, "Pod").await), before);

    // MetalLB's pod and the objects that it owns are deleted.
    for (api, objects) in [(&services, &before.0), (&states, &before.1)] {
        for object in objects {
            api.delete(&object.name_any(), &DeleteParams::default()).await.unwrap();
        }
    }
    wait("ours after it", async || match of(&states, "Node").await.as_slice() {
        [state] if state.data["status"]["result"] == "Valid" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(of(&services, "Node").await, ours);
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}
