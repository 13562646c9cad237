//! Policies and origin validation.

use std::sync::Arc;

use bench_growth::tables;
use bgp_core::policy::{Match, Policy, PrefixMatch, PrefixSet, RouteContext, Rule};
use bgp_core::rpki::{Vrp, VrpTable};
use bgp_core::wire::PathAttributes;
use bgp_core::{Asn, IpNet};

use super::{Prepared, TIMES, Work, scattered};

/// The sizes of a prefix set, and of a table of VRPs.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

pub(super) const WORKS: &[Work] = &[
    Work::all("build a prefix set", "entries", SIZES, |size| {
        Prepared::once(move || prefix_set(size))
    }),
    Work::one("apply a policy with a prefix set", "entries", SIZES, policy),
    Work::all("build a VRP table", "VRPs", SIZES, |size| Prepared::once(move || vrps(size))),
    Work::one("validate a route", "VRPs", SIZES, validation),
];

fn policy(size: usize) -> Prepared {
    let policy = Policy::accept_all().rule(Rule::reject(!Match::Prefix(prefix_set(size))));
    let (attributes, context) = (Arc::default(), RouteContext::own(Asn(64_512)));
    Prepared::repeated(TIMES, move |turn| {
        let attributes: &Arc<PathAttributes> = &attributes;
        let passed = policy.apply(prefix(scattered(turn * 977, size)), attributes, &context);
        assert!(passed.is_some());
    })
}

fn validation(size: usize) -> Prepared {
    let vrps = vrps(size);
    Prepared::repeated(TIMES, move |turn| {
        std::hint::black_box(vrps.validate(prefix(scattered(turn * 977, size)), Some(Asn(64_512))));
    })
}

fn prefix_set(size: usize) -> PrefixSet {
    (0..size).map(|number| PrefixMatch::or_longer(prefix(number))).collect()
}

fn vrps(size: usize) -> VrpTable {
    (0..size).map(|number| Vrp::new(prefix(number), Asn(64_512))).collect()
}

fn prefix(number: usize) -> IpNet {
    tables::prefix(u32::try_from(number).unwrap_or(u32::MAX))
}
