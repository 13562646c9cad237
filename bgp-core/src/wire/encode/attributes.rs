//! The attributes of a route as octets, but for its next hop.
//!
//! All lengths are known before anything is written, so that nothing is moved or patched, and the room is asked for at
//! once: what is left to do for each attribute are stores.

use crate::types::PeerType;
use crate::wire::attribute::rules::{AttributeClass, AttributeRule, IndexSlot};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::community::{LargeCommunity, without_repeated};
use crate::wire::context::WireContext;
use crate::wire::path_attributes::{PathAttributes, RawAttribute};

const WELL_KNOWN: AttributeFlags = AttributeFlags::TRANSITIVE;
const OPTIONAL: AttributeFlags = AttributeFlags::OPTIONAL;
const TRANSITIVE: AttributeFlags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);

/// Octets to write to, from the front. What has no room is not written, and the answer is `None`.
#[derive(Debug, Default)]
pub(in crate::wire) struct WriteCursor<'a>(pub(super) &'a mut [u8]);

/// Octets that [`WriteCursor`] wants behind the last one that is written.
pub(super) const SPARE: usize = 8;

impl<'a> WriteCursor<'a> {
    #[inline(always)]
    pub(in crate::wire) fn put<const N: usize>(&mut self, octets: [u8; N]) -> Option<()> {
        let (place, rest) = std::mem::take(&mut self.0).split_first_chunk_mut()?;
        *place = octets;
        self.0 = rest;
        Some(())
    }

    /// Writes a whole word of which only the first octets count: what is written next overwrites the others.
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
        let (place, rest) = std::mem::take(&mut self.0).split_at_mut_checked(octets.len())?;
        place.copy_from_slice(octets);
        self.0 = rest;
        Some(())
    }

    /// Writes items that are alike.
    #[inline(always)]
    pub(in crate::wire) fn put_all<T, const N: usize>(
        &mut self,
        items: &[T],
        octets: impl Fn(&T) -> [u8; N],
    ) -> Option<()> {
        let rest = std::mem::take(&mut self.0);
        let (places, rest) = rest.split_at_mut_checked(N * items.len())?;
        for (place, item) in places.chunks_exact_mut(N).zip(items) {
            if let Some(place) = place.first_chunk_mut() {
                *place = octets(item);
            }
        }
        self.0 = rest;
        Some(())
    }

    /// The header of an attribute, with a length of two octets only where it needs them. A length beyond those becomes the
    /// greatest: the writer never lets such a thing leave.
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

    /// An attribute of a number.
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

    /// An attribute of items that are alike; none where there are none.
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

    /// Has a function write that is seldom called: what it gets is a copy, so that this one may be in registers.
    #[inline(always)]
    pub(in crate::wire) fn by(&mut self, put: impl FnOnce(Self) -> Option<Self>) -> Option<()> {
        *self = put(std::mem::take(self))?;
        Some(())
    }
}

