use serde_json::{Value, json};

use super::*;

fn seen(kind: Kind, object: Value) -> WatchEvent {
    WatchEvent::Applied(kind, Box::new(serde_json::from_value(object).unwrap()))
}

fn cache() -> ObjectCache {
    let mut cache = ObjectCache::new("metallb-system", Kind::CONFIGURATION);
    for kind in Kind::CONFIGURATION {
        assert_eq!(cache.settle(), None, "before {kind:?} is listed");
        cache.take(WatchEvent::Listed(kind, None));
    }
    cache
}

fn pool(name: &str, addresses: &str) -> WatchEvent {
    seen(
        Kind::IpAddressPool,
        json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": {"namespace": "metallb-system", "name": name, "managedFields": [{"manager": "kubectl"}]},
            "spec": {"addresses": [addresses]}}),
    )
}

fn config_map(name: &str) -> WatchEvent {
    let config = "address-pools: [{name: a, protocol: bgp, addresses: [192.0.2.0/28]}]";
    seen(
        Kind::ConfigMap,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"config": config},
            "metadata": {"namespace": "metallb-system", "name": name}}),
    )
}

fn pools(config: Option<Arc<Config>>) -> Vec<String> {
    let config = config.expect("a configuration");
    config.pools.iter().map(|pool| pool.name.clone()).collect()
}

#[test]
fn configuration_objects_take_effect_together_and_only_when_they_change() {
    let mut cache = cache();
    assert_eq!(cache.settle(), None, "there is no configuration");
    cache.take(pool("a", "192.0.2.0/28"));
    cache.take(pool("b", "192.0.2.16/28"));
    assert_eq!(pools(cache.settle()), ["a", "b"]);
    cache.take(pool("b", "192.0.2.16/28"));
    assert_eq!(cache.settle(), None);
    cache.take(WatchEvent::Deleted(
        Kind::IpAddressPool,
        ("metallb-system".to_owned(), "a".to_owned()),
    ));
    assert_eq!(pools(cache.settle()), ["b"]);
}

#[test]
fn the_watched_config_map_counts_whatever_its_name() {
    let mut cache = cache();
    assert_eq!(cache.settle(), None, "there is no configuration");
    cache.take(config_map("metallb"));
    assert_eq!(pools(cache.settle()), ["a"]);
}

#[test]
fn a_changed_status_of_a_pool_is_no_new_configuration() {
    let mut cache = cache();
    let written = |version: &str, assigned: u32, addresses: &str| {
        seen(
            Kind::IpAddressPool,
            json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
                "metadata": {"namespace": "metallb-system", "name": "a", "resourceVersion": version},
                "spec": {"addresses": [addresses]}, "status": {"assignedIPv4": assigned}}),
        )
    };
    cache.take(written("1", 0, "192.0.2.0/28"));
    assert_eq!(pools(cache.settle()), ["a"]);
    cache.take(written("2", 1, "192.0.2.0/28"));
    assert_eq!(cache.settle(), None);
    cache.take(written("3", 1, "192.0.2.0/29"));
    assert_eq!(pools(cache.settle()), ["a"]);
}

#[test]
fn a_pool_with_an_error_is_left_out_and_reported_and_others_take_effect() {
    let mut cache = cache();
    cache.take(pool("a", "192.0.2.0/28"));
    assert_eq!(pools(cache.settle()), ["a"]);
    cache.take(pool("b", "192.0.2.8/29"));
    cache.take(pool("c", "192.0.2.16/28"));
    assert_eq!(pools(cache.settle()), ["a", "c"]);
    let errors = &cache.config_status().errors;
    assert!(cache.config_status().is_stale() && cache.config_status().loaded);
    assert_eq!((errors.len(), cache.counts()), (1, ObjectCounts { updates: 3, refused: 1 }));
    assert!(errors[0].to_string().contains("IPAddressPool metallb-system/b"), "{}", errors[0]);
    let problems = cache.take_new_problems();
    assert_eq!(problems.errors, cache.config_status().errors);
    assert_eq!(problems.invalid[0].0.name.as_deref(), Some("b"));
    cache.take(pool("d", "192.0.2.32/28"));
    assert_eq!(pools(cache.settle()), ["a", "c", "d"]);
    let problems = cache.take_new_problems();
    assert!(
        problems.errors.is_empty() && problems.invalid.is_empty(),
        "it was reported: {problems:?}"
    );
    cache.take(pool("b", "192.0.2.48/28"));
    assert_eq!(pools(cache.settle()), ["a", "b", "c", "d"]);
    assert!(!cache.config_status().is_stale());
}

