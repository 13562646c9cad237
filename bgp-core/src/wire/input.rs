//! The parsers that every message and record shares: the one place that names nom.
//!
//! All of them are `complete`: [`Frame::split`](super::Frame::split) waits for octets, nobody else does. The error
//! is empty on purpose: what a shortage means, and where it is, only the caller knows, who adds both.

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

/// What a parser gives: the rest of the input and a value, or the word that octets are missing.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Truncated>;

/// The input was too truncated.
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

/// One octet.
#[inline]
pub(crate) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    match input.split_first() {
        Some((octet, rest)) => Ok((rest, *octet)),
        None => Err(truncated()),
    }
}

/// Two octets, big-endian. In place of nom's `be_u16`, as [`octets`] is in place of `take`.
#[inline]
pub(crate) fn two_octets(input: &[u8]) -> Parsed<'_, u16> {
    match input.split_first_chunk() {
        Some((number, rest)) => Ok((rest, u16::from_be_bytes(*number))),
        None => Err(truncated()),
    }
}

/// Four octets, big-endian.
#[inline]
pub(crate) fn four_octets(input: &[u8]) -> Parsed<'_, u32> {
    match input.split_first_chunk() {
        Some((number, rest)) => Ok((rest, u32::from_be_bytes(*number))),
        None => Err(truncated()),
    }
}

/// As many octets as asked for. nom's `take` is a call into another crate unless everything is linked as one, and a
/// dependent should not need that for speed.
#[inline]
pub(crate) fn octets(input: &[u8], count: usize) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(count) {
        Some((taken, rest)) => Ok((rest, taken)),
        None => Err(truncated()),
    }
}

/// The error of every parser here.
#[inline]
pub(crate) const fn truncated() -> nom::Err<Truncated> {
    nom::Err::Error(Truncated)
}

/// A length of one octet, and what it counts.
#[inline]
pub(crate) fn counted_by_octet(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, length) = octet(input)?;
    octets(input, usize::from(length))
}

/// A length of two octets, and what it counts.
#[inline]
pub(crate) fn counted_by_two_octets(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (input, length) = two_octets(input)?;
    octets(input, usize::from(length))
}
