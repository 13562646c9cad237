//! The BFD Control packet (RFC 5880 section 4.1): octets to a value and back.
//!
//! It owns the layout and the checks of section 6.8.6 that need no session. The state machine is in `session`.

use std::fmt;

use super::{Diagnostic, State};

/// A BFD Control packet. This implementation has no authentication section.
///
/// Intervals are in microseconds, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 5880 section 4.1 has these fields and no other")]
pub struct Packet {
    /// The reason of the last change of the sender's state.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// P: the sender asks for an answer that confirms a change of its timers.
    pub poll: bool,
    /// F: the answer to a poll.
    pub final_answer: bool,
    /// C: the sender's BFD outlives a failure of its control plane.
    pub control_plane_independent: bool,
    /// D: the sender wants Demand mode, which we never enter.
    pub demand: bool,
    /// The number of packets that may be missed before the session is down.
    pub detect_multiplier: u8,
    /// The sender's name for the session, never 0.
    pub my_discriminator: u32,
    /// Our name for the session, as far as the sender knows; 0 if it doesn't.
    pub your_discriminator: u32,
    /// The shortest interval at which the sender would like to send.
    pub desired_min_tx: u32,
    /// The shortest interval at which the sender can receive; 0: it wants no packets.
    pub required_min_rx: u32,
    /// The shortest interval between Echo packets that the sender can return; 0: none.
    pub required_min_echo_rx: u32,
}

impl Packet {
    /// The number of octets of [`Packet::encode`].
    pub const LENGTH: usize = 24;

    /// Reads a datagram by those rules of RFC 5880 section 6.8.6 that need no session.
    /// Octets after the packet's own length are ignored.
    ///
    /// # Errors
    ///
    /// The first broken rule; such a packet must be discarded.
    pub fn decode(datagram: &[u8]) -> Result<Self, PacketError> {
        let Some((octets, _)) = datagram.split_first_chunk::<{ Self::LENGTH }>() else {
            return Err(PacketError::Truncated { octets: datagram.len() });
        };
        let [first, flags, detect_multiplier, length, words @ ..] = *octets;

        let version = first >> 5;
        if version != VERSION {
            return Err(PacketError::Version(version));
        }
        let least = if flags & AUTHENTICATION == 0 { Self::LENGTH } else { Self::LENGTH + 2 };
        if usize::from(length) < least || usize::from(length) > datagram.len() {
            return Err(PacketError::Length { length, octets: datagram.len() });
        }
        if detect_multiplier == 0 {
            return Err(PacketError::DetectMultiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(PacketError::Multipoint);
        }

        let packet = Self {
            diagnostic: Diagnostic(first & 0b1_1111),
            state: State::from_bits(flags >> 6),
            poll: flags & POLL != 0,
            final_answer: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_multiplier,
            my_discriminator: word(&words, 0),
            your_discriminator: word(&words, 1),
            desired_min_tx: word(&words, 2),
            required_min_rx: word(&words, 3),
            required_min_echo_rx: word(&words, 4),
        };

        if packet.my_discriminator == 0 {
            return Err(PacketError::MyDiscriminator);
        }
        if packet.your_discriminator == 0 && !matches!(packet.state, State::Down | State::AdminDown)
        {
            return Err(PacketError::YourDiscriminator(packet.state));
        }
        // Section 6.8.6 looks for the session before it checks this, and none of ours is authenticated.
        if flags & AUTHENTICATION != 0 {
            return Err(PacketError::Authentication);
        }
        Ok(packet)
    }

    /// The packet as octets.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        octets[0] = VERSION << 5 | (self.diagnostic.0 & 0b1_1111);
        octets[1] = self.state.bits() << 6 | self.flags();
        octets[2] = self.detect_multiplier;
        octets[3] = 24;

        let words = [
            self.my_discriminator,
            self.your_discriminator,
            self.desired_min_tx,
            self.required_min_rx,
            self.required_min_echo_rx,
        ];
        for (place, word) in octets[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }

    fn flags(&self) -> u8 {
        let flags = [
            (self.poll, POLL),
            (self.final_answer, FINAL),
            (self.control_plane_independent, CONTROL_PLANE_INDEPENDENT),
            (self.demand, DEMAND),
        ];
        flags.iter().filter(|(set, _)| *set).fold(0, |octet, (_, bit)| octet | bit)
    }
}

/// The 32-bit word at this index.
fn word(words: &[u8; 20], index: usize) -> u32 {
    let octets = words.get(index * 4..).and_then(<[u8]>::first_chunk);
    octets.copied().map_or(0, u32::from_be_bytes)
}

/// The reason for which a datagram is no usable BFD Control packet (RFC 5880 section 6.8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketError {
    /// Fewer octets than the mandatory section has.
    Truncated {
        /// The number of octets.
        octets: usize,
    },
    /// Another version of the protocol.
    Version(u8),
    /// A length that is too small, or larger than the datagram.
    Length {
        /// The length in the packet.
        length: u8,
        /// The number of octets.
        octets: usize,
    },
    /// A detection time multiplier of 0.
    DetectMultiplier,
    /// The multipoint bit, which is reserved.
    Multipoint,
    /// A sender without a name for the session.
    MyDiscriminator,
    /// A state that the sender can't have without knowing our name for the session.
    YourDiscriminator(State),
    /// An authenticated packet, for a session that isn't.
    Authentication,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { octets } => write!(f, "{octets} octets, expected at least 24"),
            Self::Version(version) => write!(f, "version {version}, expected 1"),
            Self::Length { length, octets } => {
                write!(
                    f,
                    "length {length} in {octets} octets, expected 24, or 26 and more with authentication"
                )
            }
            Self::DetectMultiplier => f.write_str("detect multiplier 0, expected 1 to 255"),
            Self::Multipoint => f.write_str("the multipoint bit is set, expected 0"),
            Self::MyDiscriminator => f.write_str("my discriminator 0, expected a nonzero number"),
            Self::YourDiscriminator(state) => {
                write!(f, "your discriminator 0 in state {state}, expected Down or AdminDown")
            }
            Self::Authentication => f.write_str(
                "an authenticated packet, expected none: the session has no authentication",
            ),
        }
    }
}

impl std::error::Error for PacketError {}

const VERSION: u8 = 1;
const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;
