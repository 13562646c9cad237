//! A controller writes the statuses of the Services that it serves, and no others.
//!
//! Leaders run at the API server of the tests, in virtual time.

use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use super::*;
use test_log_lines::TestLog;

/// Enough time for everything that a leader still has to do.
const WHILE: Duration = Duration::from_secs(60);
/// An address of the pool, and one that another load balancer gave.
const OURS: &str = "192.0.2.9";
const OTHERS: &str = "203.0.113.9";

/// The apparent author of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Our condition, and our field manager.
    Us,
    /// Our condition is left, but MetalLB has written the address since.
    UsThenMetalLb,
    /// The condition alone, in the name of another manager.
    ConditionAlone,
    /// Our field manager without the condition, as after a restored backup.
    ManagerAlone,
    MetalLb,
    NoOne,
}

const MARKS: [Mark; 6] = [
    Mark::Us,
    Mark::UsThenMetalLb,
    Mark::ConditionAlone,
    Mark::ManagerAlone,
    Mark::MetalLb,
    Mark::NoOne,
];

/// The occasion on which a leader meets the Service.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    Event,
    Start,
    Takeover,
    ConfigurationChange,
}

const TRIGGERS: [Trigger; 4] =
    [Trigger::Event, Trigger::Start, Trigger::Takeover, Trigger::ConfigurationChange];

/// A Service of this type and class whose status has an address, as if it had been written so.
fn service(name: &str, type_: &str, class: Option<&str>, address: &str, mark: Mark) -> Value {
    let wrote = |manager: &str, time: u32, fields: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "time": format!("2026-01-01T00:00:{time:02}Z"), "subresource": "status",
            "fieldsV1": {"f:status": fields}})
    };
    let addresses = json!({"f:loadBalancer": {"f:ingress": {}}});
    let conditions = json!({"f:conditions": {".": {}}});
    let condition = json!([{"type": "ferrolb.io/AddressAssigned", "status": "True", "reason": "IPAllocated",
        "message": "from the pool default", "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1}]);

    let (managed, conditions) = match mark {
        // The address was MetalLB's before, and has not changed since.
        Mark::Us => {
            (json!([wrote("controller", 1, addresses), wrote(MANAGER, 2, conditions)]), condition)
        }
        Mark::UsThenMetalLb => {
            (json!([wrote(MANAGER, 1, conditions), wrote("controller", 2, addresses)]), condition)
        }
        Mark::ConditionAlone => (json!([wrote("controller", 1, addresses)]), condition),
        Mark::ManagerAlone => (json!([wrote(MANAGER, 1, addresses)]), json!(null)),
        Mark::MetalLb => (json!([wrote("controller", 1, addresses)]), json!(null)),
        Mark::NoOne => (json!(null), json!(null)),
    };
    let annotations = match mark {
        Mark::NoOne => json!({}),
        _ => json!({"metallb.io/ip-allocated-from-pool": "default"}),
    };
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "mail", "name": name, "annotations": annotations, "managedFields": managed},
        "spec": {"type": type_, "loadBalancerClass": class, "ports": [{"port": 25}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}, "conditions": conditions}})
}

fn configuration(namespace: &str, addresses: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "config"},
        "data": {"config": format!("address-pools: [{{name: default, protocol: bgp, addresses: [{addresses}]}}]")}})
}

async fn server() -> ApiServer {
    let server = ApiServer::builder().start().await;
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mail"}}));
    for namespace in ["default", "other"] {
        server.put(configuration(namespace, "192.0.2.0/28"));
    }
    server
}

fn client(server: &ApiServer) -> Client {
    Client::new(server.service("admin"), "default")
}

/// A leader of this class, whose configuration is in this namespace.
fn leader(server: &ApiServer, namespace: &str, class: Option<&str>) -> Leader {
    let mut options = ControllerOptions::of_test(namespace);
    options.cluster.class = class.map(str::to_owned);
    let process = options.cluster.process(Program::Controller, None);
    Leader::new(client(server), &options, process)
}

async fn run(leader: &mut Leader, time: Duration) {
    let (_question, mut asked) = mpsc::channel(1);
    drop(tokio::time::timeout(time, leader.run(&mut asked)).await);
}

