//! Where a message was found, for people and for programs.

use std::fmt;
use std::net::IpAddr;

use bgp_session::Asn;
use serde_json::{Map, Value};

/// Where a message was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// So many octets after the start of a stream.
    Octet(usize),
    /// In a recording.
    Record {
        /// Seconds since 1970.
        timestamp: u32,
        /// Microseconds after that, where the recording has them.
        microseconds: Option<u32>,
        /// The other side of the session, where the recording says so.
        peer: Option<(IpAddr, Asn)>,
        /// The message went to the peer; else it came from there.
        sent: bool,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Octet(at) => write!(f, "octet {at}"),
            Self::Record { timestamp, microseconds, peer, sent } => {
                write!(f, "time {timestamp}")?;
                if let Some(microseconds) = microseconds {
                    write!(f, ".{microseconds:06}")?;
                }
                let towards = if sent { "to" } else { "from" };
                match peer {
                    Some((address, asn)) => write!(f, " {towards} {address}, AS {asn}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Place {
    /// Adds the keys that say the same: `stream_offset`; or `time`, `microseconds`, `peer`, `peer_as` and `sent`.
    pub(super) fn tell(&self, answer: &mut Map<String, Value>) {
        match *self {
            Self::Octet(at) => {
                answer.insert("stream_offset".into(), at.into());
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
        }
    }
}
