use serde_json::{Value, json};

use super::*;

fn seen(kind: Kind, object: Value) -> Seen {
    Seen::Applied(kind, Box::new(serde_json::from_value(object).unwrap()))
}

fn mirror() -> Mirror {
    let mut mirror = Mirror::new("metallb-system", Kind::CONFIGURATION);
    for kind in Kind::CONFIGURATION {
        assert_eq!(mirror.settle(), None, "before {kind:?} is listed");
        mirror.take(Seen::Listed(kind, None));
    }
    mirror
}

fn pool(name: &str, addresses: &str) -> Seen {
    seen(
        Kind::IpAddressPool,
        json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": {"namespace": "metallb-system", "name": name, "managedFields": [{"manager": "kubectl"}]},
            "spec": {"addresses": [addresses]}}),
    )
}

fn config_map(name: &str) -> Seen {
    let config = "address-pools: [{name: a, protocol: bgp, addresses: [192.0.2.0/28]}]";
    seen(
        Kind::ConfigMap,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"config": config},
            "metadata": {"namespace": "metallb-system", "name": name}}),
    )
}

fn pools(change: Option<Change>) -> Vec<String> {
    let Some(Change::Config(config)) = change else {
        panic!("expected a configuration: {change:?}")
    };
    config.pools.iter().map(|pool| pool.name.clone()).collect()
}

#[test]
fn objects_that_configure_take_effect_together_and_only_when_they_change() {
    let mut mirror = mirror();
    assert_eq!(mirror.settle(), None, "there is no configuration");
    mirror.take(pool("a", "192.0.2.0/28"));
    mirror.take(pool("b", "192.0.2.16/28"));
    assert_eq!(pools(mirror.settle()), ["a", "b"]);
    mirror.take(pool("b", "192.0.2.16/28"));
    assert_eq!(mirror.settle(), None);
    mirror.take(Seen::Gone(Kind::IpAddressPool, ("metallb-system".to_owned(), "a".to_owned())));
    assert_eq!(pools(mirror.settle()), ["b"]);
}

#[test]
fn the_config_map_that_is_watched_counts_whatever_it_is_called() {
    let mut mirror = mirror();
    assert_eq!(mirror.settle(), None, "there is no configuration");
    mirror.take(config_map("metallb"));
    assert_eq!(pools(mirror.settle()), ["a"]);
}

#[test]
fn what_is_written_of_how_full_a_pool_is_is_no_other_configuration() {
    let mut mirror = mirror();
    let written = |version: &str, assigned: u32, addresses: &str| {
        seen(
            Kind::IpAddressPool,
            json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
                "metadata": {"namespace": "metallb-system", "name": "a", "resourceVersion": version},
                "spec": {"addresses": [addresses]}, "status": {"assignedIPv4": assigned}}),
        )
    };
    mirror.take(written("1", 0, "192.0.2.0/28"));
    assert_eq!(pools(mirror.settle()), ["a"]);
    mirror.take(written("2", 1, "192.0.2.0/28"));
    assert_eq!(mirror.settle(), None);
    mirror.take(written("3", 1, "192.0.2.0/29"));
    assert_eq!(pools(mirror.settle()), ["a"]);
}

#[test]
fn a_pool_with_an_error_is_left_out_and_told_by_its_object_and_others_take_effect() {
    let mut mirror = mirror();
    mirror.take(pool("a", "192.0.2.0/28"));
    assert_eq!(pools(mirror.settle()), ["a"]);
    mirror.take(pool("b", "192.0.2.8/29"));
    mirror.take(pool("c", "192.0.2.16/28"));
    assert_eq!(pools(mirror.settle()), ["a", "c"]);
    let errors = &mirror.state().errors;
    assert!(mirror.state().is_stale() && mirror.state().loaded);
    assert_eq!((errors.len(), mirror.counts()), (1, (3, 1)));
    assert!(errors[0].to_string().contains("IPAddressPool metallb-system/b"), "{}", errors[0]);
    let news = mirror.news();
    assert_eq!(news.errors, mirror.state().errors);
    assert_eq!(news.invalid[0].0.name.as_deref(), Some("b"));
    mirror.take(pool("d", "192.0.2.32/28"));
    assert_eq!(pools(mirror.settle()), ["a", "c", "d"]);
    let news = mirror.news();
    assert!(news.errors.is_empty() && news.invalid.is_empty(), "it was told: {news:?}");
    mirror.take(pool("b", "192.0.2.48/28"));
    assert_eq!(pools(mirror.settle()), ["a", "b", "c", "d"]);
    assert!(!mirror.state().is_stale());
}

