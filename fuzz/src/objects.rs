//! Objects of the API server, as its watches deliver them: each is accepted or refused with reasons, what was valid stays, and
//! nothing of an object is left once it is gone.

use std::sync::Arc;

use ferrolb_kubernetes::WatchReader;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{Config, ServiceKey};
use lb_adapter::planner::PlannerOptions;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::judge::judge_text;

/// The most lines of a run: each may read the whole configuration.
const MAX_LINES: usize = 32;

/// Each line of the input is a letter for a resource, and a line of its watch.
pub fn check(input: &[u8]) {
    let mut cluster = Cluster::new();
    let lines = input.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    for line in lines.take(MAX_LINES) {
        cluster.take(line[0], &line[1..]);
        cluster.settle();
    }
    cluster.heal();
}

/// A line of a watch.
#[derive(Deserialize)]
struct Line<'a> {
    r#type: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// A cluster with valid objects of its own, which the input may change too.
struct Cluster {
    reader: WatchReader,
    engine: Engine,
    /// The configuration in force.
    config: Arc<Config>,
    /// The configuration of the cluster's own objects.
    own: Arc<Config>,
    /// True as long as the input has not named one of these objects.
    own_are_untouched: bool,
    /// The input's objects by resource.
    objects: Vec<(&'static str, String)>,
}

impl Cluster {
    fn new() -> Self {
        let reader = WatchReader::new("metallb-system");
        let mut engine = Engine::new(PlannerOptions::default(), None);
        engine.apply(Change::Synced);
        let own = Arc::new(Config::default());
        let mut cluster = Self {
            reader,
            engine,
            config: Arc::clone(&own),
            own,
            own_are_untouched: true,
            objects: Vec::new(),
        };
        cluster.add_own();
        cluster.settle();
        cluster.own = Arc::clone(&cluster.config);
        cluster.judge_own();
        cluster
    }

