//! An object that others remove or write, at the API server of the tests.

use kube::Config;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use test_apiserver::{ApiServer, Fault};
use tokio::task::JoinHandle;

use super::*;

const RESOURCES: &str = include_str!("../../deploy/kustomize/crds/metallb.io.yaml");
const KIND: (&str, &str, &str, &str) =
    ("metallb.io", "v1beta1", "ConfigurationState", "configurationstates");

/// An object that a task keeps up to date.
struct Kept {
    _server: ApiServer,
    api: Api<ObjectTree>,
    keeping: JoinHandle<()>,
}

impl Kept {
    async fn new() -> Self {
        let server = ApiServer::builder().manifests(&[RESOURCES]).start().await;
        let kubeconfig = Kubeconfig::read_from(server.kubeconfig("admin")).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let mut object = StatusObject::new(client, "default", KIND, "a", "test", Duration::ZERO);
        let api = object.object.api.clone();
        let keeping = tokio::spawn(async move {
            loop {
                object.due().await;
                object.write(json!({"result": "Valid", "conditions": [
                    {"type": "Read", "status": "True", "reason": "Valid", "message": ""}]}));
            }
        });
        let kept = Self { _server: server, api, keeping };
        kept.written().await;
        kept
    }

    /// Waits until the object has its status, and returns it.
    async fn written(&self) -> ObjectTree {
        let begin = std::time::Instant::now();
        loop {
            let found = self.api.get_opt("a").await.unwrap();
            if let Some(object) = found.filter(|it| it.text(&["status", "result"]) == Some("Valid"))
            {
                return object;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it is not written");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn delete(&self) {
        drop(self.api.delete("a", &DeleteParams::default()).await.unwrap());
        assert!(self.api.get_opt("a").await.unwrap().is_none());
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// Lets time pass at once, except for sockets.
async fn after(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_object_that_others_remove_or_change_is_restored_within_a_period() {
    let kept = Kept::new().await;
    for _ in 0..2 {
        kept.delete().await;
        after(REREAD_PERIOD).await;
        kept.written().await;
    }
    let other = json!({"status": {"result": "Invalid"}});
    let params = PatchParams::default();
    kept.api.patch_status("a", &params, &Patch::Merge(other)).await.unwrap();
    after(REREAD_PERIOD).await;
    kept.written().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_waits_as_long_as_anything_else_after_a_failure() {
    let server = ApiServer::builder().manifests(&[RESOURCES]).start().await;
    let client = Client::new(server.service("admin"), "default");
    let object = StatusObject::new(client, "default", KIND, "a", "test", Duration::ZERO);
    let mut object = object.heartbeat(Duration::from_secs(1));
    let mut requests_in = async |seconds| {
        let before = server.asked().len();
        let kept = async {
            loop {
                object.due().await;
                object.write(json!({"result": "Valid"}));
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(seconds), kept).await);
        server.asked().len() - before
    };
    assert!(requests_in(20).await >= 20);
    server.fail_next(1000, Fault::Internal);
    let refused = requests_in(100).await;
    assert!((5..=7).contains(&refused), "{refused}");
}
