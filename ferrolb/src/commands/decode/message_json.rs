//! A message in JSON: those of the keys of `--jsonl` that the message has.

use bgp_session::wire::{
    AsPathView, AttributeCode, Frame, Message, MpReach, Notification, Open, Origin, Prefixes,
    RouteRefresh, SegmentType, Treatment, Update,
};
use bgp_session::{AfiSafi, Asn};
use serde_json::{Map, Value, json};

use super::hex;

/// Returns the value of `decoded`.
#[must_use]
pub(super) fn message(frame: Frame<'_>, message: &Message<'_>) -> Value {
    match message {
        Message::Open(message) => open(frame, message),
        Message::Update(message) => update(message),
        Message::Notification(message) => notification(message),
        Message::Keepalive => json!({"type": "keepalive"}),
        Message::RouteRefresh(message) => route_refresh(message),
        _ => Value::Null,
    }
}

fn open(frame: Frame<'_>, open: &Open) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "open".into());
    out.insert("version".into(), open.version.into());
    out.insert("my_as".into(), open.my_as.into());
    out.insert("hold_time".into(), open.hold_time.into());
    out.insert("bgp_id".into(), open.identifier.to_string().into());

    // The octets as they were sent, with bits that we do not know.
    let capabilities = frame
        .capabilities()
        .into_iter()
        .flatten()
        .map(|view| json!({"code": view.code.0, "hex": hex::print(view.value)}));
    out.insert("capabilities".into(), capabilities.collect());

    if let Some(asn) = open.four_octet_as() {
        out.insert("asn4".into(), asn.0.into());
    }
    out.insert("extended_opt_params".into(), open.extended_parameters.into());
    out.into()
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

/// Inserts the attributes of RFC 4271, and those of RFC 6793.
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
        let merged = update.merged_as_path();
        let segments = merged.segments.iter().map(|it| segment(it.kind, it.asns.iter().copied()));
        out.insert("as_path_merged".into(), segments.collect());
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
    // Communities are numeric, even if they have a name.
    let standard = update.communities().map(|c| format!("{}:{}", c.asn(), c.value()));
    let large = update.large_communities().map(|c| c.to_string());
    let extended = update.extended_communities().map(|c| hex::print(&c.0));
    let ipv6_extended = update.ipv6_extended_communities().map(|c| hex::print(&c.0));

    insert_if_any(out, "communities", standard.collect());
    insert_if_any(out, "large_communities", large.collect());
    insert_if_any(out, "ext_communities", extended.collect());
    insert_if_any(out, "ipv6_ext_communities", ipv6_extended.collect());
}

fn insert_if_any(out: &mut Map<String, Value>, key: &str, values: Vec<String>) {
    if !values.is_empty() {
        out.insert(key.into(), values.into());
    }
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
        if reach.next_hop().is_none() && !reach.next_hop_octets().is_empty() {
            value.insert("next_hop_hex".into(), hex::print(reach.next_hop_octets()).into());
        }
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

    let has_prefixes = matches!((family.afi.0, family.safi.0), (1 | 2, 1 | 2));
    if has_prefixes {
        out.insert("nlri".into(), prefixes(nlri.clone().with_path_ids()));
    }
    // The NLRI of a family that was not negotiated may not be prefixes. Then their octets must not be lost.
    if !has_prefixes || !nlri.is_whole() {
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

fn prefixes<P: std::fmt::Display>(routes: impl Iterator<Item = (Option<u32>, P)>) -> Value {
    let values = routes.map(|(path_id, prefix)| match path_id {
        Some(path_id) => json!({"prefix": prefix.to_string(), "path_id": path_id}),
        None => json!({"prefix": prefix.to_string()}),
    });
    values.collect()
}

fn as_path(path: AsPathView<'_>) -> Value {
    path.segments().map(|it| segment(it.kind, it.asns)).collect()
}

fn segment(kind: SegmentType, asns: impl Iterator<Item = Asn>) -> Value {
    let kind = match kind {
        SegmentType::Set => "set",
        SegmentType::Sequence => "sequence",
        SegmentType::ConfedSequence => "confed-sequence",
        SegmentType::ConfedSet => "confed-set",
    };
    json!({"type": kind, "asns": asns.map(|asn| asn.0).collect::<Vec<_>>()})
}

/// Returns the attributes without a key of their own, except discarded ones.
fn unkeyed<'a>(update: &Update<'a>) -> impl Iterator<Item = Value> + use<'a> {
    let discarded: Vec<_> = update
        .findings()
        .filter(|finding| finding.treatment == Treatment::AttributeDiscard)
        .filter_map(|finding| finding.attribute)
        .collect();

    update.attributes().filter(|attribute| !has_key(attribute.code)).filter_map(move |attribute| {
        // Their positions distinguish them: a repeated attribute may equal the first.
        let is_discarded = discarded.iter().any(|other| std::ptr::eq(other.value, attribute.value));
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