    /// Adds the cluster's own objects, or restores them.
    fn add_own(&mut self) {
        for (resource, object) in OWN {
            let line = format!(r#"{{"type":"ADDED","object":{object}}}"#);
            self.event(resource, line.as_bytes()).expect("a valid event");
        }
    }

    fn take(&mut self, letter: u8, line: &[u8]) {
        let index = usize::from(letter.wrapping_sub(b'a')) % WatchReader::resources().count();
        let resource = WatchReader::resources().nth(index).expect("a resource");
        if let Err(reason) = self.event(resource, line) {
            judge_text(&reason);
            return;
        }

        // An event names its object only if it is read as one.
        let Ok(Line { r#type, object }) = serde_json::from_slice(line) else { return };
        let object = object.get().to_owned();
        // A ConfigMap is a configuration of its own.
        let concerns_own =
            object.contains("base") || object.contains('\\') || resource == "configmaps";
        self.own_are_untouched &= !concerns_own;
        if r#type != "BOOKMARK" {
            self.objects.push((resource, object));
        }
    }

    fn event(&mut self, resource: &str, line: &[u8]) -> Result<(), String> {
        if let Some(change) = self.reader.take(resource, line)? {
            self.engine.apply(change);
        }
        Ok(())
    }

    fn settle(&mut self) {
        if let Some(config) = self.reader.settle() {
            self.config = Arc::clone(&config);
            self.engine.apply(Change::Config(config));
        }
        for error in self.reader.errors() {
            judge_text(&error.to_string());
        }
        if self.own_are_untouched {
            self.judge_own();
        }
    }

    /// The cluster's own objects are in force, no matter which others there are.
    fn judge_own(&self) {
        assert!(!self.own.peers.is_empty() || self.objects.is_empty());
        for pool in &self.own.pools {
            let in_force = self.config.pools.iter().find(|other| other.name == pool.name);
            assert_eq!(in_force, Some(pool), "a valid pool has gone");
        }
        for peer in &self.own.peers {
            assert!(self.config.peers.contains(peer), "a valid peer has gone: {peer:?}");
        }
        let service = ServiceKey::new("web", "base");
        let held = self.engine.holding(&service).expect("an address of the base pool");
        assert!(
            held.addresses.iter().all(|address| in_base_pool(&address.to_string())),
            "{held:?}"
        );
    }

    /// The input's objects go away again.
    fn heal(&mut self) {
        for (resource, object) in std::mem::take(&mut self.objects) {
            let line = format!(r#"{{"type":"DELETED","object":{object}}}"#);
            // What was no object is none now.
            let _ = self.event(resource, line.as_bytes());
        }
        self.add_own();
        self.settle();
        assert_eq!(self.config, self.own, "something is left of objects that are gone");
        let errors: Vec<_> = self.reader.errors().iter().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "errors of objects that are gone: {errors:?}");
        self.judge_own();
    }
}

fn in_base_pool(address: &str) -> bool {
    address.starts_with("192.0.2.")
}

/// The cluster's own objects.
const OWN: [(&str, &str); 6] = [
    (
        "ipaddresspools",
        r#"{"metadata":{"name":"base","namespace":"metallb-system"},"spec":{"addresses":["192.0.2.0/24"]}}"#,
    ),
    (
        "bgppeers",
        r#"{"metadata":{"name":"base","namespace":"metallb-system"},"spec":{"myASN":64512,"peerASN":64513,"peerAddress":"10.0.0.1"}}"#,
    ),
    (
        "bgpadvertisements",
        r#"{"metadata":{"name":"base","namespace":"metallb-system"},"spec":{"ipAddressPools":["base"]}}"#,
    ),
    (
        "nodes",
        r#"{"metadata":{"name":"base"},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.2"}]}}"#,
    ),
    (
        "services",
        r#"{"metadata":{"name":"base","namespace":"web","annotations":{"metallb.io/address-pool":"base"}},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}"#,
    ),
    (
        "endpointslices",
        r#"{"metadata":{"name":"base-1","namespace":"web","labels":{"kubernetes.io/service-name":"base"}},"addressType":"IPv4","endpoints":[{"addresses":["10.1.0.1"],"nodeName":"base"}]}"#,
    ),
];

/// Objects of each resource, changed and deleted, and ones that are refused.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let line = |resource: &str, kind: &str, name: &str, rest: &str| {
        let index = WatchReader::resources().position(|known| known == resource);
        let index = u8::try_from(index.expect("a resource")).expect("few resources");
        let letter = char::from(b'a' + index);
        format!(
            r#"{letter}{{"type":"{kind}","object":{{"metadata":{{"namespace":"metallb-system","name":"{name}","resourceVersion":"7"}}{rest}}}}}"#
        )
    };
    let pool = |kind, addresses| {
        line("ipaddresspools", kind, "p", &format!(r#","spec":{{"addresses":[{addresses}]}}"#))
    };
    let valid = r#""198.51.100.0/28","2001:db8::/120""#;
    let peer = r#","spec":{"myASN":64512,"peerASN":64514,"peerAddress":"10.0.0.3","bfdProfile":"f","passwordSecret":{"name":"w"}}"#;
    let service = r#","spec":{"type":"LoadBalancer","loadBalancerIP":"198.51.100.1","ports":[{"port":80,"protocol":"TCP"}],"externalTrafficPolicy":"Local"},"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.1"}]}}"#;
    let slice = r#","addressType":"IPv4","endpoints":[{"addresses":["10.1.0.2"],"nodeName":"base","conditions":{"ready":false,"serving":true,"terminating":true}}]"#;
    let config_map = r#","data":{"config":"address-pools: [{name: c, protocol: bgp, addresses: [203.0.113.0/30]}]"}"#;

    [
        ("pool", vec![pool("ADDED", valid), pool("MODIFIED", "\"x\""), pool("DELETED", valid)]),
        ("overlap", vec![pool("ADDED", "\"192.0.2.0/25\"")]),
        (
            "peer",
            vec![
                line("secrets", "ADDED", "w", r#","type":"kubernetes.io/basic-auth","data":{"password":"cGFzcw=="}"#),
                line("bfdprofiles", "ADDED", "f", r#","spec":{"receiveInterval":300}"#),
                line("bgppeers", "ADDED", "q", peer),
                line("bfdprofiles", "DELETED", "f", ""),
            ],
        ),
        (
            "advertisement",
            vec![
                line("communities", "ADDED", "c", r#","spec":{"communities":[{"name":"x","value":"1:2"}]}"#),
                line("bgpadvertisements", "ADDED", "r", r#","spec":{"communities":["x"],"aggregationLength":24,"localPref":9}"#),
                line("l2advertisements", "ADDED", "l", ""),
            ],
        ),
        (
            "service",
            vec![
                pool("ADDED", valid),
                line("services", "ADDED", "s", service),
                line("endpointslices", "ADDED", "s-1", slice),
                line("namespaces", "ADDED", "n", r#","labels":{"a":"b"}"#),
                line("services", "DELETED", "s", service),
            ],
        ),
        ("node", vec![line("nodes", "MODIFIED", "base", r#","status":{"addresses":[]}"#)]),
        ("config-map", vec![line("configmaps", "ADDED", "config", config_map)]),
        ("base", vec![line("ipaddresspools", "DELETED", "base", ""), pool("ADDED", valid)]),
        (
            "refused",
            vec![
                "a{}".to_owned(),
                r#"b{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#.to_owned(),
                r#"c{"type":"ERROR","object":{"status":"Failure","message":"too old","reason":"Expired","code":410}}"#.to_owned(),
                r#"d{"type":"ADDED","object":7}"#.to_owned(),
                r#"k{"type":"ADDED","object":{"metadata":{"name":["x"]},"spec":null}}"#.to_owned(),
            ],
        ),
    ]
    .map(|(name, lines)| (name.to_owned(), lines.join("\n").into_bytes()))
    .to_vec()
}
