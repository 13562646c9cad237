//! The feature `serde`: each value reads back from a format that names its fields and from one that does not.

use std::{fmt::Debug, net::Ipv4Addr, sync::Arc, time::Duration};

use bgp_core::{
    fsm::{ReceivedPath, SentPath, Timer},
    policy::{Action, Match, Policy, PrefixMatch, Rule},
    rib::Nlri,
    rpki::{Validity, Vrp, VrpTable},
    wire::{AddPath, AttributeCode, AttributeFlags, Ipv6ExtendedCommunity, RouteRefreshSubtype},
};
use bgp_session::{
    AddPathMode, AfiSafi, Aggregator, AsPath, AsPathSegment, Asn, BgpIdentifier, Capability,
    CeaseSubcode, Community, DownReason, DrainStage, EventKind, Exceeded, ExtendedCommunity,
    GracefulShutdown, IpNet, KeptFor, LargeCommunity, NextHop, Notification, Open, OperatorAction,
    Origin, OutRouteState, PathAttributes, PeerAddress, PeerId, PeerStats, PeerTimer, PrefixLimit,
    PrefixLimits, RawAttribute, Refusal, RemoteAs, RestartConfig, Role, RoleConfig, Route,
    RouteSet, SegmentType, StateKind, TakesEffect, TransportError, Unsendable,
    bfd::{BfdProfile, BfdStats},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{json, to_value};

const IPV4: AfiSafi = AfiSafi::IPV4_UNICAST;

/// Writes a value and reads it, as JSON and as octets without names.
fn reads_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    let read: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(read, *value, "{json}");

    let mut octets = [0; 4_096];
    let octets = postcard::to_slice(value, &mut octets).unwrap();
    let read: T = postcard::from_bytes(octets).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(read, *value, "{json}");
}

fn prefix() -> IpNet {
    "2001:db8::/32".parse().unwrap()
}

fn attributes() -> PathAttributes {
    let mut attributes = PathAttributes {
        origin: Origin::Egp,
        as_path: "65001 65002 {1 2}".parse().unwrap(),
        next_hop: "2001:db8::1 (fe80::1)".parse().ok(),
        med: Some(7),
        local_pref: Some(100),
        atomic_aggregate: true,
        aggregator: "65001 10.0.0.1".parse().ok(),
        communities: vec![Community::new(64_500, 1), Community::NO_EXPORT],
        extended_communities: vec!["rt:65000:1".parse().unwrap(), ExtendedCommunity([0xee; 8])],
        ipv6_extended_communities: vec![Ipv6ExtendedCommunity([0xee; 20])],
        large_communities: vec![LargeCommunity::new(64_500, 1, 2)],
        originator_id: Some(BgpIdentifier::new(10, 0, 0, 1)),
        cluster_list: vec![BgpIdentifier::new(10, 0, 0, 2)],
        only_to_customer: Some(Asn(64_500)),
        unknown: vec![RawAttribute {
            code: AttributeCode(200),
            flags: AttributeFlags(0xe0),
            value: Bytes::from_static(&[0xc0, 0xde]),
        }],
    };
    attributes.set_aigp(Some(9));
    attributes
}

#[test]
fn attributes_are_text_as_operators_write_them() {
    let expected = json!({
        "origin": "egp",
        "as_path": [
            {"type": "sequence", "asns": [65_001, 65_002]},
            {"type": "set", "asns": [1, 2]},
        ],
        "next_hop": "2001:db8::1 (fe80::1)",
        "med": 7,
        "local_pref": 100,
        "atomic_aggregate": true,
        "aggregator": {"asn": 65_001, "address": "10.0.0.1"},
        "communities": ["64500:1", "65535:65281"],
        "extended_communities": ["rt:65000:1", "ext:eeeeeeeeeeeeeeee"],
        "ipv6_extended_communities": [to_value(Ipv6ExtendedCommunity([0xee; 20])).unwrap()],
        "large_communities": ["64500:1:2"],
        "originator_id": "10.0.0.1",
        "cluster_list": ["10.0.0.2"],
        "only_to_customer": 64_500,
        "unknown": [
            {"code": 26, "flags": 128, "value": "01000b0000000000000009"},
            {"code": 200, "flags": 224, "value": "c0de"},
        ],
    });
    assert_eq!(to_value(attributes()).unwrap(), expected);
    reads_back(&attributes());

    // Names and missing fields can be read too.
    let few: PathAttributes =
        serde_json::from_value(json!({"communities": ["no-export"], "med": 1})).unwrap();
    let communities = vec![Community::NO_EXPORT];
    assert_eq!(few, PathAttributes { communities, med: Some(1), ..PathAttributes::default() });
}

