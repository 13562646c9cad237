//! [`SpeakerPod`]: the speaker of one node, asked through the API server.
//!
//! Owns the search for the pod and the requests to it. They use the pod's `proxy` subresource, with which the API server sends a
//! request to the pod's address. It only reads, and needs the right to `get` on `pods/proxy`. A port-forward would not reach a
//! speaker, which listens at its node's address rather than on loopback. The API server removes the token from a request, so that
//! a speaker that wants one cannot be asked this way.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use axum::http::{Request, StatusCode, header};
use ferrolb_node::{Error, causes};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::Value;

use super::client::{self, with_timeout};
use super::cluster_listing::candidates;

/// The pod of the speaker on one node.
#[derive(Clone)]
pub struct SpeakerPod {
    client: Client,
    node: String,
    namespace: String,
    name: String,
    endpoint: Endpoint,
}

/// The HTTP server of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Endpoint {
    port: i32,
    is_https: bool,
}

/// The answer of a speaker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpeakerAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl SpeakerPod {
    /// Finds the speaker of this node in the cluster of a kubeconfig file, of `KUBECONFIG`, or of this pod, by its labels.
    ///
    /// It is looked for in `namespace`, or else in the first that has speakers among the namespace of the kubeconfig's context
    /// and the usual ones.
    ///
    /// # Errors
    ///
    /// The API server is unreachable or refuses the request, or no speaker runs on the node. Without a node, the error names
    /// those that have a speaker.
    pub async fn find(
        kubeconfig: Option<&PathBuf>,
        namespace: Option<&str>,
        node: Option<&str>,
    ) -> Result<Self, Error> {
        let client = client::connect_to_pods(kubeconfig).await?;
        let namespaces = match namespace {
            Some(namespace) => vec![namespace.to_owned()],
            None => candidates(&BTreeSet::new(), client.default_namespace()),
        };
        let (namespace, pods) = speakers(&client, &namespaces).await?;

        let Some(pod) = pods.iter().find(|pod| node.is_some() && node_of(pod) == node) else {
            let nodes: BTreeSet<_> = pods.iter().filter_map(node_of).collect();
            let nodes: Vec<_> = nodes.into_iter().take(LISTED_NODES).collect();
            let nodes = nodes.join(", ");
            return Err(Error::new(match node {
                Some(node) => format!("--node {node}: no speaker runs there, only on {nodes}"),
                None => format!("--node NODE says which speaker of the cluster to ask: {nodes}"),
            }));
        };
        Ok(Self {
            client,
            node: node.unwrap_or_default().to_owned(),
            namespace,
            name: pod.metadata.name.clone().unwrap_or_default(),
            endpoint: Endpoint::of(pod),
        })
    }

    /// Asks for a path with its query.
    ///
    /// # Errors
    ///
    /// The API server or the speaker cannot be reached, the API server refuses the request, or the answer has more than `limit`
    /// octets.
    pub async fn get(&self, path: &str, limit: usize) -> Result<SpeakerAnswer, Error> {
        let Self { namespace, name, endpoint: Endpoint { port, is_https }, .. } = self;
        let scheme = if *is_https { "https:" } else { "" };
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{scheme}{name}:{port}/proxy{path}");
        let request = Request::get(uri).header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(Error::new)?;

        let asked = async {
            let response = self.client.send(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), limit).collect().await;
            Ok::<_, kube::Error>((status, body.map(|body| body.to_bytes())))
        };
        let (status, body) =
            with_timeout(asked).await.map_err(|error| Error::new(causes(&error)))?;
        let body = body.map_err(Error::new)?;
        match refusal(status, &body) {
            Some(reason) => Err(Error::new(format!("the API server says: {reason}"))),
            // The API server has removed the token from the request.
            None if status == StatusCode::UNAUTHORIZED => Err(Error::new(format!(
                "it wants a token (--http-auth=kubernetes), and the API server passes none on: use \
                 `kubectl -n {namespace} exec {name} -- /ferrolb` with the same command and without --node"
            ))),
            None => Ok(SpeakerAnswer { status: status.as_u16(), body }),
        }
    }
}

