//! The expected table of a router, and the texts of differences.

use super::*;

fn path(next_hop: &str, as_path: &[u32]) -> RouterPath {
    let as_path = as_path.iter().copied().map(Asn).collect();
    RouterPath { as_path, ..RouterPath::through(ip(next_hop)) }
}

fn table(routes: &[(&str, RouterPath)]) -> RouterTable {
    let mut table = RouterTable::new();
    for (prefix, path) in routes {
        table.insert(net(prefix), path.clone());
    }
    table
}

fn shown(differences: &[PathDifference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn equal_tables_do_not_differ() {
    let one =
        table(&[("10.0.0.1/32", path("10.1.0.1", &[1])), ("10.0.0.1/32", path("10.1.0.2", &[1]))]);
    let two =
        table(&[("10.0.0.1/32", path("10.1.0.2", &[1])), ("10.0.0.1/32", path("10.1.0.1", &[1]))]);
    assert_eq!(one.diff(&two), []);
    assert_eq!((one.len(), RouterTable::new().is_empty()), (1, true));
}

#[test]
fn differences_name_the_prefix_the_next_hop_and_the_attributes() {
    let mut coloured = path("10.1.0.3", &[64636]);
    coloured.communities = ["64635:100", "64635:200"].map(|c| c.parse().unwrap()).into();
    let mut preferred = path("10.1.0.3", &[]);
    preferred.local_pref = Some(100);
    let wanted = table(&[
        ("10.0.0.1/32", path("10.1.0.1", &[64636])),
        ("10.0.0.1/32", path("10.1.0.2", &[64636])),
        ("10.0.0.3/32", coloured),
    ]);
    let found = table(&[
        ("10.0.0.1/32", path("10.1.0.2", &[64636])),
        ("10.0.0.2/32", path("10.1.0.2", &[64636])),
        ("10.0.0.3/32", preferred),
    ]);
    assert_eq!(
        shown(&wanted.diff(&found)),
        [
            "10.0.0.1/32: no path through 10.1.0.1, AS_PATH 64636",
            "10.0.0.2/32: unexpected path through 10.1.0.2, AS_PATH 64636",
            "10.0.0.3/32: expected a path through 10.1.0.3, AS_PATH 64636, COMMUNITIES 64635:100 \
             64635:200; found one through 10.1.0.3, AS_PATH empty, LOCAL_PREF 100",
        ]
    );
    assert_eq!(found.diff(&wanted).len(), 3);
}

#[test]
fn a_router_holds_only_the_routes_of_its_own_peers() {
    let cluster = Cluster::default().service("a", &["kube1"], |_| {}).with(|cluster| {
        cluster.config.peers.push(Peer::new(Asn(65000), Asn(65000), ip("172.22.35.2")));
    });
    let plans = cluster.plans();
    let at = |router: &str| {
        let plans = plans.iter().map(|planned| &planned.plan);
        expected_router_table(plans, router.parse().unwrap())
    };
    let external = at(ROUTER);
    let through = |table: &RouterTable| -> Vec<_> {
        table.iter().flat_map(|(_, paths)| paths).map(ToString::to_string).collect()
    };
    assert_eq!(through(&external)[0], "through 172.22.35.25, AS_PATH 64636");
    assert_eq!(
        through(&at("172.22.35.2:179"))[0],
        "through 172.22.35.25, AS_PATH empty, LOCAL_PREF 100"
    );
    assert!(at("172.22.35.2:1179").is_empty(), "another port is another router");
    assert_eq!(external.iter().next().unwrap().1.len(), 3);
}

#[test]
fn a_table_counts_prefixes_and_not_paths() {
    let mut all = RouterTable::new();
    assert!(all.is_empty());
    for (prefix, next_hop, expected) in [
        ("10.0.0.1/32", "10.1.0.1", 1),
        ("10.0.0.1/32", "10.1.0.2", 1),
        ("10.0.0.2/32", "10.1.0.1", 2),
    ] {
        all.insert(net(prefix), path(next_hop, &[1]));
        assert_eq!((all.len(), all.is_empty()), (expected, false));
    }
}