async fn get(server: &ApiServer, name: &str) -> Value {
    let resource = Kind::Service.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(client(server), "mail", &resource);
    serde_json::to_value(api.get(name).await.unwrap()).unwrap()
}

/// Runs a leader that meets this Service in this way. Returns the Service before and after.
async fn meets(class: Option<&str>, service: Value, trigger: Trigger) -> (ApiServer, Value, Value) {
    let server = server().await;
    let name = service["metadata"]["name"].as_str().unwrap().to_owned();
    let mut leader = leader(&server, "default", class);

    let before = match trigger {
        Trigger::Start => {
            server.put(service);
            get(&server, &name).await
        }
        Trigger::Event => {
            run(&mut leader, WHILE).await;
            server.put(service);
            get(&server, &name).await
        }
        Trigger::Takeover => {
            server.put(service);
            let before = get(&server, &name).await;
            run(&mut leader, WHILE).await;
            leader = self::leader(&server, "default", class);
            before
        }
        Trigger::ConfigurationChange => {
            server.put(service);
            let before = get(&server, &name).await;
            run(&mut leader, WHILE).await;
            server.put(configuration("default", "192.0.2.0/28, 192.0.2.16/28"));
            before
        }
    };

    run(&mut leader, WHILE).await;
    let after = get(&server, &name).await;
    (server, before, after)
}

async fn events(server: &ApiServer) -> Vec<String> {
    let resource = kube::core::ApiResource::erase::<k8s_openapi::api::events::v1::Event>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client(server), "mail", &resource);
    let events = api.list(&ListParams::default()).await.unwrap().items;
    events.iter().map(|it| format!("{} {}", it.data["reason"], it.data["note"])).collect()
}

