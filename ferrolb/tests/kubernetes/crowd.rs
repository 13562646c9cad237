//! The many other Services of a cluster, which our programs must not touch. They have another class or another type,
//! and the annotations and conditions that MetalLB leaves. Every test runs among them.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use crate::cluster::real_server;

/// The default number of Services at our server, and at a real one, where each needs two requests and every second
/// one a cluster IP.
const SERVICES: (usize, usize) = (300, 100);
/// The number of concurrent requests.
const AT_ONCE: usize = 16;
const LABEL: &str = "ferrolb.io/test";

/// The Services of one test.
pub(crate) struct Crowd {
    services: Api<Service>,
    before: Vec<(String, Value)>,
}

impl Crowd {
    /// Creates the Services in this namespace.
    pub(crate) async fn new(client: &Client, namespace: &str, server: Option<&ApiServer>) -> Self {
        let count = count();
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);

        let made = (0..count).map(|number| service(namespace, number));
        match server {
            Some(server) => made.for_each(|service| server.put(service)),
            None => {
                let making = made.map(|service| make(services.clone(), service));
                let making = stream::iter(making).buffer_unordered(AT_ONCE);
                making.try_collect::<Vec<()>>().await.unwrap();
            }
        }

        let mut crowd = Self { services, before: Vec::new() };
        crowd.before = crowd.snapshot().await;
        assert_eq!(crowd.before.len(), count);
        crowd
    }

    /// Fails if a program has changed one of the Services.
    pub(crate) async fn check(&self) {
        let now = self.snapshot().await;
        let changed = self.before.iter().zip(&now).find(|(before, now)| before != now);
        assert_eq!(changed, None, "a Service of another controller was changed");
        assert_eq!(self.before.len(), now.len());
    }

    /// The names of the Services, and the fields that a controller could change.
    async fn snapshot(&self) -> Vec<(String, Value)> {
        let of_crowd = ListParams::default().labels(&format!("{LABEL}=crowd"));
        let found = self.services.list(&of_crowd).await.unwrap().items;
        let summaries = found.into_iter().map(|service| {
            let name = service.metadata.name.unwrap_or_default();
            (
                name,
                json!([
                    service.metadata.annotations,
                    service.status,
                    service.metadata.managed_fields
                ]),
            )
        });
        summaries.collect()
    }
}

/// The number of other Services, and of ours in a test that needs many.
pub(crate) fn count() -> usize {
    let wanted = std::env::var("FERROLB_TEST_SERVICES").ok();
    let (here, at_real) = SERVICES;
    let default = if real_server().is_some() { at_real } else { here };
    wanted.and_then(|it| it.parse().ok()).unwrap_or(default)
}

/// One of the Services. Their names sort before and after those of the tests.
fn service(namespace: &str, number: usize) -> Value {
    let place = if number % 4 < 2 { "a" } else { "z" };
    let of_class = number.is_multiple_of(2);
    let mut spec = json!({"ports": [{"port": 25, "protocol": "TCP"}]});
    let status = if of_class {
        spec["type"] = json!("LoadBalancer");
        spec["loadBalancerClass"] = json!("example.com/crowd");
        spec["allocateLoadBalancerNodePorts"] = json!(false);
        let address = format!("198.18.{}.{}", number / 250, number % 250);
        json!({"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}, "conditions": conditions()})
    } else {
        spec["type"] = json!("ClusterIP");
        spec["clusterIP"] = json!("None");
        json!({"loadBalancer": {}, "conditions": conditions()})
    };

    json!({"apiVersion": "v1", "kind": "Service", "spec": spec, "status": status,
        "metadata": {"namespace": namespace, "name": format!("{place}-crowd-{number}"), "labels": {LABEL: "crowd"},
            "annotations": {"metallb.io/ip-allocated-from-pool": "crowd"}}})
}

/// A condition like those of our controller, which any other client can write.
fn conditions() -> Value {
    json!([{"type": "ferrolb.io/AddressAssigned", "status": "True", "reason": "IPAllocated",
        "message": "from the pool crowd", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}])
}

async fn make(services: Api<Service>, service: Value) -> Result<(), kube::Error> {
    let name = service["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let status = json!({"status": service["status"]});
    let service: Service = serde_json::from_value(service).map_err(kube::Error::SerdeError)?;
    services.create(&PostParams::default(), &service).await?;
    services.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}
