//! What a Service gets from the server: node ports, a port for health checks, families and cluster IPs. With
//! `FERROLB_TEST_KUBECONFIG` set, a real API server shows that it behaves the same.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::{ApiServer, Builder};

/// The Services of a namespace that this test owns.
struct Services {
    client: Client,
    namespace: String,
    api: Api<Service>,
    _server: Option<ApiServer>,
}

impl Services {
    async fn new() -> Self {
        match std::env::var_os("FERROLB_TEST_KUBECONFIG") {
            Some(path) => Self::at(Kubeconfig::read_from(path).unwrap(), None).await,
            None => Self::of(ApiServer::builder()).await,
        }
    }

    async fn of(builder: Builder) -> Self {
        let server = builder.start().await;
        let kubeconfig = Kubeconfig::read_from(server.kubeconfig("admin")).unwrap();
        Self::at(kubeconfig, Some(server)).await
    }

    async fn at(kubeconfig: Kubeconfig, server: Option<ApiServer>) -> Self {
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();

        let namespaces: Api<Namespace> = Api::all(client.clone());
        let name = json!({"metadata": {"generateName": "ferrolb-test-services-"}});
        let name = serde_json::from_value(name).unwrap();
        let created = namespaces.create(&PostParams::default(), &name).await.unwrap();
        let namespace = created.name_any();
        let api = Api::namespaced(client.clone(), &namespace);
        Self { client, namespace, api, _server: server }
    }

    /// Creates a Service with port 25. Returns its spec, or the code and text of the refusal.
    async fn create(&self, name: &str, spec: Value) -> Result<Value, (u16, String)> {
        let mut service = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 25}]}});
        for (key, value) in spec.as_object().unwrap() {
            service["spec"][key] = value.clone();
        }
        let service = serde_json::from_value(service).unwrap();
        spec_of(self.api.create(&PostParams::default(), &service).await)
    }

    async fn patch(&self, name: &str, spec: Value) -> Result<Value, (u16, String)> {
        let patch = Patch::Merge(json!({"spec": spec}));
        spec_of(self.api.patch(name, &PatchParams::default(), &patch).await)
    }

    async fn delete(&self, name: &str) {
        self.api.delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

fn spec_of(answer: Result<Service, kube::Error>) -> Result<Value, (u16, String)> {
    match answer {
        Ok(service) => Ok(serde_json::to_value(service.spec).unwrap()),
        Err(kube::Error::Api(status)) => Err((status.code, status.message)),
        Err(other) => panic!("{other}"),
    }
}

fn node_ports(spec: &Value) -> Vec<u64> {
    let ports = spec["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| port["nodePort"].as_u64()).collect()
}

#[track_caller]
fn refused(answer: Result<Value, (u16, String)>, code: u16, text: &str) {
    let (found, message) = answer.unwrap_err();
    assert_eq!(found, code, "{message}");
    assert!(message.contains(text), "{message}");
}

#[tokio::test]
async fn load_balancers_have_node_ports_and_those_with_policy_local_a_port_for_health_checks() {
    let services = Services::new().await;
    let mut seen = BTreeSet::new();
    for (name, spec, count, has_health_check) in [
        ("cluster", json!({"type": "LoadBalancer"}), 1, false),
        ("local", json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}), 1, true),
        ("by-node", json!({"type": "NodePort", "externalTrafficPolicy": "Local"}), 1, false),
        (
            "without",
            json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local",
                "allocateLoadBalancerNodePorts": false}),
            0,
            true,
        ),
        ("inside", json!({}), 0, false),
    ] {
        let spec = services.create(name, spec).await.unwrap();
        let ports = node_ports(&spec);
        assert_eq!(ports.len(), count, "{name}");

        let health_check = spec["healthCheckNodePort"].as_u64();
        assert_eq!(health_check.is_some(), has_health_check, "{name}");
        for port in ports.into_iter().chain(health_check) {
            assert!((30_000..=32_767).contains(&port), "{name}: {port}");
            assert!(seen.insert(port), "{name}: {port} again");
        }
    }

    // Ports of one number share a node port.
    let dns = json!({"type": "LoadBalancer", "ports": [{"name": "udp", "port": 53, "protocol": "UDP"},
        {"name": "tcp", "port": 53}, {"name": "tls", "port": 853}]});
    let ports = node_ports(&services.create("dns", dns).await.unwrap());
    assert_eq!(ports[0], ports[1]);
    assert_ne!(ports[0], ports[2]);
    services.end().await;
}

