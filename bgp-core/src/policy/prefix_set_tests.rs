use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn set(texts: &[&str]) -> PrefixSet {
    texts.iter().map(|text| text.parse::<PrefixMatch>().expect("a prefix match")).collect()
}

#[test]
fn prefix_matches_print_and_read_back_as_routers_write_them() {
    for text in ["10.0.0.0/8", "10.0.0.0/8 le 24", "10.0.0.0/8 ge 9 le 24", "::/0 ge 8 le 48"] {
        let read = text.parse::<PrefixMatch>().map(|it| it.to_string());
        assert_eq!(read, Ok(text.to_owned()));
    }
    let longer: PrefixMatch = "10.0.0.0/8 ge 24".parse().unwrap();
    assert_eq!((longer.shortest, longer.longest), (24, 32));
    for wrong in [
        "",
        "10.0.0.0",
        "10.0.0.0/8 le",
        "10.0.0.0/8 le 7",
        "10.0.0.0/8 le 33",
        "10.0.0.0/8 ge 25 le 24",
        "10.0.0.0/8 ge 4",
        "10.0.0.0/8 le 24 ge 9",
        "10.0.0.0/8 le 24 more",
    ] {
        assert_eq!(wrong.parse::<PrefixMatch>(), Err(ParsePrefixMatchError), "{wrong}");
    }
}

#[test]
fn a_prefix_is_matched_by_any_range_around_it() {
    let set = set(&["10.0.0.0/8", "10.0.0.0/8 ge 24 le 25", "10.1.0.0/16 le 17", "2001:db8::/32"]);
    for inside in ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.128/25", "10.1.128.0/17", "2001:db8::/32"] {
        assert!(set.contains(prefix(inside)), "{inside}");
    }
    for outside in ["10.0.0.0/9", "10.1.2.0/26", "11.0.0.0/8", "0.0.0.0/0", "2001:db8::/33", "::/0"]
    {
        assert!(!set.contains(prefix(outside)), "{outside}");
    }
    assert_eq!(set.len(), 4);
    assert!(!PrefixSet::default().contains(prefix("10.0.0.0/8")));
}

#[test]
fn equal_prefixes_are_stored_once_and_without_host_bits() {
    let same = set(&["10.1.2.3/8 le 9", "10.0.0.0/8 le 9"]);
    assert_eq!(same, set(&["10.0.0.0/8 le 9"]));
    assert_eq!(format!("{same:?}"), r#"{"10.0.0.0/8 le 9"}"#);
}

#[test]
fn martians_are_special_prefixes_but_no_default_route() {
    let martians = PrefixSet::martians();
    assert_eq!(martians.len(), MARTIANS.len());
    for text in ["10.1.0.0/16", "192.0.2.0/24", "255.255.255.255/32", "::1/128", "fe80::/64"] {
        assert!(martians.contains(prefix(text)), "{text}");
    }
    for text in ["0.0.0.0/0", "::/0", "8.8.8.0/24", "2a00::/16", "193.0.0.0/21", "2001:4860::/32"] {
        assert!(!martians.contains(prefix(text)), "{text}");
    }
}

fn any_match() -> impl Strategy<Value = PrefixMatch> {
    (any::<u32>(), 0_u8..=32, 0_u8..=32, 0_u8..=32).prop_map(
        |(address, length, shortest, longest)| {
            let within = ipnet::Ipv4Net::new((address & 0xc300_0003).into(), length).unwrap();
            PrefixMatch::lengths(within.into(), shortest, longest)
        },
    )
}

proptest! {
    #[test]
    fn a_set_matches_what_one_of_its_prefixes_matches(
        matches in prop::collection::vec(any_match(), 0..40),
        wanted in any_match(),
    ) {
        let expected = matches.iter().any(|it| it.contains(wanted.within));
        let set: PrefixSet = matches.into_iter().collect();
        prop_assert_eq!(set.contains(wanted.within), expected);
    }
}
