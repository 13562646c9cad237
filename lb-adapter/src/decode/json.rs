//! A message as JSON: the keys of `--jsonl`, and only those that the message has.

use bgp_session::AfiSafi;
use bgp_session::wire::{
    AsPathView, AttributeCode, Capability, Message, MpReach, Notification, Open, Origin, Prefixes,
    RouteRefresh, SegmentType, Treatment, Update,
};
use serde_json::{Map, Value, json};

use super::hex;

/// The message.
#[must_use]
pub(super) fn message(message: &Message<'_>) -> Value {
    match message {
        Message::Open(message) => open(message),
        Message::Update(message) => update(message),
        Message::Notification(message) => notification(message),
        Message::Keepalive => json!({"type": "keepalive"}),
        Message::RouteRefresh(message) => route_refresh(message),
        _ => Value::Null,
    }
}

fn open(open: &Open) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "open".into());
    out.insert("version".into(), open.version.into());
    out.insert("my_as".into(), open.my_as.into());
    out.insert("hold_time".into(), open.hold_time.into());
    out.insert("bgp_id".into(), open.identifier.to_string().into());
    let capabilities = open.capabilities.iter().map(capability).collect();
    out.insert("capabilities".into(), capabilities);
    if let Some(asn) = open.four_octet_as() {
        out.insert("asn4".into(), asn.0.into());
    }
    out.insert("extended_opt_params".into(), open.extended_parameters.into());
    out.into()
}

fn capability(capability: &Capability) -> Value {
    let mut octets = Default::default();
    capability.encode(&mut octets);
    // Code and length go before the value.
    let value = octets.get(2..).unwrap_or_default();
    json!({"code": capability.code(), "hex": hex::print(value)})
}

fn notification(notification: &Notification) -> Value {
    json!({
        "type": "notification",
        "code": notification.code.0,
        "subcode": notification.subcode,
        "data": hex::print(&notification.data),
    })
}

fn route_refresh(refresh: &RouteRefresh) -> Value {
    json!({
        "type": "route-refresh",
        "afi": refresh.family.afi.0,
        "safi": refresh.family.safi.0,
        "subtype": refresh.subtype.0,
    })
}

fn update(update: &Update<'_>) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "update".into());
    out.insert("withdrawn".into(), prefixes(update.withdrawn().with_path_ids()));
    out.insert("nlri".into(), prefixes(update.nlri().with_path_ids()));
    path(update, &mut out);
    communities(update, &mut out);
    reflection(update, &mut out);
    multiprotocol(update, &mut out);
    let unknown: Vec<_> = unkeyed(update).collect();
    if !unknown.is_empty() {
        out.insert("unknown_attrs".into(), unknown.into());
    }
    let codes: Vec<_> = update.attributes().map(|attribute| attribute.code.0).collect();
    if !codes.is_empty() {
        out.insert("attr_codes".into(), codes.into());
    }
    if let Some(family) = update.end_of_rib() {
        out.insert("eor".into(), format!("{}/{}", family.afi.0, family.safi.0).into());
    }
    out.into()
}

/// The attributes of RFC 4271, and RFC 6793's beside them.
fn path(update: &Update<'_>, out: &mut Map<String, Value>) {
    if let Some(origin) = update.origin() {
        let name = match origin {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        };
        out.insert("origin".into(), name.into());
    }
    if let Some(path) = update.as_path() {
        out.insert("as_path".into(), as_path(path));
    }
    if let Some(path) = update.as4_path() {
        out.insert("as4_path".into(), as_path(path));
        out.insert("as_path_merged".into(), update.merged_as_path().to_string().into());
    }
    if let Some(next_hop) = update.next_hop() {
        out.insert("next_hop".into(), next_hop.to_string().into());
    }
    if let Some(med) = update.med() {
        out.insert("med".into(), med.into());
    }
    if let Some(local_pref) = update.local_pref() {
        out.insert("local_pref".into(), local_pref.into());
    }
    if update.atomic_aggregate() {
        out.insert("atomic_aggregate".into(), true.into());
    }
    if let Some(aggregator) = update.aggregator() {
        let value = json!({"asn": aggregator.asn.0, "addr": aggregator.address.to_string()});
        out.insert("aggregator".into(), value);
    }
    if let Some(asn) = update.only_to_customer() {
        out.insert("otc".into(), asn.0.into());
    }
}

fn communities(update: &Update<'_>, out: &mut Map<String, Value>) {
    let mut put = |key: &str, values: Vec<String>| {
        if !values.is_empty() {
            out.insert(key.into(), values.into());
        }
    };
    // By number, also those that have a name.
    let numeric = |c: bgp_session::Community| format!("{}:{}", c.asn(), c.value());
    put("communities", update.communities().map(numeric).collect());
    let large = update
        .large_communities()
        .map(|c| format!("{}:{}:{}", c.global_administrator, c.local_data_1, c.local_data_2));
    put("large_communities", large.collect());
    put("ext_communities", update.extended_communities().map(|c| hex::print(&c.0)).collect());
    let ipv6 = update.ipv6_extended_communities().map(|c| hex::print(&c.0));
    put("ipv6_ext_communities", ipv6.collect());
}

