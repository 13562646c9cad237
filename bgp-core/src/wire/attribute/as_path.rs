//! AS_PATH: the ASes that a route passed through (RFC 4271 section 5.1.2, RFC 5065, RFC 6793).

use crate::types::Asn;
use crate::wire::encode::WriteCursor;

use super::{AttributeCode, AttributeFlags};

/// The type of a path segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 and RFC 5065 define these four")]
pub enum SegmentType {
    /// AS_SET: ASes that the route passed through, unordered.
    Set,
    /// AS_SEQUENCE: ASes that the route passed through, the most recent first.
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

    /// Returns true for a confederation segment.
    #[must_use]
    pub const fn is_confederation(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }

    /// The hops of the segment in a comparison of path lengths (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3): a set
    /// counts as one, a confederation segment as none.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct AsPathSegment {
    /// The type of the segment.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: SegmentType,
    /// The AS numbers; more than 255 are sent as several segments.
    pub asns: Vec<Asn>,
}

/// An owned AS path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[expect(clippy::exhaustive_structs, reason = "a path is its segments")]
pub struct AsPath {
    /// The segments, the nearest first.
    pub segments: Vec<AsPathSegment>,
}

impl AsPath {
    /// The path of a locally originated route: no segment.
    #[must_use]
    pub const fn new() -> Self {
        Self { segments: Vec::new() }
    }

    /// A path of one sequence, or an empty path if there are no AS numbers.
    #[must_use]
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<_> = asns.into_iter().collect();
        if asns.is_empty() {
            return Self::new();
        }
        Self { segments: vec![AsPathSegment { kind: SegmentType::Sequence, asns }] }
    }

    /// Prepends an AS number `times` times (RFC 4271 section 5.1.2 b).
    pub fn prepend(&mut self, asn: Asn, times: usize) {
        if times == 0 {
            return;
        }

        let more = std::iter::repeat_n(asn, times);
        match self.segments.first_mut() {
            // Encoding splits a segment of more than 255, so the length does not matter here.
            Some(first) if first.kind == SegmentType::Sequence => {
                first.asns.splice(0..0, more);
            }
            _ => {
                let asns = more.collect();
                self.segments.insert(0, AsPathSegment { kind: SegmentType::Sequence, asns });
            }
        }
    }

    /// The length for comparing routes: a set counts as one, confederation segments as none.
    #[must_use]
    pub fn hop_count(&self) -> usize {
        self.segments.iter().map(|segment| segment.kind.hops(segment.asns.len())).sum()
    }

    /// Returns true if any segment of the path has the AS number.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.segments.iter().any(|segment| segment.asns.contains(&asn))
    }

    /// The nearest AS: the first in the path, if the path begins with a sequence.
    #[must_use]
    pub fn first_as(&self) -> Option<Asn> {
        let first = self.segments.iter().find(|segment| !segment.kind.is_confederation())?;
        first.asns.first().copied().filter(|_| first.kind == SegmentType::Sequence)
    }

    /// The AS that originated the route: the last in the path, if the path ends with a sequence.
    #[must_use]
    pub fn origin_as(&self) -> Option<Asn> {
        let last = self.segments.last()?;
        last.asns.last().copied().filter(|_| last.kind == SegmentType::Sequence)
    }

    /// Returns true if a segment is an AS_SET or AS_CONFED_SET, in which case the route must not be used (RFC 9774).
    #[must_use]
    pub fn has_set(&self) -> bool {
        let mut kinds = self.segments.iter().map(|segment| segment.kind);
        kinds.any(|kind| matches!(kind, SegmentType::Set | SegmentType::ConfedSet))
    }

    /// Returns true if the path has no segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns true if an AS number outside of confederation segments needs four octets.
    pub(in crate::wire) fn needs_as4_path(&self) -> bool {
        self.without_confederation()
            .any(|segment| segment.asns.iter().any(|asn| !asn.fits_two_octets()))
    }

    /// The length of an AS_PATH value in octets.
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

    /// Writes the attribute, with AS_TRANS for numbers that do not fit two octets.
    #[inline(always)]
    pub(in crate::wire) fn encode(
        &self,
        cursor: &mut WriteCursor<'_>,
        four_octet_as: bool,
    ) -> Option<()> {
        match &*self.segments {
            [] => cursor.put_header(AttributeFlags::TRANSITIVE, AttributeCode::AS_PATH, 0),
            // Nearly all paths: one segment, short enough that the length needs no check.
            [only] if four_octet_as && (1..FEW_ASNS).contains(&only.asns.len()) => {
                let [count, ..] = only.asns.len().to_le_bytes();
                let header = [AttributeFlags::TRANSITIVE.0, AttributeCode::AS_PATH.0];
                let ([flags, code], length) = (header, 2 + 4 * count);
                cursor.put_first(5, [flags, code, length, only.kind.code(), count, 0, 0, 0])?;
                cursor.put_all(&only.asns, |asn| asn.0.to_be_bytes())
            }
            _ => cursor.by(|cursor| self.encode_long(cursor, four_octet_as)),
        }
    }

    #[inline(never)]
    fn encode_long<'a>(
        &self,
        mut cursor: WriteCursor<'a>,
        four_octet_as: bool,
    ) -> Option<WriteCursor<'a>> {
        let length = self.encoded_length(four_octet_as);
        cursor.put_header(AttributeFlags::TRANSITIVE, AttributeCode::AS_PATH, length)?;
        let mut segments = self.segments.iter();
        segments.try_for_each(|segment| encode_segment(&mut cursor, segment, four_octet_as))?;
        Some(cursor)
    }

    /// The length of an AS4_PATH value in octets.
    pub(in crate::wire) fn encoded_length_as4(&self) -> usize {
        self.without_confederation().map(|segment| segment_length(segment, true)).sum()
    }

    /// Writes AS4_PATH: the path without confederation segments (RFC 6793 section 4.2.2).
    pub(in crate::wire) fn encode_as4(&self, cursor: &mut WriteCursor<'_>) -> Option<()> {
        let flags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
        cursor.put_header(flags, AttributeCode::AS4_PATH, self.encoded_length_as4())?;
        self.without_confederation().try_for_each(|segment| encode_segment(cursor, segment, true))
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

impl<const N: usize> From<[Asn; N]> for AsPath {
    fn from(asns: [Asn; N]) -> Self {
        Self::sequence(asns)
    }
}

impl From<Vec<Asn>> for AsPath {
    fn from(asns: Vec<Asn>) -> Self {
        Self::sequence(asns)
    }
}

/// An AS path, borrowed from a message.
#[derive(Clone, Copy, Debug)]
pub struct AsPathView<'a> {
    octets: &'a [u8],
    four_octet_as: bool,
}

