//! [`BfdProfile`]: what is asked of a BFD session.

use std::time::Duration;

/// How fast a peer's failure is to be noticed by BFD (RFC 5880), and how.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::bfd::BfdProfile;
///
/// // Down within 150 ms, where the router is as fast.
/// let fast = BfdProfile::new().interval(Duration::from_millis(50)).multiplier(3);
/// assert!(fast.check().is_ok());
/// ```
///
/// The router's wishes count too: each side sends no faster than the other can receive. Until a session is
/// up both send once a second at most (RFC 5880 section 6.8.3). Echo, Demand mode and authentication are
/// not implemented; no router needs them for asynchronous mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// Both [`transmit_interval`](Self::transmit_interval) and [`receive_interval`](Self::receive_interval).
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        self.transmit_interval(interval).receive_interval(interval)
    }

    /// The shortest interval at which to send (DesiredMinTxInterval), 10 ms to 60 s. Default: 300 ms.
    #[must_use]
    pub fn transmit_interval(mut self, interval: Duration) -> Self {
        self.transmit_interval = interval;
        self
    }

    /// The shortest interval at which to receive (RequiredMinRxInterval), 10 ms to 60 s. Default: 300 ms.
    #[must_use]
    pub fn receive_interval(mut self, interval: Duration) -> Self {
        self.receive_interval = interval;
        self
    }

    /// How many of our packets the router may miss before it calls the session down (DetectMult), 1 to 255.
    /// The router says how many of its own we may miss. Default: 3.
    #[must_use]
    pub fn multiplier(mut self, packets: u8) -> Self {
        self.multiplier = packets;
        self
    }

    /// Say nothing before the router does (RFC 5880 section 6.1). Default: begin.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.passive = true;
        self
    }

    /// For a router some hops away (RFC 5883): another port, and no check that packets come from the link.
    /// Default: as the BGP session, by [`PeerConfig::multihop`](crate::PeerConfig::multihop).
    #[must_use]
    pub fn multihop(mut self) -> Self {
        self.multihop = true;
        self
    }

    /// The least time to live of a packet that is believed, for a router some hops away. From the link
    /// it is always 255 (RFC 5881 section 5). Default: 254, one router between, as in FRR. BIRD sends over
    /// several hops with its system's time to live, 64 by custom, so that it must be less for it.
    #[must_use]
    pub fn minimum_ttl(mut self, hops: u8) -> Self {
        self.minimum_ttl = hops;
        self
    }

    /// How long no new BGP session is tried at most after BFD has ended one. It is tried at once when BFD
    /// comes up again, or when the router takes its BFD out of service. Default: 60 s, so that a router whose
    /// BFD is gone for good doesn't lose its session for good.
    #[must_use]
    pub fn hold(mut self, longest: Duration) -> Self {
        self.hold = longest;
        self
    }

    /// Whether every value is within its range.
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
