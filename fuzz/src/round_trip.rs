//! Decoded routes can be encoded, read back the same, and encode the same again; no message exceeds its limit.

use bgp_core::wire::{
    AsPath, AttributeBlock, AttributeFlags, Frame, Message, MessageType, NextHop, PathAttributes,
    Treatment, Update, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, IpNet, PeerType};
use bytes::BytesMut;

use crate::input::Input;
use crate::judge::{decode, message};

/// The input has two octets of context and the body of an UPDATE.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let cx = input.context();
    let octets = message(MessageType::Update, input.rest());
    let Some(Message::Update(update)) = decode(&octets, cx) else { return };
    if update.treatment() > Treatment::AttributeDiscard {
        return;
    }

    let (reach, unreach) = routes(&update);
    for group in &reach {
        judge_group(group, cx);
    }
    for (family, prefixes) in unreach {
        judge_withdrawal(family, &prefixes, cx);
    }
}

/// Prefixes with their path identifiers.
pub type Prefixes = Vec<(u32, IpNet)>;

/// Routes that share their attributes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The family of the prefixes.
    pub family: AfiSafi,
    /// The attributes, which must have a next hop.
    pub attributes: PathAttributes,
    /// The prefixes, all of the family.
    pub prefixes: Prefixes,
}

impl Group {
    /// Creates a group.
    #[must_use]
    pub const fn new(family: AfiSafi, attributes: PathAttributes, prefixes: Prefixes) -> Self {
        Self { family, attributes, prefixes }
    }
}

/// An encoded group reads back with the attributes that are sent on the session.
pub fn judge_group(group: &Group, cx: WireContext) {
    let encoded = encode(group, cx);
    let Some(decoded) = decode_group(&encoded, cx) else { return };
    let sent = Group { attributes: as_sent(&group.attributes, cx), ..group.clone() };
    if is_regular(&group.attributes.as_path) || cx.is_four_octet_as() {
        assert_eq!(decoded, sent, "the group changes in a round trip");
    }

    let encoded_again = encode(&decoded, cx);
    let decoded_again = decode_group(&encoded_again, cx).expect("it fitted before");
    assert_eq!(decoded_again, decoded, "decoding is not a fixed point");
    assert_eq!(encode(&decoded_again, cx), encoded_again, "encoding is not a fixed point");
}

/// Encoded withdrawals read back.
pub fn judge_withdrawal(family: AfiSafi, prefixes: &[(u32, IpNet)], cx: WireContext) {
    let mut out = BytesMut::new();
    let mut rest = prefixes;
    while !rest.is_empty() {
        let mut writer = UpdateWriter::unreach(&mut out, family, cx);
        let pushed = rest.iter().take_while(|(id, p)| writer.push_with_path_id(*p, *id)).count();
        assert_eq!(writer.finish(), pushed);
        assert_ne!(pushed, 0, "an empty UPDATE has no space for a withdrawal");
        rest = &rest[pushed..];
    }

    let mut back = Prefixes::new();
    for_each_update(&out, cx, |update| {
        let (reach, unreach) = routes(update);
        assert!(reach.is_empty());
        for (of, prefixes) in unreach {
            assert_eq!(of, family);
            back.extend(prefixes);
        }
    });
    assert_eq!(back, prefixes);
}

/// The routes that a message announces and those that it withdraws, for the families whose NLRI were checked.
fn routes(update: &Update<'_>) -> (Vec<Group>, Vec<(AfiSafi, Prefixes)>) {
    let cx = update.context();
    let (mut reach, mut unreach) = (Vec::new(), Vec::new());
    let v4 = AfiSafi::IPV4_UNICAST;

    let nlri = with_ids(update.nlri().with_path_ids());
    if !nlri.is_empty() {
        reach.push(Group::new(v4, update.to_attributes_for(v4), nlri));
    }
    if let Some(mp_reach) = update.mp_reach().filter(|reach| cx.has_family(reach.family())) {
        let family = mp_reach.family();
        let mut attributes = update.to_attributes_for(family);
        attributes.next_hop = mp_reach.next_hop();
        let nlri = with_ids(mp_reach.nlri().with_path_ids());
        if !nlri.is_empty() {
            reach.push(Group::new(family, attributes, nlri));
        }
    }

    let withdrawn = with_ids(update.withdrawn().with_path_ids());
    if !withdrawn.is_empty() {
        unreach.push((v4, withdrawn));
    }
    if let Some(mp_unreach) = update.mp_unreach().filter(|u| cx.has_family(u.family())) {
        let nlri = with_ids(mp_unreach.nlri().with_path_ids());
        if !nlri.is_empty() {
            unreach.push((mp_unreach.family(), nlri));
        }
    }

    (reach, unreach)
}

