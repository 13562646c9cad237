use proptest::prelude::*;

use super::*;

fn range(text: &str) -> AddressRange {
    text.parse().unwrap()
}

fn prefixes(text: &str) -> Vec<String> {
    range(text).prefixes().map(|prefix| prefix.to_string()).collect()
}

#[test]
fn a_range_is_displayed_as_it_was_written() {
    assert_eq!(range("172.22.35.64/26").to_string(), "172.22.35.64/26");
    assert_eq!(range("172.22.35.70/26").to_string(), "172.22.35.64/26");
    assert_eq!(range("10.0.0.0 - 10.0.0.255").to_string(), "10.0.0.0-10.0.0.255");
    assert_eq!(range("fd00::/64").to_string(), "fd00::/64");
}

#[test]
fn invalid_ranges_are_refused_with_a_reason() {
    for (text, error) in [
        ("", RangeError::Syntax),
        ("10.0.0.1", RangeError::Syntax),
        ("10.0.0.0/33", RangeError::Syntax),
        ("10.0.0.1-", RangeError::Syntax),
        ("10.0.0.1-10.0.0.2-10.0.0.3", RangeError::Syntax),
        ("10.0.0.9-10.0.0.1", RangeError::Reversed),
        ("10.0.0.9-fd00::", RangeError::MixedFamilies),
    ] {
        assert_eq!(text.parse::<AddressRange>(), Err(error), "{text}");
    }
}

#[test]
fn both_ends_belong_to_the_range() {
    let range = range("10.0.0.2-10.0.0.254");
    assert!(range.contains("10.0.0.2".parse().unwrap()));
    assert!(range.contains("10.0.0.254".parse().unwrap()));
    assert!(!range.contains("10.0.0.1".parse().unwrap()));
    assert!(!range.contains("10.0.0.255".parse().unwrap()));
    assert!(!range.contains("::10.0.0.3".parse().unwrap()));
    assert_eq!(range.size(), 253);
}

#[test]
fn ranges_that_share_one_address_overlap() {
    assert!(range("10.0.0.0-10.0.0.9").overlaps(&range("10.0.0.9-10.0.0.10")));
    assert!(range("10.0.0.0/8").overlaps(&range("10.1.2.0/24")));
    assert!(!range("10.0.0.0-10.0.0.9").overlaps(&range("10.0.0.10-10.0.0.20")));
    assert!(!range("0.0.0.0/0").overlaps(&range("::/0")));
}

#[test]
fn a_range_is_split_into_the_fewest_prefixes() {
    assert_eq!(prefixes("10.0.0.0/26"), ["10.0.0.0/26"]);
    assert_eq!(
        prefixes("10.0.0.2-10.0.0.20"),
        ["10.0.0.2/31", "10.0.0.4/30", "10.0.0.8/29", "10.0.0.16/30", "10.0.0.20/32"]
    );
    assert_eq!(prefixes("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
    assert_eq!(prefixes("0.0.0.0-255.255.255.254").len(), 32);
    assert_eq!(prefixes("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
    assert_eq!(prefixes("255.255.255.255-255.255.255.255"), ["255.255.255.255/32"]);
}

#[test]
fn the_largest_ranges_are_iterated_to_the_last_address() {
    let all = range("::/0");
    assert_eq!(all.size(), u128::MAX);
    assert_eq!(all.addresses().nth(1), Some("::1".parse().unwrap()));
    let end: Vec<_> =
        all.addresses_from("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe".parse().unwrap()).collect();
    assert_eq!(end.len(), 2);
    assert_eq!(range("255.255.255.254/31").addresses().count(), 2);
    assert_eq!(range("10.0.0.0/8").addresses_from("11.0.0.0".parse().unwrap()).count(), 0);
    assert_eq!(range("10.0.0.0/8").addresses_from("fd00::".parse().unwrap()).count(), 0);
    assert_eq!(
        range("10.0.0.0/8").addresses_from("9.0.0.0".parse().unwrap()).next(),
        Some("10.0.0.0".parse().unwrap())
    );
}

proptest! {
    #[test]
    fn prefixes_cover_the_range(a in any::<u32>(), b in any::<u32>()) {
        let (low, high) = (a.min(b), a.max(b));
        let range = AddressRange::from_bounds(
            Ipv4Addr::from(low).into(), Ipv4Addr::from(high).into()).unwrap();
        let mut expected = u64::from(low);
        for prefix in range.prefixes() {
            prop_assert_eq!(number(prefix.network()), u128::from(expected));
            expected += 1_u64 << (32 - prefix.prefix_len());
        }
        prop_assert_eq!(expected, u64::from(high) + 1);
        prop_assert!(range.prefixes().count() <= 62);
    }

    #[test]
    fn a_displayed_range_parses_back(a in any::<u128>(), b in any::<u128>()) {
        let range = AddressRange::from_bounds(
            Ipv6Addr::from(a.min(b)).into(), Ipv6Addr::from(a.max(b)).into()).unwrap();
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }
}
