//! The attributes of a group of routes, encoded once.

use bytes::BufMut;

use crate::types::PeerType;
use crate::wire::attribute::rules::{Class, Rule};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::community::{LargeCommunity, without_repeated};
use crate::wire::context::WireContext;
use crate::wire::frame::MessageType;
use crate::wire::path_attributes::{PathAttributes, RawAttribute};

use super::{ATTRIBUTES_AT, attribute, header, patch_length};

/// The attributes of a group of routes as octets: all but the next hop, in ascending order of their codes.
///
/// It is scratch to be used again: [`encode`](Self::encode) replaces what is in it and keeps the memory.
#[derive(Clone, Debug, Default)]
pub struct AttributeBlock {
    /// A whole UPDATE of IPv4 unicast up to its NLRI, the next hop and its own length left open: such a message begins
    /// with one copy. Nothing before the first [`encode`](Self::encode).
    message: Vec<u8>,
    /// Where the attribute NEXT_HOP begins in it.
    next_hop_at: usize,
}

/// What an UPDATE of IPv4 unicast with attributes begins with: the header, no withdrawn routes, two lengths left open.
const BEGINNING: [u8; ATTRIBUTES_AT] = {
    let mut beginning = [0; ATTRIBUTES_AT];
    if let Some(start) = beginning.first_chunk_mut() {
        *start = header(MessageType::Update);
    }
    beginning
};
/// The attribute NEXT_HOP, its address left open.
const NEXT_HOP: [u8; 7] = [AttributeFlags::TRANSITIVE.0, AttributeCode::NEXT_HOP.0, 4, 0, 0, 0, 0];

impl AttributeBlock {
    /// An empty block, which allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes the attributes for a session.
    ///
    /// ORIGIN and AS_PATH are always there. To an external peer LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and what is not
    /// transitive stay out (RFC 4271 section 5.1.5, RFC 4456 section 8); nothing is added that the attributes do not
    /// have, so that an internal peer's LOCAL_PREF is the caller's to set. A peer with AS numbers of two octets gets
    /// AS_TRANS and, where that loses something, AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.2).
    pub fn encode(&mut self, attributes: &PathAttributes, cx: WireContext) {
        let tail = &mut self.message;
        tail.clear();
        tail.extend_from_slice(&BEGINNING);
        tail.extend_from_slice(&[
            WELL_KNOWN.0,
            AttributeCode::ORIGIN.0,
            1,
            attributes.origin.code(),
        ]);
        attribute(tail, WELL_KNOWN, AttributeCode::AS_PATH, |out| {
            attributes.as_path.encode(out, cx.is_four_octet_as());
        });
        self.next_hop_at = tail.len();
        tail.extend_from_slice(&NEXT_HOP);
        let mut raw = Raw::new(&attributes.unknown, cx);
        put_metrics(tail, attributes, cx);
        raw.put_below(tail, AttributeCode::COMMUNITIES);
        put_items(tail, AttributeCode::COMMUNITIES, &attributes.communities, |out, community| {
            out.put_u32(community.0);
        });
        if cx.peer_type() == PeerType::Internal {
            put_reflection(tail, attributes);
        }
        raw.put_below(tail, AttributeCode::EXTENDED_COMMUNITIES);
        let extended = &attributes.extended_communities;
        put_items(tail, AttributeCode::EXTENDED_COMMUNITIES, extended, |out, community| {
            out.put_slice(&community.0);
        });
        if !cx.is_four_octet_as() {
            put_as4(tail, attributes);
        }
        raw.put_below(tail, AttributeCode::IPV6_EXTENDED_COMMUNITIES);
        let extended = &attributes.ipv6_extended_communities;
        put_items(tail, AttributeCode::IPV6_EXTENDED_COMMUNITIES, extended, |out, community| {
            out.put_slice(&community.0);
        });
        raw.put_below(tail, AttributeCode::LARGE_COMMUNITIES);
        put_large(tail, &attributes.large_communities);
        raw.put_below(tail, AttributeCode::ONLY_TO_CUSTOMER);
        if let Some(asn) = attributes.only_to_customer {
            attribute(tail, TRANSITIVE, AttributeCode::ONLY_TO_CUSTOMER, |out| out.put_u32(asn.0));
        }
        raw.put_below(tail, AttributeCode(u8::MAX));
        let length = tail.len() - ATTRIBUTES_AT;
        patch_length(tail, ATTRIBUTES_AT - 2, length);
    }

    /// Octets in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head().len() + self.tail().len()
    }

    /// Whether nothing was encoded yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    /// An UPDATE of IPv4 unicast up to its NLRI, and where in it the address of the next hop is to be put.
    pub(super) fn message(&self) -> (&[u8], usize) {
        /// The same without attributes.
        const EMPTY: [u8; ATTRIBUTES_AT + NEXT_HOP.len()] = {
            let mut message = [0; ATTRIBUTES_AT + NEXT_HOP.len()];
            if let Some(beginning) = message.first_chunk_mut() {
                *beginning = BEGINNING;
            }
            if let Some(end) = message.last_chunk_mut() {
                *end = NEXT_HOP;
            }
            let [.., length, _, _, _, _, _, _, _] = &mut message;
            *length = 7;
            message
        };
        if self.message.is_empty() {
            return (&EMPTY, ATTRIBUTES_AT + 3);
        }
        (&self.message, self.next_hop_at + 3)
    }

    /// What stands before NEXT_HOP: ORIGIN and AS_PATH.
    pub(super) fn head(&self) -> &[u8] {
        self.message.get(ATTRIBUTES_AT..self.next_hop_at).unwrap_or_default()
    }

    /// What stands after NEXT_HOP.
    pub(super) fn tail(&self) -> &[u8] {
        self.message.get(self.next_hop_at + NEXT_HOP.len()..).unwrap_or_default()
    }
}

