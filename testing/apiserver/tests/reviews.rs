//! The reviews of this API server: whose a token is, and what its owner may do. With `FERROLB_TEST_KUBECONFIG` set, the questions that
//! a server refuses go to a real one instead.

use k8s_openapi::api::authentication::v1::TokenReview;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

const ACCOUNTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: monitoring}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: speaker, namespace: lb}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {nonResourceURLs: [/metrics, /v1/*], verbs: [get]}
- {apiGroups: [''], resources: [services], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: lb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: speaker, namespace: lb}]
";

async fn client(path: std::path::PathBuf) -> Client {
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn token_review(client: &Client, token: &str) -> Result<Value, u16> {
    let review: TokenReview = serde_json::from_value(json!({"spec": {"token": token}})).unwrap();
    let api: Api<TokenReview> = Api::all(client.clone());
    answer(api.create(&PostParams::default(), &review).await)
}

async fn access_review(client: &Client, spec: Value) -> Result<Value, u16> {
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": spec})).unwrap();
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    answer(api.create(&PostParams::default(), &review).await)
}

fn answer(reviewed: Result<impl serde::Serialize, kube::Error>) -> Result<Value, u16> {
    match reviewed {
        Ok(review) => Ok(serde_json::to_value(review).unwrap()["status"].clone()),
        Err(kube::Error::Api(status)) => Err(status.code),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn meaningless_questions_are_refused_as_by_the_real_server() {
    let (path, _server) = match std::env::var_os("FERROLB_TEST_KUBECONFIG") {
        Some(path) => (path.into(), None),
        None => {
            let server = ApiServer::builder().start().await;
            (server.kubeconfig("admin"), Some(server))
        }
    };
    let client = client(path).await;

    assert_eq!(token_review(&client, "").await, Err(400));
    let unknown = token_review(&client, "nobody/nothing").await.unwrap();
    assert_ne!(unknown["authenticated"], true, "{unknown}");
    assert!(unknown["error"].is_string(), "{unknown}");

    let path = json!({"path": "/metrics", "verb": "get"});
    let resource = json!({"resource": "services", "verb": "list"});
    for spec in [
        json!({"user": "a"}),
        json!({"nonResourceAttributes": path}),
        json!({"user": "a", "nonResourceAttributes": path, "resourceAttributes": resource}),
    ] {
        assert_eq!(access_review(&client, spec.clone()).await, Err(422), "{spec}");
    }
    let stranger = json!({"user": "a", "nonResourceAttributes": path});
    assert_eq!(access_review(&client, stranger).await.unwrap()["allowed"], false);
    let master = json!({"groups": ["system:masters"], "nonResourceAttributes": path});
    assert_eq!(access_review(&client, master).await.unwrap()["allowed"], true);

    // A review is answered and not stored.
    let api: Api<TokenReview> = Api::all(client);
    let listed = api.list(&ListParams::default()).await;
    assert!(matches!(&listed, Err(kube::Error::Api(status)) if status.code == 405), "{listed:?}");
}

#[tokio::test]
async fn a_review_follows_the_roles() {
    let server = ApiServer::builder().manifests(&[ACCOUNTS]).start().await;
    let client = client(server.kubeconfig("admin")).await;
    let reviewed = token_review(&client, "monitoring/prometheus").await.unwrap();
    assert_eq!(reviewed["authenticated"], true);
    let user = &reviewed["user"];
    assert_eq!(user["username"], "system:serviceaccount:monitoring:prometheus");

    let may = async |account: &str, attributes: Value| {
        let mut spec = json!({"user": format!("system:serviceaccount:{account}")});
        let kind = if attributes["path"].is_string() { "nonResource" } else { "resource" };
        spec[format!("{kind}Attributes")] = attributes;
        access_review(&client, spec).await.unwrap()["allowed"] == true
    };
    let get = |path: &str| json!({"path": path, "verb": "get"});
    assert!(may("monitoring:prometheus", get("/metrics")).await);
    assert!(may("monitoring:prometheus", get("/v1/peers")).await);
    assert!(!may("monitoring:prometheus", get("/metrics/cadvisor")).await);
    assert!(!may("monitoring:prometheus", json!({"path": "/metrics", "verb": "post"})).await);
    // The rights to paths come from ClusterRoleBindings only.
    assert!(!may("lb:speaker", get("/metrics")).await);

    let list =
        |namespace: &str| json!({"resource": "services", "verb": "list", "namespace": namespace});
    assert!(may("lb:speaker", list("lb")).await);
    assert!(!may("lb:speaker", list("other")).await);
    assert!(may("monitoring:prometheus", list("other")).await);
}

#[tokio::test]
async fn only_those_who_may_review_get_an_answer() {
    let server = ApiServer::builder().manifests(&[ACCOUNTS]).start().await;
    let client = client(server.kubeconfig("lb/speaker")).await;
    assert_eq!(token_review(&client, "monitoring/prometheus").await, Err(403));
    let spec = json!({"user": "a", "nonResourceAttributes": {"path": "/", "verb": "get"}});
    assert_eq!(access_review(&client, spec).await, Err(403));
}
