//! The content of a message as read by this crate's typed views, one line for each part.

use bgp_core::wire::{
    Aggregator, AsPathView, AttributeCode, AttributeView, Capability, Message, Notification, Open,
    Origin, SegmentType, Update,
};
use bgp_core::{AfiSafi, IpNet};
use bytes::BytesMut;

use super::{hex, prefix};

pub(crate) fn lines(message: &Message<'_>, octets: usize) -> Vec<String> {
    let mut lines = vec![format!("type {} of {octets} octets", message.kind().code())];
    match message {
        Message::Open(open) => of_open(open, &mut lines),
        Message::Update(update) => of_update(update, &mut lines),
        Message::Notification(notification) => lines.push(of_notification(notification)),
        Message::RouteRefresh(refresh) => {
            lines.push(format!("{} subtype {}", family(refresh.family), refresh.subtype.0));
        }
        Message::Keepalive => {}
        _ => panic!("an unknown type of message"),
    }
    lines
}

fn family(family: AfiSafi) -> String {
    format!("family {}/{}", family.afi.0, family.safi.0)
}

fn of_notification(notification: &Notification) -> String {
    let Notification { code, subcode, data, .. } = notification;
    format!("error {} {subcode} data {}", code.0, hex(data))
}

fn of_open(open: &Open, lines: &mut Vec<String>) {
    let Open { version, my_as, hold_time, identifier, .. } = open;
    lines.push(format!("version {version} as {my_as} hold {hold_time} id {identifier}"));
    for capability in &open.capabilities {
        let mut octets = BytesMut::new();
        capability.encode(&mut octets);
        lines.push(format!("capability {} length {}", octets[0], octets[1]));
        of_capability(capability, lines);
    }
}

fn of_capability(capability: &Capability, lines: &mut Vec<String>) {
    match capability {
        Capability::Multiprotocol(of) => lines.push(family(*of)),
        Capability::ExtendedNextHop(entries) => lines.extend(
            entries.iter().map(|entry| format!("{} by {}", family(entry.family), entry.next_hop.0)),
        ),
        Capability::GracefulRestart(restart) => {
            let (r, n) = (u8::from(restart.restarting), u8::from(restart.notification));
            lines.push(format!("restart {r} notification {n} time {}", restart.restart_time));
            lines.extend(restart.families.iter().map(|entry| {
                format!("{} forwarding {}", family(entry.family), u8::from(entry.forwarding))
            }));
        }
        Capability::FourOctetAs(asn) => lines.push(format!("as {asn}")),
        Capability::AddPath(entries) => lines.extend(
            entries.iter().map(|entry| format!("{} mode {}", family(entry.family), entry.mode.0)),
        ),
        Capability::Fqdn { host, domain } => lines.push(format!("host {host} domain {domain}")),
        Capability::Unknown { value, .. } => lines.push(format!("octets {}", hex(value))),
        Capability::RouteRefresh
        | Capability::ExtendedMessage
        | Capability::EnhancedRouteRefresh => {}
        other => panic!("an unexpected capability: {other:?}"),
    }
}

fn of_update(update: &Update<'_>, lines: &mut Vec<String>) {
    lines.push(format!("attributes length {}", update.attribute_octets().len()));
    for (id, withdrawn) in update.withdrawn().with_path_ids() {
        lines.push(format!("withdrawn {}", prefix(id, &IpNet::from(withdrawn).to_string())));
    }
    for attribute in update.attributes() {
        let AttributeView { flags, code, value } = attribute;
        lines.push(format!("attribute {} flags {:02x} length {}", code.0, flags.0, value.len()));
        of_attribute(update, attribute, lines);
    }
    for (id, reached) in update.nlri().with_path_ids() {
        lines.push(format!("nlri {}", prefix(id, &IpNet::from(reached).to_string())));
    }
}