#[test]
fn a_route_needs_only_its_prefix() {
    let route = Route::with_attributes(prefix(), Arc::new(attributes())).path(7);
    reads_back(&route);
    let read: Route = serde_json::from_value(json!({"prefix": "10.0.0.9/24"})).unwrap();
    assert_eq!(read, Route::new("10.0.0.0/24".parse().unwrap()));

    let set = RouteSet::from([route.clone(), route.path(8), read]);
    reads_back(&set);
    let json = to_value(&set).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(3));
    assert_eq!(json[2]["path_id"], 8);
}

#[test]
fn wrong_text_is_refused_with_what_was_expected() {
    for (json, expected) in [
        (json!({"communities": ["64500"]}), "expected a community such as `64635:100`"),
        (json!({"large_communities": ["1:2"]}), "expected a large community such as `64635:1:2`"),
        (json!({"next_hop": "here"}), "expected an address"),
        (json!({"unknown": [{"code": 1, "flags": 0, "value": "abc"}]}), "two hexadecimal digits"),
        (json!({"unknown": [{"code": 1, "flags": 0, "value": "é"}]}), "two hexadecimal digits"),
    ] {
        let error = serde_json::from_value::<PathAttributes>(json).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains('"'), "{error}");
    }
    let error = serde_json::from_str::<PeerId>("\"router\"").unwrap_err().to_string();
    assert_eq!(error, "expected an IP address such as 192.0.2.1 or fe80::1%2, found \"router\"");
}

#[test]
fn values_of_the_wire_read_back() {
    reads_back(&AsPath::from([Asn(1), Asn(2)]));
    reads_back(&AsPathSegment { kind: SegmentType::ConfedSequence, asns: vec![Asn(1)] });
    reads_back(&Aggregator { asn: Asn(1), address: Ipv4Addr::LOCALHOST });
    reads_back(&NextHop::V4(Ipv4Addr::LOCALHOST));
    reads_back(&RouteRefreshSubtype(1));
    reads_back(&Nlri { prefix: prefix(), path_id: 7 });

    let shutdown = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
    let cease = Notification::cease_with_message(shutdown, "bye");
    reads_back(&cease);
    assert_eq!(to_value(&cease).unwrap(), json!({"code": 6, "subcode": 2, "data": "03627965"}));

    let capabilities = vec![
        Capability::Multiprotocol(IPV4),
        Capability::RouteRefresh,
        Capability::FourOctetAs(Asn(65_001)),
        Capability::AddPath(vec![AddPath { family: IPV4, mode: AddPathMode::BOTH }]),
        Capability::Fqdn { host: "r1".into(), domain: String::new() },
        Capability::Unknown { code: 99, value: Bytes::from_static(&[1]) },
    ];
    let open = Open::new(Asn(65_001), 90, BgpIdentifier::new(10, 0, 0, 1), capabilities);
    reads_back(&open);
    let capabilities = &to_value(&open).unwrap()["capabilities"];
    assert_eq!(capabilities[0], json!({"multiprotocol": "ipv4-unicast"}));
    assert_eq!(capabilities[5], json!({"unknown": {"code": 99, "value": "01"}}));
}

