//! Encoding of the attributes of a route, except its next hop.
//!
//! All lengths are known before anything is written. So nothing is moved or patched, the space is reserved once, and
//! writing an attribute is just a few stores.

use crate::types::PeerType;
use crate::wire::attribute::rules::{AttributeClass, AttributeRule, IndexSlot};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::community::{LargeCommunity, without_repeated};
use crate::wire::context::WireContext;
use crate::wire::path_attributes::{PathAttributes, RawAttribute};

const WELL_KNOWN: AttributeFlags = AttributeFlags::TRANSITIVE;
const OPTIONAL: AttributeFlags = AttributeFlags::OPTIONAL;
const TRANSITIVE: AttributeFlags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);

/// A cursor that writes to a slice from the front. Its methods return `None`, and write nothing, if the space is too small.
#[derive(Debug, Default)]
pub(in crate::wire) struct WriteCursor<'a>(pub(super) &'a mut [u8]);

/// The spare octets that [`WriteCursor`] needs behind the last octet written.
pub(super) const SPARE: usize = 8;

impl<'a> WriteCursor<'a> {
    #[inline(always)]
    pub(in crate::wire) fn put<const N: usize>(&mut self, octets: [u8; N]) -> Option<()> {
        let (destination, rest) = std::mem::take(&mut self.0).split_first_chunk_mut()?;
        *destination = octets;
        self.0 = rest;
        Some(())
    }

    /// Writes a whole word but advances only by `count` octets: the next write overwrites the others.
    #[inline(always)]
    pub(in crate::wire) fn put_first<const N: usize>(
        &mut self,
        count: usize,
        octets: [u8; N],
    ) -> Option<()> {
        let rest = std::mem::take(&mut self.0);
        *rest.first_chunk_mut()? = octets;
        self.0 = rest.get_mut(count..)?;
        Some(())
    }

    fn put_slice(&mut self, octets: &[u8]) -> Option<()> {
        let (destination, rest) = std::mem::take(&mut self.0).split_at_mut_checked(octets.len())?;
        destination.copy_from_slice(octets);
        self.0 = rest;
        Some(())
    }

    /// Writes items of equal length.
    #[inline(always)]
    pub(in crate::wire) fn put_all<T, const N: usize>(
        &mut self,
        items: &[T],
        octets: impl Fn(&T) -> [u8; N],
    ) -> Option<()> {
        let rest = std::mem::take(&mut self.0);
        let (destinations, rest) = rest.split_at_mut_checked(N * items.len())?;
        for (destination, item) in destinations.chunks_exact_mut(N).zip(items) {
            if let Some(destination) = destination.first_chunk_mut() {
                *destination = octets(item);
            }
        }
        self.0 = rest;
        Some(())
    }

    /// Writes the header of an attribute, with a length of two octets only if needed. A length that does not fit becomes the
    /// maximum: the writer never sends such an attribute.
    #[inline(always)]
    pub(in crate::wire) fn put_header(
        &mut self,
        flags: AttributeFlags,
        code: AttributeCode,
        length: usize,
    ) -> Option<()> {
        let flags = flags.0 & !AttributeFlags::EXTENDED_LENGTH.0;
        if let Ok(length) = u8::try_from(length) {
            return self.put_first(3, [flags, code.0, length, 0]);
        }

        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        self.put([flags | AttributeFlags::EXTENDED_LENGTH.0, code.0, high, low])
    }

    /// Writes an attribute whose value is a number.
    #[inline(always)]
    pub(super) fn put_number(
        &mut self,
        flags: AttributeFlags,
        code: AttributeCode,
        value: u32,
    ) -> Option<()> {
        let header = u64::from(u32::from_be_bytes([flags.0, code.0, 4, 0])) << 32;
        self.put_first(7, (header | u64::from(value) << 8).to_be_bytes())
    }

    /// Writes an attribute of items of equal length, or nothing if there are no items.
    #[inline(always)]
    fn put_items<T, const N: usize>(
        &mut self,
        flags: AttributeFlags,
        code: AttributeCode,
        items: &[T],
        octets: impl Fn(&T) -> [u8; N],
    ) -> Option<()> {
        if items.is_empty() {
            return Some(());
        }
        self.put_header(flags, code, N * items.len())?;
        self.put_all(items, octets)
    }

    /// Writes by a function that is rarely called. It gets a copy of the cursor, so that this one can stay in registers.
    #[inline(always)]
    pub(in crate::wire) fn by(&mut self, put: impl FnOnce(Self) -> Option<Self>) -> Option<()> {
        *self = put(std::mem::take(self))?;
        Some(())
    }
}

