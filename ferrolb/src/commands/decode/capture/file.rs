//! The packets in a capture file: pcap or pcapng, in either byte order.
//!
//! Owns the sizes: the file is read block by block, and a block has at most [`LONGEST_BLOCK`] octets. `pcap_parser` reads the
//! content of a block.

use std::io::{self, Read};

use pcap_parser::pcapng::{
    Block, EnhancedPacketBlock, InterfaceDescriptionBlock, parse_block_be, parse_block_le,
};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::SkippedPackets;
use crate::commands::decode::compressed::{ReadEnd, read_up_to};

/// The most octets of a packet or another block.
const LONGEST_BLOCK: u32 = 16 << 20;

/// The most interfaces of a section.
const MOST_INTERFACES: usize = 1 << 16;

/// The length of the header of a pcap file.
const PCAP_HEADER_LENGTH: u64 = 24;

/// The type of the block that starts a section of a pcapng file. It is the same in both byte orders.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The byte-order magic of a section in big endian.
const BIG_ENDIAN_SECTION: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

/// A packet of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct CapturedPacket<'a> {
    /// The number of the packet in the file, from 1.
    pub(super) number: u64,
    /// The time of the packet, if the file has it.
    pub(super) time: Option<PacketTime>,
    /// The number of the link type.
    pub(super) link_type: u32,
    /// The captured octets.
    pub(super) octets: &'a [u8],
}

/// A time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketTime {
    pub(super) seconds: u64,
    pub(super) microseconds: u32,
}