/// The most octets that [`put_head`] and [`put_tail`] write, but for the [`SPARE`] ones. They write fewer only where large
/// communities are repeated or where attributes that are carried stay out.
#[inline(always)]
pub(super) fn most_octets(attributes: &PathAttributes, cx: WireContext) -> usize {
    let number = |is_there| if is_there { 7 } else { 0 };
    let mut octets = 4
        + attribute_length(attributes.as_path.encoded_length(cx.is_four_octet_as()))
        + items_length(&attributes.communities, 4)
        + number(attributes.med.is_some())
        + number(attributes.only_to_customer.is_some());
    if attributes.atomic_aggregate {
        octets += 3;
    }
    if attributes.aggregator.is_some() {
        octets += if cx.is_four_octet_as() { 11 } else { 9 };
    }
    if cx.peer_type() == PeerType::Internal {
        octets += number(attributes.local_pref.is_some())
            + number(attributes.originator_id.is_some())
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

/// Octets that are room enough for a message up to its NLRI with attributes that [`are_small`].
pub(super) const SMALL_ROOM: usize = 192;
/// AS numbers and communities that are small.
const SMALL_COUNT: usize = 16;

/// Whether the attributes are so small as most routes have: [`SMALL_ROOM`] octets hold them and what stands before them. It is asked
/// before each message, and costs less than to count them.
#[inline(always)]
pub(super) fn are_small(attributes: &PathAttributes, cx: WireContext) -> bool {
    /// Everything that is not repeated: BEGINNING, ORIGIN, NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, ATOMIC_AGGREGATE,
    /// AGGREGATOR, ORIGINATOR_ID and ONLY_TO_CUSTOMER; the headers of AS_PATH with its segment and of COMMUNITIES.
    const ONCE: usize = 23 + 4 + 7 + 7 + 7 + 3 + 11 + 7 + 7 + 5 + 3;
    const { assert!(ONCE + 4 * SMALL_COUNT + SPARE <= SMALL_ROOM) };
    let PathAttributes { as_path, communities, cluster_list, .. } = attributes;
    let hops = match &*as_path.segments {
        [] => 0,
        [only] => only.asns.len(),
        _ => return false,
    };
    let items = hops + communities.len() + cluster_list.len() * SMALL_COUNT;
    items <= SMALL_COUNT && cx.is_four_octet_as() && !has_more(attributes)
}

/// Whether there is any of the attributes that most routes do not have.
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

#[inline(always)]
fn items_length<T>(items: &[T], octets: usize) -> usize {
    if items.is_empty() { 0 } else { attribute_length(items.len() * octets) }
}

/// Octets of an attribute with a value of so many.
#[inline(always)]
const fn attribute_length(value: usize) -> usize {
    if value > 255 { 4 + value } else { 3 + value }
}

/// What stands before NEXT_HOP: ORIGIN and AS_PATH, which are always there.
#[inline(always)]
pub(super) fn put_head(
    place: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    place.put([WELL_KNOWN.0, AttributeCode::ORIGIN.0, 1, attributes.origin.code()])?;
    attributes.as_path.encode(place, cx.is_four_octet_as())
}

/// What stands after NEXT_HOP, in ascending order of the codes.
///
/// To an external peer LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and what is not transitive stay out (RFC 4271 section
/// 5.1.5, RFC 4456 section 8). A peer with AS numbers of two octets gets AS_TRANS and, where that loses something,
/// AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.2).
#[inline(always)]
pub(super) fn put_tail(
    place: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    let mut raw = CarriedAttributes::new(&attributes.unknown, cx);
    put_metrics(place, attributes, cx)?;
    raw.put_below(place, AttributeCode::COMMUNITIES)?;
    let communities = &attributes.communities;
    place.put_items(TRANSITIVE, AttributeCode::COMMUNITIES, communities, |community| {
        community.0.to_be_bytes()
    })?;
    if cx.peer_type() == PeerType::Internal {
        place.by(|place| put_reflection(place, attributes))?;
    }
    if has_more(attributes) || !cx.is_four_octet_as() {
        place.by(|place| put_more(place, attributes, cx, raw))?;
        raw.next = AttributeCode::ONLY_TO_CUSTOMER.0 + 1;
    }
    if let Some(asn) = attributes.only_to_customer {
        place.put_number(TRANSITIVE, AttributeCode::ONLY_TO_CUSTOMER, asn.0)?;
    }
    raw.put_below(place, AttributeCode(u8::MAX))
}

/// What stands between COMMUNITIES or the attributes of reflection and ONLY_TO_CUSTOMER, which most routes do not have.
#[inline(never)]
fn put_more<'a>(
    mut place: WriteCursor<'a>,
    attributes: &PathAttributes,
    cx: WireContext,
    mut raw: CarriedAttributes<'_>,
) -> Option<WriteCursor<'a>> {
    raw.put_below(&mut place, AttributeCode::EXTENDED_COMMUNITIES)?;
    let extended = &attributes.extended_communities;
    place.put_items(TRANSITIVE, AttributeCode::EXTENDED_COMMUNITIES, extended, |it| it.0)?;
    if !cx.is_four_octet_as() {
        place.by(|place| put_as4(place, attributes))?;
    }
    raw.put_below(&mut place, AttributeCode::IPV6_EXTENDED_COMMUNITIES)?;
    let extended = &attributes.ipv6_extended_communities;
    place.put_items(TRANSITIVE, AttributeCode::IPV6_EXTENDED_COMMUNITIES, extended, |it| it.0)?;
    raw.put_below(&mut place, AttributeCode::LARGE_COMMUNITIES)?;
    if !attributes.large_communities.is_empty() {
        place.by(|place| put_large(place, &attributes.large_communities))?;
    }
    raw.put_below(&mut place, AttributeCode::ONLY_TO_CUSTOMER)?;
    Some(place)
}

