//! The parsers that all messages and records share. Only this module uses nom.
//!
//! All parsers are `complete`: only [`Frame::split`](super::Frame::split) waits for more octets. The error is empty on
//! purpose: the caller knows what missing octets mean and where they are missing, and adds both.

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

/// The result of a parser: the rest of the input and a value, or an error if the input is too short.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Truncated>;

/// The error of every parser: the input is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated;

impl<'a> ParseError<&'a [u8]> for Truncated {
    #[inline]
    fn from_error_kind(_: &'a [u8], _: ErrorKind) -> Self {
        Self
    }

    #[inline]
    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Reads one octet.
#[inline]
pub(crate) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    match input.split_first() {
        Some((octet, rest)) => Ok((rest, *octet)),
        None => Err(truncated()),
    }
}

/// Reads a big-endian number of two octets. It replaces nom's `be_u16` for the same reason as [`octets`] replaces `take`.
#[inline]
pub(crate) fn two_octets(input: &[u8]) -> Parsed<'_, u16> {
    match input.split_first_chunk() {
        Some((number, rest)) => Ok((rest, u16::from_be_bytes(*number))),
        None => Err(truncated()),
    }
}

/// Reads a big-endian number of four octets.
#[inline]
pub(crate) fn four_octets(input: &[u8]) -> Parsed<'_, u32> {
    match input.split_first_chunk() {
        Some((number, rest)) => Ok((rest, u32::from_be_bytes(*number))),
        None => Err(truncated()),
    }
}

/// Reads `count` octets. nom's `take` is a call into another crate unless link-time optimization inlines it, and dependents
/// should not need that for speed.
#[inline]
pub(crate) fn octets(input: &[u8], count: usize) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(count) {
        Some((taken, rest)) => Ok((rest, taken)),
        None => Err(truncated()),
    }
}

/// Returns the error of every parser, as nom expects it.
#[inline]
pub(crate) const fn truncated() -> nom::Err<Truncated> {
    nom::Err::Error(Truncated)
}

/// Reads a length of one octet and that many octets.
#[inline]
pub(crate) fn counted_by_octet(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, length) = octet(input)?;
    octets(input, usize::from(length))
}

/// Reads a length of two octets and that many octets.
#[inline]
pub(crate) fn counted_by_two_octets(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, length) = two_octets(input)?;
    octets(input, usize::from(length))
}
