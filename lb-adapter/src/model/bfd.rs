//! How BFD watches over a peer.

use std::time::Duration;

/// Parameters of BFD sessions (RFC 5880), which peers name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BfdProfile {
    /// Unique in the configuration.
    pub name: String,
    /// The shortest interval at which control packets are taken (Required Min RX Interval).
    pub receive_interval: Duration,
    /// The interval at which control packets are sent at best (Desired Min TX Interval).
    pub transmit_interval: Duration,
    /// How many packets in a row may be lost before the peer counts as dead (Detect Mult).
    pub detect_multiplier: u8,
    /// The interval of echo packets (Required Min Echo RX Interval).
    pub echo_interval: Duration,
    /// Whether echo packets are wanted, which FerroLB does not send.
    pub echo_mode: bool,
    /// Whether to send nothing before the peer has.
    pub passive_mode: bool,
    /// The least TTL of packets of a peer some hops away.
    pub minimum_ttl: u8,
}

impl BfdProfile {
    /// A profile with MetalLB's defaults, which are FRR's: three packets in 300 ms each.
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
