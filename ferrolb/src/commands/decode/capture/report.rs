//! What a capture lacks, for people and for programs.

use std::fmt;

use super::reassembly::StreamGap;

/// The parts of a capture that are not messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedPackets {
    /// The number of packets in the file.
    pub packets: u64,
    /// The number of TCP segments with one of the ports.
    pub segments: u64,
    /// The number of IP fragments of TCP segments. They are not put together: the stream has a gap in their place.
    pub fragments: u64,
    /// The number of TCP segments of which the capture has only the beginning.
    pub shortened: u64,
    /// The number of packets of an unknown link type.
    pub unknown_links: u64,
    /// The last unknown link type.
    pub unknown_link: u32,
    /// The number of packets and other blocks that do not match their length.
    pub malformed: u64,
    /// The number of connections that were given up, because there were too many.
    pub given_up: u64,
    /// True if the file ends within a packet.
    pub cut: bool,
}

impl SkippedPackets {
    /// Returns a warning for each part that was skipped.
    #[must_use]
    pub fn warnings(&self, ports: &[u16]) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                warnings.push(format!("{count} {what}"));
            }
        };
        add(self.fragments, "IP fragments of TCP segments, which are not put together");
        add(self.shortened, "TCP segments are not complete: capture with a larger snap length");
        add(self.malformed, "packets or blocks do not match their length");
        add(self.given_up, "connections were given up early, because there are too many");

        if self.unknown_links > 0 {
            let (count, link) = (self.unknown_links, self.unknown_link);
            warnings.push(format!(
                "{count} packets have link type {link}: expected Ethernet, Linux cooked, raw IP, loopback or Cisco HDLC"
            ));
        }
        if self.cut {
            warnings.push("ends within a packet".to_owned());
        }
        if self.segments == 0 {
            let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
            let (packets, ports) = (self.packets, ports.join(", "));
            warnings.push(format!(
                "none of the {packets} packets is TCP with port {ports}: use --port for another"
            ));
        }
        warnings
    }
}

/// A part of a stream that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::decode) enum CaptureProblem {
    /// Octets that the capture does not have.
    Gap(StreamGap),
    /// Octets that are no message, or the end of one.
    Skipped(u64),
}

impl CaptureProblem {
    /// Returns the number of octets, if it is known.
    pub(in crate::commands::decode) fn octets(self) -> Option<u64> {
        match self {
            Self::Gap(gap) => gap.octets,
            Self::Skipped(octets) => Some(octets),
        }
    }
}

impl fmt::Display for CaptureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = match self.octets() {
            Some(1) => "1 octet".to_owned(),
            Some(octets) => format!("{octets} octets"),
            None => String::new(),
        };
        match self {
            Self::Gap(StreamGap { octets: None, .. }) => {
                f.write_str("gap: the sequence numbers start again, and the capture has no SYN")
            }
            Self::Gap(StreamGap { is_early: false, .. }) => {
                write!(f, "gap: the capture lacks {octets}")
            }
            Self::Gap(StreamGap { is_early: true, .. }) => {
                write!(f, "gap: {octets}, for which too much data waits")
            }
            Self::Skipped(_) => write!(f, "skipped {octets}, which are no complete message"),
        }
    }
}
