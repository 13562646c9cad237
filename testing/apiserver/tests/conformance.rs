//! The guarantees that a controller relies on, checked at this server. With `FERROLB_TEST_KUBECONFIG` set, they are
//! checked at a real server, which shows that this one behaves the same.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

/// A cluster for a test: a client with all rights, and a namespace of its own.
struct Cluster {
    client: Client,
    namespace: String,
    /// The server, unless it is a real one.
    server: Option<ApiServer>,
}

impl Cluster {
    async fn new(test: &str) -> Self {
        let real = std::env::var_os("FERROLB_TEST_KUBECONFIG");
        let (path, server) = match real {
            Some(path) => (path.into(), None),
            None => {
                let server = ApiServer::builder().start().await;
                (server.kubeconfig("admin"), Some(server))
            }
        };
        let kubeconfig = Kubeconfig::read_from(path).unwrap();
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.unwrap()).unwrap();
        let name = json!({"metadata": {"generateName": format!("ferrolb-test-{test}-")}});
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let name: Namespace = object(name);
        let created = namespaces.create(&PostParams::default(), &name).await.unwrap();
        let namespace = created.name_any();
        Self { client, namespace, server }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn service(name: &str) -> Service {
    object(json!({"metadata": {"name": name, "labels": {"app": name}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]}}))
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("expected an answer of the API, got {other}"),
    }
}

fn number(object: &impl kube::ResourceExt) -> u64 {
    object.resource_version().unwrap().parse().unwrap()
}

#[tokio::test]
async fn resource_versions_grow_and_a_stale_update_is_a_conflict() {
    let cluster = Cluster::new("versions").await;
    let api = cluster.api::<ConfigMap>();
    let first: ConfigMap = object(json!({"metadata": {"name": "a"}, "data": {"k": "1"}}));
    let first = api.create(&PostParams::default(), &first).await.unwrap();
    let mut second = first.clone();
    second.data = Some([("k".to_owned(), "2".to_owned())].into());
    let second = api.replace("a", &PostParams::default(), &second).await.unwrap();
    assert!(number(&second) > number(&first));
    let stale = api.replace("a", &PostParams::default(), &first).await;
    assert_eq!(code(stale.unwrap_err()), 409);
    let again: ConfigMap = object(json!({"metadata": {"name": "a"}}));
    assert_eq!(code(api.create(&PostParams::default(), &again).await.unwrap_err()), 409);
    cluster.end().await;
}

#[tokio::test]
async fn long_lists_come_in_pages_of_one_version() {
    let cluster = Cluster::new("pages").await;
    let api = cluster.api::<ConfigMap>();
    for number in 0..7 {
        let one: ConfigMap =
            object(json!({"metadata": {"name": format!("m{number}"), "labels": {"of": "pages"}}}));
        api.create(&PostParams::default(), &one).await.unwrap();
    }

    let (mut names, mut token, mut versions) = (Vec::new(), None, BTreeSet::new());
    loop {
        let mut params = ListParams::default().labels("of=pages").limit(3);
        params.continue_token = token.clone();
        let page = api.list(&params).await.unwrap();
        versions.insert(page.metadata.resource_version.clone());
        names.extend(page.items.iter().map(kube::ResourceExt::name_any));
        if names.len() == 3 {
            // Objects created from now on are not in this list.
            let late: ConfigMap =
                object(json!({"metadata": {"name": "m9", "labels": {"of": "pages"}}}));
            api.create(&PostParams::default(), &late).await.unwrap();
        }
        token = page.metadata.continue_.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!(versions.len(), 1);
    cluster.end().await;
}

#[tokio::test]
async fn a_watch_reports_changes_of_selected_objects_after_its_version() {
    let cluster = Cluster::new("watch").await;
    let api = cluster.api::<Service>();
    api.create(&PostParams::default(), &service("before")).await.unwrap();
    let version =
        api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let params = WatchParams::default().labels("app in (web, smtp)");
    let mut watch = api.watch(&params, &version).await.unwrap().boxed();

    for name in ["web", "other", "smtp"] {
        api.create(&PostParams::default(), &service(name)).await.unwrap();
    }
    let moved = Patch::Merge(json!({"metadata": {"labels": {"app": "elsewhere"}}}));
    api.patch("web", &PatchParams::default(), &moved).await.unwrap();
    api.delete("smtp", &DeleteParams::default()).await.unwrap();

    let mut seen = Vec::new();
    while seen.len() < 4 {
        match tokio::time::timeout(Duration::from_secs(10), watch.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            WatchEvent::Added(it) => seen.push(format!("+{}", it.name_any())),
            WatchEvent::Modified(it) => seen.push(format!("~{}", it.name_any())),
            WatchEvent::Deleted(it) => seen.push(format!("-{}", it.name_any())),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(seen, ["+web", "+smtp", "-web", "-smtp"]);
    cluster.end().await;
}

#[tokio::test]
async fn initial_events_end_with_an_annotated_bookmark() {
    let cluster = Cluster::new("initial").await;
    let api = cluster.api::<ConfigMap>();
    let one: ConfigMap = object(json!({"metadata": {"name": "a", "labels": {"of": "initial"}}}));
    api.create(&PostParams::default(), &one).await.unwrap();
    let params = WatchParams::default().labels("of=initial").initial_events();
    let mut watch = api.watch(&params, "").await.unwrap().boxed();
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap().unwrap().unwrap()
    };
    assert!(matches!(next().await, WatchEvent::Added(it) if it.name_any() == "a"));
    let WatchEvent::Bookmark(mark) = next().await else { panic!("expected a bookmark") };
    assert_eq!(mark.metadata.annotations["k8s.io/initial-events-end"], "true");
    cluster.end().await;
}

#[tokio::test]
async fn status_and_spec_are_written_separately() {
    let cluster = Cluster::new("status").await;
    let api = cluster.api::<Service>();
    let created = api.create(&PostParams::default(), &service("a")).await.unwrap();
    assert!(created.spec.as_ref().unwrap().cluster_ip.is_some());

    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let ignored = api.patch("a", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    assert!(ignored.status.unwrap().load_balancer.unwrap().ingress.is_none());
    let written =
        api.patch_status("a", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let ingress = written.status.unwrap().load_balancer.unwrap().ingress.unwrap();
    assert_eq!(ingress[0].ip.as_deref(), Some("192.0.2.1"));
    assert_eq!(ingress[0].ip_mode.as_deref(), Some("VIP"));

    let spec = json!({"spec": {"externalTrafficPolicy": "Local"}});
    let kept = api.patch_status("a", &PatchParams::default(), &Patch::Merge(&spec)).await.unwrap();
    assert_eq!(kept.spec.unwrap().external_traffic_policy.as_deref(), Some("Cluster"));
    let bad = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.256"}]}}});
    let bad = api.patch_status("a", &PatchParams::default(), &Patch::Merge(&bad)).await;
    assert_eq!(code(bad.unwrap_err()), 422);
    cluster.end().await;
}

#[tokio::test]
async fn applied_fields_have_owners() {
    let cluster = Cluster::new("apply").await;
    let api = cluster.api::<ConfigMap>();
    let data = |value: &str| {
        Patch::Apply(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}}),
        )
    };
    api.patch("a", &PatchParams::apply("one"), &data("1")).await.unwrap();
    let conflict = api.patch("a", &PatchParams::apply("two"), &data("2")).await;
    assert_eq!(code(conflict.unwrap_err()), 409);
    let forced = api.patch("a", &PatchParams::apply("two").force(), &data("2")).await.unwrap();
    assert_eq!(forced.data.unwrap()["k"], "2");
    cluster.end().await;
}

#[tokio::test]
async fn a_lease_changes_hands_once() {
    let cluster = Cluster::new("lease").await;
    let api = cluster.api::<Lease>();
    let lease = api
        .create(
            &PostParams::default(),
            &object(json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}})),
        )
        .await
        .unwrap();
    let taken_by = |holder: &str| {
        let mut lease = lease.clone();
        lease.spec.as_mut().unwrap().holder_identity = Some(holder.to_owned());
        lease
    };
    let (b, c) = (taken_by("b"), taken_by("c"));

    api.replace("l", &PostParams::default(), &b).await.unwrap();
    assert_eq!(code(api.replace("l", &PostParams::default(), &c).await.unwrap_err()), 409);
    cluster.end().await;
}

