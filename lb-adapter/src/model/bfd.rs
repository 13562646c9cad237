//! The BFD profiles of peers.

use std::time::Duration;

/// The parameters of BFD sessions (RFC 5880). Peers refer to a profile by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BfdProfile {
    /// Unique in the configuration.
    pub name: String,
    /// The shortest interval at which control packets are accepted (Required Min RX Interval).
    pub receive_interval: Duration,
    /// The shortest interval at which control packets are sent (Desired Min TX Interval).
    pub transmit_interval: Duration,
    /// The number of consecutive lost packets after which the peer counts as dead (Detect Mult).
    pub detect_multiplier: u8,
    /// The interval of echo packets (Required Min Echo RX Interval).
    pub echo_interval: Duration,
    /// True if echo packets are requested. FerroLB does not send any.
    pub echo_mode: bool,
    /// True if nothing is sent until the peer has sent a packet.
    pub passive_mode: bool,
    /// The minimum TTL of packets from a multihop peer.
    pub minimum_ttl: u8,
}

impl BfdProfile {
    /// Makes a profile with MetalLB's defaults, which are FRR's: three packets at 300 ms each.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            receive_interval: Duration::from_millis(300),
            transmit_interval: Duration::from_millis(300),
            detect_multiplier: 3,
            echo_interval: Duration::from_millis(50),
            echo_mode: false,
            passive_mode: false,
            minimum_ttl: 254,
        }
    }
}