/// The maximum number of octets that [`put_head`] and [`put_tail`] write, without the [`SPARE`] ones. They write fewer only
/// if large communities are repeated or carried attributes are left out.
#[inline(always)]
pub(super) fn most_octets(attributes: &PathAttributes, cx: WireContext) -> usize {
    let mut octets = 4
        + attribute_length(attributes.as_path.encoded_length(cx.is_four_octet_as()))
        + items_length(&attributes.communities, 4)
        + number_length(attributes.med.is_some())
        + number_length(attributes.only_to_customer.is_some());

    if attributes.atomic_aggregate {
        octets += 3;
    }
    if attributes.aggregator.is_some() {
        octets += if cx.is_four_octet_as() { 11 } else { 9 };
    }
    if cx.peer_type() == PeerType::Internal {
        octets += number_length(attributes.local_pref.is_some())
            + number_length(attributes.originator_id.is_some())
            + items_length(&attributes.cluster_list, 4);
    }

    if has_more(attributes) {
        octets += most_octets_of_more(attributes);
    }
    if !cx.is_four_octet_as() {
        octets += most_octets_of_as4(attributes);
    }
    octets
}

/// The octets that hold a message up to its NLRI if its attributes [`are_small`].
pub(super) const SMALL_ROOM: usize = 192;
/// The octets that hold the attributes without NEXT_HOP if they [`are_small`].
pub(super) const SMALL_ATTRIBUTES: usize = 128;
/// The maximum number of AS numbers and communities of small attributes.
const SMALL_COUNT: usize = 16;

/// Returns true if the attributes are as few as those of most routes, so that [`SMALL_ROOM`] octets hold them and the
/// octets before them, and [`SMALL_ATTRIBUTES`] octets hold them alone. It is checked for each message, and costs less than counting the octets.
#[inline(always)]
pub(super) fn are_small(attributes: &PathAttributes, cx: WireContext) -> bool {
    /// The octets of everything that occurs once: ORIGIN, MULTI_EXIT_DISC, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR,
    /// ORIGINATOR_ID and ONLY_TO_CUSTOMER; the headers of AS_PATH and its segment, and of COMMUNITIES.
    const ONCE: usize = 4 + 7 + 7 + 3 + 11 + 7 + 7 + 5 + 3;
    const { assert!(ONCE + 4 * SMALL_COUNT + SPARE <= SMALL_ATTRIBUTES) };
    // In addition: BEGINNING and NEXT_HOP.
    const { assert!(23 + 7 + ONCE + 4 * SMALL_COUNT + SPARE <= SMALL_ROOM) };

    let PathAttributes { as_path, communities, cluster_list, .. } = attributes;
    let hops = match &*as_path.segments {
        [] => 0,
        [only] => only.asns.len(),
        _ => return false,
    };
    let items = hops + communities.len() + cluster_list.len() * SMALL_COUNT;
    items <= SMALL_COUNT && cx.is_four_octet_as() && !has_more(attributes)
}

/// Returns true if there is an attribute that most routes do not have.
#[inline(always)]
fn has_more(attributes: &PathAttributes) -> bool {
    let PathAttributes {
        extended_communities,
        ipv6_extended_communities,
        large_communities,
        unknown,
        ..
    } = attributes;
    let extended = extended_communities.len() | ipv6_extended_communities.len();
    extended | large_communities.len() | unknown.len() != 0
}

#[inline(never)]
fn most_octets_of_more(attributes: &PathAttributes) -> usize {
    let raw = attributes.unknown.iter().map(|raw| attribute_length(raw.value.len()));
    items_length(&attributes.extended_communities, 8)
        + items_length(&attributes.ipv6_extended_communities, 20)
        + items_length(&attributes.large_communities, 12)
        + raw.sum::<usize>()
}

#[cold]
fn most_octets_of_as4(attributes: &PathAttributes) -> usize {
    let path = if attributes.as_path.needs_as4_path() {
        attribute_length(attributes.as_path.encoded_length_as4())
    } else {
        0
    };
    match attributes.aggregator {
        Some(aggregator) if !aggregator.asn.fits_two_octets() => path + 11,
        _ => path,
    }
}

/// The octets of an optional attribute whose value is a number.
#[inline(always)]
const fn number_length(is_present: bool) -> usize {
    if is_present { 7 } else { 0 }
}

/// The octets of an attribute of items, 0 if there are no items.
#[inline(always)]
fn items_length<T>(items: &[T], octets: usize) -> usize {
    if items.is_empty() { 0 } else { attribute_length(items.len() * octets) }
}

