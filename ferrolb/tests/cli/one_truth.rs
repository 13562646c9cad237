//! `explain`, `replay`, `lab`, `diff`, and `run` with real routers must agree about the same objects.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use bgp_session::{AfiSafi, Asn, BgpIdentifier, Import, PeerConfig, PeerHandle, Speaker};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::ask::get;
use crate::generated::{Router, World, Written, worlds};
use crate::ports::ReservedPort;
use crate::world::{Process, ferrolb, printed, wait_until};

/// Announced routes: node, peer and prefix.
type Routes = BTreeSet<(String, String, String)>;
/// Services that are not announced: node, Service and reason.
type Reasons = BTreeSet<(String, String, String)>;

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The answer of `explain` about one Service.
struct Explained {
    routes: Routes,
    reasons: Reasons,
    /// The reasons that do not concern a single peer.
    for_all: Reasons,
    announcing: BTreeSet<String>,
    /// The failed gates `sent`: peer and prefix.
    unsent: BTreeSet<(String, String)>,
}

fn explained(service: &str, from: &[&str]) -> Explained {
    let document = json(&[&["explain", service, "-o", "json"], from].concat());
    let (mut routes, mut reasons, mut for_all) = (Routes::new(), Reasons::new(), Reasons::new());
    let (mut announcing, mut unsent) = (BTreeSet::new(), BTreeSet::new());

    for node in rows(&document["nodes"]) {
        let name = word(&node["node"]);
        if node["announced"] == true {
            announcing.insert(name.clone());
        }

        let failed = |gate: &&Value| gate["passed"] == false;
        let reason = |gate: &Value| (name.clone(), service.to_owned(), word(&gate["found"]));
        for_all.extend(rows(&node["gates"]).filter(failed).map(reason));

        for peer in rows(&node["peers"]) {
            let endpoint = word(&peer["peer"]);
            for route in rows(&peer["routes"]) {
                let prefix = word(route).split(' ').next().unwrap_or_default().to_owned();
                routes.insert((name.clone(), endpoint.clone(), prefix));
            }

            for gate in rows(&peer["gates"]).filter(failed) {
                match gate["gate"].as_str() {
                    Some("sent") => {
                        let found = word(&gate["found"]);
                        let (prefix, _) = found.split_once(": ").unwrap();
                        unsent.insert((endpoint.clone(), prefix.to_owned()));
                    }
                    Some("session") => {}
                    _ => drop(reasons.insert(reason(gate))),
                }
            }
        }
    }

    reasons.extend(for_all.iter().cloned());
    Explained { routes, reasons, for_all, announcing, unsent }
}

/// The routes and reasons of the last answer of `replay`.
fn replayed(world: &World) -> (Routes, Reasons) {
    // Objects before the step `sync` count as present at the start, as those in files do.
    let recording = Written::recording(&world.objects());
    let synced = recording.beside("synced.jsonl");
    let lines = std::fs::read_to_string(recording.path()).unwrap();
    std::fs::write(&synced, format!("{lines}{{\"sync\": true}}\n")).unwrap();
    let answers = printed(&["replay", &synced]);
    let last: Value = serde_json::from_str(answers.lines().last().unwrap()).unwrap();

    let routes = rows(&last["routes"]);
    let routes = routes.map(|it| (word(&it["node"]), word(&it["peer"]), word(&it["prefix"])));
    let withheld = rows(&last["not_announced"]);
    let withheld =
        withheld.map(|it| (word(&it["node"]), word(&it["service"]), word(&it["reason"])));
    (routes.collect(), withheld.collect())
}

