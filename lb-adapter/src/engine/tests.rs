//! The memory and the reports of the engine.

use crate::manifest::{Source, parse};

use crate::model::{Config, Service, ServiceKey};
use crate::planner::PlannerOptions;

use super::*;

#[test]
fn a_rejected_status_is_reported_once_and_again_only_if_it_changes() {
    let text = |status: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{namespace: metallb-system, name: \
             config}}, data: {{config: ''}}}}\n---\n{{apiVersion: v1, kind: Service, metadata: \
             {{name: a}}, spec: {{type: ClusterIP, ports: [{{port: 80}}]}}, status: \
             {{loadBalancer: {{ingress: [{{ip: {status}}}]}}}}}}"
        )
    };
    let mut engine = Engine::new(PlannerOptions::default(), None);
    let mut events = |status: &str| {
        let source = Source { name: "a.yaml".to_owned(), octets: text(status).into_bytes() };
        let effects = engine.load(parse("manifests", &[source]).unwrap());
        effects.events.iter().map(|event| event.message.clone()).collect::<Vec<_>>()
    };
    let first = ["took back 192.0.2.1: the Service is not of type LoadBalancer"];
    assert_eq!(events("192.0.2.1"), first);
    assert_eq!(events("192.0.2.1"), [""; 0]);
    assert_eq!(events("192.0.2.2").len(), 1);
    assert_eq!(events("192.0.2.1"), first);
}

#[test]
fn a_follower_assigns_no_addresses_and_uses_those_of_the_status() {
    let options = PlannerOptions { follow_status: true, ..PlannerOptions::default() };
    let mut engine = Engine::new(options, None);
    let pool = crate::model::Pool::new("default", vec!["192.0.2.0/28".parse().unwrap()]);
    engine.apply(Change::Config(Arc::new(Config::new(Vec::new(), vec![pool]))));
    engine.apply(Change::Synced);
    let key = ServiceKey::new("default", "web");
    let mut service = Service::new(key.clone());
    service.type_ = crate::model::ServiceType::LoadBalancer;
    let mut see = |status: &[&str]| {
        let status = Some(status.iter().map(|it| (*it).to_owned()).collect());
        let change = Change::Service { service: Box::new(service.clone()), status };
        let effects = engine.apply(change);
        assert_eq!((effects.events, effects.written), Default::default());
        engine.holding(&key).map(|it| it.addresses.to_vec())
    };
    assert_eq!(see(&[]), None);
    assert_eq!(see(&["192.0.2.1"]), Some(vec!["192.0.2.1".parse().unwrap()]));
    assert_eq!(see(&["192.0.2.99"]), None, "an address in no pool");
    assert_eq!(see(&["192.0.2.2"]), Some(vec!["192.0.2.2".parse().unwrap()]));
    assert_eq!(see(&[]), None);
}

#[test]
fn the_effects_of_two_changes_name_the_services_that_either_planned() {
    let mut engine = Engine::new(PlannerOptions::default(), Some("kube1".to_owned()));
    let pool = crate::model::Pool::new("default", vec!["192.0.2.0/28".parse().unwrap()]);
    engine.apply(Change::Config(Arc::new(Config::new(Vec::new(), vec![pool]))));
    engine.apply(Change::Synced);

    let [a, b] = ["a", "b"].map(|name| ServiceKey::new("default", name));
    let mut put = |key: &ServiceKey| {
        let mut service = Service::new(key.clone());
        service.type_ = crate::model::ServiceType::LoadBalancer;
        engine.apply(Change::Service { service: Box::new(service), status: None })
    };
    let mut effects = put(&a);
    assert_eq!(effects.planned, BTreeSet::from([a.clone()]));
    effects.extend(put(&b));
    assert_eq!(effects.planned, BTreeSet::from([a, b]));
}

#[test]
fn a_slice_that_comes_again_unchanged_plans_nothing() {
    let mut engine = Engine::new(PlannerOptions::default(), Some("kube1".to_owned()));
    engine.apply(Change::Synced);
    let [a, b] = ["a", "b"].map(|name| ServiceKey::new("default", name));
    let mut put = |key: &ServiceKey, addresses: &[&str]| {
        let mut slice = crate::model::EndpointSlice::new("of-a", key.clone());
        slice.endpoints = addresses
            .iter()
            .map(|address| crate::model::Endpoint::new(address.parse::<IpAddr>().unwrap()))
            .collect();
        engine.apply(Change::Slice(slice)).planned
    };

    assert_eq!(put(&a, &["10.0.0.1"]), BTreeSet::from([a.clone()]));
    assert_eq!(put(&a, &["10.0.0.1"]), BTreeSet::new());
    assert_eq!(put(&a, &["10.0.0.1", "10.0.0.2"]), BTreeSet::from([a.clone()]));
    assert_eq!(put(&b, &["10.0.0.1", "10.0.0.2"]), BTreeSet::from([a.clone(), b.clone()]));
    assert_eq!(put(&b, &["10.0.0.1", "10.0.0.2"]), BTreeSet::new());
    assert_eq!(put(&a, &[]), BTreeSet::from([a, b]), "its endpoints are gone from the other one");
}
