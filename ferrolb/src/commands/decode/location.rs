//! The location of a message in its input, for people and for programs.

use std::fmt;
use std::net::IpAddr;
#[cfg(feature = "captures")]
use std::net::SocketAddr;

use bgp_session::Asn;
use serde_json::{Map, Value};

/// The location of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Location {
    /// In a stream.
    Stream {
        /// The number of octets before the message.
        offset: usize,
    },
    /// In an MRT record.
    Record {
        /// Seconds since 1970.
        timestamp: u32,
        /// Microseconds after that, if the record has them.
        microseconds: Option<u32>,
        /// The peer of the session, if it is known.
        peer: Option<(IpAddr, Asn)>,
        /// True if the message was sent to the peer, false if it came from there.
        sent: bool,
    },
    /// In a capture.
    #[cfg(feature = "captures")]
    Packet {
        /// The number of the packet that completes the message, from 1.
        number: u64,
        /// The seconds since 1970 and microseconds of the packet, if the capture has them.
        time: Option<(u64, u32)>,
        /// The sender.
        from: SocketAddr,
        /// The receiver.
        to: SocketAddr,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Stream { offset } => write!(f, "octet {offset}"),
            Self::Record { timestamp, microseconds, peer, sent } => {
                write!(f, "time {timestamp}")?;
                if let Some(microseconds) = microseconds {
                    write!(f, ".{microseconds:06}")?;
                }
                if let Some((address, asn)) = peer {
                    let direction = if sent { "to" } else { "from" };
                    write!(f, " {direction} {address}, AS {asn}")?;
                }
                Ok(())
            }
            #[cfg(feature = "captures")]
            Self::Packet { number, time, from, to } => {
                write!(f, "packet {number}")?;
                if let Some((seconds, microseconds)) = time {
                    write!(f, ", time {seconds}.{microseconds:06}")?;
                }
                write!(f, " from {from} to {to}")
            }
        }
    }
}

impl Location {
    /// Inserts the keys of the location: `stream_offset`; or `time`, `microseconds`, `peer`, `peer_as` and `sent`; or
    /// `packet`, `time`, `microseconds`, `from`, `from_port`, `to` and `to_port`.
    pub(super) fn insert_keys(&self, answer: &mut Map<String, Value>) {
        match *self {
            Self::Stream { offset } => {
                answer.insert("stream_offset".into(), offset.into());
            }
            Self::Record { timestamp, microseconds, peer, sent } => {
                answer.insert("time".into(), timestamp.into());
                if let Some(microseconds) = microseconds {
                    answer.insert("microseconds".into(), microseconds.into());
                }
                if let Some((address, asn)) = peer {
                    answer.insert("peer".into(), address.to_string().into());
                    answer.insert("peer_as".into(), asn.0.into());
                    answer.insert("sent".into(), sent.into());
                }
            }
            #[cfg(feature = "captures")]
            Self::Packet { number, time, from, to } => {
                answer.insert("packet".into(), number.into());
                if let Some((seconds, microseconds)) = time {
                    answer.insert("time".into(), seconds.into());
                    answer.insert("microseconds".into(), microseconds.into());
                }
                answer.insert("from".into(), from.ip().to_string().into());
                answer.insert("from_port".into(), from.port().into());
                answer.insert("to".into(), to.ip().to_string().into());
                answer.insert("to_port".into(), to.port().into());
            }
        }
    }
}