fn reflection(update: &Update<'_>, out: &mut Map<String, Value>) {
    if let Some(originator) = update.originator_id() {
        out.insert("originator_id".into(), originator.to_string().into());
    }
    let clusters: Vec<_> = update.cluster_list().map(|cluster| cluster.to_string()).collect();
    if !clusters.is_empty() {
        out.insert("cluster_list".into(), clusters.into());
    }
}

fn multiprotocol(update: &Update<'_>, out: &mut Map<String, Value>) {
    if let Some(reach) = update.mp_reach() {
        let mut value = routes(reach.family(), reach.nlri(), reach.nlri_octets());
        value.insert("next_hops".into(), next_hops(&reach));
        out.insert("mp_reach".into(), value.into());
    }
    if let Some(unreach) = update.mp_unreach() {
        let value = routes(unreach.family(), unreach.nlri(), unreach.nlri_octets());
        out.insert("mp_unreach".into(), value.into());
    }
}

fn routes(family: AfiSafi, nlri: Prefixes<'_>, octets: &[u8]) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("afi".into(), family.afi.0.into());
    out.insert("safi".into(), family.safi.0.into());
    if matches!((family.afi.0, family.safi.0), (1 | 2, 1 | 2)) {
        out.insert("nlri".into(), prefixes(nlri.with_path_ids()));
    } else {
        out.insert("nlri_hex".into(), hex::print(octets).into());
    }
    out
}

fn next_hops(reach: &MpReach<'_>) -> Value {
    use bgp_session::NextHop;
    match reach.next_hop() {
        Some(NextHop::V4(address)) => json!([address.to_string()]),
        Some(NextHop::V6 { global, link_local }) => {
            let link_local = link_local.map(|address| address.to_string());
            std::iter::once(global.to_string()).chain(link_local).collect()
        }
        None => json!([]),
    }
}

fn prefixes<P: std::fmt::Display>(all: impl Iterator<Item = (Option<u32>, P)>) -> Value {
    all.map(|(path_id, prefix)| match path_id {
        Some(path_id) => json!({"prefix": prefix.to_string(), "path_id": path_id}),
        None => json!({"prefix": prefix.to_string()}),
    })
    .collect()
}

fn as_path(path: AsPathView<'_>) -> Value {
    path.segments()
        .map(|segment| {
            let kind = match segment.kind {
                SegmentType::Set => "set",
                SegmentType::Sequence => "sequence",
                SegmentType::ConfedSequence => "confed-sequence",
                SegmentType::ConfedSet => "confed-set",
            };
            let asns: Vec<_> = segment.asns.map(|asn| asn.0).collect();
            json!({"type": kind, "asns": asns})
        })
        .collect()
}

/// Attributes without a key of their own, but for those that are discarded.
fn unkeyed<'a>(update: &Update<'a>) -> impl Iterator<Item = Value> + use<'a> {
    let discarded: Vec<_> = update
        .findings()
        .filter(|finding| finding.treatment == Treatment::AttributeDiscard)
        .filter_map(|finding| finding.attribute)
        .collect();
    update.attributes().filter(|attribute| !has_key(attribute.code)).filter_map(move |attribute| {
        // Told apart by where they stand: a repeated attribute may equal the first.
        let is_discarded = discarded.iter().any(|it| std::ptr::eq(it.value, attribute.value));
        let value = json!({
            "code": attribute.code.0,
            "flags": attribute.flags.0,
            "hex": hex::print(attribute.value),
        });
        (!is_discarded).then_some(value)
    })
}

const fn has_key(code: AttributeCode) -> bool {
    matches!(
        code,
        AttributeCode::ORIGIN
            | AttributeCode::AS_PATH
            | AttributeCode::NEXT_HOP
            | AttributeCode::MULTI_EXIT_DISC
            | AttributeCode::LOCAL_PREF
            | AttributeCode::ATOMIC_AGGREGATE
            | AttributeCode::AGGREGATOR
            | AttributeCode::COMMUNITIES
            | AttributeCode::ORIGINATOR_ID
            | AttributeCode::CLUSTER_LIST
            | AttributeCode::MP_REACH_NLRI
            | AttributeCode::MP_UNREACH_NLRI
            | AttributeCode::EXTENDED_COMMUNITIES
            | AttributeCode::AS4_PATH
            | AttributeCode::IPV6_EXTENDED_COMMUNITIES
            | AttributeCode::LARGE_COMMUNITIES
            | AttributeCode::ONLY_TO_CUSTOMER
    )
}