/// Returns the rows of a table of instances, Services and triggers.
fn table() -> impl Iterator<Item = (Option<&'static str>, Option<&'static str>, Mark, Trigger)> {
    let instances = [None, Some("example.com/x")];
    let classes = [None, Some("example.com/x"), Some("example.com/y")];
    instances.into_iter().flat_map(move |instance| {
        classes.into_iter().flat_map(move |class| {
            MARKS.into_iter().flat_map(move |mark| {
                TRIGGERS.into_iter().map(move |trigger| (instance, class, mark, trigger))
            })
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_service_of_another_class_is_never_written_by_any_mark() {
    for (instance, class, mark, trigger) in
        table().filter(|(instance, class, ..)| instance != class)
    {
        for address in [OURS, OTHERS] {
            let row = format!("{instance:?} {class:?} {mark:?} {trigger:?} {address}");
            let service = service("web", "LoadBalancer", class, address, mark);
            let (server, before, after) = meets(instance, service, trigger).await;
            assert_eq!(after, before, "{row}");
            assert_eq!(events(&server).await, [""; 0], "{row}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_of_our_class_keeps_an_address_of_our_pools_by_any_mark() {
    for (instance, class, mark, trigger) in
        table().filter(|(instance, class, ..)| instance == class)
    {
        let row = format!("{instance:?} {class:?} {mark:?} {trigger:?}");
        let service = service("web", "LoadBalancer", class, OURS, mark);
        let (_server, before, after) = meets(instance, service, trigger).await;
        assert_eq!(after["status"]["loadBalancer"], before["status"]["loadBalancer"], "{row}");
        let condition = &after["status"]["conditions"][0];
        assert_eq!(condition["message"], "from the pool default", "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_of_ours_is_taken_back_from_a_service_that_is_no_load_balancer_with_an_event() {
    for (instance, class, mark, trigger) in table().filter(|(_, class, ..)| class.is_none()) {
        for type_ in ["ClusterIP", "NodePort"] {
            let row = format!("{instance:?} {type_} {mark:?} {trigger:?}");
            let (log, guard) = TestLog::begin();
            let service = service("web", type_, class, OURS, mark);
            let (server, before, after) = meets(instance, service, trigger).await;
            drop(guard);
            let published = events(&server).await;
            let lines = log.lines("took back");
            if mark != Mark::Us {
                assert_eq!(after, before, "{row}");
                assert_eq!((published, lines), (vec![], vec![]), "{row}");
                continue;
            }

            assert_eq!(after["status"], json!({"loadBalancer": {}}), "{row}");
            assert_eq!(after["metadata"]["annotations"], json!({}), "{row}");
            let [event] = &published[..] else { panic!("{row}: {published:?}") };
            let [line] = &lines[..] else { panic!("{row}: {lines:?}") };
            for text in [event, line] {
                let why = format!("took back {OURS}: the Service is not of type LoadBalancer");
                assert!(text.contains(&why) && text.contains("ClearAssignment"), "{row}: {text}");
            }
            assert!(line.contains("mail/web"), "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_no_pool_has_is_taken_back_with_a_log_line_and_an_event() {
    for trigger in TRIGGERS {
        let (log, guard) = TestLog::begin();
        let service = service("web", "LoadBalancer", None, OTHERS, Mark::Us);
        let (server, _, after) = meets(None, service, trigger).await;
        drop(guard);
        assert_eq!(after["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.0", "{trigger:?}");
        let words = format!("took back {OTHERS}: ");
        assert_eq!(log.count(&words), 1, "{trigger:?}");
        let published = events(&server).await;
        let taken =
            published.iter().filter(|it| it.contains("ClearAssignment") && it.contains(&words));
        assert_eq!(taken.count(), 1, "{trigger:?}: {published:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_instances_side_by_side_stay_quiet() {
    let server = server().await;
    let classes = [None, Some("example.com/x"), Some("example.com/y")];
    let mut names = Vec::new();
    for (number, class) in classes.into_iter().enumerate() {
        for (at, mark) in MARKS.into_iter().enumerate() {
            let name = format!("web-{number}-{at}");
            let address = format!("192.0.2.{at}");
            server.put(service(&name, "LoadBalancer", class, &address, mark));
            names.push((class, name));
        }
        server.put(service(&format!("left-{number}"), "ClusterIP", None, OTHERS, Mark::Us));
    }
    let of_others = async || {
        let mut found = Vec::new();
        for (_, name) in names.iter().filter(|(class, _)| *class == Some("example.com/y")) {
            found.push(get(&server, name).await);
        }
        found
    };
    let before = of_others().await;

    let (mut one, mut other) =
        (leader(&server, "default", None), leader(&server, "other", Some("example.com/x")));
    tokio::join!(run(&mut one, WHILE), run(&mut other, WHILE));

    // Each gets a last change that does not concern addresses.
    let resource = Kind::Service.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(client(&server), "mail", &resource);
    for (_, name) in &names {
        let label = Patch::Merge(json!({"metadata": {"labels": {"some": "label"}}}));
        api.patch(name, &PatchParams::default(), &label).await.unwrap();
    }
    let writes = || {
        let asked = server.asked();
        asked.iter().filter(|it| it.resource == "services/status").count()
    };
    let settled = writes();
    tokio::join!(run(&mut one, WHILE), run(&mut other, WHILE));
    assert_eq!(writes(), settled);
    for (before, after) in before.iter().zip(of_others().await) {
        assert_eq!(before["status"], after["status"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_service_has_its_address_at_once_among_hundreds_that_need_nothing() {
    const SERVICES: usize = 300;
    let server = server().await;
    for number in 0..SERVICES {
        let class = (number % 2 == 0).then_some("example.com/y");
        let address = format!("198.18.{}.{}", number / 256, number % 256);
        server.put(service(&format!("s{number}"), "LoadBalancer", class, &address, Mark::Us));
    }
    server.put(configuration("default", "192.0.2.0/28, 198.18.0.0/23"));
    for take_over in [false, true] {
        let mut leader = leader(&server, "default", None);
        if take_over {
            run(&mut leader, Duration::from_secs(2)).await;
            leader = self::leader(&server, "default", None);
        }
        let name = format!("zz-{take_over}");
        server.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "mail", "name": name},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]}}));
        run(&mut leader, Duration::from_secs(2)).await;
        let address = &get(&server, &name).await["status"]["loadBalancer"]["ingress"][0]["ip"];
        assert!(address.is_string(), "pending after two seconds, taken over: {take_over}");
    }
}
