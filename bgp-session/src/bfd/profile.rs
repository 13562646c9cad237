//! [`BfdProfile`]: the configuration of a BFD session.

use std::time::Duration;

/// The parameters with which BFD (RFC 5880) notices a peer's failure.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::bfd::BfdProfile;
///
/// // Down within 150 ms, if the router is as fast.
/// let fast = BfdProfile::new().interval(Duration::from_millis(50)).multiplier(3);
/// assert!(fast.check().is_ok());
/// ```
///
/// The router's parameters count too: each side sends no faster than the other can receive. Until a session is
/// up, both send at most once a second (RFC 5880 section 6.8.3). Echo, Demand mode and authentication are
/// not implemented; no router needs them for asynchronous mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct BfdProfile {
    pub(crate) transmit_interval: Duration,
    pub(crate) receive_interval: Duration,
    pub(crate) multiplier: u8,
    pub(crate) passive: bool,
    pub(crate) multihop: bool,
    pub(crate) minimum_ttl: u8,
    pub(crate) hold: Duration,
}

impl Default for BfdProfile {
    fn default() -> Self {
        Self {
            transmit_interval: Duration::from_millis(300),
            receive_interval: Duration::from_millis(300),
            multiplier: 3,
            passive: false,
            multihop: false,
            minimum_ttl: 254,
            hold: Duration::from_secs(60),
        }
    }
}

impl BfdProfile {
    /// Packets every 300 ms in both directions, three of which may be missed; active.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets both [`transmit_interval`](Self::transmit_interval) and [`receive_interval`](Self::receive_interval).
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        self.transmit_interval(interval).receive_interval(interval)
    }

    /// Sets the shortest interval at which to send (DesiredMinTxInterval), 10 ms to 60 s. Default: 300 ms.
    #[must_use]
    pub fn transmit_interval(mut self, interval: Duration) -> Self {
        self.transmit_interval = interval;
        self
    }

    /// Sets the shortest interval at which to receive (RequiredMinRxInterval), 10 ms to 60 s. Default: 300 ms.
    #[must_use]
    pub fn receive_interval(mut self, interval: Duration) -> Self {
        self.receive_interval = interval;
        self
    }

    /// Sets the number of our packets that the router may miss before it declares the session down (DetectMult), 1 to 255.
    /// The router sets the number of its own packets that we may miss. Default: 3.
    #[must_use]
    pub fn multiplier(mut self, packets: u8) -> Self {
        self.multiplier = packets;
        self
    }

    /// Sends nothing before the router does (RFC 5880 section 6.1). Default: active.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.passive = true;
        self
    }

    /// Monitors a router some hops away (RFC 5883): another port, and no check that packets come from the link.
    /// Default: the same as the BGP session, by [`PeerConfig::multihop`](crate::PeerConfig::multihop).
    #[must_use]
    pub fn multihop(mut self) -> Self {
        self.multihop = true;
        self
    }

    /// Sets the least time to live of accepted packets, for a router some hops away. On the link
    /// it is always 255 (RFC 5881 section 5). Default: 254, one router in between, as in FRR. BIRD sends over
    /// several hops with its system's time to live, usually 64, so it needs a lower value.
    #[must_use]
    pub fn minimum_ttl(mut self, hops: u8) -> Self {
        self.minimum_ttl = hops;
        self
    }

    /// Sets the longest pause before a new BGP session after BFD has ended one. The BGP session is tried at once when BFD
    /// comes up again, or when the router takes its BFD out of service. Default: 60 s, so that a router whose
    /// BFD never comes back gets its session back.
    #[must_use]
    pub fn hold(mut self, longest: Duration) -> Self {
        self.hold = longest;
        self
    }

    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// The field, its value, and what was expected.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let expected = "10 ms to 60 s";
        let intervals = [
            ("bfd.transmit_interval", self.transmit_interval),
            ("bfd.receive_interval", self.receive_interval),
        ];
        for (field, interval) in intervals {
            if !(SHORTEST..=LONGEST).contains(&interval) {
                return Err((field, format!("{interval:?}"), expected));
            }
        }

        if self.multiplier == 0 {
            return Err(("bfd.multiplier", "0".into(), "1 to 255"));
        }
        if self.minimum_ttl == 0 {
            return Err(("bfd.minimum_ttl", "0".into(), "1 to 255"));
        }
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(60);
