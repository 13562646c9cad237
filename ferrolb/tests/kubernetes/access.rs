//! The rights of our roles, which contain nothing that a program never uses, and the statuses that both programs write
//! into MetalLB's resources. Every test of this binary checks that no verb is missing.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    PostParams,
};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::cluster::{Cluster, ROLES, object, real_server, wait};

pub(crate) const DEFINITIONS: &str = include_str!("../../../deploy/kustomize/crds/metallb.io.yaml");
/// The address of a peer. No router answers there, but Services are announced even without a session.
const PEER: &str = "127.0.0.1";

/// The rights of a program: verbs and resources.
type Rights = BTreeSet<(String, String)>;

/// The rights in the roles of a program.
fn rights(program: &str) -> Rights {
    let documents: Vec<Value> = serde_saphyr::from_multiple(ROLES).unwrap();
    let roles = documents.iter().filter(|document| {
        document["metadata"]["name"] == format!("ferrolb-{program}")
            && document["kind"].as_str().is_some_and(|kind| kind.ends_with("Role"))
    });
    let words = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Rights::new();
    for rule in roles.flat_map(|role| role["rules"].as_array().into_iter().flatten()) {
        for verb in words(&rule["verbs"]) {
            rights.extend(words(&rule["resources"]).into_iter().map(|it| (verb.clone(), it)));
        }
    }
    assert!(rights.len() > 10, "{rights:?}");
    rights
}

/// Waits until a program has used all its rights.
async fn uses_all(cluster: &Cluster, program: &str) {
    wait(&format!("the {program} to use all that it may"), async || {
        let mut unused = rights(program);
        for asked in cluster.asked(program) {
            unused.remove(&(asked.verb.to_owned(), asked.resource));
        }
        if unused.is_empty() { Ok(()) } else { Err(format!("unused: {unused:?}")) }
    })
    .await;
}

pub(crate) fn metallb(
    cluster: &Cluster,
    version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("metallb.io", version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(cluster.client.clone(), &cluster.system, &resource)
}

/// Creates a configuration from resources, with a password in a Secret.
async fn configure(cluster: &Cluster) {
    let params = PostParams::default();
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.system);
    maps.delete("config", &DeleteParams::default()).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let secret = json!({"metadata": {"name": "tor"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"password": "hunter2"}});
    secrets.create(&params, &object(secret)).await.unwrap();
    for (version, kind, plural, spec) in [
        (
            "v1beta2",
            "BGPPeer",
            "bgppeers",
            json!({"myASN": 64636, "peerASN": 64635, "peerAddress": PEER, "peerPort": 1,
                "passwordSecret": {"name": "tor"}}),
        ),
        ("v1beta1", "IPAddressPool", "ipaddresspools", json!({"addresses": ["192.0.2.0/28"]})),
        ("v1beta1", "BGPAdvertisement", "bgpadvertisements", json!({})),
    ] {
        let made = json!({"apiVersion": format!("metallb.io/{version}"), "kind": kind,
            "metadata": {"name": "tor"}, "spec": spec});
        metallb(cluster, version, kind, plural).create(&params, &object(made)).await.unwrap();
    }
}

/// A cluster with MetalLB's definitions and that configuration.
pub(crate) async fn configured() -> Cluster {
    let cluster = Cluster::new("").await;
    if let Some(server) = &cluster.server {
        let definitions: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
        for definition in definitions.into_iter().filter(Value::is_object) {
            server.put(definition);
        }
    }
    configure(&cluster).await;
    cluster
}

/// The Events of a Service with this reason: their notes, each with its count.
pub(crate) async fn events(cluster: &Cluster, service: &str, reason: &str) -> Vec<(String, i32)> {
    let events: Api<Event> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let uid = cluster.services().get(service).await.unwrap().uid();
    let all = events.list(&ListParams::default()).await.unwrap().items.into_iter();
    let of = all.filter(|event| {
        // `kubectl describe` finds an Event by this UID.
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().and_then(|it| it.uid.clone()) == uid
    });
    of.map(|event| (event.note.unwrap_or_default(), event.series.map_or(1, |it| it.count)))
        .collect()
}

