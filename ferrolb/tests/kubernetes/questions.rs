//! `explain`, `diff` and `router-config` of a cluster, with the rights of the user, and with no more rights than the
//! commands need.

use std::process::Command;

use kube::Api;
use serde_json::json;

use crate::cluster::{Cluster, wait};

/// The output of a command that reads the cluster.
pub(crate) async fn ask(cluster: &Cluster, arguments: &[&str]) -> String {
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
    assert_eq!(output.status.code(), Some(code_of(arguments, &out)), "{out}{error}");
    out.into_owned()
}

/// The exit code of a command with this output: `explain` tells whether the Service is announced.
fn code_of(arguments: &[&str], out: &str) -> i32 {
    let is_refusal = arguments[0] == "explain" && !out.contains("\nannounced by ");
    i32::from(is_refusal)
}

/// The output of a command without `--namespace`, where the context of the kubeconfig has this namespace.
async fn ask_in_context(cluster: &Cluster, context: &str, arguments: &[&str]) -> (String, String) {
    let server = cluster.server.as_ref().unwrap();
    let config = std::fs::read_to_string(server.kubeconfig("admin")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["contexts"][0]["context"]["namespace"] = context.into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    command.env_remove("FERROLB_NAMESPACE").args(arguments).arg("--kubeconfig").arg(file.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert_eq!(output.status.code(), Some(code_of(arguments, &out)), "{out}{error}");
    (out, error)
}

#[tokio::test]
async fn the_configuration_is_read_from_the_namespaces_of_the_context_and_the_manifests() {
    let config = "
peers: [{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: 1}]
address-pools: [{name: default, protocol: bgp, addresses: [192.0.2.0/28]}]
";
    let cluster = Cluster::new(config).await;
    if cluster.server.is_none() {
        // Other namespaces of a real server may have a configuration.
        return;
    }
    // `explain` reads the address from the status.
    let controller = cluster.start("controller", "a", &[]);
    cluster.create("web", json!({})).await;
    cluster.wait_for_addresses("web", &["192.0.2.0"]).await;
    let service = format!("{}/web", cluster.namespace);
    let explain = ["explain", &service, "--lb-class", &cluster.class];

    let (explained, stderr) = ask_in_context(&cluster, &cluster.system, &explain).await;
    assert!(explained.contains("192.0.2.0"), "{explained}");
    let note =
        format!("ferrolb: note: using the configuration in the namespace {}\n", cluster.system);
    assert_eq!(stderr, note);

    let (_, stderr) = ask_in_context(&cluster, "elsewhere", &explain).await;
    let warning = "ferrolb: warning: there is no configuration in the namespace elsewhere or \
                   metallb-system or ferrolb-system: give its namespace with --namespace\n";
    assert_eq!(stderr, warning);

    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"config": config},
        "metadata": {"name": "config", "namespace": cluster.system}});
    let new = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(new.path(), map.to_string()).unwrap();
    let diff = ["diff", new.path().to_str().unwrap(), "--lb-class", &cluster.class];
    let (changes, stderr) = ask_in_context(&cluster, "elsewhere", &diff).await;
    assert_eq!((changes.as_str(), stderr), ("no changes\n", note));
    controller.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn every_account_with_read_access_can_query_a_cluster() {
    let cluster = Cluster::new("").await;
    let node = cluster.node("kube1");
    // A real server has other Nodes too.
    let config = format!(
        "peers: [{{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: 1, password: hunter2, \
           node-selectors: [{{match-labels: {{kubernetes.io/hostname: {node}}}}}]}}]\n\
         address-pools: [{{name: default, protocol: bgp, addresses: [192.0.2.0/28]}}]\n"
    );
    cluster.configure(&config).await;
    cluster.add_node("kube1", std::net::Ipv4Addr::new(127, 22, 35, 25)).await;
    let controller = cluster.start("controller", "a", &[]);
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    cluster.wait_for_addresses("web", &["192.0.2.0"]).await;
    let statuses = cluster.node_statuses();
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
    // The router has no route that a drain could take.
    let drain = ["diff", "--drain", &node, "--lb-class", &cluster.class];
    let expected = format!(
        "- 192.0.2.0/32 -> 127.0.0.1:1 ({node})\nServices that lose their last node: none\n"
    );
    assert_eq!(ask(&cluster, &drain).await, expected);
    let routers = ask(&cluster, &["router-config", "--for", "bird"]).await;
    assert!(routers.contains("neighbor 127.22.35.25 as 64636"), "{routers}");
    assert!(routers.contains("PASSWORD") && !routers.contains("hunter2"), "{routers}");

    // A configuration file is combined with the objects of the cluster. Here it has another pool.
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, objects: &[serde_json::Value]| {
        let path = folder.path().join(name);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&path, list.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let map = |name: &str, config: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"config": config},
            "metadata": {"name": name, "namespace": cluster.system}})
    };
    let moved = config.replace("192.0.2.0/28", "192.0.2.16/28");
    let new = file("pool.json", &[map("config", &moved)]);
    let diff = |new: &str| ["diff", new, "--lb-class", &cluster.class].map(str::to_owned);
    let ask_diff = async |new: &str, more: &[&str]| {
        let arguments = diff(new);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        ask(&cluster, &[&arguments[..], more].concat()).await
    };
    let changes = ask_diff(&new, &[]).await;
    let expected = format!(
        "Service {service}: 192.0.2.0 -> 192.0.2.16\n\
         - 192.0.2.0/32 -> 127.0.0.1:1 ({node})\n\
         + 192.0.2.16/32 -> 127.0.0.1:1 ({node})\n\
         session resets: none\n"
    );
    assert_eq!(changes, expected);
    // `diff` only compares whether there is a password, even if its Secret is in no file.
    let of_secret = config.replace("password: hunter2", "password-secret: tor");
    let new = file("secret.json", &[map("config", &of_secret)]);
    assert_eq!(ask_diff(&new, &[]).await, "no changes\n");
    let without = config.replace(", password: hunter2", "");
    let new = file("without.json", &[map("config", &without)]);
    assert!(ask_diff(&new, &[]).await.contains("resets because of password"));
    // The same configuration as resources, with the password in a Secret that is in no file.
    let resource = |version: &str, kind: &str, spec: serde_json::Value| {
        json!({"apiVersion": format!("metallb.io/{version}"), "kind": kind, "spec": spec,
            "metadata": {"name": "default", "namespace": cluster.system}})
    };
    let peer = json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "127.0.0.1", "peerPort": 1,
        "passwordSecret": {"name": "tor"},
        "nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": node}}]});
    let resources = [
        resource("v1beta2", "BGPPeer", peer),
        resource("v1beta1", "IPAddressPool", json!({"addresses": ["192.0.2.0/28"]})),
        resource("v1beta1", "BGPAdvertisement", json!({})),
    ];
    let new = file("resources.json", &resources);
    // Only the name of the peer differs, and its session stays up.
    let expected = format!(
        "session {node} with 127.0.0.1:1: the peer is renamed to default\n\
         session resets: none\n"
    );
    assert_eq!(ask_diff(&new, &[]).await, expected);

    // A ConfigMap with another name, which the controller and the speaker get by --config.
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::namespaced(cluster.client.clone(), &cluster.system);
    let other = serde_json::from_value(map("other", &moved.replace("64636", "64700"))).unwrap();
    maps.create(&kube::api::PostParams::default(), &other).await.unwrap();
    let routers = ask(&cluster, &["router-config", "--for", "bird", "--config", "other"]).await;
    assert!(routers.contains("neighbor 127.22.35.25 as 64700"), "{routers}");
    let new = file("other.json", &[map("other", &moved)]);
    let changes = ask_diff(&new, &["--config", "other"]).await;
    assert!(changes.contains("resets because of myASN"), "{changes}");
    if let Some(server) = &cluster.server {
        let asked = server.asked();
        let secrets = asked.iter().any(|it| it.who == "admin" && it.resource == "secrets");
        assert!(!secrets, "nobody needs a password to explain");
    }
    speaker.terminate().await;
    controller.terminate().await;
    cluster.end().await;
}
