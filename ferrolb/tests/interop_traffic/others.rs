//! The other Services of a cluster, whose changes keep kube-proxy busy.

use std::time::Duration;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::cluster::slice_of;
use crate::world::World;

/// The time between two changes.
const PACE: Duration = Duration::from_millis(250);

/// Changes of another Service, until this is dropped.
#[derive(Debug)]
pub(crate) struct Busy(JoinHandle<()>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// Adds Services with three endpoints each, that have nothing to do with load balancers.
    pub(crate) fn add_others(&self, count: usize) {
        let cluster = &self.programs.cluster;
        let server = cluster.server.as_ref().expect("a server of ours");
        for number in 0..count {
            let name = format!("other-{number}");
            let (high, low) = (number / 250, number % 250);
            server.put(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"namespace": cluster.namespace, "name": name},
                "spec": {"clusterIP": format!("10.97.{high}.{low}"), "ports": [{"name": "http", "port": 80}]}}));

            let mut slice = other_slice(&name, number);
            slice["metadata"]["namespace"] = json!(cluster.namespace);
            server.put(slice);
        }
    }

    /// Changes the endpoints of another Service again and again.
    pub(crate) fn keep_busy(&self) -> Busy {
        self.add_others(1);
        let cluster = &self.programs.cluster;
        let slices: Api<EndpointSlice> =
            Api::namespaced(cluster.client.clone(), &cluster.namespace);
        Busy(tokio::spawn(async move {
            for number in 0.. {
                let slice = other_slice("other-0", number % 200);
                let params = PatchParams::apply("others").force();
                let _ = slices.patch("other-0-1", &params, &Patch::Apply(slice)).await;
                tokio::time::sleep(PACE).await;
            }
        }))
    }
}

fn other_slice(service: &str, number: usize) -> Value {
    let endpoint = |node: usize| {
        let address = format!("10.245.{}.{}", node + 3 * (number / 250), number % 250);
        json!({"addresses": [address], "nodeName": format!("kube{node}"),
            "conditions": {"ready": true, "serving": true, "terminating": false}})
    };
    let mut slice = slice_of(service, (1..=3).map(endpoint).collect());
    slice["ports"] = json!([{"name": "http", "port": 8080, "protocol": "TCP"}]);
    slice
}
