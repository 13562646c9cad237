//! Policies and origin validation: the cost of one route, for prefix sets and tables of three sizes.
//! `cargo bench -p benches --bench policy [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "it prints the tables")]

use std::collections::BTreeMap;
use std::sync::Arc;

use benches::arguments::Arguments;
use benches::measure::{contestant, measure};
use benches::memory::{self, TrackingAllocator};
use benches::table::markdown;
use bgp_core::policy::{Match, Policy, PrefixMatch, PrefixSet, RouteContext, Rule};
use bgp_core::rpki::{Vrp, VrpTable};
use bgp_core::wire::PathAttributes;
use bgp_core::{Asn, IpNet, Ipv4Net};

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator;

/// The routes that are matched in a pass, spread over the whole table.
const ROUTES: u32 = 1_000;

fn main() {
    let rounds = Arguments::of_program().rounds;
    let sizes = [1_000, 10_000, 100_000, 1_000_000];

    let mut rows = Vec::new();
    for size in sizes {
        rows.push(sets(size, rounds));
    }
    let head = ["entries", "set ns", "VRPs ns", "replace ms", "differ ms", "octets a VRP"];
    println!("{}", markdown(&head, &rows));
    println!("{}", markdown(&["condition", "ns a route"], &conditions(rounds)));
}

/// The prefix of entry `n` of a table: /24s in order, with one /16 in 256 of them.
fn prefix(n: u32) -> IpNet {
    let length = match n % 256 {
        0 => 16,
        _ => 24,
    };
    Ipv4Net::new_assert((0x0100_0000 + n * 256).into(), length).trunc().into()
}

/// The routes of a pass through a table of this size.
fn routes(size: u32) -> Vec<IpNet> {
    (0..ROUTES).map(|n| prefix(n.wrapping_mul(2_654_435_761) % size)).collect()
}

/// Measures sets and tables of this size.
fn sets(size: u32, rounds: usize) -> Vec<String> {
    let set: PrefixSet = (0..size).map(|n| PrefixMatch::or_longer(prefix(n))).collect();
    let vrp = |n: u32| Vrp::new(prefix(n), Asn(n % 70_000 + 1)).max_length(24);
    let before = memory::allocated();
    let table: VrpTable = (0..size).map(vrp).collect();
    let octets = (memory::allocated() - before) / size as usize;
    let routes = routes(size);

    let changes = BTreeMap::from([(vrp(size / 2), false), (vrp(size + 7), true)]);
    let changed = table.changed(&changes);
    let mut contestants = [
        contestant(|| routes.iter().filter(|it| set.contains(**it)).count()),
        contestant(|| routes.iter().map(|it| table.validate(*it, Some(Asn(7)))).max()),
        contestant(|| table.changed(&changes)),
        contestant(|| table.changed_prefixes(&changed)),
    ];
    let measured = measure(&mut contestants, rounds);

    let per_route = |at: usize| measured[at].median() * 1e9 / f64::from(ROUTES);
    vec![
        size.to_string(),
        format!("{:.0}", per_route(0)),
        format!("{:.0}", per_route(1)),
        format!("{:.2}", measured[2].median() * 1e3),
        format!("{:.2}", measured[3].median() * 1e3),
        octets.to_string(),
    ]
}

/// Measures a policy of one rule with each kind of condition.
fn conditions(rounds: usize) -> Vec<Vec<String>> {
    let attributes = Arc::new(PathAttributes {
        as_path: "64500 3320 1299 174 64501".parse().expect("a path"),
        communities: (0..10).map(|n| (64_500, n).into()).collect(),
        ..PathAttributes::default()
    });
    let vrps: VrpTable = (0..500_000).map(|n| Vrp::new(prefix(n), Asn(64_501))).collect();
    let context = RouteContext::own(Asn(64_512)).vrps(&vrps);
    let routes = routes(500_000);

    let set: PrefixSet = (0..100_000).map(prefix).collect();
    let conditions = [
        ("none", Match::all()),
        ("prefix set of 100,000", Match::Prefix(set)),
        ("AS path, anchored", Match::AsPath("^64500_".parse().expect("a pattern"))),
        ("AS path, anywhere", Match::AsPath("_(174|3356)_".parse().expect("a pattern"))),
        ("origin AS", Match::OriginAs(Asn(64_501).into())),
        ("community, the last of ten", Match::Community("64500:9".parse().expect("a pattern"))),
        ("validity, 500,000 VRPs", Match::Validity(bgp_core::rpki::Validity::Invalid)),
    ];

    let policies: Vec<_> = conditions
        .iter()
        .map(|(_, matches)| Policy::accept_all().rule(Rule::reject(!matches.clone())))
        .collect();
    let passing = &|policy: &Policy| {
        routes.iter().filter(|it| policy.apply(**it, &attributes, &context).is_some()).count()
    };
    let mut contestants: Vec<_> =
        policies.iter().map(|policy| contestant(move || passing(policy))).collect();
    let measured = measure(&mut contestants, rounds);

    let named = conditions.iter().zip(&measured);
    let row = |name: &str, seconds: f64| {
        vec![name.to_owned(), format!("{:.0}", seconds * 1e9 / f64::from(ROUTES))]
    };
    named.map(|((name, _), measured)| row(name, measured.median())).collect()
}