#[tokio::test]
async fn missing_objects_are_not_found() {
    let cluster = Cluster::new("missing").await;
    let api = cluster.api::<Service>();
    assert_eq!(code(api.get("nobody").await.unwrap_err()), 404);
    assert_eq!(code(api.delete("nobody", &DeleteParams::default()).await.unwrap_err()), 404);
    let elsewhere: Api<Service> = Api::namespaced(cluster.client.clone(), "no-such-namespace");
    let created = elsewhere.create(&PostParams::default(), &service("a")).await;
    assert_eq!(code(created.unwrap_err()), 404);
    cluster.end().await;
}

mod faults {
    use test_apiserver::{Cut, Fault};

    use super::*;

    #[tokio::test]
    async fn a_forgotten_version_is_gone() {
        let cluster = Cluster::new("gone").await;
        let Some(server) = &cluster.server else { return };
        let api = cluster.api::<Service>();
        let version =
            api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        api.create(&PostParams::default(), &service("a")).await.unwrap();
        server.compact();
        let mut watch = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
        let event = watch.next().await.unwrap().unwrap();
        assert!(matches!(event, WatchEvent::Error(status) if status.code == 410));
    }

    #[tokio::test]
    async fn watches_end_as_planned_by_the_test() {
        let cluster = Cluster::new("cut").await;
        let Some(server) = &cluster.server else { return };
        let api = cluster.api::<Service>();
        for (how, broken) in [(Cut::Clean, false), (Cut::Gone, false), (Cut::MidEvent, true)] {
            let version =
                api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
            let mut watch = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
            server.cut_watches(how);
            let next = tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap();
            match how {
                Cut::Clean => assert!(next.is_none()),
                Cut::Gone => assert!(
                    matches!(next, Some(Ok(WatchEvent::Error(status))) if status.code == 410)
                ),
                _ => assert_eq!(next.is_none_or(|event| event.is_err()), broken),
            }
        }
    }

    #[tokio::test]
    async fn requests_fail_as_planned_by_the_test_and_an_outage_ends() {
        let cluster = Cluster::new("faults").await;
        let Some(server) = &cluster.server else { return };
        let api = cluster.api::<Service>();
        server.fail_next(1, Fault::Internal);
        assert_eq!(code(api.list(&ListParams::default()).await.unwrap_err()), 500);

        server.fail_next(1, Fault::Conflict);
        assert!(api.list(&ListParams::default()).await.is_ok());
        assert_eq!(code(api.create(&PostParams::default(), &service("a")).await.unwrap_err()), 409);
        api.create(&PostParams::default(), &service("a")).await.unwrap();
        server.go_away();
        while !matches!(api.get("a").await, Err(error) if !matches!(error, kube::Error::Api(_))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.come_back();
        while api.get("a").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