/// Codes 4 to 7.
#[inline(always)]
fn put_metrics(
    place: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<()> {
    if let Some(med) = attributes.med {
        place.put_number(OPTIONAL, AttributeCode::MULTI_EXIT_DISC, med)?;
    }
    match attributes.local_pref {
        Some(preference) if cx.peer_type() == PeerType::Internal => {
            place.put_number(WELL_KNOWN, AttributeCode::LOCAL_PREF, preference)?;
        }
        _ => {}
    }
    if attributes.atomic_aggregate {
        place.put_header(WELL_KNOWN, AttributeCode::ATOMIC_AGGREGATE, 0)?;
    }
    let Some(aggregator) = attributes.aggregator else { return Some(()) };
    if cx.is_four_octet_as() {
        place.put_header(TRANSITIVE, AttributeCode::AGGREGATOR, 8)?;
        place.put(aggregator.asn.0.to_be_bytes())?;
    } else {
        place.put_header(TRANSITIVE, AttributeCode::AGGREGATOR, 6)?;
        place.put(aggregator.asn.to_two_octets().to_be_bytes())?;
    }
    place.put(aggregator.address.octets())
}

/// Codes 9 and 10.
#[inline(never)]
fn put_reflection<'a>(
    mut place: WriteCursor<'a>,
    attributes: &PathAttributes,
) -> Option<WriteCursor<'a>> {
    if let Some(identifier) = attributes.originator_id {
        place.put_number(OPTIONAL, AttributeCode::ORIGINATOR_ID, identifier.into())?;
    }
    let clusters = &attributes.cluster_list;
    place.put_items(OPTIONAL, AttributeCode::CLUSTER_LIST, clusters, |cluster| {
        u32::from(*cluster).to_be_bytes()
    })?;
    Some(place)
}

/// Codes 17 and 18: what AS_TRANS hides (RFC 6793 section 4.2.2).
#[inline(never)]
fn put_as4<'a>(mut place: WriteCursor<'a>, attributes: &PathAttributes) -> Option<WriteCursor<'a>> {
    let path = &attributes.as_path;
    if path.needs_as4_path() {
        path.encode_as4(&mut place)?;
    }
    match attributes.aggregator {
        Some(aggregator) if !aggregator.asn.fits_two_octets() => {
            place.put_header(TRANSITIVE, AttributeCode::AS4_AGGREGATOR, 8)?;
            place.put(aggregator.asn.0.to_be_bytes())?;
            place.put(aggregator.address.octets())?;
        }
        _ => {}
    }
    Some(place)
}

/// Large communities, each once (RFC 8092 section 3).
#[inline(never)]
fn put_large<'a>(
    mut place: WriteCursor<'a>,
    communities: &[LargeCommunity],
) -> Option<WriteCursor<'a>> {
    // They are compared twice where they are out of order, which those of a table are not.
    let count = without_repeated(communities).count();
    place.put_header(TRANSITIVE, AttributeCode::LARGE_COMMUNITIES, 12 * count)?;
    without_repeated(communities).try_for_each(|community| {
        place.put(community.global_administrator.to_be_bytes())?;
        place.put(community.local_data_1.to_be_bytes())?;
        place.put(community.local_data_2.to_be_bytes())
    })?;
    Some(place)
}

/// The attributes that are carried as octets, taken in ascending order of their codes between the others.
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

    /// Writes those with a code from where the last call ended to this one, itself included where it has no typed form.
    #[inline(always)]
    fn put_below(&mut self, place: &mut WriteCursor<'_>, code: AttributeCode) -> Option<()> {
        if self.attributes.is_empty() {
            return Some(());
        }
        let next = std::mem::replace(&mut self.next, code.0.saturating_add(1));
        place.by(|place| put_raw(place, self.attributes, next..=code.0, self.external))
    }
}

#[inline(never)]
fn put_raw<'a>(
    mut place: WriteCursor<'a>,
    attributes: &[RawAttribute],
    codes: std::ops::RangeInclusive<u8>,
    external: bool,
) -> Option<WriteCursor<'a>> {
    for raw in attributes {
        let leaves = raw.flags.contains(AttributeFlags::TRANSITIVE) || !external;
        if codes.contains(&raw.code.0) && leaves && !is_typed(raw.code) {
            place.put_header(raw.flags, raw.code, raw.value.len())?;
            place.put_slice(&raw.value)?;
        }
    }
    Some(place)
}

/// Whether the owned form has a field for the attribute, or the writer composes it.
pub(in crate::wire) fn is_typed(code: AttributeCode) -> bool {
    let opaque = [AttributeCode::AIGP, AttributeCode::PREFIX_SID];
    AttributeRule::of(code).class != AttributeClass::Unknown
        && AttributeRule::of(code).slot.index() < IndexSlot::COUNT
        && !opaque.contains(&code)
}
