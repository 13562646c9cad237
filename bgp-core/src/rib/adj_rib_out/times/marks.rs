//! [`Marks`]: keys with times, in order, in a few octets each.
//!
//! Owns their encoding. A block has its first mark as it is, and each of the others by its difference from the one before it.

use crate::rib::key::Key;

use super::Seconds;

/// The number of marks in a full block, of which one is searched from its start.
const BLOCK: usize = if cfg!(test) { 4 } else { 64 };
/// The octets of the longest address.
const LONGEST: usize = 16;

/// Bits of the first octet of an encoded mark, above the number of leading octets that its address has in common with the one
/// before it.
const SAME_LENGTH: u8 = 1 << 5;
const HAS_PATH_ID: u8 = 1 << 6;

/// A key from which on keys have this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark<K> {
    pub(super) key: K,
    pub(super) time: Seconds,
}

/// Marks in the order of keys.
#[derive(Debug)]
pub(super) struct Marks<K> {
    /// The first mark of each block, and where the encoded others begin.
    blocks: Vec<(Mark<K>, u32)>,
    octets: Vec<u8>,
    len: usize,
}

impl<K> Default for Marks<K> {
    fn default() -> Self {
        Self { blocks: Vec::new(), octets: Vec::new(), len: 0 }
    }
}

impl<K> Marks<K> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<K: Key> Marks<K> {
    /// All marks, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Mark<K>> {
        (0..self.blocks.len()).flat_map(|at| self.block(at))
    }

    /// The time of the last mark that is not after a key.
    pub(super) fn last_up_to(&self, key: K) -> Option<Seconds> {
        let at = self.blocks.partition_point(|(first, _)| first.key <= key).checked_sub(1)?;
        let last = self.block(at).take_while(|mark| mark.key <= key).last()?;
        Some(last.time)
    }

    fn block(&self, at: usize) -> Block<'_, K> {
        let first = self.blocks.get(at).copied();
        let start = first.map_or(self.octets.len(), |(_, start)| start as usize);
        let end = self.blocks.get(at + 1).map_or(self.octets.len(), |(_, end)| *end as usize);
        Block {
            next: first.map(|(mark, _)| mark),
            octets: self.octets.get(start..end).unwrap_or_default(),
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.blocks.len() * size_of::<(Mark<K>, u32)>() + self.octets.len()
    }
}

/// The marks of a block that are left.
struct Block<'a, K> {
    next: Option<Mark<K>>,
    octets: &'a [u8],
}

impl<K: Key> Iterator for Block<'_, K> {
    type Item = Mark<K>;

    fn next(&mut self) -> Option<Mark<K>> {
        let mark = self.next?;
        self.next = decode(mark, &mut self.octets);
        Some(mark)
    }
}

/// Marks to which others are added, in order.
#[derive(Debug)]
pub(super) struct MarksBuilder<K> {
    marks: Marks<K>,
    last: Option<Mark<K>>,
}

impl<K> Default for MarksBuilder<K> {
    fn default() -> Self {
        Self { marks: Marks::default(), last: None }
    }
}

impl<K: Key> MarksBuilder<K> {
    /// Adds a mark behind the others.
    pub(super) fn push(&mut self, mark: Mark<K>) {
        let Marks { blocks, octets, len } = &mut self.marks;
        match self.last.filter(|_| *len % BLOCK != 0) {
            Some(last) => encode(last, mark, octets),
            None => {
                // More than four gigabytes of marks would need more routes than fit into memory.
                let start = u32::try_from(octets.len()).unwrap_or(u32::MAX);
                blocks.push((mark, start));
            }
        }
        *len += 1;
        self.last = Some(mark);
    }

    pub(super) fn finish(mut self) -> Marks<K> {
        self.marks.blocks.shrink_to_fit();
        self.marks.octets.shrink_to_fit();
        self.marks
    }
}

/// Appends a mark by its difference from the one before it.
fn encode<K: Key>(before: Mark<K>, mark: Mark<K>, octets: &mut Vec<u8>) {
    let (old, new) = (Address::new(before.key), Address::new(mark.key));
    let significant = new.significant();
    let common = old.octets.iter().zip(significant).take_while(|(a, b)| a == b).count();
    let path_id = mark.key.path_id();

    // At most 16.
    let mut first = u8::try_from(common).unwrap_or_default();
    if new.length == old.length {
        first |= SAME_LENGTH;
    }
    if path_id != 0 {
        first |= HAS_PATH_ID;
    }
    octets.push(first);
    if new.length != old.length {
        octets.push(new.length);
    }
    octets.extend_from_slice(significant.get(common..).unwrap_or_default());
    if path_id != 0 {
        push_number(path_id, octets);
    }
    // Mostly close to the time before, and sometimes earlier: small in both cases with the sign in the lowest bit.
    let later = mark.time.wrapping_sub(before.time);
    push_number(later << 1 ^ (later >> 31).wrapping_neg(), octets);
}

/// Reads the mark after this one. `None` at the end.
fn decode<K: Key>(before: Mark<K>, octets: &mut &[u8]) -> Option<Mark<K>> {
    let first = take(octets)?;
    let mut address = Address::new(before.key);
    if first & SAME_LENGTH == 0 {
        address.length = take(octets)?;
    }

    let common = usize::from(first & (SAME_LENGTH - 1));
    let significant = address.significant().len();
    let (suffix, rest) = octets.split_at_checked(significant.checked_sub(common)?)?;
    *octets = rest;
    address.octets.get_mut(common..significant)?.copy_from_slice(suffix);
    address.octets.get_mut(significant..)?.fill(0);

    let path_id = if first & HAS_PATH_ID == 0 { 0 } else { take_number(octets)? };
    let later = take_number(octets)?;
    let later = (later >> 1) ^ (later & 1).wrapping_neg();
    let key = K::from_octets(address.octets, address.length, path_id)?;
    Some(Mark { key, time: before.time.wrapping_add(later) })
}

/// The address of a prefix, at the start of as many octets as the longest one has, and the length of the prefix.
struct Address {
    octets: [u8; LONGEST],
    length: u8,
}

impl Address {
    fn new(key: impl Key) -> Self {
        let (octets, length) = key.octets();
        Self { octets, length }
    }

    /// The octets that the prefix fills.
    fn significant(&self) -> &[u8] {
        let len = usize::from(self.length).div_ceil(8);
        self.octets.get(..len).unwrap_or(&self.octets)
    }
}

fn take(octets: &mut &[u8]) -> Option<u8> {
    let (first, rest) = octets.split_first()?;
    *octets = rest;
    Some(*first)
}

/// Appends a number, seven bits in each octet, the lowest first.
fn push_number(mut number: u32, octets: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            octets.push(low & 0x7f);
            return;
        }
        octets.push(low | 0x80);
    }
}

fn take_number(octets: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let octet = take(octets)?;
        number |= u32::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}
