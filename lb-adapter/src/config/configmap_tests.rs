use super::super::tests::{good, pool_with, problems};
use crate::config::parse;
use crate::model::Community;

#[test]
fn pools_need_name_protocol_and_addresses() {
    assert_eq!(
        problems("address-pools:\n- {}\n- name: ''\n  protocol: bgp\n  addresses: []\n"),
        [
            "f:2:3: error: address-pools[0].name: missing, expected the pool's name",
            "f:2:3: error: address-pools[0].addresses: missing, expected at least one prefix or range",
            "f:2:3: error: address-pools[0].protocol: missing, expected bgp or layer2",
            "f:3:9: error: address-pools[1].name: expected the pool's name, found \"\"",
            "f:5:14: error: address-pools[1].addresses: empty, expected at least one prefix or range",
        ]
    );
}

#[test]
fn pools_have_different_names() {
    let text = "address-pools:\n- {name: a, protocol: bgp, addresses: [10.0.0.0/24]}\n- {name: a, protocol: bgp, addresses: [10.0.1.0/24]}\n";
    assert_eq!(
        problems(text),
        ["f:3:10: error: address-pools[1].name: another pool is named \"a\" at f:2"]
    );
}

#[test]
fn ranges_are_checked() {
    let expected = [
        ("10.0.0.1", "write 10.0.0.1/32 for a single address"),
        ("fd00::1", "write fd00::1/128 for a single address"),
        ("10.0.0.9-10.0.0.1", "expected the lower address first"),
        ("10.0.0.9-fd00::", "expected two addresses of one family"),
    ];
    for (range, hint) in expected {
        assert_eq!(
            problems(&pool_with(&format!("['{range}']"), "")),
            [format!(
                "f:4:15: error: address-pools[0].addresses[0]: {range:?} is not an address range, {hint}"
            )]
        );
    }
}

#[test]
fn host_bits_are_masked_with_a_warning() {
    let text = pool_with("[172.22.35.70/26]", "");
    let parsed = parse("f", &text).unwrap();
    assert_eq!(parsed.config.pools[0].ranges[0].to_string(), "172.22.35.64/26");
    assert_eq!(
        problems(&text),
        [
            "f:4:15: warning: address-pools[0].addresses[0]: 172.22.35.70/26 has host bits set, it is read as 172.22.35.64/26"
        ]
    );
}

#[test]
fn addresses_that_no_service_can_have_get_a_warning() {
    for (range, special) in
        [("0.0.0.0/0", "0.0.0.0/8"), ("239.0.0.0/24", "224.0.0.0/3"), ("::/0", "::/127")]
    {
        assert_eq!(
            problems(&pool_with(&format!("['{range}']"), "")),
            [format!(
                "f:4:15: warning: address-pools[0].addresses[0]: {range} includes addresses of {special}, which Services cannot use"
            )]
        );
    }
}

#[test]
fn overlaps_are_reported_once_for_each_range_at_the_later_place() {
    let text = "\
address-pools:
- name: a
  protocol: bgp
  addresses: [10.0.0.128-10.0.1.127, 10.0.1.100/32]
- name: b
  protocol: layer2
  addresses: [10.0.0.0/24, 10.0.2.0/24, fd00::/64]
- name: c
  protocol: bgp
  addresses: ['fd00::10-fd00::20']
";
    assert_eq!(
        problems(text),
        [
            "f:4:38: error: address-pools[0].addresses[1]: 10.0.1.100/32 overlaps 10.0.0.128-10.0.1.127 of address-pools[0].addresses[0] at f:4",
            "f:7:15: error: address-pools[1].addresses[0]: 10.0.0.0/24 overlaps 10.0.0.128-10.0.1.127 of address-pools[0].addresses[0] at f:4",
            "f:10:15: error: address-pools[2].addresses[0]: fd00::10-fd00::20 overlaps fd00::/64 of address-pools[1].addresses[2] at f:7",
        ]
    );
}

