//! Tests of policies as a whole: the order of rules, conditions and actions.

use crate::BgpIdentifier;
use crate::rpki::{Validity, Vrp};
use crate::wire::{
    AsPath, AttributeCode, AttributeFlags, Community, ExtendedCommunity, Ipv6ExtendedCommunity,
    LargeCommunity, NextHop, Origin, RawAttribute,
};

use super::*;

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn own() -> RouteContext<'static> {
    RouteContext::own(Asn(65_000))
}

/// What an action does, in other words.
type Change = fn(&mut PathAttributes);

/// A route with a value for most attributes.
fn attributes() -> PathAttributes {
    let mut attributes = PathAttributes {
        origin: Origin::Egp,
        as_path: "65001 64512 65003".parse().unwrap(),
        next_hop: "10.0.0.1".parse().ok(),
        med: Some(5),
        communities: vec![Community::new(1, 1), Community::new(2, 7)],
        large_communities: vec![LargeCommunity::new(1, 2, 3)],
        extended_communities: vec!["rt:65000:7".parse().unwrap(), "soo:65000:7".parse().unwrap()],
        ipv6_extended_communities: vec!["rt:[2001:db8::1]:7".parse().unwrap()],
        ..PathAttributes::default()
    };
    attributes.set_aigp(Some(3));
    attributes
}

#[test]
fn the_first_decisive_rule_decides_and_earlier_rules_change_the_route() {
    let pool = PrefixMatch::lengths(prefix("10.0.0.0/8"), 24, 32);
    let policy = Policy::reject_all()
        .rule(Rule::reject(Match::prefixes([PrefixMatch::exactly(prefix("10.1.0.0/24"))])))
        .rule(Rule::change(Match::all()).action(Action::Med(Some(5))))
        .rule(Rule::accept(Match::prefixes([pool])).action(Action::LocalPref(Some(7))))
        .rule(Rule::accept(Match::Med(5..=5)).action(Action::Med(None)));
    let attributes = Arc::new(PathAttributes::default());
    let apply = |text| policy.apply(prefix(text), &attributes, &own());
    let med_and_preference = |text| apply(text).map(|it| (it.med, it.local_pref));
    assert_eq!(med_and_preference("10.1.0.0/24"), None);
    assert_eq!(med_and_preference("10.2.0.0/24"), Some((Some(5), Some(7))));
    assert_eq!(med_and_preference("10.2.0.0/23"), Some((None, None)));
    assert_eq!(med_and_preference("2001:db8::/32"), Some((None, None)));
}

#[test]
fn each_condition_holds_for_the_routes_that_it_names() {
    let asn = |asn| AsnSet::from(Asn(asn));
    let set = |text: &str| PrefixSet::from([text.parse().unwrap()]);
    let route_targets = |asn: u32| {
        let target = |value: u32| format!("rt:{asn}:{value}").parse::<ExtendedCommunity>().unwrap();
        Match::ExtendedCommunity(target(0)..=target(u32::MAX))
    };
    let ipv6_target = "rt:[2001:db8::1]:7".parse().unwrap();
    let peer = LearnedFrom {
        address: "192.0.2.1".parse().unwrap(),
        asn: Asn(65_001),
        peer_type: PeerType::External,
    };
    let context = own().learned_from(peer);

    for (holds, fails) in [
        (Match::all(), Match::Any(Vec::new())),
        (Match::Prefix(set("10.0.0.0/8 le 24")), Match::Prefix(set("10.0.0.0/8"))),
        (Match::AsPath("^65001_".parse().unwrap()), Match::AsPath("_65001$".parse().unwrap())),
        (Match::PathLength(3..=3), Match::PathLength(0..=2)),
        (Match::PathContains(AsnSet::private()), Match::PathContains(asn(65_002))),
        (Match::FirstAs(asn(65_001)), Match::FirstAs(asn(65_003))),
        (Match::OriginAs(asn(65_003)), Match::OriginAs(asn(65_001))),
        (Match::Community("2:*".parse().unwrap()), Match::Community("1:2".parse().unwrap())),
        (
            Match::LargeCommunity("1:*:3".parse().unwrap()),
            Match::LargeCommunity("1:*:4".parse().unwrap()),
        ),
        (route_targets(65_000), route_targets(65_001)),
        (
            Match::Ipv6ExtendedCommunity(ipv6_target..=ipv6_target),
            Match::Ipv6ExtendedCommunity(
                Ipv6ExtendedCommunity([0; 20])..=Ipv6ExtendedCommunity([0; 20]),
            ),
        ),
        (Match::NextHop(set("10.0.0.0/24")), Match::NextHop(set("10.0.0.2/32"))),
        (Match::Origin(Origin::Egp), Match::Origin(Origin::Igp)),
        (Match::Med(1..=5), Match::Med(6..=9)),
        (!Match::LocalPref(0..=u32::MAX), Match::LocalPref(0..=u32::MAX)),
        (Match::Attribute(AttributeCode::AIGP), Match::Attribute(AttributeCode::AGGREGATOR)),
        (!Match::Own, Match::Own),
        (Match::PeerAddress(set("192.0.2.0/24")), Match::PeerAddress(set("192.0.3.0/24"))),
        (Match::PeerAs(asn(65_001)), Match::PeerAs(asn(65_000))),
        (Match::PeerType(PeerType::External), Match::PeerType(PeerType::Internal)),
        (Match::Validity(Validity::NotFound), Match::Validity(Validity::Valid)),
    ] {
        let applies = |it: &Match| it.applies(prefix("10.1.0.0/24"), &attributes(), &context);
        assert!(applies(&holds), "{holds:?}");
        assert!(!applies(&fails), "{fails:?}");
        assert!(applies(&!fails.clone()) && !applies(&!holds.clone()));
        assert!(applies(&(holds.clone() | fails.clone())), "{holds:?}");
        assert!(!applies(&(holds.clone() & fails.clone())), "{holds:?}");
        assert!(applies(&(Match::all() & holds.clone() & holds)));
    }
}

