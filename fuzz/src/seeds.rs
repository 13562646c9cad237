//! Seed corpora: a few inputs for each target from our own encoder, so that a fuzzer starts with valid formats.
//!
//! `cargo run -p fuzz --example seeds` writes them as `corpus/TARGET/seed-NAME`; a test checks that they are up to date.

use bgp_core::wire::{
    AddPath, AddPathMode, Aggregator, AsPath, AsPathSegment, AttributeBlock, AttributeCode,
    AttributeFlags, Capability, CeaseSubcode, Community, ExtendedCommunity, LargeCommunity,
    NextHop, Notification, Open, Origin, PathAttributes, RawAttribute, Role, RouteRefresh,
    SegmentType, UpdateWriter, WireContext, encode_end_of_rib, encode_keepalive,
};
use bgp_core::{AfiSafi, Asn, BgpIdentifier, IpNet, PeerType};
use bytes::{Bytes, BytesMut};

use crate::capture::{SYN, pcap, segment};
use crate::input::Input;

/// The seeds of a target with their names; none for an unknown target.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "framer" => framer(),
        "open" => bodies(opens()),
        "update" | "round_trip" => updates(),
        "notification" => bodies(notifications()),
        "route_refresh" => route_refreshes(),
        "encode" => encodes(),
        "text" => texts(),
        "peer" => peers(),
        "config" => configs(),
        "decode" => decodes(),
        "mrt" => mrts(),
        "bmp" => crate::bmp::seeds(),
        "capture" => captures(),
        "rtr" => crate::rtr::seeds(),
        "bfd" => crate::bfd::seeds(),
        "router_advertisement" => crate::router_advertisement::seeds(),
        "http" => crate::http::seeds(),
        "objects" => crate::objects::seeds(),
        "recording" => crate::recording::seeds(),
        "state_file" => crate::state_file::seeds(),
        "health_port" => crate::health_port::seeds(),
        "speakers" => crate::speakers::seeds(),
        _ => Vec::new(),
    }
}

/// A name and a complete message.
type Named = (&'static str, BytesMut);

/// Messages without their headers.
fn bodies(messages: Vec<Named>) -> Vec<(String, Vec<u8>)> {
    messages.into_iter().map(|(name, octets)| (name.to_owned(), octets[19..].to_vec())).collect()
}

fn encoded(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

fn open(capabilities: Vec<Capability>) -> BytesMut {
    let identifier = BgpIdentifier::new(172, 22, 35, 25);
    encoded(|out| Open::new(Asn(64_636), 90, identifier, capabilities).encode(out))
}

fn opens() -> Vec<Named> {
    let families = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
    let mut usual = families.map(Capability::Multiprotocol).to_vec();
    usual.extend([Capability::RouteRefresh, Capability::FourOctetAs(Asn(4_200_000_000))]);

    let mut rich = usual.clone();
    rich.extend([
        Capability::ExtendedMessage,
        Capability::EnhancedRouteRefresh,
        Capability::Role(Role::CUSTOMER),
        Capability::AddPath(
            families.map(|family| AddPath { family, mode: AddPathMode::BOTH }).to_vec(),
        ),
        Capability::Fqdn { host: "kube2".to_owned(), domain: "example".to_owned() },
        Capability::SoftwareVersion("FerroLB/0.1".to_owned()),
        Capability::Unknown { code: 64, value: Bytes::from_static(&[0xc0, 120, 0, 1, 1, 0x80]) },
        Capability::Unknown { code: 71, value: Bytes::from_static(&[0, 2, 1, 0x80, 0, 1, 0]) },
        Capability::Unknown { code: 5, value: Bytes::from_static(&[0, 1, 0, 1, 0, 2]) },
    ]);

    let value = Bytes::from_static(&[7; 100]);
    let long = [128, 129, 130].map(|code| Capability::Unknown { code, value: value.clone() });

    vec![
        ("bare", open(Vec::new())),
        ("usual", open(usual)),
        ("rich", open(rich)),
        ("rfc9072", open(long.to_vec())),
    ]
}

fn notifications() -> Vec<Named> {
    let shutdown = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
    let hold = Notification::hold_timer_expired();
    [
        ("shutdown", Notification::cease_with_message(shutdown, "maintenance, back at 12:00 é")),
        ("reset", Notification::hard_reset(&hold)),
        ("hold", hold),
        ("limit", Notification::cease(CeaseSubcode::MAXIMUM_PREFIXES_REACHED)),
    ]
    .map(|(name, notification)| (name, encoded(|out| notification.encode(out))))
    .to_vec()
}

fn route_refreshes() -> Vec<(String, Vec<u8>)> {
    let family = AfiSafi::IPV6_UNICAST;
    let message = encoded(|out| RouteRefresh::request(family).encode(out));
    vec![("request".to_owned(), [&[0, 0], &message[19..]].concat())]
}

/// The octets that choose a [context](Input::context), and the context.
fn context(bits: u16) -> ([u8; 2], WireContext) {
    let octets = bits.to_be_bytes();
    (octets, Input::new(&octets).context())
}

fn updates() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, bits) in [
        ("old", 0x0000),
        ("usual", 0x0102),
        ("internal", 0x0103),
        ("extended", 0x010e),
        ("add-path", 0x0382),
        ("multicast", 0x1507),
    ] {
        let (octets, cx) = context(bits);
        for (kind, message) in update_kinds(cx) {
            seeds.push((format!("{name}-{kind}"), [&octets, &message[19..]].concat()));
        }
    }
    seeds
}

