//! [`Bfd`]: the BFD session with a peer (RFC 5880).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer to `/v1/bfd`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BfdList {
    /// The sessions, in the order of nodes and peers.
    pub sessions: Vec<Bfd>,
}

/// A BFD session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bfd {
    /// The node.
    pub node: String,
    /// The name of the peer in the configuration.
    pub peer: String,
    /// The address and port of the peer's BGP session.
    pub endpoint: String,
    /// The state, such as `Up`.
    pub state: String,
    /// The time for which the session has been in that state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state_seconds: Option<f64>,
    /// The state that the peer reports.
    pub remote_state: String,
    /// Our diagnostic, in words.
    pub diagnostic: String,
    /// The peer's diagnostic, in words.
    pub remote_diagnostic: String,
    /// The reason why the session is not up, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The time at which the session was last lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_down_at: Option<Timestamp>,
    /// The time between our packets.
    pub transmit_interval_ms: u64,
    /// The time between the peer's packets that we accept.
    pub receive_interval_ms: u64,
    /// The detection time: without a packet for this long, the session is down.
    pub detection_time_ms: u64,
    /// Our multiplier.
    pub multiplier: u8,
    /// The peer's multiplier.
    pub remote_multiplier: u8,
    /// Our discriminator.
    pub discriminator: u32,
    /// The peer's discriminator; zero if it is not known.
    pub remote_discriminator: u32,
    /// True if the peer's BFD outlives a restart of its BGP (the C bit).
    pub remote_is_independent: bool,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Packets that were discarded.
    pub packets_discarded: u64,
    /// The number of times that the session came up.
    pub ups: u64,
    /// The number of times that the session was lost.
    pub failures: u64,
}
