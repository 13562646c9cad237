//! A speaker of a cluster with its router at the other end of an interface: it discovers the router, announces its
//! routes, reports the session in BGPNodeStatus, and is drained.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use test_peers::{Lan, Process, WrittenFrr};

use crate::cluster::{Cluster, wait};

const PREFIX: &str = "172.22.36.64/32";
const FRR: &str = "router bgp 64635\n bgp router-id 172.22.35.1\n no bgp ebgp-requires-policy\n \
                   no bgp network import-check\n neighbor lan0 interface remote-as external\n \
                   neighbor lan0 timers connect 1\nexit\n";

/// The story from the first route to the end of a drain.
pub(crate) fn discovered_reported_and_drained() {
    let lan = Lan::new();
    let router = lan.host("router", &["fe80::1/64"]);
    let api = lan.host("api", &["172.22.35.2/24"]);
    let node = lan.host("kube1", &["fe80::26/64", "172.22.35.25/24"]);
    let frr = WrittenFrr::start(&router, "", FRR);
    let api_address = api.addresses()[0];

    api.enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let config = "peers:\n- {my-asn: 64636, dynamic-asn: external, interface: lan0}\n\
                          address-pools:\n- {name: default, protocol: bgp, addresses: [172.22.36.64/26]}\n";
            let cluster = Cluster::at(api_address, config).await;
            cluster.add_node("kube1", std::net::Ipv4Addr::new(172, 22, 35, 25)).await;
            let controller = start(&api, cluster.arguments("controller", "a", &[]));
            let more = ["--node-name", "kube1", "--drain-marked", "3s", "--drain-withdrawn", "1s"];
            let mut speaker = start(&node, cluster.arguments("speaker", "kube1", &more));
            cluster.endpoints("web", &[("kube1", true)]).await;
            cluster.create("web", json!({})).await;
            wait("the route", async || path(&frr)).await;
            wait("the session in BGPNodeStatus", async || established(&cluster).await).await;
            // When a pod ends, its routes are first marked (RFC 8326), then withdrawn.
            speaker.terminate();
            wait("the mark", async || {
                let path = path(&frr)?;
                let marked = path["community"]["string"] == "graceful-shutdown";
                if marked { Ok(()) } else { Err(path.to_string()) }
            })
            .await;
            wait("the withdrawal", async || path(&frr).map_or(Ok(()), |path| Err(path.to_string()))).await;
            let status = speaker.wait(Duration::from_secs(30));
            assert!(status.success(), "{status}: {}", speaker.output());
            drop(controller);
            cluster.end().await;
        });
    });
}

/// The path at FRR, if it goes through the node's link-local address.
fn path(frr: &WrittenFrr) -> Result<Value, String> {
    frr.path_through(PREFIX, "fe80::26")
}

async fn established(cluster: &Cluster) -> Result<(), String> {
    let api = cluster.node_statuses();
    let status = api.get("kube1").await.map_err(|it| it.to_string())?.data;
    let session = &status["status"]["sessions"][0];
    let as_expected = session["address"] == "lan0:179" && session["established"] == true;
    if as_expected { Ok(()) } else { Err(status.to_string()) }
}

fn start(host: &test_peers::Host, arguments: Vec<std::ffi::OsString>) -> Process {
    Process::start(host, Path::new(env!("CARGO_BIN_EXE_ferrolb")), |command| {
        command.args(arguments).env_remove("RUST_LOG");
    })
}