fn update_kinds(cx: WireContext) -> Vec<Named> {
    let v6 = AfiSafi::IPV6_UNICAST;
    let global = NextHop::from(std::net::Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]));
    let link_local = NextHop::V6 {
        global: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        link_local: Some([0xfe80, 0, 0, 0, 0, 0, 0, 1].into()),
    };
    let v4_hop = NextHop::V4([172, 22, 35, 26].into());
    let v4 = AfiSafi::IPV4_UNICAST;
    let v4_prefixes = prefixes(&["172.22.35.70/32", "200.1.154.64/26", "10.0.0.0/8", "0.0.0.0/0"]);
    let v6_prefixes = prefixes(&["2001:db8::/32", "2001:db8:0:1::/64", "2001:db8::1/128"]);

    let mut all = vec![
        ("ipv4", reach(v4, &v4_hop, &rich(cx), &v4_prefixes, cx)),
        ("ipv4-plain", reach(v4, &v4_hop, &plain(), &v4_prefixes, cx)),
        ("ipv4-gone", unreach(v4, &v4_prefixes, cx)),
        ("ipv6", reach(v6, &global, &rich(cx), &v6_prefixes, cx)),
        ("ipv6-link", reach(v6, &link_local, &plain(), &v6_prefixes, cx)),
        ("ipv6-gone", unreach(v6, &v6_prefixes, cx)),
        ("end", encoded(|out| encode_end_of_rib(out, v6))),
    ];
    if cx.has_extended_next_hop() {
        all.push(("ipv4-ipv6", reach(v4, &global, &plain(), &v4_prefixes, cx)));
    }
    all
}

fn prefixes(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a prefix")).collect()
}

fn reach(
    family: AfiSafi,
    next_hop: &NextHop,
    attributes: &PathAttributes,
    prefixes: &[IpNet],
    cx: WireContext,
) -> BytesMut {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    block.encode(attributes, cx);
    let mut writer = UpdateWriter::reach(&mut out, family, next_hop, &block, cx);
    assert_eq!(writer.push_all(prefixes), prefixes.len());
    writer.finish();
    out
}

fn unreach(family: AfiSafi, prefixes: &[IpNet], cx: WireContext) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = UpdateWriter::unreach(&mut out, family, cx);
    assert_eq!(writer.push_all(prefixes), prefixes.len());
    writer.finish();
    out
}

fn plain() -> PathAttributes {
    let as_path = AsPath::sequence([Asn(64_635), Asn(64_636)]);
    PathAttributes { as_path, ..PathAttributes::default() }
}

/// All attributes that have a field, and some that are carried as octets.
fn rich(cx: WireContext) -> PathAttributes {
    let set = AsPathSegment { kind: SegmentType::Set, asns: vec![Asn(1), Asn(70_000)] };
    let mut as_path = AsPath::sequence([Asn(64_635), Asn(4_200_000_000)]);
    as_path.segments.push(set);
    if cx.peer_type() == PeerType::Internal {
        let kind = SegmentType::ConfedSequence;
        as_path.segments.insert(0, AsPathSegment { kind, asns: vec![Asn(65_001)] });
    }

    let transitive = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
    PathAttributes {
        origin: Origin::Incomplete,
        as_path,
        med: Some(10),
        local_pref: Some(200),
        atomic_aggregate: true,
        aggregator: Some(Aggregator { asn: Asn(70_000), address: [10, 0, 0, 1].into() }),
        communities: vec![Community::new(64_635, 100), Community::NO_EXPORT],
        extended_communities: ExtendedCommunity::route_target(Asn(65_000), 1).into_iter().collect(),
        large_communities: vec![LargeCommunity::new(64_635, 1, 2)],
        originator_id: Some(BgpIdentifier::new(10, 0, 0, 2)),
        cluster_list: vec![BgpIdentifier::new(10, 0, 0, 3)],
        only_to_customer: Some(Asn(64_635)),
        unknown: vec![
            raw(AttributeCode::TUNNEL_ENCAPSULATION, transitive, &[0, 8, 0, 4, 4, 2, 0, 1]),
            raw(AttributeCode::AIGP, AttributeFlags::OPTIONAL, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9]),
            raw(AttributeCode::PREFIX_SID, transitive, &[1, 0, 7, 0, 0, 0, 0, 0, 0, 5]),
            raw(AttributeCode(99), transitive.with(AttributeFlags::PARTIAL), &[1, 2, 3]),
        ],
        ..PathAttributes::default()
    }
}