#[test]
fn each_action_changes_its_attribute_and_no_other() {
    let path = |text: &str| text.parse::<AsPath>().unwrap();
    let raw = RawAttribute {
        code: AttributeCode(200),
        flags: AttributeFlags(0xc0),
        value: vec![1].into(),
    };
    let typed = raw.clone();
    let aigp = attributes().unknown;
    let cases: Vec<(Action, Change)> = vec![
        (Action::AddCommunity(Community::new(3, 3)), |it| {
            it.communities.push(Community::new(3, 3));
        }),
        (Action::RemoveCommunity("1:*".parse().unwrap()), |it| {
            it.communities.remove(0);
        }),
        (Action::SetCommunities(Vec::new()), |it| it.communities.clear()),
        (Action::AddLargeCommunity(LargeCommunity::new(9, 9, 9)), |it| {
            it.large_communities.push(LargeCommunity::new(9, 9, 9));
        }),
        (Action::RemoveLargeCommunity("1:2:*".parse().unwrap()), |it| it.large_communities.clear()),
        (Action::SetLargeCommunities(vec![LargeCommunity::new(9, 9, 9)]), |it| {
            it.large_communities = vec![LargeCommunity::new(9, 9, 9)];
        }),
        (Action::AddExtendedCommunity(ExtendedCommunity::color(7)), |it| {
            it.extended_communities.push(ExtendedCommunity::color(7));
        }),
        (
            Action::RemoveExtendedCommunity(
                "rt:65000:0".parse().unwrap()..="rt:65000:9".parse().unwrap(),
            ),
            |it| {
                it.extended_communities.remove(0);
            },
        ),
        (Action::SetExtendedCommunities(Vec::new()), |it| it.extended_communities.clear()),
        (Action::AddIpv6ExtendedCommunity(Ipv6ExtendedCommunity([1; 20])), |it| {
            it.ipv6_extended_communities.push(Ipv6ExtendedCommunity([1; 20]));
        }),
        (
            Action::RemoveIpv6ExtendedCommunity(
                Ipv6ExtendedCommunity([0; 20])..=Ipv6ExtendedCommunity([0xff; 20]),
            ),
            |it| it.ipv6_extended_communities.clear(),
        ),
        (Action::SetIpv6ExtendedCommunities(Vec::new()), |it| it.ipv6_extended_communities.clear()),
        (Action::Prepend(Asn(7), 2), |it| it.as_path.prepend(Asn(7), 2)),
        (Action::RemoveAs(AsnSet::private()), |it| it.as_path = "".parse().unwrap()),
        (Action::RemoveAs(AsnSet::from(Asn(64_512))), |it| {
            it.as_path = "65001 65003".parse().unwrap();
        }),
        (Action::ReplaceAs(AsnSet::from(Asn(64_512)), Asn(7)), |it| {
            it.as_path = "65001 7 65003".parse().unwrap();
        }),
        (Action::SetAsPath(path("9 {8}")), |it| it.as_path = "9 {8}".parse().unwrap()),
        (Action::Origin(Origin::Incomplete), |it| it.origin = Origin::Incomplete),
        (Action::NextHop("10.9.9.9".parse::<NextHop>().ok()), |it| {
            it.next_hop = "10.9.9.9".parse().ok();
        }),
        (Action::Med(None), |it| it.med = None),
        (Action::AddMed(-7), |it| it.med = Some(0)),
        (Action::AddMed(i64::MAX), |it| it.med = Some(u32::MAX)),
        (Action::LocalPref(Some(7)), |it| it.local_pref = Some(7)),
        (Action::AddLocalPref(20), |it| it.local_pref = Some(120)),
        (Action::AtomicAggregate(true), |it| it.atomic_aggregate = true),
        (Action::Aggregator("7 10.0.0.1".parse().ok()), |it| {
            it.aggregator = "7 10.0.0.1".parse().ok();
        }),
        (Action::OriginatorId(Some(BgpIdentifier::new(1, 1, 1, 1))), |it| {
            it.originator_id = Some(BgpIdentifier::new(1, 1, 1, 1));
        }),
        (Action::ClusterList(vec![BgpIdentifier::new(1, 1, 1, 1)]), |it| {
            it.cluster_list = vec![BgpIdentifier::new(1, 1, 1, 1)];
        }),
        (Action::OnlyToCustomer(Some(Asn(7))), |it| it.only_to_customer = Some(Asn(7))),
        (Action::Aigp(Some(4)), |it| it.set_aigp(Some(4))),
        (Action::RemoveUnknown(AttributeCode::AIGP), |it| it.unknown.clear()),
        (Action::SetUnknown(raw), |it| {
            it.unknown.push(RawAttribute {
                code: AttributeCode(200),
                flags: AttributeFlags(0xc0),
                value: vec![1].into(),
            });
        }),
        // Nothing to do.
        (Action::AddCommunity(Community::new(1, 1)), |_| ()),
        (Action::RemoveCommunity("9:*".parse().unwrap()), |_| ()),
        (Action::RemoveAs(AsnSet::from(Asn(9))), |_| ()),
        (Action::Prepend(Asn(7), 0), |_| ()),
        (Action::Med(Some(5)), |_| ()),
        (Action::AddMed(0), |_| ()),
        (Action::SetUnknown(aigp[0].clone()), |_| ()),
        (Action::SetUnknown(RawAttribute { code: AttributeCode::AS_PATH, ..typed }), |_| ()),
        (Action::RemoveUnknown(AttributeCode(200)), |_| ()),
    ];

    for (action, change) in cases {
        let before = Arc::new(attributes());
        let mut expected = attributes();
        change(&mut expected);
        let policy = Policy::accept_all().rule(Rule::change(Match::all()).action(action.clone()));
        let passed = policy.apply(prefix("10.0.0.0/8"), &before, &own()).expect("accepted");
        assert_eq!(*passed, expected, "{action:?}");
        // Attributes that stay equal are not copied.
        assert_eq!(Arc::ptr_eq(&passed, &before), expected == *before, "{action:?}");
    }
}

