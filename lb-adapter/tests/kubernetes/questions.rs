//! `explain`, `diff` and `router-config`, asked of a cluster: with the rights of whoever asks, and no more than they
//! must see.

use std::process::Command;

use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::json;

use crate::cluster::{Cluster, wait};

/// What a command prints when it asks the cluster.
async fn ask(cluster: &Cluster, arguments: &[&str]) -> String {
    let kubeconfig = match &cluster.server {
        Some(server) => server.kubeconfig("admin").into_os_string(),
        None => std::env::var_os("FERROLB_TEST_KUBECONFIG").unwrap(),
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    command.args(arguments).args(["--namespace", &cluster.system, "--kubeconfig"]).arg(kubeconfig);
    // The API server runs in this thread.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    out.into_owned()
}

#[tokio::test]
async fn a_cluster_is_asked_by_whoever_may_read_it() {
    let config = "
peers: [{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: 1, password: hunter2}]
address-pools: [{name: default, protocol: bgp, addresses: [192.0.2.0/28]}]
";
    let cluster = Cluster::new(config).await;
    let node = format!("node-of-{}", cluster.namespace);
    cluster.add_node(&node, std::net::Ipv4Addr::new(127, 22, 35, 25)).await;
    let controller = cluster.start("controller", "a", &[]);
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[(&node, true)]).await;
    cluster.wait_for_addresses("web", &["192.0.2.0"]).await;
    let kind = GroupVersionKind::gvk("ferrolb.io", "v1alpha1", "BGPNodeStatus");
    let resource = ApiResource::from_gvk_with_plural(&kind, "bgpnodestatuses");
    let statuses: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), &cluster.system, &resource);
    wait("the speaker's word of its session", async || {
        let status = statuses.get(&node).await.map_err(|it| it.to_string())?.data;
        let sessions = status["status"]["sessions"].as_array().map_or(0, Vec::len);
        if sessions == 1 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;

    let service = format!("{}/web", cluster.namespace);
    let explain = ["explain", &service, "--lb-class", &cluster.class, "--node", &node];
    let explained = ask(&cluster, &explain).await;
    for words in [
        "192.0.2.0",
        "pool          ok",
        "session       FAIL  the session with 127.0.0.1:1 is not up",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    let routers = ask(&cluster, &["router-config", "--for", "bird"]).await;
    assert!(routers.contains("neighbor 127.22.35.25 as 64636"), "{routers}");
    assert!(routers.contains("PASSWORD") && !routers.contains("hunter2"), "{routers}");

    // The same configuration with another pool, and nothing of the cluster: all goes.
    let new = tempfile::tempdir().unwrap();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "config", "namespace": cluster.system},
        "data": {"config": config.replace("192.0.2.0/28", "192.0.2.16/28")}});
    std::fs::write(new.path().join("new.json"), map.to_string()).unwrap();
    let new = new.path().to_str().unwrap().to_owned();
    let changes = ask(&cluster, &["diff", &new, "--lb-class", &cluster.class]).await;
    assert!(changes.contains("- 192.0.2.0/32"), "{changes}");
    if let Some(server) = &cluster.server {
        let asked = server.asked();
        let secrets = asked.iter().any(|it| it.who == "admin" && it.resource == "secrets");
        assert!(!secrets, "nobody needs a password to explain");
    }
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}