#[tokio::test]
async fn each_program_uses_every_right_of_its_roles() {
    if real_server().is_some() {
        // A real server does not list the requests it received.
        return;
    }
    let cluster = configured().await;
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let node = cluster.node("kube1");
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    // No kube-proxy answers, so the dataplane gate looks for one on the other nodes.
    let arguments = ["--node-name", &node, "--heartbeat", "1s", "--dataplane-gate=auto"];
    let speaker = cluster.start("speaker", "s", &arguments);

    // Two identical rejections are one Event with a count.
    let services = cluster.services();
    cluster.create("no", json!({"loadBalancerIP": "203.0.113.1"})).await;
    let params = PatchParams::default();
    let refused = async |count: i32| {
        wait("a refusal that counts", async || {
            match &events(&cluster, "no", "AllocationFailed").await[..] {
                [(note, found)] if *found == count && note.contains("203.0.113.1") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    };
    refused(1).await;
    for (kind, class) in [("ClusterIP", Value::Null), ("LoadBalancer", json!(cluster.class))] {
        let patch = Patch::Merge(json!({"spec": {"type": kind, "loadBalancerClass": class}}));
        services.patch("no", &params, &patch).await.unwrap();
        let condition = async || {
            let service = services.get("no").await.unwrap();
            service.status.and_then(|it| it.conditions).is_some_and(|it| !it.is_empty())
        };
        wait("the condition to follow", async || {
            if condition().await == (kind == "LoadBalancer") {
                Ok(())
            } else {
                Err(kind.to_owned())
            }
        })
        .await;
    }
    refused(2).await;

    // The Service is announced, withdrawn, and announced again.
    cluster.create("web", json!({"externalTrafficPolicy": "Local"})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let expect_event = async |reason: &'static str, what: &str, count: i32| {
        wait(reason, async || match &events(&cluster, "web", reason).await[..] {
            [(note, found)] if *found == count && note.contains(what) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    };
    let announcing = &format!("announcing from node {node:?} with protocol \"bgp\" to tor");
    expect_event("nodeAssigned", announcing, 1).await;
    cluster.endpoints("web", &[("kube1", false)]).await;
    expect_event("nodeUnassigned", &format!("no longer announcing from node {node:?}: "), 1).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    expect_event("nodeAssigned", announcing, 2).await;

    let statuses = metallb(&cluster, "v1beta1", "ServiceBGPStatus", "servicebgpstatuses");
    let statuses = statuses.list(&ListParams::default()).await.unwrap().items;
    let [status] = &statuses[..] else { panic!("{statuses:?}") };
    assert_eq!(status.data["status"]["peers"], json!(["tor"]));
    assert_eq!(status.labels()["metallb.io/node"], node);
    assert_eq!(status.owner_references()[0].kind, "Node");

    uses_all(&cluster, "speaker").await;
    // A killed speaker cannot report its end: the controller does.
    speaker.kill();
    uses_all(&cluster, "controller").await;
    let secrets = cluster.asked("controller").into_iter().any(|it| it.resource == "secrets");
    assert!(!secrets, "passwords are none of the controller's business");
    controller.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn a_restarted_speaker_keeps_its_statuses_and_a_drained_one_removes_them() {
    let cluster = configured().await;
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let node = cluster.node("kube1");
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let begin = || {
        let arguments = ["--node-name", &node, "--on-exit", "withdraw", "--drain-annotation"];
        let times =
            ["example.com/maintenance", "--drain-marked", "100ms", "--drain-withdrawn", "100ms"];
        cluster.start("speaker", "s", &[&arguments[..], &times[..]].concat())
    };
    let statuses = metallb(&cluster, "v1beta1", "ServiceBGPStatus", "servicebgpstatuses");
    let statuses = async || {
        let statuses = statuses.list(&ListParams::default()).await.unwrap().items;
        statuses.iter().map(|it| it.name_any()).collect::<Vec<_>>()
    };
    let nodes = cluster.node_statuses();
    let of_the_node = async |sessions: usize, drain: &str| {
        wait(&format!("{sessions} sessions, {drain}"), async || {
            let node = nodes.get_opt(&node).await.unwrap();
            let status = node.map(|it| it.data["status"].clone()).unwrap_or_default();
            let found = status["sessions"].as_array().map(Vec::len);
            let right = found == Some(sessions) && status["drain"] == drain;
            if right { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    };
    let events_with = async |reason: &'static str| events(&cluster, "web", reason).await;

    let speaker = begin();
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    wait("the node to be assigned", async || match events_with("nodeAssigned").await.len() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    of_the_node(1, "Serving").await;
    let (before, events_before) = (statuses().await, events_with("nodeAssigned").await);
    assert_eq!(before.len(), 1);
    speaker.terminate().await;
    // A speaker reports that it has no session before it exits.
    let left = nodes.get(&node).await.unwrap().data["status"]["sessions"].clone();
    assert_eq!(left, json!([]));

    let asked = cluster.asked("speaker").len();
    let speaker = begin();
    of_the_node(1, "Serving").await;
    let listed = |asked: test_apiserver::RecordedRequest| {
        asked.resource == "servicebgpstatuses" && asked.verb == "list"
    };
    if real_server().is_none() {
        wait("the objects to be found", async || {
            let found = cluster.asked("speaker").into_iter().skip(asked).any(listed);
            if found { Ok(()) } else { Err("not asked for".to_owned()) }
        })
        .await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(statuses().await, before);
    assert_eq!(events_with("nodeAssigned").await, events_before);
    assert_eq!(events_with("nodeUnassigned").await, []);

    let api: Api<k8s_openapi::api::core::v1::Node> = Api::all(cluster.client.clone());
    let annotate = async |value: Value| {
        let patch = json!({"metadata": {"annotations": {"example.com/maintenance": value}}});
        api.patch(&node, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    annotate(json!("yes")).await;
    of_the_node(0, "Withdrawn").await;
    wait("what is told of a drained node", async || {
        let (left, unassigned) = (statuses().await, events_with("nodeUnassigned").await);
        match &unassigned[..] {
            [(note, 1)] if left.is_empty() && note.ends_with("the node is drained") => Ok(()),
            _ => Err(format!("{left:?} {unassigned:?}")),
        }
    })
    .await;
    annotate(Value::Null).await;
    of_the_node(1, "Serving").await;
    wait("the node to be assigned again", async || match statuses().await.len() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn the_state_of_the_configuration_is_reported_as_by_metallb() {
    let cluster = configured().await;
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let node = cluster.node("kube1");
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);
    let of_node = format!("speaker-{node}");
    let states = metallb(&cluster, "v1beta1", "ConfigurationState", "configurationstates");
    let expect = async |name: &str, condition: &str, result: &str, summary: &str| {
        wait(&format!("{name} to say {result}"), async || {
            let state = states.get(name).await.map_err(|it| it.to_string())?;
            let status = &state.data["status"];
            let turned = &status["conditions"][0];
            let said = status["errorSummary"].as_str().unwrap_or_default().contains(summary)
                && (summary.is_empty() == (status["errorSummary"] == ""));
            let holds = match result {
                "Valid" => ("True", "Valid"),
                _ => ("False", "ConfigurationError"),
            };
            let right = status["result"] == result
                && turned["type"] == condition
                && (turned["status"].as_str(), turned["reason"].as_str())
                    == (Some(holds.0), Some(holds.1));
            if said && right { Ok(state) } else { Err(status.to_string()) }
        })
        .await
    };
    let of_controller = expect("controller", "poolReconcilerValid", "Valid", "").await;
    let of_speaker = expect(&of_node, "configReconcilerValid", "Valid", "").await;
    assert_eq!(of_controller.labels()["metallb.io/component-type"], "controller");
    assert_eq!(of_speaker.labels()["metallb.io/component-type"], "speaker");
    assert_eq!(of_speaker.labels()["metallb.io/node-name"], node);
    // The object is deleted with the Node.
    assert_eq!(of_speaker.metadata.owner_references.unwrap()[0].kind, "Node");

    let pools = metallb(&cluster, "v1beta1", "IPAddressPool", "ipaddresspools");
    let other = json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "other"}, "spec": {"addresses": ["192.0.2.8/29"]}});
    pools.create(&PostParams::default(), &object(other)).await.unwrap();
    expect("controller", "poolReconcilerValid", "Invalid", "192.0.2.8/29").await;
    expect(&of_node, "configReconcilerValid", "Invalid", "192.0.2.8/29").await;
    pools.delete("other", &DeleteParams::default()).await.unwrap();
    expect("controller", "poolReconcilerValid", "Valid", "").await;
    expect(&of_node, "configReconcilerValid", "Valid", "").await;
    // Without the password there can be no session: only the speaker reports this, since the controller opens none.
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), &cluster.system);
    secrets.delete("tor", &DeleteParams::default()).await.unwrap();
    let of_speaker = expect(&of_node, "configReconcilerValid", "Invalid", "\"tor\"").await;
    assert!(!of_speaker.data.to_string().contains("hunter2"));
    expect("controller", "poolReconcilerValid", "Valid", "").await;
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn the_usage_of_a_pool_is_written_and_corrected() {
    let cluster = configured().await;
    let controller = cluster.start("controller", "a", &["--retry-period", "200ms"]);
    let pools = metallb(&cluster, "v1beta1", "IPAddressPool", "ipaddresspools");
    let size = std::cell::Cell::new(16);
    let expect = async |assigned: u32| {
        wait(&format!("{assigned} to be assigned"), async || {
            let status = pools.get("tor").await.unwrap().data["status"].clone();
            let found = (&status["assignedIPv4"], &status["availableIPv4"]);
            let right = found == (&json!(assigned), &json!(size.get() - assigned));
            if right { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    };
    expect(0).await;

    cluster.create("one", json!({})).await;
    expect(1).await;

    // A late write, as by a controller that has lost its lease.
    let late = Patch::Merge(json!({"status": {"assignedIPv4": 7}}));
    pools.patch_status("tor", &PatchParams::default(), &late).await.unwrap();
    expect(1).await;

    cluster.create("two", json!({})).await;
    expect(2).await;
    cluster.services().delete("one", &DeleteParams::default()).await.unwrap();
    expect(1).await;

    size.set(32);
    let larger = Patch::Merge(json!({"spec": {"addresses": ["192.0.2.0/27"]}}));
    pools.patch("tor", &PatchParams::default(), &larger).await.unwrap();
    expect(1).await;

    controller.terminate().await;
    cluster.end().await;
}