#[test]
fn aggregation_stays_within_the_pool() {
    let with = |addresses: &str, length: &str| {
        pool_with(addresses, &format!("bgp-advertisements: [{{aggregation-length: {length}}}]"))
    };
    for (addresses, length) in [
        ("[172.22.35.64/26]", "26"),
        ("[172.22.35.64/26, 10.0.0.0-10.0.0.255]", "26"),
        ("[10.0.0.2-10.0.0.254]", "32"),
        ("['fd00::/64']", "24"),
    ] {
        assert_eq!(problems(&with(addresses, length)), [""; 0], "{addresses} {length}");
    }
    for (addresses, length, expected) in [
        (
            "[172.22.35.64/26]",
            "25",
            "25 is shorter than 172.22.35.64/26, expected a number from 26 to 32",
        ),
        (
            "[10.0.0.0/8, 172.22.35.64/26]",
            "24",
            "24 is shorter than 172.22.35.64/26, expected a number from 26 to 32",
        ),
        (
            "[10.0.0.2-10.0.0.255]",
            "30",
            "30 is shorter than 10.0.0.2/31, a part of 10.0.0.2-10.0.0.255, expected a number from 31 to 32",
        ),
        (
            "[10.0.0.2-10.0.0.254]",
            "26",
            "26 is shorter than 10.0.0.254/32, a part of 10.0.0.2-10.0.0.254, expected 32",
        ),
        ("[10.0.0.0/24]", "33", "expected a number from 0 to 32, found 33"),
    ] {
        assert_eq!(
            problems(&with(addresses, length)),
            [format!(
                "f:5:45: error: address-pools[0].bgp-advertisements[0].aggregation-length: {expected}"
            )]
        );
    }
}

#[test]
fn a_layer2_pool_has_no_advertisements() {
    let text = "address-pools:\n- name: a\n  protocol: layer2\n  addresses: [10.0.0.0/24]\n  bgp-advertisements: [{}]\n";
    assert_eq!(
        problems(text),
        [
            "f:5:23: error: address-pools[0].bgp-advertisements: a layer2 pool has no BGP advertisements, expected protocol bgp"
        ]
    );
    assert_eq!(problems(&text.replace("{}", "")), [""; 0]);
}

#[test]
fn a_community_is_an_alias_before_it_is_a_number() {
    let text = |listed: &str| {
        let pool =
            pool_with("[10.0.0.0/24]", &format!("bgp-advertisements: [{{communities: {listed}}}]"));
        format!("bgp-communities: {{gold: 64512:10, 1:1: 1:2}}\n{pool}")
    };
    let config = good(&text("[gold, 1:1, 64512:10]"));
    assert_eq!(
        config.bgp_advertisements[0].communities,
        [Community::new(64512, 10), Community::new(1, 2)].into()
    );
    for (listed, hint) in [
        ("gould", "did you mean \"gold\"?"),
        ("no-export", "write 65535:65281, well-known names are not built in"),
        (
            "64512",
            "expected a name from bgp-communities or two numbers up to 65535 such as 64512:100, or large:64512:1:100",
        ),
        (
            "64512:65536",
            "expected a name from bgp-communities or two numbers up to 65535 such as 64512:100, or large:64512:1:100",
        ),
    ] {
        let problems = problems(&text(&format!("[{listed}]")));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let path = "f:6:39: error: address-pools[0].bgp-advertisements[0].communities[0]: ";
        assert!(problems[0].starts_with(path), "{problems:?}");
        assert!(problems[0].ends_with(&format!(" is not a community, {hint}")), "{problems:?}");
    }
}

#[test]
fn a_wrong_alias_is_an_error_and_its_uses_are_not() {
    let pool = pool_with("[10.0.0.0/24]", "bgp-advertisements: [{communities: [bad]}]");
    assert_eq!(
        problems(&format!("bgp-communities: {{good: 1:1, bad: good}}\n{pool}")),
        [
            "f:1:35: error: bgp-communities.bad: expected two numbers up to 65535 such as 64512:100, or large:64512:1:100, found \"good\""
        ]
    );
}

/// MetalLB's reader takes a null entry for one without keys.
#[test]
fn a_null_list_entry_is_an_entry_without_keys() {
    let with = |entry: &str| {
        let pool = pool_with("[10.0.0.0/24]", &format!("bgp-advertisements:\n  - {entry}"));
        let peer =
            "peers:\n- my-asn: 1\n  peer-asn: 2\n  peer-address: 10.9.0.1\n  node-selectors:\n";
        good(&format!("{peer}  - {entry}\n{pool}"))
    };
    assert_eq!(with(""), with("{}"));
    assert_eq!(with("").bgp_advertisements.len(), 1);
    assert_eq!(with("").peers[0].node_selectors.len(), 1);
}
