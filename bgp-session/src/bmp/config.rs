//! [`StationConfig`]: a monitoring station, and what it is shown.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use crate::monitoring::Interest;

/// A view of routes that a station can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MonitoredRib {
    /// What each peer sends, before the import policy (RFC 7854): its UPDATEs, octet by octet.
    ///
    /// A speaker does not keep the UPDATEs of its peers. When a stream begins, it therefore asks each peer to send its routes
    /// again (RFC 2918); a peer that cannot be asked shows only what it sends from then on. An End-of-RIB marks the end of the
    /// answer if both ends know where it is (RFC 7313).
    AdjRibInPrePolicy,
    /// The routes of each peer that the import policy lets through (RFC 7854). Only with
    /// [`Import::Keep`](crate::Import::Keep).
    AdjRibInPostPolicy,
    /// The routes that each peer should have, before the export policy (RFC 8671), with the local address as their next hop if
    /// they have none. [Relayed](crate::PeerConfig::relay) routes are shown after the policy, which chooses among their paths.
    AdjRibOutPrePolicy,
    /// What each peer is sent (RFC 8671): our UPDATEs, octet by octet.
    AdjRibOutPostPolicy,
    /// The best route to each prefix (RFC 9069), of those that peers have sent.
    LocRib,
}

/// A monitoring station, and what it is shown (BMP, RFC 7854).
///
/// [`Speaker::add_station`](crate::Speaker::add_station) starts the stream to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct StationConfig {
    pub(super) address: SocketAddr,
    /// True if the station connects to the address, false if we do.
    pub(super) listens: bool,
    pub(super) ribs: BTreeSet<MonitoredRib>,
    pub(super) sys_name: String,
    pub(super) sys_descr: String,
    pub(super) statistics_interval: Duration,
    pub(super) buffer: usize,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
}

impl StationConfig {
    /// A station that listens on this address. The speaker connects, and again after each end of the connection.
    ///
    /// By default the station is shown [`MonitoredRib::AdjRibInPrePolicy`].
    pub fn connect(station: SocketAddr) -> Self {
        Self {
            address: station,
            listens: false,
            ribs: BTreeSet::from([MonitoredRib::AdjRibInPrePolicy]),
            sys_name: "bgp".into(),
            sys_descr: concat!("bgp-session ", env!("CARGO_PKG_VERSION")).into(),
            statistics_interval: Duration::from_secs(60),
            buffer: 64 << 20,
            first_pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(720),
        }
    }

    /// A station that connects to this address of ours (RFC 7854 section 3.2). Any host that reaches the address gets the
    /// stream, so bind it to an address of a management network. The newest connection replaces the one before: a station that
    /// connects again has lost it.
    pub fn listen(local: SocketAddr) -> Self {
        Self { listens: true, ..Self::connect(local) }
    }

    /// Sets what the station is shown, instead of the default. With nothing, it is shown sessions and statistics only.
    pub fn ribs(mut self, ribs: impl IntoIterator<Item = MonitoredRib>) -> Self {
        self.ribs = ribs.into_iter().collect();
        self
    }

    /// Sets sysName: the name by which the station knows the router. Default: `bgp`.
    pub fn sys_name(mut self, name: impl Into<String>) -> Self {
        self.sys_name = name.into();
        self
    }

    /// Sets sysDescr: what the router is. Default: the name of this crate and its version.
    pub fn sys_descr(mut self, description: impl Into<String>) -> Self {
        self.sys_descr = description.into();
        self
    }

    /// Sets the time between two Statistics Reports of each peer, at most a year. Default: 60 seconds; zero: none.
    pub fn statistics_interval(mut self, interval: Duration) -> Self {
        self.statistics_interval = interval.min(YEAR);
        self
    }

    /// Sets the number of octets that may wait for a station which reads slowly: messages of the peers and, for each, about
    /// 200 octets. Beyond that the connection is closed and the stream starts over, with the tables as they are then. The
    /// sessions never wait. Default: 64 MiB.
    ///
    /// Only messages wait, which [`MonitoredRib::AdjRibInPrePolicy`] and [`MonitoredRib::AdjRibOutPostPolicy`] are made of. The
    /// other views are read from the tables as fast as the station takes them. The first of the two begins with all routes of all peers
    /// at once: give it room for as much of them as the station reads more slowly than the peers send.
    pub fn buffer(mut self, octets: usize) -> Self {
        self.buffer = octets;
        self
    }

    /// Sets the pause before another attempt to connect, and the longest one. It doubles with each attempt, until a connection
    /// has lasted longer than the pause before it. Both are at most a year. Default: 30 seconds and 12 minutes (RFC 7854
    /// section 3.2).
    pub fn reconnect(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first.min(YEAR);
        self.longest_pause = longest.clamp(self.first_pause, YEAR);
        self
    }

    pub(super) fn shows(&self, rib: MonitoredRib) -> bool {
        self.ribs.contains(&rib)
    }

    pub(super) fn interest(&self) -> Interest {
        let kinds = self.ribs.iter().map(|rib| match rib {
            MonitoredRib::AdjRibInPrePolicy => Interest::RECEIVED_UPDATES,
            MonitoredRib::AdjRibInPostPolicy => Interest::ROUTES_IN,
            MonitoredRib::AdjRibOutPrePolicy => Interest::ROUTES_OUT,
            MonitoredRib::AdjRibOutPostPolicy => Interest::SENT_UPDATES,
            MonitoredRib::LocRib => Interest::default(),
        });
        kinds.fold(Interest::default(), Interest::with)
    }
}

/// The longest time that can be set. The clock of the runtime overflows with the longest [`Duration`].
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
