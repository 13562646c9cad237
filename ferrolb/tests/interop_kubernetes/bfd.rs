//! A speaker of a cluster and three routers that monitor it by BFD, as shown in BGPNodeStatus.

use std::path::Path;

use test_peers::{Lan, Process};

use crate::cluster::{Cluster, wait};
use crate::three_routers::{BfdRouter, CONFIG, Site};

/// Waits for BFD with all three routers, cuts one off, and plugs it in again.
pub(crate) fn three_routers_are_watched<R: BfdRouter>() {
    let lan = Lan::new();
    let site = Site::<R>::on(&lan);
    let api = lan.host("api", &["172.22.35.3/24"]);
    let api_address = api.addresses()[0];
    api.enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::at(api_address, CONFIG).await;
            cluster.add_node("kube1", std::net::Ipv4Addr::new(172, 22, 35, 26)).await;

            let more = ["--node-name", "kube1", "--on-exit", "withdraw"];
            let arguments = cluster.arguments("speaker", "kube1", &more);
            let speaker =
                Process::start(&site.node, Path::new(env!("CARGO_BIN_EXE_ferrolb")), |command| {
                    command.args(arguments).env_remove("RUST_LOG");
                });

            wait("BFD with the three", async || {
                expect(&cluster, "3/3", ["Up", "Up", "Up"]).await?;
                site.is_watched()
            })
            .await;

            site.hosts[1].unplug();
            wait("the second to be lost", async || {
                expect(&cluster, "2/3", ["Up", "Down", "Up"]).await
            })
            .await;

            site.hosts[1].plug();
            wait("the three again", async || expect(&cluster, "3/3", ["Up", "Up", "Up"]).await)
                .await;

            drop(speaker);
            cluster.end().await;
        });
    });
}

/// Fails unless BGPNodeStatus has these counts of sessions and these BFD states.
async fn expect(cluster: &Cluster, established: &str, bfd: [&str; 3]) -> Result<(), String> {
    let api = cluster.node_statuses();
    let status = api.get("kube1").await.map_err(|it| it.to_string())?.data["status"].clone();
    let sessions = status["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found: Vec<_> = sessions.iter().filter_map(|session| session["bfd"].as_str()).collect();
    let as_expected = status["established"] == established && found == bfd;
    if as_expected { Ok(()) } else { Err(status.to_string()) }
}
