//! The running timers of a peer, for an operator.
//!
//! Reads the deadlines where they are kept: in the state machines of both connections, and beside the RIBs. Starts and
//! stops none.

use std::fmt;
use std::time::{Duration, Instant};

use crate::fsm::Timer;
use crate::peer::{KeptFor, Peer};
use crate::{AfiSafi, Direction};

/// A timer of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum PeerTimer {
    /// A timer of the state machine of one connection. The outgoing machine also has the timers that run while there is no
    /// connection.
    Connection(Direction, Timer),
    /// MinRouteAdvertisementIntervalTimer (RFC 4271, section 9.2.1.1): no announcement is sent before it expires.
    MinRouteAdvertisement,
    /// The pause of a peer that has sent too many prefixes.
    PrefixLimitPause,
    /// The time of our own restart (RFC 4724, section 4.1): until it is over, the peer keeps the routes that it had from us.
    OwnRestart,
    /// The time for which stale routes of the peer are kept, and the event that they are kept for.
    Stale(AfiSafi, KeptFor),
}

/// A timer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a timer and its deadline")]
pub struct RunningTimer {
    /// The timer.
    pub timer: PeerTimer,
    /// The time at which it expires.
    pub deadline: Instant,
}

impl RunningTimer {
    /// The time that is left at `now`. Zero if the timer has expired.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }
}

impl fmt::Display for PeerTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(_, timer) => timer.fmt(f),
            Self::MinRouteAdvertisement => f.write_str("MinRouteAdvertisementIntervalTimer"),
            Self::PrefixLimitPause => f.write_str("pause after too many prefixes"),
            Self::OwnRestart => f.write_str("our restart"),
            Self::Stale(family, kept_for) => write!(f, "stale {family} routes, {kept_for}"),
        }
    }
}

impl Peer {
    /// The timers that run, each with its deadline. There are at most a few.
    pub fn timers(&self) -> impl Iterator<Item = RunningTimer> {
        let others = [
            (PeerTimer::MinRouteAdvertisement, self.next_advertisement),
            (PeerTimer::PrefixLimitPause, self.pause_end()),
            (PeerTimer::OwnRestart, self.restarting),
        ];
        let others = others.into_iter().filter_map(|(timer, deadline)| Some((timer, deadline?)));

        let stale = self.retention.deadlines();
        let stale = stale.map(|(family, at, kept_for)| (PeerTimer::Stale(family, kept_for), at));

        let connections = [Direction::Outgoing, Direction::Incoming].into_iter();
        connections
            .flat_map(|direction| self.connection_timers(direction))
            .chain(others)
            .chain(stale)
            .map(|(timer, deadline)| RunningTimer { timer, deadline })
    }

    fn connection_timers(
        &self,
        direction: Direction,
    ) -> impl Iterator<Item = (PeerTimer, Instant)> {
        let connection = self.connection(direction);
        Timer::ALL.into_iter().filter_map(move |timer| {
            let deadline = connection?.fsm.deadline(timer)?;
            Some((PeerTimer::Connection(direction, timer), deadline))
        })
    }
}