impl<'a> AsPathView<'a> {
    pub(in crate::wire) const fn new(octets: &'a [u8], four_octet_as: bool) -> Self {
        Self { octets, four_octet_as }
    }

    /// The segments, the nearest first.
    #[inline]
    pub fn segments(self) -> impl Iterator<Item = AsPathSegmentView<'a>> + Clone {
        let mut octets = self.octets;
        std::iter::from_fn(move || {
            let (segment, rest) = split(octets, self.four_octet_as)?;
            octets = rest;
            Some(segment)
        })
    }

    /// The AS numbers of all segments.
    #[inline]
    pub fn asns(self) -> impl Iterator<Item = Asn> + Clone {
        self.segments().flat_map(|segment| segment.asns)
    }

    /// See [`AsPath::hop_count`].
    #[must_use]
    pub fn hop_count(self) -> usize {
        self.segments().map(|segment| segment.kind.hops(segment.asns.len())).sum()
    }

    /// Returns true if any segment of the path has the AS number.
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

    /// The path in owned form.
    #[must_use]
    pub fn to_owned(self) -> AsPath {
        let mut segments = Vec::with_capacity(1);
        segments.extend(
            self.segments()
                .map(|segment| AsPathSegment { kind: segment.kind, asns: segment.asns.collect() }),
        );
        AsPath { segments }
    }
}

/// A path segment, borrowed from a message.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct AsPathSegmentView<'a> {
    /// The type of the segment.
    pub kind: SegmentType,
    /// The AS numbers.
    pub asns: Asns<'a>,
}

/// An iterator over the AS numbers of a segment in a message.
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

    /// Loops over all AS numbers with a fixed width, which is half the work of `next` for each.
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

/// Returns true if the octets are complete segments of known types, each with AS numbers, none of them 0 (RFC 7606 section
/// 7.2, RFC 7607), and without confederation segments unless those are allowed (RFC 5065 section 5).
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

/// The maximum number of AS numbers in a segment on the wire.
const MOST_ASNS: usize = 255;
/// A path of one segment with fewer AS numbers than this has a length of one octet.
const FEW_ASNS: usize = 64;

#[inline(never)]
fn long_length(segments: &[AsPathSegment], four_octet_as: bool) -> usize {
    segments.iter().map(|segment| segment_length(segment, four_octet_as)).sum()
}

/// The octets of a segment, which becomes several if it has too many AS numbers for one.
#[inline]
fn segment_length(segment: &AsPathSegment, four_octet_as: bool) -> usize {
    let asns = segment.asns.len();
    2 * asns.div_ceil(MOST_ASNS) + width(four_octet_as) * asns
}

#[inline]
fn encode_segment(
    cursor: &mut WriteCursor<'_>,
    segment: &AsPathSegment,
    four_octet_as: bool,
) -> Option<()> {
    for asns in segment.asns.chunks(MOST_ASNS) {
        cursor.put([segment.kind.code(), u8::try_from(asns.len()).unwrap_or(u8::MAX)])?;
        if four_octet_as {
            cursor.put_all(asns, |asn| asn.0.to_be_bytes())?;
        } else {
            cursor.put_all(asns, |asn| asn.to_two_octets().to_be_bytes())?;
        }
    }
    Some(())
}
