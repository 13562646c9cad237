//! Lists of values of equal length: communities, clusters.

use std::fmt;
use std::marker::PhantomData;
use std::slice::ChunksExact;

use crate::types::BgpIdentifier;
use crate::wire::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};

/// An iterator over the values of one attribute.
#[derive(Clone)]
pub struct ValueIter<'a, T> {
    octets: &'a [u8],
    value: PhantomData<fn() -> T>,
}

impl<'a, T> ValueIter<'a, T> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { octets, value: PhantomData }
    }

    /// The values as received.
    #[must_use]
    pub const fn as_octets(&self) -> &'a [u8] {
        self.octets
    }
}

impl<T> fmt::Debug for ValueIter<'_, T>
where
    Self: Iterator<Item: fmt::Debug> + Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Implements the iterator for values of that many octets.
macro_rules! items {
    ($($value:ty, $length:literal => $read:expr;)+) => {$(
        impl Iterator for ValueIter<'_, $value> {
            type Item = $value;

            #[inline]
            fn next(&mut self) -> Option<$value> {
                let (octets, rest) = self.octets.split_first_chunk::<$length>()?;
                self.octets = rest;
                Some($read(*octets))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                let count = self.octets.len() / $length;
                (count, Some(count))
            }

            #[inline]
            fn fold<B, F: FnMut(B, $value) -> B>(self, init: B, mut f: F) -> B {
                let (mut sum, mut rest) = (init, self.octets);
                // `chunks_exact` would divide by a length that is not a power of two.
                if !usize::is_power_of_two($length) {
                    while let Some((octets, after)) = rest.split_first_chunk::<$length>() {
                        (sum, rest) = (f(sum, $read(*octets)), after);
                    }
                    return sum;
                }

                let chunks: ChunksExact<'_, u8> = rest.chunks_exact($length);
                chunks.fold(sum, |sum, chunk| match <[u8; $length]>::try_from(chunk) {
                    Ok(octets) => f(sum, $read(octets)),
                    Err(_) => sum,
                })
            }
        }

        impl ExactSizeIterator for ValueIter<'_, $value> {}
        impl std::iter::FusedIterator for ValueIter<'_, $value> {}
    )+};
}

items! {
    Community, 4 => |octets| Community(u32::from_be_bytes(octets));
    BgpIdentifier, 4 => |octets| BgpIdentifier::from(u32::from_be_bytes(octets));
    ExtendedCommunity, 8 => ExtendedCommunity;
    Ipv6ExtendedCommunity, 20 => Ipv6ExtendedCommunity;
    LargeCommunity, 12 => large_community;
}

#[inline]
fn large_community(octets: [u8; 12]) -> LargeCommunity {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
    let global_administrator = u32::from_be_bytes([a, b, c, d]);
    let local_data_1 = u32::from_be_bytes([e, f, g, h]);
    let local_data_2 = u32::from_be_bytes([i, j, k, l]);
    LargeCommunity::new(global_administrator, local_data_1, local_data_2)
}
