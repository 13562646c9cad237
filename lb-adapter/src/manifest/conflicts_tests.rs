//! Advertisements of one pool that conflict with each other.

use super::tests::source;
use super::*;

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
    )
}

/// MetalLB's rule: each pool is checked by itself, with all advertisements that select it.
#[test]
fn advertisements_of_one_pool_have_one_local_preference_for_a_prefix_and_a_peer() {
    let advertisement = |name: &str, spec: &str| object("BGPAdvertisement", name, spec);
    let v4 = object("IPAddressPool", "a", "{addresses: [10.0.0.0/24]}");
    let labelled = v4.replace("{name: a}", "{name: a, labels: {tier: gold}}");
    let both = object("IPAddressPool", "a", "{addresses: [10.0.0.0/24, 'fd00::/64']}");
    let problem = |pools: &str, one: &str, other: &str| {
        let text = format!("{pools}{}{}", advertisement("a", one), advertisement("b", other));
        let reported = match parse("d", &[source("f", &text)]) {
            Ok(manifests) => manifests.warnings,
            Err(refused) => refused.as_slice().to_vec(),
        };
        reported.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };

    for (pools, one, other, expected) in [
        // Named, selected, or all: it is the same pool.
        (
            &v4,
            "{localPref: 1}",
            "{localPref: 2}",
            "preference 2 conflicts with 1 of the advertisement at f:6",
        ),
        (&v4, "{ipAddressPools: [a], localPref: 1}", "{localPref: 2}", "2 conflicts with 1"),
        (
            &labelled,
            "{ipAddressPoolSelectors: [{matchLabels: {tier: gold}}], localPref: 1}",
            "{ipAddressPools: [a], localPref: 2}",
            "2 conflicts with 1",
        ),
        // A preference that is not set is 0.
        (&v4, "{localPref: 1}", "{}", "preference 0 (not set) conflicts with 1 of"),
        (&v4, "{}", "{localPref: 1}", "preference 1 conflicts with 0 (not set) of"),
        (&v4, "{localPref: 0, communities: ['1:1']}", "{}", ""),
        // Only the lengths of the families that the pool has count.
        (&v4, "{localPref: 1, aggregationLength: 24}", "{localPref: 2}", ""),
        (&v4, "{localPref: 1, aggregationLengthV6: 64}", "{localPref: 2}", "2 conflicts with 1"),
        (&both, "{localPref: 1, aggregationLength: 24}", "{localPref: 2}", "2 conflicts with 1"),
        (
            &both,
            "{localPref: 1, aggregationLength: 24, aggregationLengthV6: 64}",
            "{localPref: 2}",
            "",
        ),
        // Other peers, other pools, or none; other Services, which is only found for a Service that both select.
        (&v4, "{localPref: 1, peers: [tor1]}", "{localPref: 2, peers: [tor2]}", ""),
        (
            &v4,
            "{localPref: 1, peers: [tor1, tor2]}",
            "{localPref: 2, peers: [tor2]}",
            "2 conflicts with",
        ),
        (&v4, "{localPref: 1}", "{localPref: 2, ipAddressPools: [b]}", ""),
        (&String::new(), "{localPref: 1}", "{localPref: 2}", ""),
        (&v4, "{localPref: 1}", "{localPref: 2, serviceSelectors: [{}]}", ""),
        // Superfluous, but not a conflict: MetalLB accepts it.
        (&v4, "{}", "{}", "duplicate of the advertisement at f:6"),
    ] {
        let found = problem(pools, one, other);
        assert_eq!(found.is_empty(), expected.is_empty(), "{one} {other}: {found}");
        assert!(found.contains(expected), "{one} {other}: {found}");
        assert_eq!(
            found.contains("error"),
            expected.contains("conflicts with"),
            "{one} {other}: {found}"
        );
    }
}

#[test]
fn advertisements_beyond_the_limit_of_comparisons_are_counted_in_a_warning() {
    let warnings = |count: usize| {
        let mut text = object("IPAddressPool", "a", "{addresses: [10.0.0.0/24]}");
        for number in 0..count {
            let peer = format!("{{peers: [tor{number}]}}");
            text.push_str(&object("BGPAdvertisement", &format!("a{number}"), &peer));
        }
        parse("d", &[source("f", &text)]).unwrap().warnings
    };

    assert_eq!(warnings(100), []);
    let found: Vec<String> = warnings(103).iter().map(|it| it.message.clone()).collect();
    let expected = "only the first 100 advertisements of this pool are compared with each other, 3 more are not";
    assert!(found.len() == 1 && found[0].ends_with(expected), "{found:?}");
}