#[test]
fn without_an_object_that_configures_there_is_no_configuration_and_after_the_last_one_an_empty_one()
{
    let mut mirror = mirror();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"namespace": "metallb-system", "name": "tor"}});
    mirror.take(seen(Kind::Secret, secret));
    assert_eq!(mirror.settle(), None);
    assert!(mirror.state().is_absent && !mirror.state().loaded && !mirror.state().is_stale());
    mirror.take(pool("a", "192.0.2.0/28"));
    assert_eq!(pools(mirror.settle()), ["a"]);
    assert!(!mirror.state().is_absent);
    mirror.take(Seen::Gone(Kind::IpAddressPool, ("metallb-system".to_owned(), "a".to_owned())));
    assert_eq!(mirror.settle(), Some(Change::Config(Arc::default())));
    assert!(mirror.state().is_absent && !mirror.state().is_stale());
}

#[test]
fn a_config_map_that_is_taken_away_stays_in_force() {
    let mut mirror = mirror();
    mirror.take(config_map("config"));
    assert_eq!(pools(mirror.settle()), ["a"]);
    mirror.take(Seen::Gone(Kind::ConfigMap, ("metallb-system".to_owned(), "config".to_owned())));
    assert_eq!(mirror.settle(), None);
    assert!(mirror.state().is_stale() && !mirror.state().is_absent);
    mirror.take(pool("b", "192.0.2.0/28"));
    assert_eq!(pools(mirror.settle()), ["b"], "until there is another");
}

#[test]
fn a_config_map_that_is_gone_stays_an_error_when_the_labels_of_the_node_change() {
    let kinds = Kind::CONFIGURATION.into_iter().chain([Kind::Node]);
    let mut mirror = Mirror::new("metallb-system", kinds.clone());
    for kind in kinds {
        mirror.take(Seen::Listed(kind, None));
    }
    mirror.take(config_map("config"));
    assert_eq!(pools(mirror.settle()), ["a"]);
    mirror.take(Seen::Gone(Kind::ConfigMap, ("metallb-system".to_owned(), "config".to_owned())));
    assert_eq!(mirror.settle(), None);
    let errors = mirror.news().errors;
    assert_eq!((errors.len(), &mirror.state().errors), (1, &errors));

    let node = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n1", "labels": {"zone": "b"}}});
    mirror.take(seen(Kind::Node, node));
    assert_eq!(mirror.settle(), None);
    assert_eq!(mirror.state().errors, errors);
    assert!(mirror.news().errors.is_empty(), "it was reported");
}

#[test]
fn a_service_comes_with_its_status_and_goes_by_its_name() {
    let mut mirror = mirror();
    let change = mirror.take(seen(
        Kind::Service,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "mail", "name": "smtp"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}}),
    ));
    let Some(Change::Service { service, status }) = change else { panic!("{change:?}") };
    assert_eq!(service.key, ServiceKey::new("mail", "smtp"));
    assert_eq!(status, Some(vec!["192.0.2.1".to_owned()]));
    let gone = mirror.take(Seen::Gone(Kind::Service, ("mail".to_owned(), "smtp".to_owned())));
    assert_eq!(gone, Some(Change::ServiceGone(ServiceKey::new("mail", "smtp"))));
}

#[test]
fn what_a_list_lacks_is_gone() {
    let mut mirror = mirror();
    mirror.take(pool("a", "192.0.2.0/28"));
    mirror.take(pool("b", "192.0.2.16/28"));
    let mut engine = Engine::default();
    for name in ["smtp", "imap"] {
        let service = json!({"metadata": {"namespace": "mail", "name": name}, "spec": {"ports": [{"port": 25}]}});
        let slice = json!({"metadata": {"namespace": "mail", "name": format!("{name}-x"),
            "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4", "endpoints": []});
        for (kind, object) in [(Kind::Service, service), (Kind::EndpointSlice, slice)] {
            engine.apply(mirror.take(seen(kind, object)).unwrap());
        }
    }
    let mut listed = Names::default();
    let name = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    for (namespace, known) in [("mail", "smtp"), ("mail", "imap-x"), ("metallb-system", "a")] {
        listed.insert(&name(namespace, known));
    }
    let missing = |kind| mirror.missing(kind, &listed, &engine);
    assert_eq!(missing(Kind::Service), [name("mail", "imap")]);
    assert_eq!(missing(Kind::EndpointSlice), [name("mail", "smtp-x")]);
    assert_eq!(missing(Kind::IpAddressPool), [name("metallb-system", "b")]);
    assert!(missing(Kind::BgpPeer).is_empty() && missing(Kind::Node).is_empty());
}