#[test]
fn without_a_configuration_object_there_is_no_configuration_and_after_the_last_one_an_empty_one() {
    let mut cache = cache();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"namespace": "metallb-system", "name": "tor"}});
    cache.take(seen(Kind::Secret, secret));
    assert_eq!(cache.settle(), None);
    assert!(
        cache.config_status().is_absent
            && !cache.config_status().loaded
            && !cache.config_status().is_stale()
    );
    cache.take(pool("a", "192.0.2.0/28"));
    assert_eq!(pools(cache.settle()), ["a"]);
    assert!(!cache.config_status().is_absent);
    cache.take(WatchEvent::Deleted(
        Kind::IpAddressPool,
        ("metallb-system".to_owned(), "a".to_owned()),
    ));
    assert_eq!(cache.settle(), Some(Arc::default()));
    assert!(cache.config_status().is_absent && !cache.config_status().is_stale());
}

#[test]
fn a_deleted_config_map_stays_in_force() {
    let mut cache = cache();
    cache.take(config_map("config"));
    assert_eq!(pools(cache.settle()), ["a"]);
    cache.take(WatchEvent::Deleted(
        Kind::ConfigMap,
        ("metallb-system".to_owned(), "config".to_owned()),
    ));
    assert_eq!(cache.settle(), None);
    assert!(cache.config_status().is_stale() && !cache.config_status().is_absent);
    cache.take(pool("b", "192.0.2.0/28"));
    assert_eq!(pools(cache.settle()), ["b"], "until there is another");
}

#[test]
fn a_config_map_that_is_gone_stays_an_error_when_the_labels_of_the_node_change() {
    let kinds = Kind::CONFIGURATION.into_iter().chain([Kind::Node]);
    let mut cache = ObjectCache::new("metallb-system", kinds.clone());
    for kind in kinds {
        cache.take(WatchEvent::Listed(kind, None));
    }
    cache.take(config_map("config"));
    assert_eq!(pools(cache.settle()), ["a"]);
    cache.take(WatchEvent::Deleted(
        Kind::ConfigMap,
        ("metallb-system".to_owned(), "config".to_owned()),
    ));
    assert_eq!(cache.settle(), None);
    let errors = cache.take_new_problems().errors;
    assert_eq!((errors.len(), &cache.config_status().errors), (1, &errors));

    let node = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n1", "labels": {"zone": "b"}}});
    cache.take(seen(Kind::Node, node));
    assert_eq!(cache.settle(), None);
    assert_eq!(cache.config_status().errors, errors);
    assert!(cache.take_new_problems().errors.is_empty(), "it was reported");
}

#[test]
fn a_service_comes_with_its_status_and_goes_by_its_name() {
    let mut cache = cache();
    let change = cache.take(seen(
        Kind::Service,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "mail", "name": "smtp"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 25}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}}),
    ));
    let Some(Update::Service(observed)) = change else { panic!("{change:?}") };
    assert_eq!(observed.service.key, ServiceKey::new("mail", "smtp"));
    assert_eq!(observed.addresses, ["192.0.2.1"]);
    let gone =
        cache.take(WatchEvent::Deleted(Kind::Service, ("mail".to_owned(), "smtp".to_owned())));
    let Some(Update::Other(gone)) = gone else { panic!("{gone:?}") };
    assert_eq!(gone, Change::ServiceGone(ServiceKey::new("mail", "smtp")));
}

#[test]
fn objects_that_a_list_lacks_are_gone() {
    let mut cache = cache();
    cache.take(pool("a", "192.0.2.0/28"));
    cache.take(pool("b", "192.0.2.16/28"));
    let mut engine = Engine::default();
    for name in ["smtp", "imap"] {
        let service = json!({"metadata": {"namespace": "mail", "name": name}, "spec": {"ports": [{"port": 25}]}});
        let slice = json!({"metadata": {"namespace": "mail", "name": format!("{name}-x"),
            "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4", "endpoints": []});
        for (kind, object) in [(Kind::Service, service), (Kind::EndpointSlice, slice)] {
            engine.apply(cache.take(seen(kind, object)).unwrap().into());
        }
    }
    let mut listed = ListedNames::default();
    let name = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    for (namespace, known) in [("mail", "smtp"), ("mail", "imap-x"), ("metallb-system", "a")] {
        listed.insert(&name(namespace, known));
    }
    let missing = |kind| cache.missing(kind, &listed, &engine);
    assert_eq!(missing(Kind::Service), [name("mail", "imap")]);
    assert_eq!(missing(Kind::EndpointSlice), [name("mail", "smtp-x")]);
    assert_eq!(missing(Kind::IpAddressPool), [name("metallb-system", "b")]);
    assert!(missing(Kind::BgpPeer).is_empty() && missing(Kind::Node).is_empty());
}