/// Prefixes with the path identifier 1 if the session has none.
fn with_ids<P: Into<IpNet>>(prefixes: impl Iterator<Item = (Option<u32>, P)>) -> Prefixes {
    prefixes.map(|(id, prefix)| (id.unwrap_or(1), prefix.into())).collect()
}

/// Encodes as many messages as the group needs; none if its attributes leave no space for a prefix.
fn encode(group: &Group, cx: WireContext) -> BytesMut {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    let next_hop = group.attributes.next_hop.unwrap_or_else(|| NextHop::V4([192, 0, 2, 1].into()));
    block.encode(&group.attributes, cx);

    let mut rest = group.prefixes.as_slice();
    while !rest.is_empty() {
        let start = out.len();
        let mut writer = UpdateWriter::reach(&mut out, group.family, &next_hop, &block, cx);
        let pushed = rest.iter().take_while(|(id, p)| writer.push_with_path_id(*p, *id)).count();
        assert_eq!(writer.finish(), pushed);

        // The writer that encodes the attributes directly writes the same message.
        let mut direct = BytesMut::new();
        let (family, attributes) = (group.family, &group.attributes);
        let mut writer = UpdateWriter::reach_with(&mut direct, family, &next_hop, attributes, cx);
        let count = rest.iter().take_while(|(id, p)| writer.push_with_path_id(*p, *id)).count();
        assert_eq!(writer.finish(), count);
        assert!(count <= pushed, "directly encoded attributes leave more space");
        if count == pushed {
            assert_eq!(direct, out[start..], "directly encoded attributes differ");
        }

        if pushed == 0 {
            // IPv6 prefixes differ in length: a later one may be too long although the first one fitted.
            out.clear();
            break;
        }
        rest = &rest[pushed..];
    }
    out
}

/// Decodes the group in some messages; `None` if there are none.
fn decode_group(octets: &[u8], cx: WireContext) -> Option<Group> {
    let mut all: Option<Group> = None;
    for_each_update(octets, cx, |update| {
        let (mut reach, unreach) = routes(update);
        assert!(unreach.is_empty());
        let group = reach.pop().expect("an UPDATE that announces routes");
        assert!(reach.is_empty());

        match &mut all {
            None => all = Some(group),
            Some(all) => {
                assert_eq!(group.attributes, all.attributes);
                all.prefixes.extend(group.prefixes);
            }
        }
    });
    all
}

fn for_each_update(mut octets: &[u8], cx: WireContext, mut each: impl FnMut(&Update<'_>)) {
    while !octets.is_empty() {
        let frame = Frame::split(octets, cx.limit()).expect("our own header is valid");
        let message = frame.expect("our own message is complete").as_bytes();
        let Some(Message::Update(update)) = decode(message, cx) else {
            panic!("our own UPDATE does not read back: {message:02x?}");
        };
        assert_eq!(update.treatment(), Treatment::None, "our own UPDATE is not valid");
        each(&update);
        octets = &octets[message.len()..];
    }
}

/// The attributes that are sent on the session.
fn as_sent(attributes: &PathAttributes, cx: WireContext) -> PathAttributes {
    let mut sent = attributes.clone();
    let mut seen = std::collections::BTreeSet::new();
    sent.large_communities.retain(|community| seen.insert(*community));
    if cx.peer_type() == PeerType::External {
        sent.local_pref = None;
        sent.originator_id = None;
        sent.cluster_list.clear();
        sent.unknown.retain(|raw| raw.flags.contains(AttributeFlags::TRANSITIVE));
    }
    sent
}

/// Returns true if confederation segments only come first. Elsewhere they are lost between AS_PATH and AS4_PATH, which has
/// none (RFC 6793 section 4.2.3), and RFC 5065 section 5 does not put them there.
fn is_regular(path: &AsPath) -> bool {
    path.segments.is_sorted_by_key(|segment| !segment.kind.is_confederation())
}
