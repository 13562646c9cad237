//! AS_PATH: who passed a route on (RFC 4271 section 5.1.2, RFC 5065, RFC 6793).

use crate::types::Asn;
use crate::wire::encode::WriteCursor;

use super::{AttributeCode, AttributeFlags};

/// What a segment of a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 and RFC 5065 define these four")]
pub enum SegmentType {
    /// AS_SET: these passed it on, in no order.
    Set,
    /// AS_SEQUENCE: these passed it on, the last one first.
    Sequence,
    /// AS_CONFED_SEQUENCE: a sequence within a confederation.
    ConfedSequence,
    /// AS_CONFED_SET: a set within a confederation.
    ConfedSet,
}

impl SegmentType {
    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Set,
            2 => Self::Sequence,
            3 => Self::ConfedSequence,
            4 => Self::ConfedSet,
            _ => return None,
        })
    }

    const fn code(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Sequence => 2,
            Self::ConfedSequence => 3,
            Self::ConfedSet => 4,
        }
    }

    /// Whether the segment is of a confederation.
    #[must_use]
    pub const fn is_confederation(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }

    /// How many hops the segment counts in a comparison of path lengths (RFC 4271 section 9.1.2.2 a, RFC 5065 section
    /// 5.3): a set counts one, a segment of a confederation none.
    const fn hops(self, asns: usize) -> usize {
        match self {
            Self::Sequence => asns,
            Self::Set => 1,
            Self::ConfedSequence | Self::ConfedSet => 0,
        }
    }
}

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct AsPathSegment {
    /// What it means.
    pub kind: SegmentType,
    /// Its AS numbers; more than 255 are sent as several segments.
    pub asns: Vec<Asn>,
}

/// A path, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a path is its segments")]
pub struct AsPath {
    /// Its segments, the nearest first.
    pub segments: Vec<AsPathSegment>,
}

impl AsPath {
    /// The path of a route that its own AS originates: no segment.
    #[must_use]
    pub const fn new() -> Self {
        Self { segments: Vec::new() }
    }

    /// A path of one sequence; none where there are no AS numbers.
    #[must_use]
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<_> = asns.into_iter().collect();
        if asns.is_empty() {
            return Self::new();
        }
        Self { segments: vec![AsPathSegment { kind: SegmentType::Sequence, asns }] }
    }

    /// Puts an AS number before all others, that many times (RFC 4271 section 5.1.2 b).
    pub fn prepend(&mut self, asn: Asn, times: usize) {
        if times == 0 {
            return;
        }
        let more = std::iter::repeat_n(asn, times);
        match self.segments.first_mut() {
            // Encoding splits what is more than 255, so that the length needs no care here.
            Some(first) if first.kind == SegmentType::Sequence => {
                first.asns.splice(0..0, more);
            }
            _ => {
                let asns = more.collect();
                self.segments.insert(0, AsPathSegment { kind: SegmentType::Sequence, asns });
            }
        }
    }

    /// The length that routes are compared by: a set counts one, confederation segments none.
    #[must_use]
    pub fn hop_count(&self) -> usize {
        self.segments.iter().map(|segment| segment.kind.hops(segment.asns.len())).sum()
    }

    /// Whether the path holds an AS number, in any segment.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.segments.iter().any(|segment| segment.asns.contains(&asn))
    }

    /// The nearest AS: the first of the path where that begins with a sequence.
    #[must_use]
    pub fn first_as(&self) -> Option<Asn> {
        let first = self.segments.iter().find(|segment| !segment.kind.is_confederation())?;
        first.asns.first().copied().filter(|_| first.kind == SegmentType::Sequence)
    }

    /// The AS that originated the route: the last of the path where that ends with a sequence.
    #[must_use]
    pub fn origin_as(&self) -> Option<Asn> {
        let last = self.segments.last()?;
        last.asns.last().copied().filter(|_| last.kind == SegmentType::Sequence)
    }

    /// Returns true if a segment is an AS_SET or AS_CONFED_SET: such a route is not to be used (RFC 9774).
    #[must_use]
    pub fn has_set(&self) -> bool {
        let is_set = |kind| matches!(kind, SegmentType::Set | SegmentType::ConfedSet);
        self.segments.iter().any(|segment| is_set(segment.kind))
    }

    /// Whether there is no segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether a number needs four octets, outside of confederation segments.
    pub(in crate::wire) fn needs_as4_path(&self) -> bool {
        self.without_confederation()
            .any(|segment| segment.asns.iter().any(|asn| !asn.fits_two_octets()))
    }

    /// Octets of the value of an AS_PATH.
    #[inline(always)]
    pub(in crate::wire) fn encoded_length(&self, four_octet_as: bool) -> usize {
        match &*self.segments {
            [] => 0,
            [only] if (1..FEW_ASNS).contains(&only.asns.len()) => {
                2 + only.asns.len() * width(four_octet_as)
            }
            segments => long_length(segments, four_octet_as),
        }
    }

    /// Writes the attribute, with AS_TRANS for what two octets do not hold.
    #[inline(always)]
    pub(in crate::wire) fn encode(
        &self,
        place: &mut WriteCursor<'_>,
        four_octet_as: bool,
    ) -> Option<()> {
        match &*self.segments {
            [] => place.put_header(AttributeFlags::TRANSITIVE, AttributeCode::AS_PATH, 0),
            // What nearly all paths are, of which the length needs no care.
            [only] if four_octet_as && (1..FEW_ASNS).contains(&only.asns.len()) => {
                let [count, ..] = only.asns.len().to_le_bytes();
                let header = [AttributeFlags::TRANSITIVE.0, AttributeCode::AS_PATH.0];
                let ([flags, code], length) = (header, 2 + 4 * count);
                place.put_first(5, [flags, code, length, only.kind.code(), count, 0, 0, 0])?;
                place.put_all(&only.asns, |asn| asn.0.to_be_bytes())
            }
            _ => place.by(|place| self.encode_long(place, four_octet_as)),
        }
    }

    #[inline(never)]
    fn encode_long<'a>(
        &self,
        mut place: WriteCursor<'a>,
        four_octet_as: bool,
    ) -> Option<WriteCursor<'a>> {
        let length = self.encoded_length(four_octet_as);
        place.put_header(AttributeFlags::TRANSITIVE, AttributeCode::AS_PATH, length)?;
        let mut segments = self.segments.iter();
        segments.try_for_each(|segment| encode_segment(&mut place, segment, four_octet_as))?;
        Some(place)
    }

    /// Octets of the value of an AS4_PATH.
    pub(in crate::wire) fn encoded_length_as4(&self) -> usize {
        self.without_confederation().map(|segment| segment_length(segment, true)).sum()
    }

    /// Writes AS4_PATH: the path without confederation segments (RFC 6793 section 4.2.2).
    pub(in crate::wire) fn encode_as4(&self, place: &mut WriteCursor<'_>) -> Option<()> {
        let flags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
        place.put_header(flags, AttributeCode::AS4_PATH, self.encoded_length_as4())?;
        self.without_confederation().try_for_each(|segment| encode_segment(place, segment, true))
    }

    fn without_confederation(&self) -> impl Iterator<Item = &AsPathSegment> {
        self.segments.iter().filter(|segment| !segment.kind.is_confederation())
    }
}

