//! The objects that are in force when others have errors, and the programs that are concerned.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::object_cache::ObjectCache;
use crate::resource::Kind;
use crate::watch::WatchEvent;
use lb_adapter::model::Config;

const SPACE: &str = "metallb-system";

fn seen(kind: Kind, mut object: Value) -> WatchEvent {
    let (api_version, name) = kind.type_meta();
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(name);
    WatchEvent::Applied(kind, Box::new(serde_json::from_value(object).unwrap()))
}

fn object(kind: Kind, name: &str, spec: &Value) -> WatchEvent {
    seen(kind, json!({"metadata": {"namespace": SPACE, "name": name, "uid": name}, "spec": spec}))
}

/// Returns a pool that was created in this year.
fn pool(name: &str, created: &str, addresses: &str) -> WatchEvent {
    let created = format!("{created}-01-01T00:00:00Z");
    let metadata = json!({"namespace": SPACE, "name": name, "creationTimestamp": created});
    seen(Kind::IpAddressPool, json!({"metadata": metadata, "spec": {"addresses": [addresses]}}))
}

fn peer(name: &str, node: &str, more: &Value) -> WatchEvent {
    let mut spec = json!({"myASN": 64636, "peerASN": 64635, "peerAddress": format!("192.0.2.{}", name.len()),
        "nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": node}}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object(Kind::BgpPeer, name, &spec)
}

fn secret(type_: &str, password: &str) -> WatchEvent {
    let metadata = json!({"namespace": SPACE, "name": "tor"});
    let secret = json!({"metadata": metadata, "type": type_, "stringData": {"password": password}});
    seen(Kind::Secret, secret)
}

fn node(rack: &str) -> WatchEvent {
    let labels = json!({"kubernetes.io/hostname": "n1", "rack": rack});
    let node = json!({"metadata": {"name": "n1", "labels": labels}});
    WatchEvent::Applied(Kind::Node, Box::new(serde_json::from_value(node).unwrap()))
}

fn gone(kind: Kind, name: &str) -> WatchEvent {
    WatchEvent::Deleted(kind, (SPACE.to_owned(), name.to_owned()))
}

/// A program that has listed a cluster without configuration objects, and the configuration that it puts in force.
struct Program(ObjectCache, Config);

impl Program {
    fn speaker() -> Self {
        let mut program = Self::of(Kind::CONFIGURATION.into_iter().chain([Kind::Node]).collect());
        program.0.take(node("a"));
        program
    }

    fn controller() -> Self {
        Self::of(Kind::CONFIGURATION.into_iter().filter(|kind| *kind != Kind::Secret).collect())
    }

    fn of(kinds: Vec<Kind>) -> Self {
        let mut cache = ObjectCache::new(SPACE, kinds.clone());
        for kind in kinds {
            cache.take(WatchEvent::Listed(kind, None));
        }
        Self(cache, Config::default())
    }

    fn see(&mut self, all: impl IntoIterator<Item = WatchEvent>) -> &mut Self {
        for seen in all {
            self.0.take(seen);
        }
        if let Some(config) = self.0.settle() {
            self.1 = Config::clone(&config);
        }
        self
    }

    fn peers(&self) -> Vec<&str> {
        self.1.peers.iter().map(|it| it.name.as_str()).collect()
    }

    fn pools(&self) -> Vec<&str> {
        self.1.pools.iter().map(|it| it.name.as_str()).collect()
    }

    /// Returns the objects with errors.
    fn errors(&self) -> Vec<String> {
        self.0
            .config_status()
            .errors
            .iter()
            .map(|it| it.file.replace("metallb-system/", ""))
            .collect()
    }
}

#[test]
fn an_error_in_a_peer_of_another_node_does_no_harm_and_concerns_only_that_node() {
    let broken = json!({"bfdProfile": "not-there"});
    let all = || {
        [
            peer("good", "n1", &json!({})),
            peer("other", "n2", &broken),
            pool("a", "2020", "10.0.0.0/24"),
        ]
    };
    let mut speaker = Program::speaker();
    speaker.see(all());
    assert_eq!((speaker.peers(), speaker.errors()), (vec!["good"], vec![]));
    let mut controller = Program::controller();
    controller.see(all());
    assert_eq!((controller.pools(), controller.errors()), (vec!["a"], vec![]));

    // The speaker follows later changes.
    speaker.see([peer("fine", "n1", &json!({})), gone(Kind::BgpPeer, "good")]);
    assert_eq!((speaker.peers(), speaker.errors()), (vec!["fine"], vec![]));
    speaker.see([peer("fine", "n1", &broken)]);
    assert_eq!(speaker.errors(), ["BGPPeer fine"]);
    assert_eq!(speaker.peers(), ["fine"], "as it was");
    let profile = json!({"receiveInterval": 100});
    speaker.see([object(Kind::BfdProfile, "not-there", &profile)]);
    assert_eq!((speaker.peers(), speaker.errors()), (vec!["fine", "other"], vec![]));
}

