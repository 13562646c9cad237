//! The times of the dataplane gate.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::Instant;

/// A moment in milliseconds since the gate began. It takes half the memory of an [`Instant`] and leaves room for `None`, since there
/// are several for each of thousands of Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(NonZeroU64);

impl Default for Moment {
    /// The beginning.
    fn default() -> Self {
        Self(NonZeroU64::MIN)
    }
}

impl Moment {
    /// Returns the moment of an instant.
    pub(super) fn of(instant: Instant, begin: Instant) -> Self {
        Self::default().after(instant.saturating_duration_since(begin))
    }

    /// Returns the moment as an instant.
    pub(super) fn instant(self, begin: Instant) -> Instant {
        begin + self.since(Self::default())
    }

    /// Returns the moment after this time.
    pub(super) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// Returns the moment before this time, or the beginning.
    pub(super) fn before(self, time: Duration) -> Self {
        Self(NonZeroU64::new(self.0.get().saturating_sub(millis(time))).unwrap_or(NonZeroU64::MIN))
    }

    /// Returns the time since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The times by which the gate decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// The time that the dataplane takes to follow a change, if it cannot be observed. kube-proxy syncs at most once in a
    /// second by default (`minSyncPeriod`).
    pub(super) settle: Duration,
    /// The time after which a Service is no longer held back in mode `auto`.
    pub(super) fail_open: Duration,
    /// The time for which a Service is depreferenced before its routes may be withdrawn.
    pub(super) withdraw_after: Duration,
    /// The time for which a silent kube-proxy is tolerated while nothing changes. A restart of kube-proxy takes a few seconds,
    /// its rules stay in place, and moving traffic would break connections.
    pub(super) outage: Duration,
}

impl Timing {
    /// Returns the times for a dataplane that follows changes within this time.
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            settle,
            fail_open: settle.max(Duration::from_millis(1000)) + Duration::from_millis(1800),
            withdraw_after: Duration::from_secs(10),
            outage: Duration::from_secs(30),
        }
    }
}

/// The pause between two checks of a Service that is held back.
pub(super) const POLL: Duration = Duration::from_millis(50);
/// The time after a change within which a sync may end and still lack the change: the duration of a sync, which reads its changes
/// at its start, and the time by which kube-proxy learns of the change later than this process.
pub(super) const SKEW: Duration = Duration::from_millis(500);
