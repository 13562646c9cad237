use std::time::Duration;

use serde_json::json;

use super::*;

/// A leader that reaches no API server.
fn leader() -> Leader {
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let options = ControllerOptions::of_test("default");
    let process = options.cluster.process(Program::Controller, None);
    Leader::new(Client::try_from(nowhere).unwrap(), &options, process)
}

fn observed(version: &str) -> WatchEvent {
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "mail", "name": "smtp", "uid": version},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]}});
    WatchEvent::Applied(Kind::Service, Box::new(serde_json::from_value(service).unwrap()))
}

/// A Service may be given back the address that its status still has: then nothing but its pool has a new status.
#[tokio::test(start_paused = true)]
async fn pools_are_counted_again_after_a_service_whose_status_stays() {
    let mut leader = leader();
    let pool = json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"namespace": "default", "name": "default"},
        "spec": {"addresses": ["192.0.2.0/28"]}});
    let pool = Box::new(serde_json::from_value(pool).unwrap());
    leader.take(WatchEvent::Applied(Kind::IpAddressPool, pool));
    let is_due = async |leader: &mut Leader| {
        tokio::time::timeout(Duration::from_secs(60), leader.pools.due()).await.is_ok()
    };
    while is_due(&mut leader).await {
        leader.pools.write(&[]);
    }

    leader.take(observed("1"));
    assert!(is_due(&mut leader).await);
}

#[tokio::test(start_paused = true)]
async fn the_names_of_a_service_are_stored_once() {
    let mut leader = leader();
    for version in ["1", "2"] {
        leader.take(observed(version));
        let services = leader.services.services().collect::<Vec<_>>();
        let [(of_snapshot, uid)] = services[..] else { panic!("one Service") };
        let of_engine = leader.engine.service_keys().next().unwrap();
        assert!(std::ptr::eq(&raw const **of_snapshot, &raw const **of_engine));
        assert_eq!(uid, version);
    }
}