#[test]
fn the_labels_of_the_node_decide_which_errors_concern_it() {
    let of_rack =
        json!({"nodeSelectors": [{"matchLabels": {"rack": "b"}}], "communities": ["gold"]});
    let mut speaker = Program::speaker();
    speaker.see([object(Kind::BgpAdvertisement, "all", &of_rack)]);
    assert!(speaker.errors().is_empty() && speaker.1.bgp_advertisements.is_empty());
    speaker.see([node("b")]);
    assert_eq!(speaker.errors(), ["BGPAdvertisement all"]);
    speaker.see([node("a")]);
    assert!(speaker.errors().is_empty());
    let unreadable = json!({"nodeSelectors": "all"});
    speaker.see([object(Kind::BgpAdvertisement, "all", &unreadable)]);
    assert_eq!(speaker.errors(), ["BGPAdvertisement all"], "it may be for this node");
}

#[test]
fn the_controller_accepts_the_objects_that_metallbs_accepts() {
    let with_secret = json!({"passwordSecret": {"name": "tor"}});
    let cases: [(Vec<WatchEvent>, &str); 4] = [
        (vec![secret("Opaque", "x"), peer("tor", "n1", &with_secret)], "BGPPeer tor"),
        (vec![peer("tor", "n1", &json!({"bfdProfile": "no"}))], "BGPPeer tor"),
        (
            vec![object(Kind::BgpAdvertisement, "all", &json!({"communities": ["gold"]}))],
            "BGPAdvertisement all",
        ),
        (vec![peer("tor", "n2", &json!({"holdTime": "1s"}))], ""),
    ];
    for (objects, expected) in cases {
        let again = |seen: &WatchEvent| match seen {
            WatchEvent::Applied(kind, object) => WatchEvent::Applied(*kind, object.clone()),
            _ => unreachable!(),
        };
        let mut controller = Program::controller();
        controller.see(
            objects
                .iter()
                .map(again)
                .filter(|it| !matches!(it, WatchEvent::Applied(Kind::Secret, _))),
        );
        assert_eq!(controller.errors(), [""; 0], "{expected}");
        let mut speaker = Program::speaker();
        speaker.see(objects);
        assert_eq!(speaker.errors().join(" "), expected);
    }

    // Communities concern the controller.
    let mut controller = Program::controller();
    controller.see([object(
        Kind::Community,
        "all",
        &json!({"communities": [{"name": "gold", "value": "x"}]}),
    )]);
    assert_eq!(controller.errors(), ["Community all"]);
}

#[test]
fn the_dependencies_of_an_object_in_force_stay_as_long_as_it_needs_them() {
    let with_secret = json!({"passwordSecret": {"name": "tor"}});
    let password = |program: &Program| {
        let password = program.1.peers[0].password.clone();
        password.map(|it| it.reveal().to_owned())
    };
    let mut speaker = Program::speaker();
    let type_ = "kubernetes.io/basic-auth";
    speaker.see([peer("tor", "n1", &with_secret), secret(type_, "one")]);
    assert_eq!(password(&speaker).as_deref(), Some("one"));
    for wrong in [gone(Kind::Secret, "tor"), secret("Opaque", "two")] {
        speaker.see([wrong, pool("a", "2020", "10.0.0.0/24")]);
        assert_eq!(password(&speaker).as_deref(), Some("one"), "the session goes on");
        assert_eq!(
            (speaker.errors(), speaker.pools()),
            (vec!["BGPPeer tor".to_owned()], vec!["a"])
        );
    }
    speaker.see([secret(type_, "two")]);
    assert_eq!((password(&speaker).as_deref(), speaker.errors()), (Some("two"), vec![]));
    speaker.see([gone(Kind::Secret, "tor"), peer("tor", "n1", &json!({}))]);
    assert_eq!((password(&speaker), speaker.errors()), (None, vec![]));
    // A new process does not know the state before.
    let mut speaker = Program::speaker();
    speaker.see([peer("tor", "n1", &with_secret)]);
    assert_eq!((speaker.peers(), speaker.errors()), (vec![], vec!["BGPPeer tor".to_owned()]));

    let gold = |name: &str| json!({"communities": [{"name": name, "value": "64635:100"}]});
    let mut speaker = Program::speaker();
    speaker.see([
        object(Kind::Community, "all", &gold("gold")),
        object(Kind::BgpAdvertisement, "all", &json!({"communities": ["gold"]})),
    ]);
    speaker.see([object(Kind::Community, "all", &gold("silver"))]);
    assert_eq!(speaker.1.bgp_advertisements[0].communities.len(), 1);
    assert_eq!(speaker.errors(), ["BGPAdvertisement all"]);
}

#[test]
fn an_error_that_returns_after_another_one_gets_a_new_event() {
    let mut controller = Program::controller();
    for addresses in ["10.0.0.0/33", "10.0.0.0/34", "10.0.0.0/33"] {
        controller.see([pool("a", "2024", addresses)]);
        let events = controller.0.take_new_problems().invalid;
        assert_eq!(events.len(), 1, "{addresses}: {events:?}");
    }
}