/// Lists the speakers of the first of these namespaces that has any.
async fn speakers(client: &Client, namespaces: &[String]) -> Result<(String, Vec<Pod>), Error> {
    let mut refused = None;
    for namespace in namespaces {
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        match with_timeout(api.list(&ListParams::default().labels(LABELS))).await {
            Ok(list) if list.items.is_empty() => {}
            Ok(list) => {
                let mut pods = list.items;
                // While a pod is replaced, the one that stays is asked.
                pods.sort_by_key(|pod| pod.metadata.deletion_timestamp.is_some());
                return Ok((namespace.clone(), pods));
            }
            Err(error) => {
                let error = format!("cannot list pods: {}", causes(&error));
                refused.get_or_insert_with(|| Error::new(error));
            }
        }
    }

    Err(refused.unwrap_or_else(|| {
        let searched = namespaces.join(" or ");
        Error::new(format!(
            "no pod has the labels {LABELS} in the namespace {searched}: give FerroLB's namespace with --namespace"
        ))
    }))
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

impl Endpoint {
    /// Finds the port by its name in the manifests, and the scheme by the probe of the kubelet.
    fn of(pod: &Pod) -> Self {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut served = containers.filter_map(|container| {
            let mut ports = container.ports.iter().flatten();
            let http = ports.find(|port| port.name.as_deref() == Some("http"))?;
            let probe = container.liveness_probe.as_ref().and_then(|it| it.http_get.as_ref());
            let is_https = probe.and_then(|it| it.scheme.as_deref()) == Some("HTTPS");
            Some(Self { port: http.container_port, is_https })
        });
        served.next().unwrap_or(Self { port: DEFAULT_PORT, is_https: false })
    }
}

/// Returns the reason of a response that is the API server's own rather than the speaker's.
fn refusal(status: StatusCode, body: &[u8]) -> Option<String> {
    if status.is_success() {
        return None;
    }
    let document: Value = serde_json::from_slice(body).ok()?;
    let is_status = document["kind"] == "Status" && document["apiVersion"] == "v1";
    let message = document["message"].as_str().unwrap_or_default();
    is_status.then(|| message.to_owned())
}

/// Two are the same if they name the same pod.
impl PartialEq for SpeakerPod {
    fn eq(&self, other: &Self) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }
}

impl Eq for SpeakerPod {}

impl fmt::Debug for SpeakerPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, endpoint, .. } = self;
        write!(f, "SpeakerPod({namespace}/{name}:{})", endpoint.port)
    }
}

/// The speaker as messages name it.
impl fmt::Display for SpeakerPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the speaker of {} (pod {}/{})", self.node, self.namespace, self.name)
    }
}

/// The labels of the speakers in the manifests and in the chart.
const LABELS: &str = "app.kubernetes.io/name=ferrolb,app.kubernetes.io/component=speaker";
const DEFAULT_PORT: i32 = 7472;
/// The most nodes in an error.
const LISTED_NODES: usize = 50;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_port_is_the_one_that_the_manifests_name_http() {
        let pod = |ports: Value, scheme: Value| -> Pod {
            serde_json::from_value(json!({"spec": {"containers": [
                {"name": "sidecar"}, {"name": "speaker", "ports": ports,
                    "livenessProbe": {"httpGet": {"path": "/livez", "port": "http", "scheme": scheme}}},
            ]}}))
            .unwrap()
        };
        let (other, http) = (
            json!({"name": "other", "containerPort": 1}),
            json!({"name": "http", "containerPort": 7473}),
        );
        let of = |ports, scheme| Endpoint::of(&pod(ports, scheme));
        let found = of(json!([other, http]), Value::Null);
        assert_eq!(found, Endpoint { port: 7473, is_https: false });
        let found = of(json!([http]), json!("HTTPS"));
        assert_eq!(found, Endpoint { port: 7473, is_https: true });
        let default = Endpoint { port: DEFAULT_PORT, is_https: false };
        assert_eq!(of(json!([other]), Value::Null), default);
        assert_eq!(Endpoint::of(&Pod::default()), default);
    }

    #[test]
    fn a_refusal_of_the_api_server_is_not_an_answer_of_the_speaker() {
        let status = json!({"kind": "Status", "apiVersion": "v1", "message": "pods is forbidden"});
        let status = status.to_string();
        let refused = refusal(StatusCode::FORBIDDEN, status.as_bytes());
        assert_eq!(refused.as_deref(), Some("pods is forbidden"));
        let of_speaker = br#"{"error": "there is no peer tor9"}"#;
        assert_eq!(refusal(StatusCode::NOT_FOUND, of_speaker), None);
        assert_eq!(refusal(StatusCode::OK, status.as_bytes()), None);
    }
}