#[test]
fn facts_and_settings_read_back() {
    reads_back(&StateKind::Established);
    reads_back(&PeerTimer::Stale(IPV4, KeptFor::LongLived));
    reads_back(&PeerTimer::Connection(bgp_core::Direction::Incoming, Timer::Hold));
    reads_back(&PeerStats::default());
    reads_back(&OutRouteState::Unsendable(Unsendable::TooLong { limit: 4_096 }));
    reads_back(&TakesEffect::NextSession);
    for remote in [RemoteAs::External, RemoteAs::Between(Asn(1), Asn(2)), RemoteAs::Number(Asn(7))]
    {
        reads_back(&remote);
        reads_back(&DownReason::Refused(Refusal::WrongAs {
            expected: remote,
            local: Asn(1),
            received: Asn(3),
        }));
    }
    reads_back(&DownReason::Transport(TransportError::Other("broken".into())));

    let mut limit = PrefixLimit::new(100);
    limit.exceeded = Exceeded::Restart(Duration::from_secs(60));
    reads_back(&PrefixLimits::each(7).family(IPV4, limit));
    reads_back(&RestartConfig::default());
    reads_back(&RoleConfig::new(Role::CUSTOMER));
    reads_back(&(SentPath::default(), ReceivedPath::default()));
    reads_back(&BfdProfile::new().multiplier(5));
    reads_back(&BfdStats::default());
    reads_back(&GracefulShutdown::new().message("bye"));
    reads_back(&DrainStage::Marked);
    reads_back(&PeerId::from("fe80::1%2".parse::<PeerAddress>().unwrap()));
    reads_back(&"192.0.2.1:1790".parse::<PeerAddress>().unwrap());
    reads_back(&OperatorAction::Disable("bye".into()));
}

#[test]
fn a_policy_reads_back() {
    let pool = PrefixMatch::or_longer(prefix());
    let customer = Match::AsPath("^65001(_65001)*$".parse().unwrap())
        & Match::OriginAs([Asn(65_001)].into())
        & Match::PathLength(1..=5)
        & !Match::LargeCommunity("64500:*:1-9".parse().unwrap());
    let target: ExtendedCommunity = "rt:65000:1".parse().unwrap();
    let policy = Policy::reject_all()
        .rule(Rule::reject(Match::communities([Community::BLACKHOLE])))
        .rule(Rule::reject(Match::Validity(Validity::Invalid)))
        .rule(Rule::change(customer).action(Action::RemoveExtendedCommunity(target..=target)))
        .rule(
            Rule::accept(Match::prefixes([pool]))
                .action(Action::Prepend(Asn(1), 2))
                .action(Action::AddLargeCommunity(LargeCommunity::new(1, 2, 3)))
                .action(Action::RemoveCommunity("64500:*".parse().unwrap()))
                .action(Action::NextHop(None)),
        );
    reads_back(&policy);
    reads_back(&VrpTable::from([Vrp::new(prefix(), Asn(1)).max_length(48)]));

    let read: Rule = serde_json::from_value(json!({
        "matches": {"any": [
            {"community": "64500:1-9"},
            {"as-path": "_65001$"},
            {"prefix": [{"within": "10.0.0.0/8", "shortest": 8, "longest": 24}]},
            {"peer-as": [[64_512, 65_534]]},
            {"validity": "not-found"},
        ]},
        "actions": [{"med": 5}],
        "verdict": "accept",
    }))
    .unwrap();
    let expected = Match::Community("64500:1-9".parse().unwrap())
        .or(Match::AsPath("_65001$".parse().unwrap()))
        .or(Match::prefixes(["10.0.0.0/8 le 24".parse().unwrap()]))
        .or(Match::PeerAs((Asn(64_512)..=Asn(65_534)).into()))
        .or(Match::Validity(Validity::NotFound));
    assert_eq!(read, Rule::accept(expected).action(Action::Med(Some(5))));

    let error = serde_json::from_value::<Match>(json!({"as-path": "("})).unwrap_err().to_string();
    assert!(error.contains("expected a regular expression for AS paths"), "{error}");
}

#[test]
fn events_become_lines_of_json() {
    let line = |kind| {
        let (from, to) = (StateKind::OpenConfirm, StateKind::Established);
        let change = serde_json::to_string(&EventKind::StateChange { from, to }).unwrap();
        assert_eq!(change, r#"{"state-change":{"from":"OpenConfirm","to":"Established"}}"#);
        serde_json::to_string(&kind).unwrap()
    };
    assert_eq!(line(EventKind::Added), r#""added""#);
    assert_eq!(line(EventKind::EndOfRib(IPV4)), r#"{"end-of-rib":"ipv4-unicast"}"#);
    assert_eq!(
        line(EventKind::Operator(OperatorAction::Refresh(IPV4))),
        r#"{"operator":{"refresh":"ipv4-unicast"}}"#
    );
}