impl FromIterator<Asn> for AsPath {
    fn from_iter<I: IntoIterator<Item = Asn>>(asns: I) -> Self {
        Self::sequence(asns)
    }
}

/// A path in a message.
#[derive(Clone, Copy, Debug)]
pub struct AsPathView<'a> {
    octets: &'a [u8],
    four_octet_as: bool,
}

impl<'a> AsPathView<'a> {
    pub(in crate::wire) const fn new(octets: &'a [u8], four_octet_as: bool) -> Self {
        Self { octets, four_octet_as }
    }

    /// Its segments, the nearest first.
    #[inline]
    pub fn segments(self) -> impl Iterator<Item = AsPathSegmentView<'a>> + Clone {
        let mut octets = self.octets;
        std::iter::from_fn(move || {
            let (segment, rest) = split(octets, self.four_octet_as)?;
            octets = rest;
            Some(segment)
        })
    }

    /// All AS numbers of all segments.
    #[inline]
    pub fn asns(self) -> impl Iterator<Item = Asn> + Clone {
        self.segments().flat_map(|segment| segment.asns)
    }

    /// See [`AsPath::hop_count`].
    #[must_use]
    pub fn hop_count(self) -> usize {
        self.segments().map(|segment| segment.kind.hops(segment.asns.len())).sum()
    }

    /// Whether the path holds an AS number, in any segment.
    #[must_use]
    pub fn contains(self, asn: Asn) -> bool {
        self.asns().any(|other| other == asn)
    }

    /// See [`AsPath::first_as`].
    #[must_use]
    pub fn first_as(self) -> Option<Asn> {
        let mut first = self.segments().find(|segment| !segment.kind.is_confederation())?;
        first.asns.next().filter(|_| first.kind == SegmentType::Sequence)
    }

    /// See [`AsPath::origin_as`].
    #[must_use]
    pub fn origin_as(self) -> Option<Asn> {
        let last = self.segments().last()?;
        last.asns.last().filter(|_| last.kind == SegmentType::Sequence)
    }

    /// The value as received.
    #[must_use]
    pub const fn as_octets(self) -> &'a [u8] {
        self.octets
    }

    /// The owned form.
    #[must_use]
    pub fn to_owned(self) -> AsPath {
        let own = |segment: AsPathSegmentView<'_>| AsPathSegment {
            kind: segment.kind,
            asns: segment.asns.collect(),
        };
        let mut path = AsPath { segments: Vec::with_capacity(1) };
        path.segments.extend(self.segments().map(own));
        path
    }
}