/// The routes that the routers of a lab hold, and the text of its tables.
fn in_lab(manifests: &Written, world: &World) -> (Routes, String) {
    let lab = |output: &[&str]| {
        printed(&[&["lab", &manifests.text(), "--port", "0", "--once"], output].concat())
    };
    let document: Value = serde_json::from_str(&lab(&["-o", "json"])).unwrap();
    let mut routes = Routes::new();
    for row in rows(&document["routes"]) {
        let peer = row["router"].as_str().unwrap_or(world.peers[0].address);
        let peer = world.peers.iter().find(|it| [it.name, it.address].contains(&peer)).unwrap();
        for hop in rows(&row["next_hops"]) {
            let hop: IpAddr = hop.as_str().unwrap().parse().unwrap();
            let node = world.nodes.iter().find(|it| it.has(hop)).unwrap();
            let endpoint = format!("{}:{}", peer.address, peer.port);
            routes.insert((node.name.to_owned(), endpoint, word(&row["prefix"])));
        }
    }
    (routes, lab(&[]))
}

#[test]
fn explain_replay_lab_and_diff_agree_without_a_session() {
    let mut runner =
        TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&worlds(), |world| {
        let manifests = world.manifests();
        let from = manifests.text();
        let (mut routes, mut reasons, mut for_all) =
            (Routes::new(), Reasons::new(), Reasons::new());
        for service in world.services.iter().map(|it| format!("web/{}", it.name)) {
            let explained = explained(&service, &["--from", &from]);
            let nodes: BTreeSet<_> = explained.routes.iter().map(|it| it.0.clone()).collect();
            prop_assert_eq!(nodes, explained.announcing, "{}", service);
            routes.extend(explained.routes);
            reasons.extend(explained.reasons);
            for_all.extend(explained.for_all);
        }

        let (replayed, withheld) = replayed(&world);
        prop_assert_eq!(&replayed, &routes, "replay");
        prop_assert_eq!(&withheld, &reasons, "replay");

        let (in_lab, shown) = in_lab(&manifests, &world);
        prop_assert_eq!(&in_lab, &routes, "lab");
        for (_, service, reason) in &for_all {
            let is_shown = shown.lines().any(|it| it.contains(service) && it.ends_with(reason));
            prop_assert!(is_shown, "{service}: {reason} is not in {shown}");
        }

        let mut without = world;
        without.services.clear();
        let without = without.manifests();
        let withdrawn = printed(&["diff", &from, &without.text()]);
        let withdrawn: BTreeSet<_> = withdrawn
            .lines()
            .filter_map(|line| line.strip_prefix("- ")?.split(' ').next())
            .collect();
        let announced: BTreeSet<_> = routes.iter().map(|it| it.2.as_str()).collect();
        prop_assert_eq!(withdrawn, announced, "diff");
        Ok(())
    });
    ran.unwrap();
}

/// A router of a world, if it is up, and its routes.
struct Running {
    speaker: Option<Speaker>,
    _node: Option<PeerHandle>,
    /// The port of a router that is down.
    _reserved: Option<ReservedPort>,
    endpoint: String,
}

impl Running {
    /// Starts the router. If the router should be down, no process listens at its port.
    async fn start(address: &str, router: Router) -> (Self, u16) {
        let address: IpAddr = address.parse().unwrap();
        if router == Router::Down {
            let reserved = ReservedPort::of(address);
            let endpoint = reserved.address();
            let router = Self {
                speaker: None,
                _node: None,
                _reserved: Some(reserved),
                endpoint: endpoint.to_string(),
            };
            return (router, endpoint.port());
        }

        let families = match router {
            Router::OffersIpv4 => vec![AfiSafi::IPV4_UNICAST],
            Router::OffersIpv6 => vec![AfiSafi::IPV6_UNICAST],
            _ => vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
        };

        let IpAddr::V4(identifier) = address else { panic!("an IPv4 address") };
        let speaker = Speaker::builder(Asn(64635), BgpIdentifier(identifier));
        let speaker = speaker.listen(SocketAddr::new(address, 0)).start().await.unwrap();
        let node: IpAddr = "127.22.35.25".parse().unwrap();
        let node = PeerConfig::new(node, Asn(64636)).passive().import(Import::Keep);
        let node = speaker.add_peer(node.families(families)).await.unwrap();

        let port = speaker.listen_addr().unwrap().port();
        (
            Self {
                speaker: Some(speaker),
                _node: Some(node),
                _reserved: None,
                endpoint: format!("{address}:{port}"),
            },
            port,
        )
    }