fn raw(code: AttributeCode, flags: AttributeFlags, value: &'static [u8]) -> RawAttribute {
    RawAttribute { code, flags, value: Bytes::from_static(value) }
}

fn framer() -> Vec<(String, Vec<u8>)> {
    let (_, cx) = context(0x0102);
    let mut stream = Vec::new();
    for (_, message) in opens().into_iter().chain(update_kinds(cx)).chain(notifications()) {
        stream.extend_from_slice(&message);
    }
    let keepalives = encoded(encode_keepalive).repeat(4);

    vec![
        ("everything".to_owned(), [&[0, 4, 1, 18, 19, 200], stream.as_slice()].concat()),
        ("keepalives".to_owned(), [&[1, 2, 30, 9], keepalives.as_slice()].concat()),
    ]
}

fn encodes() -> Vec<(String, Vec<u8>)> {
    let counting: Vec<_> = (0..400_u16).map(|n| n.to_be_bytes()[1]).collect();
    [("v4", [1, 2, 0]), ("v6", [1, 3, 1]), ("old", [0, 0, 0]), ("long", [1, 0x86, 2])]
        .map(|(name, head)| (name.to_owned(), [&head[..], &[0x1f, 0xff], &counting].concat()))
        .to_vec()
}

fn texts() -> Vec<(String, Vec<u8>)> {
    [
        ("community", "64635:100"),
        ("name", "no-export"),
        ("large", "large:4200000000:1:2"),
        ("target", "rt:65000L:1"),
        ("address", "soo:10.0.0.1:7"),
        ("color", "color:100"),
        ("bandwidth", "bw:65000:1250000"),
        ("ext", "ext:0600010203040506"),
        ("ipv6", "rt:[2001:db8::1]:7"),
        ("ext6", "ext6:4040404040404040404040404040404040404040"),
        ("family", "link-state-safi71"),
        ("asn", "64086.59904"),
        ("path", "(64512) 65001 65002 {1,2} [3]"),
        ("next-hop", "2001:db8::1 (fe80::1)"),
        ("aggregator", "4200000000 10.0.0.1"),
        ("encap", "encap:8"),
    ]
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .to_vec()
}