#[tokio::test]
async fn the_port_for_health_checks_follows_the_policy_and_is_immutable() {
    let services = Services::new().await;
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    let first = services.create("web", local.clone()).await.unwrap();
    let port = first["healthCheckNodePort"].as_u64().unwrap();

    let other = if port == 31_999 { 31_998 } else { 31_999 };
    let moved = services.patch("web", json!({"healthCheckNodePort": other})).await;
    refused(moved, 422, "spec.healthCheckNodePort: Forbidden: field is immutable");
    for kept in [json!({"healthCheckNodePort": null}), json!({"sessionAffinity": "ClientIP"})] {
        let spec = services.patch("web", kept).await.unwrap();
        assert_eq!(spec["healthCheckNodePort"], port);
    }

    let cluster = services.patch("web", json!({"externalTrafficPolicy": "Cluster"})).await;
    let cluster = cluster.unwrap();
    assert!(cluster["healthCheckNodePort"].is_null(), "{cluster}");
    assert_eq!(node_ports(&cluster), node_ports(&first));
    let local = services.patch("web", json!({"externalTrafficPolicy": "Local"})).await.unwrap();
    assert!(local["healthCheckNodePort"].is_u64(), "{local}");

    let by_node = services.patch("web", json!({"type": "NodePort"})).await.unwrap();
    assert!(by_node["healthCheckNodePort"].is_null(), "{by_node}");
    assert_eq!(by_node["externalTrafficPolicy"], "Local");
    let inside = services.patch("web", json!({"type": "ClusterIP"})).await.unwrap();
    assert_eq!(node_ports(&inside), Vec::<u64>::new());
    assert!(inside["externalTrafficPolicy"].is_null(), "{inside}");
    services.end().await;
}

#[tokio::test]
async fn ports_that_are_taken_out_of_range_or_without_use_are_refused() {
    let services = Services::new().await;
    let local = |port: Value| json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": port});
    let first = services.create("first", local(Value::Null)).await.unwrap();
    let (health_check, node_port) = (&first["healthCheckNodePort"], node_ports(&first)[0]);

    // A port that cannot be allocated for health checks is an internal error on the real server.
    for taken in [health_check, &json!(node_port)] {
        let text = format!(
            "failed to allocate requested HealthCheck NodePort {taken}: provided port is already allocated"
        );
        refused(services.create("taken", local(taken.clone())).await, 500, &text);
    }
    let far = "HealthCheck NodePort 80: provided port is not in the valid range";
    refused(services.create("far", local(json!(80))).await, 500, far);

    let useless =
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    for (type_, policy) in [("LoadBalancer", "Cluster"), ("NodePort", "Local")] {
        let spec =
            json!({"type": type_, "externalTrafficPolicy": policy, "healthCheckNodePort": 32_000});
        refused(services.create("useless", spec).await, 422, useless);
    }

    let with_port =
        |port: u64| json!({"type": "NodePort", "ports": [{"port": 25, "nodePort": port}]});
    let text = format!(
        "spec.ports[0].nodePort: Invalid value: {node_port}: provided port is already allocated"
    );
    refused(services.create("taken", with_port(node_port)).await, 422, &text);
    let text = "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range";
    refused(services.create("far", with_port(80)).await, 422, text);

    // A deleted Service frees its ports, and a refused one never had any.
    services.delete("first").await;
    services.create("next", with_port(node_port)).await.unwrap();
    services.create("health", local(health_check.clone())).await.unwrap();
    services.end().await;
}

