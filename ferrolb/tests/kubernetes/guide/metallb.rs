//! Substitutes for MetalLB's programs: a speaker that announces the addresses in the status of Services, a controller that
//! gives addresses to Services without one, and servers of webhooks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, PeerConfig, Route, RouteSet, Speaker};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::oneshot;

use super::installed::SYSTEM;
use super::workloads::Site;
use crate::cluster::{addresses_of, object};

const ONE_AT_A_TIME: Duration = Duration::from_millis(50);

/// Runs a pod of MetalLB until it is stopped.
pub(crate) async fn run(
    site: &Site,
    workload: &str,
    node: &str,
    ready: &AtomicBool,
    stopped: oneshot::Receiver<()>,
) {
    let is = |name: &str| site.mode.name(name).ends_with(&format!("/{workload}"));
    let announces =
        if site.mode.frr_k8s { "daemonset/frr-k8s-daemon" } else { "daemonset/speaker" };
    ready.store(!is(announces), Ordering::Relaxed);
    if is(announces) {
        until(announce(site, node, ready), stopped).await;
    } else if is("deployment/controller") {
        let service = "metallb-webhook-service";
        answer_for(site, service, give_addresses(&site.client), stopped).await;
    } else if is("daemonset/speaker") {
        until(hand_to_frr(site, node), stopped).await;
    } else {
        answer_for(site, "frr-k8s-webhook-service", std::future::pending(), stopped).await;
    }
}

/// Runs a future until it is stopped.
async fn until(work: impl Future<Output = ()>, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        () = work => {}
        _ = stopped => {}
    }
}

/// Runs a future until it is stopped. While it runs, the Service of a webhook has an endpoint.
async fn answer_for(
    site: &Site,
    service: &str,
    work: impl Future<Output = ()>,
    stopped: oneshot::Receiver<()>,
) {
    let slices: Api<EndpointSlice> = Api::namespaced(site.client.clone(), SYSTEM);
    let name = format!("{service}-1");
    let slice = json!({"metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": true}}]});
    slices.create(&PostParams::default(), &object(slice)).await.unwrap();
    until(work, stopped).await;
    slices.delete(&name, &DeleteParams::default()).await.unwrap();
}

async fn services(client: &Client) -> Vec<Service> {
    let api: Api<Service> = Api::all(client.clone());
    let all = api.list(&ListParams::default()).await.unwrap().items;
    let balanced = |it: &Service| {
        it.spec.as_ref().is_some_and(|it| {
            it.type_.as_deref() == Some("LoadBalancer") && it.load_balancer_class.is_none()
        })
    };
    all.into_iter().filter(balanced).collect()
}

/// Allocates addresses from the end of the pool. FerroLB starts at its beginning.
async fn give_addresses(client: &Client) {
    loop {
        let services = services(client).await;
        let taken: Vec<_> = services.iter().flat_map(addresses_of).collect();
        if let Some(service) = services.iter().find(|it| addresses_of(it).is_empty()) {
            let mut pool = (0..16).rev().map(|last| format!("192.0.2.{last}"));
            let free = pool.find(|it| !taken.contains(it)).unwrap();
            let api: Api<Service> =
                Api::namespaced(client.clone(), &service.namespace().unwrap_or_default());
            let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": free}]}}});
            let annotation = json!({"metallb.io/ip-allocated-from-pool": "default"});
            let params =
                PatchParams { field_manager: Some("controller".into()), ..PatchParams::default() };
            let noted = Patch::Merge(json!({"metadata": {"annotations": annotation}}));
            api.patch(&service.name_any(), &params, &noted).await.unwrap();
            api.patch_status(&service.name_any(), &params, &Patch::Merge(status)).await.unwrap();
        }
        tokio::time::sleep(ONE_AT_A_TIME).await;
    }
}

/// Announces every Service that has an address.
async fn announce(site: &Site, node: &str, ready: &AtomicBool) {
    let address = site.nodes.iter().find(|(name, _)| *name == node).unwrap().1;
    let speaker =
        Speaker::builder(Asn(64_636), BgpIdentifier::from(address)).start().await.unwrap();
    let router = PeerConfig::new(std::net::IpAddr::from([127, 0, 0, 1]), Asn(64_635));
    let router = router.port(site.router_port).local_address(address.into());
    let router = speaker.add_peer(router).await.unwrap();
    loop {
        let addresses =
            services(&site.client).await.iter().flat_map(addresses_of).collect::<Vec<_>>();
        let routes = addresses.iter().map(|it| Route::new(format!("{it}/32").parse().unwrap()));
        router.set_routes(routes.collect::<RouteSet>()).await.unwrap();
        tokio::time::sleep(ONE_AT_A_TIME).await;
        ready.store(router.status().is_established(), Ordering::Relaxed);
    }
}

/// Writes the FRRConfiguration of a node.
async fn hand_to_frr(site: &Site, node: &str) {
    let kind = GroupVersionKind::gvk("frrk8s.metallb.io", "v1beta1", "FRRConfiguration");
    let resource = ApiResource::from_gvk_with_plural(&kind, "frrconfigurations");
    let api: Api<DynamicObject> = Api::namespaced_with(site.client.clone(), SYSTEM, &resource);
    let name = format!("metallb-{node}");
    let there = api.get_opt(&name).await.unwrap().is_some();
    let configuration = json!({"apiVersion": "frrk8s.metallb.io/v1beta1", "kind": "FRRConfiguration",
        "metadata": {"name": name}, "spec": {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": node}}}});
    // Its webhook may not answer yet.
    while !there
        && api.create(&PostParams::default(), &object(configuration.clone())).await.is_err()
    {
        tokio::time::sleep(ONE_AT_A_TIME).await;
    }
    std::future::pending::<()>().await;
}