/// Steps as read by `peer::step`: the low four bits are the call, bit 4 the connection, and the high three the arguments.
fn peers() -> Vec<(String, Vec<u8>)> {
    // Start, advertise a route, connect, receive an OPEN and a KEEPALIVE.
    let up = [0x00, 0x0d, 0x00, 0x01, 0x02, 0x08, 0x00, 0x09];
    // The same on an accepted connection.
    let accepted = [0x00, 0x0d, 0x10, 0x01, 0x04, 0x18, 0x00, 0x19];
    let external_keep = [0x00, 0x88];
    let traffic = [0x0a, 0x01, 0x2a, 0x02, 0x8a, 0x01, 0x8f, 0x0b, 0x0b, 0xcd, 0x55, 0x01];
    let full = [0x0e, 0x0d, 0x03, 0x01, 0x8d, 0x03, 0x0d, 0x04, 0xf0, 0x0e];
    let collision = [0x00, 0x04, 0x02, 0x18, 0x00, 0x08, 0x00, 0x19, 0x09];
    let ended = [0x0f, 0x0b, 0x02, 0x08, 0x00, 0x09, 0x0b];
    let garbage = [0x06, 0x04, 0xff, 0xff, 0xff, 0x00, 0x27, 0x04, 0x00, 0x00, 0x00, 0x00];
    let held = [0x0c, 0x09, 0x65, 0x0b, 0x0b, 0x0b, 0x0b];

    [
        ("up", [&external_keep[..], &up, &traffic, &held].concat()),
        ("accepted", [&external_keep[..], &accepted, &full, &ended].concat()),
        ("internal", [&[0x00, 0x8a], &up[..], &traffic, &ended].concat()),
        ("passive", [&[0x00, 0x8c], &accepted[..], &traffic, &garbage].concat()),
        ("collision", [&[0x00, 0x89], &collision[..], &traffic].concat()),
        ("delayed", [&[0x10, 0x88, 0x20], &up[..], &traffic, &held].concat()),
        ("paced", [&[0x80, 0x88, 0x20], &up[..], &full, &traffic, &held].concat()),
        ("times", [&[0xff, 0x88, 3, 1, 9, 0, 9, 0, 9, 9], &up[..], &held, &ended].concat()),
        (
            "reconfigured",
            [&external_keep[..], &up, &[0xa0, 0x9b, 0x3f, 0x20], &traffic, &held].concat(),
        ),
        (
            "reset",
            [&external_keep[..], &up, &full, &[0x80, 0x0b, 0x02, 0x08, 0x00, 0x09], &traffic]
                .concat(),
        ),
        ("limited", [&external_keep[..], &up, &[0xa0, 0x01, 0xd1, 0x08], &traffic, &held].concat()),
        ("for-ever", [&[0xff, 0x88], &[0xff; 8][..], &up, &held, &ended].concat()),
    ]
    .map(|(name, octets)| (name.to_owned(), octets))
    .to_vec()
}