/// The octets of an attribute with a value of that length.
#[inline(always)]
const fn attribute_length(value: usize) -> usize {
    if value > 255 { 4 + value } else { 3 + value }
}

/// Writes the attributes before NEXT_HOP: ORIGIN and AS_PATH, which are always present.
#[inline(always)]
pub(super) fn put_head(
    cursor: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    cursor.put([WELL_KNOWN.0, AttributeCode::ORIGIN.0, 1, attributes.origin.code()])?;
    attributes.as_path.encode(cursor, cx.is_four_octet_as())
}

/// Writes the attributes after NEXT_HOP, in ascending order of their codes.
///
/// An external peer does not get LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and non-transitive attributes (RFC 4271 section
/// 5.1.5, RFC 4456 section 8). A peer with two-octet AS numbers gets AS_TRANS and, if that loses information, AS4_PATH and
/// AS4_AGGREGATOR (RFC 6793 section 4.2.2).
#[inline(always)]
pub(super) fn put_tail(
    cursor: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    let mut raw = CarriedAttributes::new(&attributes.unknown, cx);
    put_metrics(cursor, attributes, cx)?;

    raw.put_below(cursor, AttributeCode::COMMUNITIES)?;
    let communities = &attributes.communities;
    cursor.put_items(TRANSITIVE, AttributeCode::COMMUNITIES, communities, |community| {
        community.0.to_be_bytes()
    })?;

    if cx.peer_type() == PeerType::Internal {
        cursor.by(|cursor| put_reflection(cursor, attributes))?;
    }

    if has_more(attributes) || !cx.is_four_octet_as() {
        cursor.by(|cursor| put_more(cursor, attributes, cx, raw))?;
        raw.next = AttributeCode::ONLY_TO_CUSTOMER.0 + 1;
    }

    if let Some(asn) = attributes.only_to_customer {
        cursor.put_number(TRANSITIVE, AttributeCode::ONLY_TO_CUSTOMER, asn.0)?;
    }
    raw.put_below(cursor, AttributeCode(u8::MAX))
}

/// Writes the attributes between CLUSTER_LIST and ONLY_TO_CUSTOMER, which most routes do not have.
#[inline(never)]
fn put_more<'a>(
    mut cursor: WriteCursor<'a>,
    attributes: &PathAttributes,
    cx: WireContext,
    mut raw: CarriedAttributes<'_>,
) -> Option<WriteCursor<'a>> {
    raw.put_below(&mut cursor, AttributeCode::EXTENDED_COMMUNITIES)?;
    let extended = &attributes.extended_communities;
    cursor.put_items(TRANSITIVE, AttributeCode::EXTENDED_COMMUNITIES, extended, |it| it.0)?;

    if !cx.is_four_octet_as() {
        cursor.by(|cursor| put_as4(cursor, attributes))?;
    }

    raw.put_below(&mut cursor, AttributeCode::IPV6_EXTENDED_COMMUNITIES)?;
    let extended = &attributes.ipv6_extended_communities;
    cursor.put_items(TRANSITIVE, AttributeCode::IPV6_EXTENDED_COMMUNITIES, extended, |it| it.0)?;

    raw.put_below(&mut cursor, AttributeCode::LARGE_COMMUNITIES)?;
    if !attributes.large_communities.is_empty() {
        cursor.by(|cursor| put_large(cursor, &attributes.large_communities))?;
    }

    raw.put_below(&mut cursor, AttributeCode::ONLY_TO_CUSTOMER)?;
    Some(cursor)
}

/// Writes the attributes with the codes 4 to 7.
#[inline(always)]
fn put_metrics(
    cursor: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    if let Some(med) = attributes.med {
        cursor.put_number(OPTIONAL, AttributeCode::MULTI_EXIT_DISC, med)?;
    }

    match attributes.local_pref {
        Some(preference) if cx.peer_type() == PeerType::Internal => {
            cursor.put_number(WELL_KNOWN, AttributeCode::LOCAL_PREF, preference)?;
        }
        _ => {}
    }

    if attributes.atomic_aggregate {
        cursor.put_header(WELL_KNOWN, AttributeCode::ATOMIC_AGGREGATE, 0)?;
    }

    let Some(aggregator) = attributes.aggregator else { return Some(()) };
    if cx.is_four_octet_as() {
        cursor.put_header(TRANSITIVE, AttributeCode::AGGREGATOR, 8)?;
        cursor.put(aggregator.asn.0.to_be_bytes())?;
    } else {
        cursor.put_header(TRANSITIVE, AttributeCode::AGGREGATOR, 6)?;
        cursor.put(aggregator.asn.to_two_octets().to_be_bytes())?;
    }
    cursor.put(aggregator.address.octets())
}

