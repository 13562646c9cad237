use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_names_of_a_service_are_stored_once() {
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let options = ControllerOptions::of_test("default");
    let process = options.cluster.process(Program::Controller, None);
    let mut leader = Leader::new(Client::try_from(nowhere).unwrap(), &options, process);
    for version in ["1", "2"] {
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "mail", "name": "smtp", "uid": version},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]}});
        let service = Box::new(serde_json::from_value(service).unwrap());
        leader.take(WatchEvent::Applied(Kind::Service, service));
        let services = leader.services.services().collect::<Vec<_>>();
        let [(of_snapshot, uid)] = services[..] else { panic!("one Service") };
        let of_engine = leader.engine.service_keys().next().unwrap();
        assert!(std::ptr::eq(&raw const **of_snapshot, &raw const **of_engine));
        assert_eq!(uid, version);
    }
}