/// The text of a ConfigMap and the manifests of a Service, an EndpointSlice and a Node.
fn configs() -> Vec<(String, Vec<u8>)> {
    [
        ("pools", CONFIG.to_owned()),
        ("map", MAP.to_owned()),
        ("service", SERVICE.to_owned()),
        ("all", [MAP, SERVICE, SLICE, NODE].join("---\n")),
        ("flow", "{peers: [{peer-address: 10.0.0.1, peer-asn: 1, my-asn: 2}]}".to_owned()),
        ("example-map", include_str!("../../examples/configmap/config.yaml").to_owned()),
        ("example-resources", include_str!("../../examples/resources/config.yaml").to_owned()),
        ("alias", "a: &a [x]\nb: *a\naddress-pools: [{<<: {name: a}}]\n".to_owned()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .to_vec()
}

/// The messages of the other seeds, as read by `decode::check`: form, context, octets.
fn decodes() -> Vec<(String, Vec<u8>)> {
    let (_, cx) = context(0x0102);
    let messages = opens().into_iter().chain(update_kinds(cx)).chain(notifications());
    let mut seeds: Vec<_> = messages
        .map(|(name, message)| (format!("message-{name}"), [&[1, 0], message.as_ref()].concat()))
        .collect();
    let line = "{\"id\": 1, \"hex\": \"ff 00\", \"ctx\": {\"peer\": \"ibgp\"}}\n\n[]\nx";
    seeds.push(("lines".to_owned(), [&[0], line.as_bytes()].concat()));
    seeds
}

/// Files with a BGP4MP record for each of a few messages, and tables.
fn mrts() -> Vec<(String, Vec<u8>)> {
    let (_, cx) = context(0x0102);
    let peers = [0, 0, 0xfc, 0x7b, 0, 0, 0xfc, 0x7c, 0, 0, 0, 1, 10, 0, 0, 1, 10, 0, 0, 2];
    let messages: Vec<_> = opens().into_iter().chain(update_kinds(cx)).take(6).collect();
    let (mut plain, mut extended, mut add_path) = (Vec::new(), Vec::new(), Vec::new());
    extended.extend(record(16, 5, &[&peers[..], &[0, 5, 0, 6]].concat()));
    for (_, message) in &messages {
        let body = [&peers, message.as_ref()].concat();
        plain.extend(record(16, 4, &body));
        extended.extend(record(17, 7, &[&[0, 1, 2, 3], body.as_slice()].concat()));
        add_path.extend(record(16, 9, &body));
    }

    vec![
        ("bgp4mp".to_owned(), plain),
        ("bgp4mp-et".to_owned(), extended),
        ("bgp4mp-add-path".to_owned(), add_path),
        ("table".to_owned(), table(false)),
        ("table-add-path".to_owned(), table(true)),
    ]
}

/// Files with sessions, and streams with what happens to their segments.
fn captures() -> Vec<(String, Vec<u8>)> {
    let session = |messages: &[Named]| {
        let mut packets = vec![segment(0, 9, None, SYN, &[]), segment(1, 49, Some(10), SYN, &[])];
        let mut next = [10, 50];
        for (index, (_, octets)) in messages.iter().enumerate() {
            let end = index % 2;
            packets.push(segment(end, next[end], Some(next[1 - end]), 0, octets));
            next[end] += u32::try_from(octets.len()).expect("a short message");
        }
        packets
    };
    let (_, cx) = context(0x0102);
    let opens = opens().split_off(1);
    let usual = [&opens[..2], &update_kinds(cx)].concat();
    let lossy: Vec<_> = session(&usual).into_iter().step_by(2).collect();

    // Two messages; a part of the second and one of the first; an acknowledgment.
    let stream = [1, 0, 0xff, 0xff, 0xff, 0xf0, 1, 3, 1, 2, 3, 2, 4, 5, 0, 20, 30, 0, 0, 3, 9, 0];
    let answered = [&stream[..], &[0, 40, 0, 7]].concat();
    let (mut complete, mut middle) = (stream.to_vec(), answered.clone());
    complete[1] = 2;
    middle[1] = 1;
    vec![
        ("session".to_owned(), [&[0], pcap(101, &session(&usual)).as_slice()].concat()),
        ("session-rich".to_owned(), [&[0], pcap(228, &session(&opens)).as_slice()].concat()),
        ("session-lossy".to_owned(), [&[0], pcap(101, &lossy).as_slice()].concat()),
        ("stream".to_owned(), answered),
        ("stream-complete".to_owned(), complete),
        ("stream-middle".to_owned(), middle),
    ]
}

fn record(kind: u8, subtype: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short record").to_be_bytes();
    [&[0x60, 0, 0, 0, 0, kind, 0, subtype], &length[..], body].concat()
}

/// A table with its peers, an IPv4 prefix, an IPv6 prefix and one of another family.
fn table(add_path: bool) -> Vec<u8> {
    let peers = [10, 0, 0, 9, 0, 1, b'v', 0, 1, 2, 10, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0xfc, 0x7b];
    let v4 = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7b, 0x40, 3, 4, 10, 0, 0, 1];
    let v6_hop = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let v6 = [&v4[..13], &[0x80, 14, 17, 16], &v6_hop].concat();
    let other = [0, 1, 128, 104, 0, 0, 0x11, 0, 0, 0, 1, 0, 0, 0, 1, 10, 0];

    [
        record(13, 1, &peers),
        rib(2, add_path, &[24, 192, 168, 1], &v4),
        rib(4, add_path, &[32, 0x20, 1, 0x0d, 0xb8], &v6),
        rib(6, add_path, &other, &v6),
    ]
    .concat()
}

/// A record of a prefix with one entry.
fn rib(subtype: u8, add_path: bool, prefix: &[u8], attributes: &[u8]) -> Vec<u8> {
    let path_id: &[u8] = if add_path { &[0, 0, 0, 7] } else { &[] };
    let length = u8::try_from(attributes.len()).expect("few attributes");
    let entry = [&[0, 0, 0x60, 0, 0, 0], path_id, &[0, length], attributes].concat();
    let subtype = if add_path { subtype + 6 } else { subtype };
    record(13, subtype, &[&[0, 0, 0, 1], prefix, &[0, 1], &entry].concat())
}

const CONFIG: &str = "\
peers:
- peer-address: 172.22.35.1
  peer-asn: 64635
  my-asn: 64636
  hold-time: 90s
  node-selectors:
  - match-labels: {rack: a}
    match-expressions: [{key: zone, operator: In, values: [b, c]}]
bgp-communities: {no-advertise: '65535:65282'}
address-pools:
- name: default
  protocol: bgp
  addresses: [200.1.154.64/26, 10.0.0.1-10.0.0.9]
  auto-assign: false
  avoid-buggy-ips: true
  bgp-advertisements:
  - {aggregation-length: 32, localpref: 100, communities: [no-advertise, '64635:100']}
";

const MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
    address-pools:
    - {name: a, protocol: bgp, addresses: [10.0.0.0/24]}
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
  creationTimestamp: 2026-01-02T03:04:05Z
  annotations: {metallb.universe.tf/allow-shared-ip: key}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  loadBalancerIP: 10.0.0.1
  ports: [{name: http, protocol: TCP, port: 80}]
";

const SLICE: &str = "\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.1.0.1], nodeName: a, conditions: {ready: true}}]
";

const NODE: &str = "\
apiVersion: v1
kind: Node
metadata: {name: a, labels: {rack: a}}
status: {addresses: [{type: InternalIP, address: 172.22.35.25}]}
";