#[test]
fn a_segment_without_as_numbers_disappears() {
    let mut route = Arc::new(PathAttributes {
        as_path: "64512 {64513} 65000".parse().unwrap(),
        ..PathAttributes::default()
    });
    Action::RemoveAs([Asn(64_512), Asn(64_513)].into()).apply(&mut route);
    assert_eq!(route.as_path.segments.len(), 1);
    assert_eq!(route.as_path.to_string(), "65000");
}

#[test]
fn conditions_see_the_changes_of_earlier_rules() {
    let vrps = VrpTable::from([Vrp::new(prefix("10.0.0.0/8"), Asn(7))]);
    let context = own().vrps(&vrps);
    let seen = |pattern: &str| Match::AsPath(pattern.parse().unwrap());
    let policy = Policy::reject_all()
        .rule(Rule::reject(seen("^7$") | Match::Validity(Validity::Valid)))
        .rule(Rule::change(!seen("^7$")).action(Action::SetAsPath([Asn(7)].into())))
        .rule(Rule::accept(seen("^7$") & Match::Validity(Validity::Valid)));
    assert!(policy.uses_validity());
    let route = Arc::new(attributes());
    assert!(policy.apply(prefix("10.0.0.0/8"), &route, &context).is_some());
    assert!(policy.apply(prefix("10.0.0.0/9"), &route, &context).is_none());
    assert!(!Policy::accept_all().uses_validity());
}

#[test]
fn our_own_route_is_valid_if_our_as_may_originate_it() {
    let vrps = VrpTable::from([Vrp::new(prefix("10.0.0.0/8"), Asn(65_000))]);
    let valid = |context| {
        Match::Validity(Validity::Valid).applies(
            prefix("10.0.0.0/8"),
            &PathAttributes::default(),
            &context,
        )
    };
    assert!(valid(own().vrps(&vrps)));
    assert!(!valid(RouteContext::own(Asn(65_001)).vrps(&vrps)));
}