fn of_attribute(update: &Update<'_>, attribute: AttributeView<'_>, lines: &mut Vec<String>) {
    match attribute.code {
        AttributeCode::ORIGIN => lines.extend(update.origin().map(|origin| match origin {
            Origin::Igp => "origin 0".to_owned(),
            Origin::Egp => "origin 1".to_owned(),
            Origin::Incomplete => "origin 2".to_owned(),
        })),
        AttributeCode::AS_PATH => of_path(update.as_path(), lines),
        AttributeCode::AS4_PATH => of_path(update.as4_path(), lines),
        AttributeCode::NEXT_HOP => {
            lines.extend(update.next_hop().map(|hop| format!("next hop {hop}")));
        }
        AttributeCode::MULTI_EXIT_DISC => lines.extend(update.med().map(|n| format!("med {n}"))),
        AttributeCode::LOCAL_PREF => {
            lines.extend(update.local_pref().map(|n| format!("local pref {n}")));
        }
        AttributeCode::ATOMIC_AGGREGATE => {
            lines.extend(update.atomic_aggregate().then(|| "atomic".to_owned()));
        }
        AttributeCode::AGGREGATOR => lines.extend(update.aggregator().map(of_aggregator)),
        AttributeCode::AS4_AGGREGATOR => lines.extend(update.as4_aggregator().map(of_aggregator)),
        AttributeCode::COMMUNITIES => lines.extend(
            update.communities().map(|one| format!("community {}:{}", one.asn(), one.value())),
        ),
        AttributeCode::LARGE_COMMUNITIES => {
            lines.extend(update.large_communities().map(|one| format!("large {one}")));
        }
        AttributeCode::EXTENDED_COMMUNITIES => {
            lines.extend(update.extended_communities().map(|one| one.to_string()));
        }
        AttributeCode::ORIGINATOR_ID => {
            lines.extend(update.originator_id().map(|id| format!("originator {id}")));
        }
        AttributeCode::CLUSTER_LIST => {
            lines.extend(update.cluster_list().map(|id| format!("cluster {id}")));
        }
        AttributeCode::MP_REACH_NLRI => of_reach(update, lines),
        AttributeCode::MP_UNREACH_NLRI => of_unreach(update, lines),
        // Carried as octets.
        _ => lines.push(format!("octets {}", hex(attribute.value))),
    }
}

fn of_path(path: Option<AsPathView<'_>>, lines: &mut Vec<String>) {
    let Some(path) = path else { return };
    lines.extend(path.segments().map(|segment| {
        let kind = match segment.kind {
            SegmentType::Set => 1,
            SegmentType::Sequence => 2,
            SegmentType::ConfedSequence => 3,
            SegmentType::ConfedSet => 4,
        };
        format!("segment {kind} {:?}", segment.asns.map(|asn| asn.0).collect::<Vec<_>>())
    }));
}

fn of_aggregator(aggregator: Aggregator) -> String {
    format!("aggregator {} {}", aggregator.asn, aggregator.address)
}

fn of_reach(update: &Update<'_>, lines: &mut Vec<String>) {
    let Some(reach) = update.mp_reach() else { return };
    lines.push(format!(
        "{} next hop length {}",
        family(reach.family()),
        reach.next_hop_octets().len()
    ));
    lines.extend(reach.next_hop().map(|hop| format!("next hop {hop}")));
    of_nlri("reach", reach.nlri().with_path_ids(), reach.nlri_octets(), lines);
}

fn of_unreach(update: &Update<'_>, lines: &mut Vec<String>) {
    let Some(unreach) = update.mp_unreach() else { return };
    lines.push(family(unreach.family()));
    of_nlri("unreach", unreach.nlri().with_path_ids(), unreach.nlri_octets(), lines);
}

/// The prefixes, or the octets of a family that is carried as octets.
fn of_nlri(
    word: &str,
    prefixes: impl Iterator<Item = (Option<u32>, IpNet)>,
    octets: &[u8],
    lines: &mut Vec<String>,
) {
    let before = lines.len();
    lines.extend(prefixes.map(|(id, net)| format!("{word} {}", prefix(id, &net.to_string()))));
    if lines.len() == before && !octets.is_empty() {
        lines.push(format!("{word} octets {}", hex(octets)));
    }
}