#[tokio::test]
async fn an_update_keeps_the_ports_and_addresses_that_it_leaves_out() {
    let services = Services::new().await;
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    let first = services.create("web", local).await.unwrap();

    // The fields that the server set are missing, as in the manifest of a user.
    let mut service = services.api.get("web").await.unwrap();
    let bare = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local",
        "ports": [{"port": 25}], "selector": {"app": "web"}});
    service.spec = Some(serde_json::from_value(bare).unwrap());
    let second = spec_of(services.api.replace("web", &PostParams::default(), &service).await);
    let second = second.unwrap();

    for field in ["clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort", "ports"] {
        assert_eq!(second[field], first[field], "{field}");
    }

    // Another port gets another node port.
    let ports = json!([{"name": "a", "port": 25}, {"name": "b", "port": 26}]);
    let third = services.patch("web", json!({"ports": ports})).await.unwrap();
    assert_eq!(node_ports(&third).into_iter().collect::<BTreeSet<_>>().len(), 2, "{third}");
    services.end().await;
}

#[tokio::test]
async fn fields_with_few_values_refuse_others_and_have_defaults() {
    let services = Services::new().await;
    for (spec, text) in [
        (
            json!({"trafficDistribution": "Near"}),
            r#"spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose""#,
        ),
        (
            json!({"internalTrafficPolicy": "Near"}),
            r#"spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local""#,
        ),
        (
            json!({"type": "LoadBalancer", "externalTrafficPolicy": "Near"}),
            r#"spec.externalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local""#,
        ),
        (
            json!({"sessionAffinity": "Cookie"}),
            r#"spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None""#,
        ),
        (
            json!({"sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86_401}}}),
            "must be greater than 0 and less than 86400",
        ),
        (
            json!({"allocateLoadBalancerNodePorts": false}),
            "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            json!({"type": "LoadBalancer", "clusterIP": "None"}),
            "may not be set to 'None' for LoadBalancer services",
        ),
        (json!({"type": "ExternalName"}), "spec.externalName: Required value"),
        (json!({"ipFamilies": ["IPv4", "IPv4"]}), r#"spec.ipFamilies[1]: Duplicate value: "IPv4""#),
    ] {
        refused(services.create("web", spec).await, 422, text);
    }

    let spec = json!({"sessionAffinity": "ClientIP", "trafficDistribution": "PreferClose"});
    let spec = services.create("web", spec).await.unwrap();
    assert_eq!(spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10_800);
    assert_eq!(spec["internalTrafficPolicy"], "Cluster");
    assert_eq!(spec["ipFamilyPolicy"], "SingleStack");
    let spec = services.patch("web", json!({"sessionAffinity": "None"})).await.unwrap();
    assert!(spec["sessionAffinityConfig"].is_null(), "{spec}");

    // A name has no address, and gets one when it becomes something else.
    let name = json!({"type": "ExternalName", "externalName": "example.com"});
    let spec = services.patch("web", name).await.unwrap();
    assert!(spec["clusterIP"].is_null() && spec["ipFamilies"].is_null(), "{spec}");
    let spec = services.patch("web", json!({"type": "ClusterIP", "externalName": null})).await;
    assert!(spec.unwrap()["clusterIP"].is_string());
    services.end().await;
}

#[tokio::test]
async fn a_dual_stack_cluster_gives_two_addresses_when_the_policy_allows() {
    let services = Services::of(ApiServer::builder()).await;
    let both = json!(["IPv4", "IPv6"]);
    for (spec, families) in [
        (json!({}), json!(["IPv4"])),
        (json!({"ipFamilies": ["IPv6"]}), json!(["IPv6"])),
        (json!({"ipFamilyPolicy": "PreferDualStack"}), both.clone()),
        (
            json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}),
            json!(["IPv6", "IPv4"]),
        ),
    ] {
        let spec = services.create("web", spec).await.unwrap();
        assert_eq!(spec["ipFamilies"], families);
        let addresses = spec["clusterIPs"].as_array().unwrap();
        assert_eq!(addresses[0], spec["clusterIP"]);
        let found: Vec<&str> = addresses
            .iter()
            .map(|it| if it.as_str().unwrap().contains(':') { "IPv6" } else { "IPv4" })
            .collect();
        assert_eq!(json!(found), families);
        services.delete("web").await;
    }

    let two = json!({"ipFamilies": both});
    let text =
        "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified";
    refused(services.create("web", two).await, 422, text);
    let spec = services.create("web", json!({"clusterIP": "10.96.9.9"})).await.unwrap();
    assert_eq!(spec["clusterIPs"], json!(["10.96.9.9"]));
    let text = "failed to allocate IP 10.96.9.9: provided IP is already allocated";
    refused(services.create("other", json!({"clusterIP": "10.96.9.9"})).await, 422, text);

    // Both ways, the first address stays.
    let spec = services.patch("web", json!({"ipFamilyPolicy": "PreferDualStack"})).await.unwrap();
    assert_eq!(spec["clusterIPs"].as_array().unwrap().len(), 2);
    let spec = services.patch("web", json!({"ipFamilyPolicy": "SingleStack"})).await.unwrap();
    assert_eq!(spec["clusterIPs"], json!(["10.96.9.9"]));
    services.end().await;
}

#[tokio::test]
async fn a_full_range_of_node_ports_has_none_left() {
    let services = Services::of(ApiServer::builder().node_ports(40_000..=40_002)).await;
    let local = || json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    services.create("one", local()).await.unwrap();
    refused(services.create("two", local()).await, 500, "range is full");

    // The refused Service left nothing behind.
    services.create("three", json!({"type": "NodePort"})).await.unwrap();
    services.delete("three").await;
    services.create("four", json!({"type": "NodePort"})).await.unwrap();
    services.end().await;
}

#[tokio::test]
async fn a_service_proxy_can_select_what_it_needs() {
    let services = Services::new().await;
    services.create("web", json!({})).await.unwrap();
    services.create("headless", json!({"clusterIP": "None"})).await.unwrap();
    let other = json!({"metadata": {"name": "other", "labels": {"service.kubernetes.io/service-proxy-name": "a"}},
        "spec": {"ports": [{"port": 25}]}});
    let other = serde_json::from_value(other).unwrap();
    services.api.create(&PostParams::default(), &other).await.unwrap();

    let params = ListParams::default()
        .labels("!service.kubernetes.io/service-proxy-name")
        .fields("spec.clusterIP!=None");
    let found = services.api.list(&params).await.unwrap();
    let names: Vec<String> = found.items.iter().map(|service| service.name_any()).collect();
    assert_eq!(names, ["web"]);
    assert!(services.api.list(&ListParams::default().fields("spec.ports=a")).await.is_err());

    let ranges: Api<ServiceCIDR> = Api::all(services.client.clone());
    let range = ranges.get("kubernetes").await.unwrap();
    assert!(range.spec.unwrap().cidrs.is_some_and(|cidrs| !cidrs.is_empty()));
    services.end().await;
}

#[tokio::test]
async fn a_client_without_a_token_has_the_rights_that_the_test_gives_it() {
    for (builder, is_allowed) in
        [(ApiServer::builder(), false), (ApiServer::builder().anonymous("admin"), true)]
    {
        let server = builder.start().await;
        let config = Config::new(server.url().parse().unwrap());
        let services: Api<Service> = Api::default_namespaced(Client::try_from(config).unwrap());
        match services.list(&ListParams::default()).await {
            Ok(_) => assert!(is_allowed),
            Err(kube::Error::Api(status)) => assert_eq!((status.code, is_allowed), (401, false)),
            Err(other) => panic!("{other}"),
        }
    }
}