    fn held(&self) -> BTreeSet<String> {
        let tables = self.speaker.iter().map(Speaker::loc_rib);
        tables
            .flat_map(|it| it.iter().map(|(prefix, _)| prefix.to_string()).collect::<Vec<_>>())
            .collect()
    }
}

#[test]
fn run_agrees_with_its_routers_and_with_its_answers_without_a_session() {
    let runtime = Runtime::new().unwrap();
    let mut runner =
        TestRunner::new(Config { cases: 10, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&worlds(), |mut world| {
        let mut routers = Vec::new();
        for peer in &mut world.peers {
            let (router, port) = runtime.block_on(Running::start(peer.address, peer.router));
            peer.port = port;
            routers.push(router);
        }
        let manifests = world.manifests();
        let (dir, state) = (manifests.text(), manifests.beside("state.json"));
        let run = ["run", &dir, "--node", "kube1", "--state-file", &state, "--http", "127.0.0.1:0"];
        let process = Process::start(ferrolb(&run));
        let line = process.error(|line| line.contains("serving health checks and metrics"));
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        let url = format!("http://{address}");
        let up = routers.iter().filter(|router| router.speaker.is_some()).count();
        wait_until("the sessions", || get(&url, "/objects").matches("\"up\":true").count() == up);

        // The planned routes, the sent ones, and those that `explain` reports as not sent.
        let (mut planned, mut sent, mut unsent) = (Routes::new(), Routes::new(), BTreeSet::new());
        for service in world.services.iter().map(|it| format!("web/{}", it.name)) {
            let offline = explained(&service, &["--from", &dir, "--node", "kube1"]);
            let online = explained(&service, &["--url", &url, "--node", "kube1"]);
            prop_assert_eq!(&online.reasons, &offline.reasons, "{}", service);
            prop_assert_eq!(online.announcing.is_empty(), online.routes.is_empty());
            planned.extend(offline.routes);
            sent.extend(online.routes);
            unsent.extend(online.unsent);
        }
        for router in &routers {
            let of = |routes: &Routes| -> BTreeSet<String> {
                let routes = routes.iter().filter(|it| it.1 == router.endpoint);
                routes.map(|it| it.2.clone()).collect()
            };
            let (planned, sent) = (of(&planned), of(&sent));
            wait_until("the routes", || router.held().len() >= sent.len());
            prop_assert_eq!(&router.held(), &sent, "{}", router.endpoint);

            let not_sent: BTreeSet<_> = planned.difference(&sent).cloned().collect();
            let reported = unsent.iter().filter(|(peer, _)| *peer == router.endpoint);
            let reported: BTreeSet<_> = reported.map(|(_, prefix)| prefix.clone()).collect();
            if router.speaker.is_some() {
                prop_assert_eq!(&reported, &not_sent, "{}", router.endpoint);
            } else {
                prop_assert!(reported.is_empty() && sent.is_empty());
            }

            let metrics = get(&url, "/metrics");
            let value = |name: &str| -> usize {
                let start = format!("{name}{{peer=\"{}\"}} ", router.endpoint);
                let value = metrics.lines().find_map(|line| line.strip_prefix(&start));
                value.and_then(|it| it.strip_suffix(".0")?.parse().ok()).unwrap()
            };
            prop_assert_eq!(value("metallb_bgp_announced_prefixes_total"), sent.len());
            prop_assert_eq!(value("metallb_bgp_pending_prefixes_total"), not_sent.len());
        }
        Ok(())
    });
    ran.unwrap();
}
