//! Files of megabytes in which everything refers to everything.

use std::fmt::Write as _;

use super::tests::source;
use super::*;

fn examined(text: &str) -> Examination {
    let options = Options { lenient: true, ..Options::default() };
    examine(&options, "d", &[source("f", text)], Vec::new())
}

#[test]
fn a_config_map_of_ten_megabytes_is_read_to_its_end() {
    let mut text =
        String::from("peers: [{my-asn: 1, peer-asn: 2, peer-address: 9.9.9.9}]\naddress-pools:\n");
    let mut count = 0_u32;
    while text.len() < 10 * 1024 * 1024 {
        let [_, a, b, c] = count.to_be_bytes();
        let padding = "x".repeat(1_000);
        let _ = writeln!(
            text,
            "- {{name: {padding}{count}, protocol: bgp, addresses: [{}.{b}.{c}.0/24], bgp-advertisements: [{{localpref: 1}}, {{localpref: 2}}]}}",
            a + 10
        );
        count += 1;
    }
    let examined = examined(&text);
    let config = examined.manifests.unwrap_or_else(|| panic!("{:?}", examined.problems)).config;
    assert_eq!(config.pools.len(), usize::try_from(count).unwrap());
    assert_eq!(examined.problems.len(), 1_001, "the list of warnings is limited");
}

#[test]
fn resources_with_many_missing_references_are_read_to_their_end() {
    let mut text = String::new();
    for number in 0..6_000 {
        let _ = write!(
            text,
            "---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: a{number}}}\nspec: {{ipAddressPools: [p{number}], peers: [q{number}], communities: [c{number}]}}\n---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {{name: b{number}}}\nspec: {{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, bfdProfile: f{number}}}\n"
        );
    }
    let examined = examined(&text);
    assert!(examined.manifests.is_none());
    let errors =
        examined.problems.iter().filter(|it| it.severity == crate::config::Severity::Error);
    assert_eq!(errors.count(), 1_001, "the list of errors is limited");
}

#[test]
fn endless_aliases_and_nesting_are_refused_at_their_place() {
    for text in [
        format!("peers: {}", "[".repeat(200_000)),
        format!("peers: {}", "{a: ".repeat(200_000)),
        format!("peers:\n{}", (0..5_000).map(|depth| format!("{}- \n", " ".repeat(depth))).collect::<String>()),
        "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\npeers: [*f, *f, *f, *f]\n".to_owned(),
    ] {
        let found = examined(&text);
        assert!(found.manifests.is_none());
        assert!(found.problems.iter().all(|it| it.line > 0 || it.file == "d"), "{:?}", found.problems);
    }
}
