//! The status of pools at the API server of the tests, in virtual time.

use kube::api::{Patch, PatchParams};
use test_apiserver::ApiServer;

use super::*;
use test_log_lines::TestLog;

const DEFINITIONS: &str = include_str!("../../deploy/kustomize/crds/metallb.io.yaml");

#[tokio::test(start_paused = true)]
async fn two_controllers_do_not_write_against_each_other_all_the_time() {
    let (log, _guard) = TestLog::begin();
    let server = ApiServer::builder().manifests(&[DEFINITIONS]).start().await;
    let client = Client::new(server.service("admin"), "default");
    server.put(json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "default"}, "spec": {"addresses": ["192.0.2.0/28"]}}));
    let resource = Kind::IpAddressPool.api_resource();
    let api: Api<ObjectTree> = Api::namespaced_with(client.clone(), "default", &resource);
    let mut pools = PoolStatusWriter::new(client, "default", "test");
    pools.observe(&api.get("default").await.unwrap());
    let sample = PoolSample { name: "default".to_owned(), ..PoolSample::default() };

    // Another controller answers each write at once, for an hour, with what it counts itself.
    let mut writes = 0;
    let begin = Instant::now();
    let mut pass = async |time: Duration, answers: bool| {
        let end = begin + time;
        while tokio::time::timeout_at(end, pools.due()).await.is_ok() {
            pools.write(std::slice::from_ref(&sample));
            while pools.writer.is_writing(&"default".to_owned()) {
                assert!(pools.writer.next().await.is_some());
                writes += 1;
                pools.observe(&api.get("default").await.unwrap());
                if answers {
                    let theirs = Patch::Merge(json!({"status": {"assignedIPv4": 7}}));
                    api.patch_status("default", &PatchParams::default(), &theirs).await.unwrap();
                    pools.observe(&api.get("default").await.unwrap());
                }
            }
        }
        writes
    };
    let contested = pass(Duration::from_secs(3600), true).await;
    assert!((5..=15).contains(&contested), "{contested} writes in an hour");
    assert_eq!(log.count("another controller also writes the status of the pool"), 1);

    // It has ended.
    pass(Duration::from_secs(3600) + TRUCE, false).await;
    let pool = api.get("default").await.unwrap();
    assert_eq!(pool.text(&["status", "assignedIPv4"]), Some("0"));
}