/// A segment of a path in a message.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct AsPathSegmentView<'a> {
    /// What it means.
    pub kind: SegmentType,
    /// Its AS numbers.
    pub asns: Asns<'a>,
}

/// The AS numbers of a segment in a message.
#[derive(Clone, Debug)]
pub struct Asns<'a> {
    octets: &'a [u8],
    four_octet_as: bool,
}

impl Iterator for Asns<'_> {
    type Item = Asn;

    #[inline]
    fn next(&mut self) -> Option<Asn> {
        if self.four_octet_as {
            let (asn, rest) = self.octets.split_first_chunk()?;
            self.octets = rest;
            return Some(Asn(u32::from_be_bytes(*asn)));
        }
        let (asn, rest) = self.octets.split_first_chunk()?;
        self.octets = rest;
        Some(u16::from_be_bytes(*asn).into())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.octets.len() / width(self.four_octet_as);
        (count, Some(count))
    }

    /// The loop over all of them, with one width: half the work of `next` for each.
    #[inline]
    fn fold<B, F: FnMut(B, Asn) -> B>(self, init: B, mut f: F) -> B {
        if self.four_octet_as {
            let asns = self.octets.chunks_exact(4);
            return asns.fold(init, |sum, octets| match octets {
                [a, b, c, d] => f(sum, Asn(u32::from_be_bytes([*a, *b, *c, *d]))),
                _ => sum,
            });
        }
        let asns = self.octets.chunks_exact(2);
        asns.fold(init, |sum, octets| match octets {
            [a, b] => f(sum, u16::from_be_bytes([*a, *b]).into()),
            _ => sum,
        })
    }
}

impl ExactSizeIterator for Asns<'_> {}
impl std::iter::FusedIterator for Asns<'_> {}

/// Whether the octets are whole segments of known types that hold AS numbers, none of them 0 (RFC 7606 section 7.2,
/// RFC 7607); and no confederation segment where those have no business (RFC 5065 section 5).
#[inline]
pub(super) fn is_valid(mut octets: &[u8], four_octet_as: bool, confederation: bool) -> bool {
    while !octets.is_empty() {
        let Some((segment, rest)) = split(octets, four_octet_as) else { return false };
        if segment.kind.is_confederation() && !confederation {
            return false;
        }
        let zero = segment.asns.fold(false, |zero, asn| zero | (asn == Asn::ZERO));
        if zero || octets.get(1) == Some(&0) {
            return false;
        }
        octets = rest;
    }
    true
}

#[inline]
fn split(octets: &[u8], four_octet_as: bool) -> Option<(AsPathSegmentView<'_>, &[u8])> {
    let [code, count, rest @ ..] = octets else { return None };
    let kind = SegmentType::from_code(*code)?;
    let (asns, rest) = rest.split_at_checked(usize::from(*count) * width(four_octet_as))?;
    Some((AsPathSegmentView { kind, asns: Asns { octets: asns, four_octet_as } }, rest))
}

#[inline]
const fn width(four_octet_as: bool) -> usize {
    if four_octet_as { 4 } else { 2 }
}

/// The most AS numbers of a segment on the wire.
const MOST_ASNS: usize = 255;
/// A path of one segment with fewer has a length of one octet.
const FEW_ASNS: usize = 64;

#[inline(never)]
fn long_length(segments: &[AsPathSegment], four_octet_as: bool) -> usize {
    segments.iter().map(|segment| segment_length(segment, four_octet_as)).sum()
}

/// Octets of a segment, or of several where it has too many AS numbers for one.
#[inline]
fn segment_length(segment: &AsPathSegment, four_octet_as: bool) -> usize {
    let asns = segment.asns.len();
    2 * asns.div_ceil(MOST_ASNS) + width(four_octet_as) * asns
}

#[inline]
fn encode_segment(
    place: &mut WriteCursor<'_>,
    segment: &AsPathSegment,
    four_octet_as: bool,
) -> Option<()> {
    for asns in segment.asns.chunks(MOST_ASNS) {
        place.put([segment.kind.code(), u8::try_from(asns.len()).unwrap_or(u8::MAX)])?;
        if four_octet_as {
            place.put_all(asns, |asn| asn.0.to_be_bytes())?;
        } else {
            place.put_all(asns, |asn| asn.to_two_octets().to_be_bytes())?;
        }
    }
    Some(())
}