#[test]
fn an_overlap_is_an_error_of_the_newer_pool_whatever_its_name() {
    let (old, young) =
        (|range| pool("z-old", "2020", range), |range| pool("a-young", "2024", range));
    for _ in ["listed together", "and another time"] {
        let mut controller = Program::controller();
        controller.see([young("10.0.0.0/25"), old("10.0.0.0/24")]);
        assert_eq!(controller.pools(), ["z-old"]);
        assert_eq!(controller.errors(), ["IPAddressPool a-young"]);
        assert_eq!(controller.1.invalid_pools, ["a-young"]);
    }

    // A pool that is in force stays so, and its change is the error.
    let mut controller = Program::controller();
    controller.see([young("10.0.1.0/24"), old("10.0.0.0/24")]);
    controller.see([old("10.0.0.0/23")]);
    assert_eq!(controller.pools(), ["a-young", "z-old"]);
    assert_eq!(controller.errors(), ["IPAddressPool z-old"]);
    assert_eq!(controller.1.pools[1].ranges[0].to_string(), "10.0.0.0/24");
    assert_eq!(controller.1.invalid_pools, [""; 0], "it is in force as it was");

    // A pool that only contradicts one that is left out is in force.
    let mut controller = Program::controller();
    controller.see([
        pool("one", "2020", "10.0.0.0-10.0.0.10"),
        pool("two", "2021", "10.0.0.10-10.0.0.20"),
        pool("three", "2022", "10.0.0.20-10.0.0.30"),
    ]);
    assert_eq!(controller.pools(), ["one", "three"]);
    assert_eq!(controller.errors(), ["IPAddressPool two"]);
}

#[test]
fn a_config_map_takes_effect_as_a_whole_or_not_at_all() {
    let map = |config: &str| {
        let metadata = json!({"namespace": SPACE, "name": "config"});
        seen(Kind::ConfigMap, json!({"metadata": metadata, "data": {"config": config}}))
    };
    let good = "address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24]}]";
    let broken = good.replace("}]", "}, {name: b}]");
    let mut controller = Program::controller();
    // Nor do resources take the place of one that is broken.
    controller.see([map(&broken), pool("resource", "2020", "10.0.1.0/24")]);
    assert_eq!((controller.pools(), controller.errors().len()), (vec![], 2));
    assert!(!controller.0.config_status().loaded);
    controller.see([map(good)]);
    assert_eq!((controller.pools(), controller.errors()), (vec!["a"], vec![]));
    controller.see([map(&broken)]);
    assert_eq!(controller.pools(), ["a"]);
    assert_eq!(controller.errors()[0], "ConfigMap config");
}

/// Objects that need each other, some with errors.
fn cluster() -> Vec<(Kind, &'static str, Value)> {
    let bfd =
        json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "192.0.2.1", "bfdProfile": "fast"});
    let slow =
        json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "192.0.2.2", "bfdProfile": "slow"});
    vec![
        (Kind::BgpPeer, "bfd", bfd),
        (Kind::BgpPeer, "broken", slow),
        (Kind::BfdProfile, "fast", json!({})),
        (Kind::BfdProfile, "wrong", json!({"detectMultiplier": 1000})),
        (Kind::IpAddressPool, "a", json!({"addresses": ["10.0.0.0/24"]})),
        (Kind::IpAddressPool, "b", json!({"addresses": ["10.0.1.0/24"]})),
        (Kind::IpAddressPool, "c", json!({"addresses": ["10.0.2.0/33"]})),
        (Kind::Community, "all", json!({"communities": [{"name": "gold", "value": "64635:1"}]})),
        (Kind::BgpAdvertisement, "gold", json!({"communities": ["gold"]})),
        (Kind::BgpAdvertisement, "tin", json!({"communities": ["tin"]})),
    ]
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_the_order_of_the_objects(
        order in Just(cluster()).prop_shuffle(),
        batches in prop::collection::vec(1..4_usize, 10),
        go_first in prop::collection::vec(any::<bool>(), 10),
    ) {
        let mut expected = Program::speaker();
        expected.see(cluster().iter().map(|(kind, name, spec)| object(*kind, name, spec)));
        prop_assert_eq!(expected.pools(), ["a", "b"]);
        prop_assert_eq!(expected.peers(), ["bfd"]);

        let mut speaker = Program::speaker();
        let mut rest = order.as_slice();
        for (batch, go) in batches.into_iter().zip(go_first) {
            let (now, later) = rest.split_at(batch.min(rest.len()));
            speaker.see(now.iter().map(|(kind, name, spec)| object(*kind, name, spec)));
            if go {
                // They are deleted and created again.
                speaker.see(now.iter().map(|(kind, name, _)| gone(*kind, name)));
                speaker.see(now.iter().map(|(kind, name, spec)| object(*kind, name, spec)));
            }
            rest = later;
        }
        speaker.see(rest.iter().map(|(kind, name, spec)| object(*kind, name, spec)));
        prop_assert_eq!(&speaker.1, &expected.1);
        prop_assert_eq!(speaker.errors(), expected.errors());
    }
}
