//! A cluster to test in, and our programs in it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

/// The roles that are installed in a cluster.
const ROLES: &str = include_str!("../../../deploy/kustomize/base/rbac.yaml");
/// Our own resources.
const RESOURCES: &str = include_str!("../../../deploy/kustomize/crds/ferrolb.io.yaml");

/// An API server, and a namespace of the test's own in it, with a configuration.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Where Services are made.
    pub(crate) namespace: String,
    /// Where the configuration is.
    pub(crate) system: String,
    /// Where it is ours.
    pub(crate) server: Option<ApiServer>,
    /// Services of others at a real server are none of ours.
    class: String,
}

impl Cluster {
    /// With this text of a configuration of MetalLB 0.7.3.
    pub(crate) async fn new(config: &str) -> Self {
        let (path, server) = match std::env::var_os("FERROLB_TEST_KUBECONFIG") {
            Some(path) => (path.into(), None),
            None => {
                let server = ApiServer::builder().manifests(&[ROLES, RESOURCES]).start().await;
                (server.kubeconfig("admin"), Some(server))
            }
        };
        let kubeconfig = Kubeconfig::read_from(path).unwrap();
        let options = KubeConfigOptions::default();
        let kubeconfig = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(kubeconfig).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let mut made = Vec::new();
        for name in ["ferrolb-test-", "ferrolb-test-system-"] {
            let namespace = object::<Namespace>(json!({"metadata": {"generateName": name}}));
            let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
            made.push(namespace.name_any());
        }
        let (system, namespace) = (made.pop().unwrap(), made.pop().unwrap());
        if let Some(server) = &server {
            // The roles are those of the namespace that is installed into.
            let here = ROLES.replace("namespace: ferrolb-system", &format!("namespace: {system}"));
            let documents: Vec<Value> = serde_saphyr::from_multiple(&here).unwrap();
            for mut document in documents {
                let kind = document["kind"].as_str().unwrap_or_default();
                if !kind.starts_with("Cluster") {
                    document["metadata"]["namespace"] = json!(system);
                }
                server.put(document);
            }
        }
        let class = format!("ferrolb.io/{namespace}");
        let cluster = Self { client, namespace, system, server, class };
        cluster.configure(config).await;
        cluster
    }

    /// Writes the ConfigMap.
    pub(crate) async fn configure(&self, config: &str) {
        let api: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(self.client.clone(), &self.system);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
            "data": {"config": config}});
        let params = kube::api::PatchParams::apply("test").force();
        api.patch("config", &params, &kube::api::Patch::Apply(map)).await.unwrap();
    }

    /// A program of ours, with the rights of its service account.
    pub(crate) fn start(&self, program: &str, name: &str, arguments: &[&str]) -> Program {
        let account = format!("{}/ferrolb-{program}", self.system);
        let kubeconfig = match &self.server {
            Some(server) => server.kubeconfig(&account),
            None => std::env::var_os("FERROLB_TEST_KUBECONFIG").unwrap().into(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
        command
            .arg(program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", &self.system, "--pod-name", name, "--lb-class", &self.class])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        Program(command.spawn().unwrap())
    }

    pub(crate) fn services(&self) -> Api<Service> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates a Service of type LoadBalancer that is ours; `spec` is merged into it.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> Service {
        let mut service = json!({"metadata": {"name": name}, "spec": {"type": "LoadBalancer",
            "loadBalancerClass": self.class, "ports": [{"port": 25}]}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            service["spec"][key] = value.clone();
        }
        self.services().create(&PostParams::default(), &object(service)).await.unwrap()
    }

    /// Waits until the status of a Service has these addresses.
    pub(crate) async fn wait_for_addresses(&self, name: &str, addresses: &[&str]) {
        wait(&format!("{name} to have {addresses:?}"), async || {
            let service = self.services().get(name).await.map_err(|error| error.to_string())?;
            let found = addresses_of(&service);
            if found == addresses { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// Requests of one of our programs so far, if the server is ours.
    pub(crate) fn asked(&self, program: &str) -> Vec<test_apiserver::Asked> {
        let who = format!("{}/ferrolb-{program}", self.system);
        let asked = self.server.as_ref().map(ApiServer::asked).unwrap_or_default();
        asked.into_iter().filter(|asked| asked.who == who).collect()
    }

    /// Everything that was made goes.
    pub(crate) async fn end(self) {
        // What one of our programs was not allowed is a verb that a role lacks.
        for program in ["controller", "speaker"] {
            let refused: Vec<_> =
                self.asked(program).into_iter().filter(|it| !it.allowed).collect();
            assert!(refused.is_empty(), "the roles lack: {refused:?}");
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for namespace in [&self.namespace, &self.system] {
            namespaces.delete(namespace, &DeleteParams::default()).await.unwrap();
        }
    }
}

/// A process of ours; killed when it is dropped.
pub(crate) struct Program(Child);

impl Program {
    /// As a machine that loses power.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// As Kubernetes ends a pod; waits until it has ended, which must be with 0.
    pub(crate) async fn terminate(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begin = Instant::now();
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begin.elapsed() < Duration::from_secs(20), "it does not end"),
            }
            // The API server runs in this thread too.
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) fn addresses_of(service: &Service) -> Vec<String> {
    let status = service.status.clone().unwrap_or_default();
    let ingress = status.load_balancer.unwrap_or_default().ingress.unwrap_or_default();
    ingress.into_iter().filter_map(|entry| entry.ip).collect()
}

pub(crate) fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Asks again until the answer is right; says the last wrong one when time is up.
pub(crate) async fn wait<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(wrong) if begin.elapsed() > Duration::from_secs(60) => {
                panic!("waited for {what}, found {wrong}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