/// Writes the attributes with the codes 9 and 10.
#[inline(never)]
fn put_reflection<'a>(
    mut cursor: WriteCursor<'a>,
    attributes: &PathAttributes,
) -> Option<WriteCursor<'a>> {
    if let Some(identifier) = attributes.originator_id {
        cursor.put_number(OPTIONAL, AttributeCode::ORIGINATOR_ID, identifier.into())?;
    }
    let clusters = &attributes.cluster_list;
    cursor.put_items(OPTIONAL, AttributeCode::CLUSTER_LIST, clusters, |cluster| {
        u32::from(*cluster).to_be_bytes()
    })?;
    Some(cursor)
}

/// Writes the attributes with the codes 17 and 18: the AS numbers that AS_TRANS hides (RFC 6793 section 4.2.2).
#[inline(never)]
fn put_as4<'a>(
    mut cursor: WriteCursor<'a>,
    attributes: &PathAttributes,
) -> Option<WriteCursor<'a>> {
    let path = &attributes.as_path;
    if path.needs_as4_path() {
        path.encode_as4(&mut cursor)?;
    }

    match attributes.aggregator {
        Some(aggregator) if !aggregator.asn.fits_two_octets() => {
            cursor.put_header(TRANSITIVE, AttributeCode::AS4_AGGREGATOR, 8)?;
            cursor.put(aggregator.asn.0.to_be_bytes())?;
            cursor.put(aggregator.address.octets())?;
        }
        _ => {}
    }
    Some(cursor)
}

/// Writes the large communities, each once (RFC 8092 section 3).
#[inline(never)]
fn put_large<'a>(
    mut cursor: WriteCursor<'a>,
    communities: &[LargeCommunity],
) -> Option<WriteCursor<'a>> {
    // The length is counted first. This compares unordered communities twice, but those of a table are in order.
    let count = without_repeated(communities).count();
    cursor.put_header(TRANSITIVE, AttributeCode::LARGE_COMMUNITIES, 12 * count)?;
    without_repeated(communities).try_for_each(|community| {
        cursor.put(community.global_administrator.to_be_bytes())?;
        cursor.put(community.local_data_1.to_be_bytes())?;
        cursor.put(community.local_data_2.to_be_bytes())
    })?;
    Some(cursor)
}

/// The attributes that are carried as octets, written between the others in ascending order of codes.
#[derive(Clone, Copy)]
struct CarriedAttributes<'a> {
    attributes: &'a [RawAttribute],
    next: u8,
    external: bool,
}

impl<'a> CarriedAttributes<'a> {
    #[inline(always)]
    fn new(attributes: &'a [RawAttribute], cx: WireContext) -> Self {
        Self { attributes, next: 0, external: cx.peer_type() == PeerType::External }
    }

    /// Writes the attributes with codes after that of the last call, up to and including `code`. Codes with a typed form
    /// are skipped.
    #[inline(always)]
    fn put_below(&mut self, cursor: &mut WriteCursor<'_>, code: AttributeCode) -> Option<()> {
        if self.attributes.is_empty() {
            return Some(());
        }
        let next = std::mem::replace(&mut self.next, code.0.saturating_add(1));
        cursor.by(|cursor| put_raw(cursor, self.attributes, next..=code.0, self.external))
    }
}

#[inline(never)]
fn put_raw<'a>(
    mut cursor: WriteCursor<'a>,
    attributes: &[RawAttribute],
    codes: std::ops::RangeInclusive<u8>,
    external: bool,
) -> Option<WriteCursor<'a>> {
    for raw in attributes {
        let leaves = raw.flags.contains(AttributeFlags::TRANSITIVE) || !external;
        if codes.contains(&raw.code.0) && leaves && !is_typed(raw.code) {
            cursor.put_header(raw.flags, raw.code, raw.value.len())?;
            cursor.put_slice(&raw.value)?;
        }
    }
    Some(cursor)
}

/// Returns true if [`PathAttributes`] has a field for the attribute, or if the writer composes it.
pub(crate) fn is_typed(code: AttributeCode) -> bool {
    let opaque = [AttributeCode::AIGP, AttributeCode::PREFIX_SID];
    AttributeRule::of(code).class != AttributeClass::Unknown
        && AttributeRule::of(code).slot.index() < IndexSlot::COUNT
        && !opaque.contains(&code)
}