/// Codes 4 to 7.
fn put_metrics(out: &mut Vec<u8>, attributes: &PathAttributes, cx: WireContext) {
    if let Some(med) = attributes.med {
        attribute(out, OPTIONAL, AttributeCode::MULTI_EXIT_DISC, |out| out.put_u32(med));
    }
    match attributes.local_pref {
        Some(preference) if cx.peer_type() == PeerType::Internal => {
            attribute(out, WELL_KNOWN, AttributeCode::LOCAL_PREF, |out| out.put_u32(preference));
        }
        _ => {}
    }
    if attributes.atomic_aggregate {
        attribute(out, WELL_KNOWN, AttributeCode::ATOMIC_AGGREGATE, |_| {});
    }
    if let Some(aggregator) = attributes.aggregator {
        attribute(out, TRANSITIVE, AttributeCode::AGGREGATOR, |out| {
            if cx.is_four_octet_as() {
                out.put_u32(aggregator.asn.0);
            } else {
                out.put_u16(aggregator.asn.to_two_octets());
            }
            out.put_slice(&aggregator.address.octets());
        });
    }
}

/// Codes 9 and 10.
fn put_reflection(out: &mut Vec<u8>, attributes: &PathAttributes) {
    if let Some(identifier) = attributes.originator_id {
        attribute(out, OPTIONAL, AttributeCode::ORIGINATOR_ID, |out| {
            out.put_u32(identifier.into());
        });
    }
    if attributes.cluster_list.is_empty() {
        return;
    }
    attribute(out, OPTIONAL, AttributeCode::CLUSTER_LIST, |out| {
        attributes.cluster_list.iter().for_each(|cluster| out.put_u32((*cluster).into()));
    });
}

/// Codes 17 and 18: what AS_TRANS hides (RFC 6793 section 4.2.2).
fn put_as4(out: &mut Vec<u8>, attributes: &PathAttributes) {
    if attributes.as_path.needs_as4_path() {
        attribute(out, TRANSITIVE, AttributeCode::AS4_PATH, |out| {
            attributes.as_path.encode_as4(out);
        });
    }
    match attributes.aggregator {
        Some(aggregator) if !aggregator.asn.fits_two_octets() => {
            attribute(out, TRANSITIVE, AttributeCode::AS4_AGGREGATOR, |out| {
                out.put_u32(aggregator.asn.0);
                out.put_slice(&aggregator.address.octets());
            });
        }
        _ => {}
    }
}

fn put_items<T>(
    out: &mut Vec<u8>,
    code: AttributeCode,
    items: &[T],
    put: impl Fn(&mut Vec<u8>, &T),
) {
    if items.is_empty() {
        return;
    }
    attribute(out, TRANSITIVE, code, |out| items.iter().for_each(|item| put(out, item)));
}

/// Large communities, each once (RFC 8092 section 3).
fn put_large(out: &mut Vec<u8>, communities: &[LargeCommunity]) {
    if communities.is_empty() {
        return;
    }
    attribute(out, TRANSITIVE, AttributeCode::LARGE_COMMUNITIES, |out| {
        without_repeated(communities).for_each(|community| {
            out.put_u32(community.global_administrator);
            out.put_u32(community.local_data_1);
            out.put_u32(community.local_data_2);
        });
    });
}

/// The attributes that are carried as octets, taken in ascending order of their codes between the others.
struct Raw<'a> {
    attributes: &'a [RawAttribute],
    next: u8,
    external: bool,
}

impl<'a> Raw<'a> {
    fn new(attributes: &'a [RawAttribute], cx: WireContext) -> Self {
        Self { attributes, next: 0, external: cx.peer_type() == PeerType::External }
    }

    /// Appends those with a code from where the last call ended to this one, itself included where it has no typed form.
    #[inline]
    fn put_below(&mut self, out: &mut Vec<u8>, code: AttributeCode) {
        if self.attributes.is_empty() {
            return;
        }
        for raw in self.attributes {
            let in_range = (self.next..=code.0).contains(&raw.code.0);
            let leaves = raw.flags.contains(AttributeFlags::TRANSITIVE) || !self.external;
            if in_range && leaves && !is_typed(raw.code) {
                attribute(out, raw.flags, raw.code, |out| out.put_slice(&raw.value));
            }
        }
        self.next = code.0.saturating_add(1);
    }
}

/// Whether the owned form has a field for the attribute, or the writer composes it.
pub(in crate::wire) fn is_typed(code: AttributeCode) -> bool {
    let opaque = [AttributeCode::AIGP, AttributeCode::PREFIX_SID];
    Rule::of(code).class != Class::Unknown
        && Rule::of(code).slot.index() < crate::wire::attribute::rules::Slot::COUNT
        && !opaque.contains(&code)
}

const WELL_KNOWN: AttributeFlags = AttributeFlags::TRANSITIVE;
const OPTIONAL: AttributeFlags = AttributeFlags::OPTIONAL;
const TRANSITIVE: AttributeFlags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
