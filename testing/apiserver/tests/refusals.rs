//! The objects that this API server rejects and accepts. With `FERROLB_TEST_KUBECONFIG` set, the tests use a real API server
//! instead, which shows that both reject and accept the same objects.

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

/// A client with all rights, and a namespace of its own.
struct Cluster {
    client: Client,
    namespace: String,
    _server: Option<ApiServer>,
}

impl Cluster {
    async fn new() -> Self {
        let (path, server) = match std::env::var_os("FERROLB_TEST_KUBECONFIG") {
            Some(path) => (path.into(), None),
            None => {
                let server = ApiServer::builder().start().await;
                (server.kubeconfig("admin"), Some(server))
            }
        };
        let kubeconfig = Kubeconfig::read_from(path).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let name = json!({"metadata": {"generateName": "ferrolb-test-refusals-"}});
        let name = serde_json::from_value(name).unwrap();
        let created = namespaces.create(&PostParams::default(), &name).await.unwrap();
        Self { client, namespace: created.name_any(), _server: server }
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (group, plural) = match kind {
            "Service" => ("", "services"),
            "EndpointSlice" => ("discovery.k8s.io", "endpointslices"),
            "Event" => ("events.k8s.io", "events"),
            "ConfigMap" => ("", "configmaps"),
            "Lease" => ("coordination.k8s.io", "leases"),
            other => panic!("{other}"),
        };
        let kind = GroupVersionKind::gvk(group, "v1", kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Creates an object. Returns the status code of the error, or 201.
    async fn create(&self, kind: &str, mut object: Value) -> u16 {
        let group = match kind {
            "EndpointSlice" => "discovery.k8s.io/v1",
            "Event" => "events.k8s.io/v1",
            "Lease" => "coordination.k8s.io/v1",
            _ => "v1",
        };
        (object["apiVersion"], object["kind"]) = (json!(group), json!(kind));

        let object: DynamicObject = serde_json::from_value(object).unwrap();
        match self.api(kind).create(&PostParams::default(), &object).await {
            Ok(made) => {
                let name = made.name_any();
                self.api(kind).delete(&name, &DeleteParams::default()).await.unwrap();
                201
            }
            Err(kube::Error::Api(status)) => status.code,
            Err(other) => panic!("{other}"),
        }
    }

    async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

/// A load balancer with these fields in its spec.
fn service(name: &str, spec: &Value) -> Value {
    let mut all = json!({"type": "LoadBalancer", "ports": [{"port": 25}]});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": all})
}

fn slice(type_: &str, endpoint: &Value) -> Value {
    json!({"metadata": {"name": "web.1"}, "addressType": type_, "endpoints": [endpoint]})
}

#[tokio::test]
async fn names_labels_and_fields_are_refused_as_the_real_server_refuses_them() {
    let cluster = Cluster::new().await;
    let long = "a".repeat(64);
    let none = json!({});
    let two = |first: Value, second: Value| json!({"ports": [first, second]});
    let refused = [
        ("Service", service("Web", &none)),
        ("Service", service("web.a", &none)),
        ("Service", service("-web", &none)),
        ("Service", service(&long, &none)),
        ("Service", service("web", &json!({"ports": null}))),
        ("Service", service("web", &json!({"ports": [{"port": 0}]}))),
        ("Service", service("web", &two(json!({"port": 1}), json!({"port": 2})))),
        (
            "Service",
            service("web", &two(json!({"name": "a", "port": 1}), json!({"name": "a", "port": 2}))),
        ),
        (
            "Service",
            service("web", &two(json!({"name": "a", "port": 1}), json!({"name": "b", "port": 1}))),
        ),
        ("Service", service("web", &json!({"ports": [{"port": 25, "nodePort": 80}]}))),
        ("Service", service("web", &json!({"type": "ClusterIP", "loadBalancerClass": "a.io/b"}))),
        ("Service", service("web", &json!({"loadBalancerClass": "a/b/c"}))),
        (
            "Service",
            service("web", &json!({"type": "ClusterIP", "externalTrafficPolicy": "Local"})),
        ),
        ("ConfigMap", json!({"metadata": {"name": "Upper"}})),
        ("ConfigMap", json!({"metadata": {"name": "a", "labels": {"a": "-"}}})),
        ("ConfigMap", json!({"metadata": {"name": "a", "labels": {"a": long}}})),
        ("ConfigMap", json!({"metadata": {"name": "a", "labels": {"a/b/c": "a"}}})),
        ("ConfigMap", json!({"metadata": {"name": "a", "annotations": {"a b": "a"}}})),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["127.0.0.1"]}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["169.254.0.1"]}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["0.0.0.0"]}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["224.0.0.1"]}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["2001:db8::1"]}))),
        ("EndpointSlice", slice("IPv6", &json!({"addresses": ["::1"]}))),
        ("EndpointSlice", slice("IPv6", &json!({"addresses": ["fe80::1"]}))),
        ("EndpointSlice", slice("IPv6", &json!({"addresses": ["::ffff:192.0.2.1"]}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": []}))),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["10.0.0.1"], "nodeName": "A"}))),
        ("Lease", json!({"metadata": {"name": "a"}, "spec": {"leaseDurationSeconds": 0}})),
        ("Event", event("", "a note")),
        ("Event", event(&cluster.namespace, &"a".repeat(1025))),
    ];

    for (kind, object) in refused {
        assert_eq!(cluster.create(kind, object.clone()).await, 422, "{kind} {object}");
    }
    cluster.end().await;
}

#[tokio::test]
async fn valid_objects_are_accepted() {
    let cluster = Cluster::new().await;
    let taken = [
        ("Service", service("web", &json!({}))),
        ("Service", service("web", &json!({"loadBalancerClass": "internal"}))),
        ("Service", service("web", &json!({"loadBalancerIP": "any text"}))),
        ("Service", service("web", &json!({"ports": [{"port": 53, "protocol": "UDP"}]}))),
        (
            "Service",
            service(
                "web",
                &json!({"ports": [{"name": "a", "port": 53, "protocol": "UDP"},
                    {"name": "b", "port": 53, "protocol": "TCP"}]}),
            ),
        ),
        (
            "Service",
            service("web", &json!({"type": "ClusterIP", "clusterIP": "None", "ports": null})),
        ),
        ("ConfigMap", json!({"metadata": {"name": "a.b-c", "labels": {"a.io/b": ""}}})),
        ("EndpointSlice", slice("IPv4", &json!({"addresses": ["10.0.0.1", "10.0.0.1"]}))),
        ("EndpointSlice", slice("IPv6", &json!({"addresses": ["2001:db8::1"], "nodeName": "a.b"}))),
        ("Event", event(&cluster.namespace, &"a".repeat(1024))),
    ];

    for (kind, object) in taken {
        assert_eq!(cluster.create(kind, object.clone()).await, 201, "{kind} {object}");
    }
    cluster.end().await;
}

fn event(namespace: &str, note: &str) -> Value {
    json!({"metadata": {"name": "a"}, "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal",
        "action": "Allocate", "reason": "IPAllocated", "reportingController": "test", "reportingInstance": "a",
        "note": note, "regarding": {"apiVersion": "v1", "kind": "Service", "name": "a", "namespace": namespace}})
}

#[tokio::test]
async fn immutable_fields_are_protected_and_only_load_balancers_keep_a_status() {
    let cluster = Cluster::new().await;
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let made = service("web", &json!({"loadBalancerClass": "example.com/a"}));
    let made = serde_json::from_value(made).unwrap();
    services.create(&PostParams::default(), &made).await.unwrap();
    let params = PatchParams { field_manager: Some("test".to_owned()), ..PatchParams::default() };
    let patch = async |patch: Value| services.patch("web", &params, &Patch::Merge(patch)).await;
    let status = async |status: Value| {
        let patch = json!({"metadata": {"annotations": {"example.com/a": "b"}}, "status": status});
        services.patch_status("web", &params, &Patch::Merge(patch)).await
    };
    let at = |ip: &str| json!({"loadBalancer": {"ingress": [{"ip": ip}]}});
    let code = |refused: Result<Service, kube::Error>| match refused {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    };

    for spec in [
        json!({"loadBalancerClass": "example.com/b"}),
        json!({"loadBalancerClass": null}),
        json!({"clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]}),
    ] {
        assert_eq!(code(patch(json!({"spec": spec})).await), 422, "{spec}");
    }
    for ip in ["1.2.3.400", "1.2.3.04", "::ffff:1.2.3.4", "a"] {
        assert_eq!(code(status(at(ip)).await), 422, "{ip}");
    }

    // The server notes which manager changed which fields.
    let written = status(at("127.0.0.1")).await.unwrap();
    let entries = serde_json::to_value(written.managed_fields()).unwrap();
    let mut of_status =
        entries.as_array().unwrap().iter().filter(|it| it["subresource"] == "status");
    let entry = of_status.next().unwrap();
    assert_eq!((&entry["manager"], &entry["operation"]), (&json!("test"), &json!("Update")));
    let fields = &entry["fieldsV1"];
    assert_eq!(fields["f:status"]["f:loadBalancer"], json!({"f:ingress": {}}));
    assert!(fields["f:metadata"]["f:annotations"].get("f:example.com/a").is_some(), "{fields}");
    let ingress = written.status.unwrap().load_balancer.unwrap().ingress.unwrap();
    assert_eq!(ingress[0].ip_mode.as_deref(), Some("VIP"));

    // A Service that becomes a ClusterIP loses the fields of a load balancer, and its addresses.
    let other = patch(json!({"spec": {"type": "ClusterIP"}})).await.unwrap();
    assert_eq!(other.spec.unwrap().load_balancer_class, None);
    assert_eq!(other.status.unwrap().load_balancer.unwrap_or_default().ingress, None);
    assert_eq!(code(status(at("192.0.2.1")).await), 422);
    // When the Service is a load balancer again, it may have another class.
    let again = json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/b"}});
    patch(again).await.unwrap();
    cluster.end().await;
}