/// Calls `each` with every packet of a file.
///
/// # Errors
///
/// The errors of `each` and of reading, and [`io::ErrorKind::InvalidData`] for octets that are no capture. A file that
/// ends within a packet, or within its compression, is no error.
pub(super) fn read(
    input: impl Read,
    skipped: &mut SkippedPackets,
    each: impl FnMut(CapturedPacket<'_>, &mut SkippedPackets) -> io::Result<()>,
) -> io::Result<()> {
    let mut blocks = Blocks { input, block: Vec::new(), start: 0, is_cut: false };
    blocks.extend_to(PCAP_HEADER_LENGTH)?;

    let mut file = CaptureFile { each, packets: 0, skipped };
    if blocks.block.starts_with(&SECTION_HEADER) {
        file.read_pcapng(&mut blocks)?;
    } else if let Ok((_, header)) = parse_pcap_header(&blocks.block) {
        file.read_pcap(&mut blocks, &header)?;
    } else {
        return Err(invalid("expected a capture, pcap or pcapng"));
    }

    file.skipped.cut |= blocks.is_cut;
    Ok(())
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// The blocks of a file, one at a time.
struct Blocks<R> {
    input: R,
    /// The octets of the current block.
    block: Vec<u8>,
    /// The offset of the current block in the file.
    start: u64,
    /// True if the file ends within the current block.
    is_cut: bool,
}

impl<R: Read> Blocks<R> {
    /// Starts the next block.
    fn advance(&mut self) {
        self.start += self.block.len() as u64;
        self.block.clear();
    }

    /// Reads the current block up to this length. Returns false if the file ends before.
    fn extend_to(&mut self, length: u64) -> io::Result<bool> {
        let missing = length.saturating_sub(self.block.len() as u64);
        let end = read_up_to(&mut self.input, missing, &mut self.block)?;

        let is_complete = self.block.len() as u64 >= length;
        let is_started = !self.block.is_empty() || end == ReadEnd::Truncated;
        self.is_cut = !is_complete && is_started;
        Ok(is_complete)
    }

    /// Reads the number of four octets at this offset of the current block.
    fn number(&self, offset: usize, is_big_endian: bool) -> u32 {
        let octets = self.block.get(offset..).and_then(|rest| rest.first_chunk());
        let octets = octets.copied().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    /// Checks the length of a block, so that it fits into memory.
    fn checked(&self, length: u32, what: &str) -> io::Result<u64> {
        if length > LONGEST_BLOCK {
            let start = self.start;
            return Err(invalid(format!(
                "{what} of {length} octets at octet {start}: expected at most {LONGEST_BLOCK}"
            )));
        }
        Ok(u64::from(length))
    }
}

/// A file that is being read.
struct CaptureFile<'a, F> {
    each: F,
    packets: u64,
    skipped: &'a mut SkippedPackets,
}

impl<F> CaptureFile<'_, F>
where
    F: FnMut(CapturedPacket<'_>, &mut SkippedPackets) -> io::Result<()>,
{
    fn packet(
        &mut self,
        time: Option<PacketTime>,
        link_type: u32,
        octets: &[u8],
    ) -> io::Result<()> {
        self.packets += 1;
        let packet = CapturedPacket { number: self.packets, time, link_type, octets };
        (self.each)(packet, self.skipped)
    }

    fn read_pcap<R: Read>(
        &mut self,
        blocks: &mut Blocks<R>,
        header: &PcapHeader,
    ) -> io::Result<()> {
        let is_big_endian = header.is_bigendian();
        let header_length = if header.is_modified_format() { 24 } else { 16 };
        let ticks = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        // The upper bits have the length of the frame check sequence.
        let link_type = header.network.0.cast_unsigned() & 0xffff;

        loop {
            blocks.advance();
            if !blocks.extend_to(header_length)? {
                return Ok(());
            }
            let length = blocks.checked(blocks.number(8, is_big_endian), "packet")?;
            if !blocks.extend_to(header_length + length)? {
                return Ok(());
            }

            let parsed = match (header.is_modified_format(), is_big_endian) {
                (true, _) => parse_pcap_frame_modified(&blocks.block),
                (false, true) => parse_pcap_frame_be(&blocks.block),
                (false, false) => parse_pcap_frame(&blocks.block),
            };
            let Ok((_, frame)) = parsed else {
                self.skipped.malformed += 1;
                continue;
            };
            let fraction = u64::from(frame.ts_usec);
            let time = PacketTime::new(u64::from(frame.ts_sec), fraction, ticks);
            self.packet(Some(time), link_type, frame.data)?;
        }
    }

    fn read_pcapng<R: Read>(&mut self, blocks: &mut Blocks<R>) -> io::Result<()> {
        let mut is_big_endian = false;
        let mut interfaces = Vec::new();
        loop {
            if !blocks.extend_to(12)? {
                return Ok(());
            }
            if blocks.block.starts_with(&SECTION_HEADER) {
                is_big_endian = blocks.block.get(8..12) == Some(&BIG_ENDIAN_SECTION);
                interfaces.clear();
            }

            let length = blocks.checked(blocks.number(4, is_big_endian), "block")?;
            if length < 12 {
                let start = blocks.start;
                return Err(invalid(format!(
                    "block of {length} octets at octet {start}: expected at least 12"
                )));
            }
            if !blocks.extend_to(length)? {
                return Ok(());
            }

            let parse = if is_big_endian { parse_block_be } else { parse_block_le };
            match parse(&blocks.block) {
                Ok((_, block)) => self.block(&block, &mut interfaces)?,
                Err(_) => self.skipped.malformed += 1,
            }
            blocks.advance();
        }
    }

    /// Handles a block of a pcapng file.
    fn block(&mut self, block: &Block<'_>, interfaces: &mut Vec<Interface>) -> io::Result<()> {
        match block {
            Block::InterfaceDescription(described) => {
                if interfaces.len() >= MOST_INTERFACES {
                    return Err(invalid(format!("more than {MOST_INTERFACES} interfaces")));
                }
                interfaces.push(Interface::of(described));
                Ok(())
            }
            Block::EnhancedPacket(packet) => {
                let index = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let Some(interface) = interfaces.get(index) else {
                    return self.nowhere();
                };
                let time = interface.time(packet);
                self.packet(Some(time), interface.link_type, packet.packet_data())
            }
            Block::SimplePacket(packet) => {
                let Some(interface) = interfaces.first() else { return self.nowhere() };
                self.packet(None, interface.link_type, packet.packet_data())
            }
            _ => Ok(()),
        }
    }

    /// Counts a packet of an interface that the file does not describe.
    fn nowhere(&mut self) -> io::Result<()> {
        self.packets += 1;
        self.skipped.malformed += 1;
        Ok(())
    }
}

/// An interface of a section of a pcapng file.
#[derive(Clone, Copy)]
struct Interface {
    link_type: u32,
    /// The parts of a second that times count.
    ticks: u64,
    /// Seconds to add to all times.
    offset: i64,
}

impl Interface {
    fn of(block: &InterfaceDescriptionBlock<'_>) -> Self {
        // The upper bit says whether the resolution is a power of 2 or of 10.
        let power = u32::from(block.if_tsresol & 0x7f);
        let ticks = if block.if_tsresol & 0x80 != 0 {
            1_u64.checked_shl(power)
        } else {
            10_u64.checked_pow(power)
        };
        Self {
            link_type: block.linktype.0.cast_unsigned(),
            ticks: ticks.unwrap_or(1_000_000),
            offset: block.if_tsoffset,
        }
    }

    fn time(&self, packet: &EnhancedPacketBlock<'_>) -> PacketTime {
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let seconds = (ticks / self.ticks).saturating_add_signed(self.offset);
        PacketTime::new(seconds, ticks % self.ticks, self.ticks)
    }
}

impl PacketTime {
    /// Returns a time with a fraction in parts of a second.
    fn new(seconds: u64, fraction: u64, ticks: u64) -> Self {
        let microseconds = u128::from(fraction) * 1_000_000 / u128::from(ticks);
        Self { seconds, microseconds: u32::try_from(microseconds).unwrap_or_default() }
    }
}
