//! The walker, the reference for decoders: the simplest safe loop that reads every prefix, hop and community. It checks
//! nothing, except that it never reads outside of the message. It stops at octets that are not an UPDATE.

use std::hint::black_box;

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

pub(super) fn pass(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let mut rest: &[u8] = stream.octets();
    let four_octet_as = stream.cx().is_four_octet_as();
    while let Some((message, after)) = message(rest) {
        tally.updates += 1;
        if walk(message, four_octet_as, &mut tally).is_none() {
            break;
        }
        rest = after;
    }
    tally
}

/// Copies each message into memory of its own, and frees it: what an owned form costs at least, with any decoder.
pub(super) fn copies(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let mut rest: &[u8] = stream.octets();
    while let Some((_, after)) = message(rest) {
        let (whole, _) = rest.split_at(rest.len() - after.len());
        black_box(Box::<[u8]>::from(whole));
        tally.updates += 1;
        rest = after;
    }
    tally
}

/// The body of the first message, and the rest.
#[inline]
fn message(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = octets.get(16..18)?;
    let (message, rest) =
        octets.split_at_checked(u16::from_be_bytes([length[0], length[1]]).into())?;
    Some((message.get(19..)?, rest))
}

#[inline]
fn walk(body: &[u8], four_octet_as: bool, tally: &mut Tally) -> Option<()> {
    let (withdrawn, body) = counted(body)?;
    let (attributes, nlri) = counted(body)?;
    v4(withdrawn, &mut tally.withdrawn)?;

    let mut rest = attributes;
    while let [flags, code, length, after @ ..] = rest {
        let (value, after) = if flags & 0x10 == 0 {
            after.split_at_checked(usize::from(*length))?
        } else {
            let (low, after) = after.split_first()?;
            after.split_at_checked(usize::from(u16::from_be_bytes([*length, *low])))?
        };
        rest = after;

        match code {
            2 => as_path(value, four_octet_as, &mut tally.hops)?,
            8 => words::<4>(value, |word| tally.communities.add(u32::from_be_bytes(word).into())),
            14 => mp_reach(value, &mut tally.announced)?,
            15 => mp_unreach(value, &mut tally.withdrawn)?,
            16 => words::<8>(value, |word| tally.communities.add(u64::from_be_bytes(word))),
            32 => words::<12>(value, |word| large(word, &mut tally.communities)),
            _ => {}
        }
    }

    v4(nlri, &mut tally.announced)
}

#[inline]
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[inline]
fn words<const N: usize>(octets: &[u8], mut add: impl FnMut([u8; N])) {
    for word in octets.chunks_exact(N) {
        if let Ok(word) = word.try_into() {
            add(word);
        }
    }
}

#[inline]
fn large(word: [u8; 12], sum: &mut Sum) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = word;
    let (first, second) = (u32::from_be_bytes([e, f, g, h]), u32::from_be_bytes([i, j, k, l]));
    sum.add_large(u32::from_be_bytes([a, b, c, d]), first, second);
}

#[inline]
fn as_path(mut rest: &[u8], four_octet_as: bool, hops: &mut Sum) -> Option<()> {
    while let [_kind, count, after @ ..] = rest {
        let width = if four_octet_as { 4 } else { 2 };
        let (asns, after) = after.split_at_checked(usize::from(*count) * width)?;
        if four_octet_as {
            words::<4>(asns, |asn| hops.add(u32::from_be_bytes(asn).into()));
        } else {
            words::<2>(asns, |asn| hops.add(u16::from_be_bytes(asn).into()));
        }
        rest = after;
    }
    Some(())
}

#[inline]
fn mp_reach(value: &[u8], sum: &mut Sum) -> Option<()> {
    let [afi_high, afi_low, safi, length, rest @ ..] = value else { return None };
    let nlri = rest.get(usize::from(*length) + 1..)?;
    multiprotocol([*afi_high, *afi_low, *safi], nlri, sum)
}

#[inline]
fn mp_unreach(value: &[u8], sum: &mut Sum) -> Option<()> {
    let (family, nlri) = value.split_first_chunk()?;
    multiprotocol(*family, nlri, sum)
}

#[inline]
fn multiprotocol(family: [u8; 3], nlri: &[u8], sum: &mut Sum) -> Option<()> {
    match family {
        [0, 1, 1] => v4(nlri, sum),
        [0, 2, 1] => v6(nlri, sum),
        _ => Some(()),
    }
}

#[inline]
fn v4(mut rest: &[u8], sum: &mut Sum) -> Option<()> {
    while let [length, after @ ..] = rest {
        let (address, after) = match (length, after) {
            (17..=24, [a, b, c, after @ ..]) => ([*a, *b, *c, 0], after),
            (25..=32, [a, b, c, d, after @ ..]) => ([*a, *b, *c, *d], after),
            (9..=16, [a, b, after @ ..]) => ([*a, *b, 0, 0], after),
            (1..=8, [a, after @ ..]) => ([*a, 0, 0, 0], after),
            (0, after) => ([0; 4], after),
            _ => return None,
        };
        let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
        sum.add_v4(u32::from_be_bytes(address) & mask, *length);
        rest = after;
    }
    Some(())
}

#[inline]
fn v6(mut rest: &[u8], sum: &mut Sum) -> Option<()> {
    while let [length, after @ ..] = rest {
        let (address, after) = match length {
            41..=48 => leading::<6>(after)?,
            25..=32 => leading::<4>(after)?,
            33..=40 => leading::<5>(after)?,
            57..=64 => leading::<8>(after)?,
            121..=128 => leading::<16>(after)?,
            0..=128 => {
                let (given, after) = after.split_at_checked(usize::from(length.div_ceil(8)))?;
                let mut address = [0; 16];
                address.iter_mut().zip(given).for_each(|(to, from)| *to = *from);
                (address, after)
            }
            _ => return None,
        };

        let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
        sum.add_v6(u128::from_be_bytes(address) & mask, *length);
        rest = after;
    }
    Some(())
}

#[inline]
fn leading<const N: usize>(octets: &[u8]) -> Option<([u8; 16], &[u8])> {
    let (given, rest) = octets.split_first_chunk::<N>()?;
    let mut address = [0; 16];
    *address.first_chunk_mut::<N>()? = *given;
    Some((address, rest))
}
