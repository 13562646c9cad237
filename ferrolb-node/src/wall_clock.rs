//! The time of day, and that of an instant, for statuses.
//!
//! Owns the one reading of the time of day, so that a simulation can replace it, and the relation of the two clocks. One instant has the same time in every status, so that a status whose facts are the same
//! is not written again; it must not follow the small corrections that a time server makes.

use std::cell::Cell;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

thread_local! {
    /// The source of the time of day on this thread.
    static TIME_OF_DAY: Cell<fn() -> Timestamp> = const { Cell::new(Timestamp::now) };
}

/// Returns the time of day: the system's, unless [`set_time_of_day`] has set another source on this thread.
pub fn time_of_day() -> Timestamp {
    TIME_OF_DAY.get()()
}

/// Sets the source of [`time_of_day`] for this thread. A simulation, which runs all its programs on one thread, has a time of its
/// own.
pub fn set_time_of_day(source: fn() -> Timestamp) {
    TIME_OF_DAY.set(source);
}

/// The relation between the monotonic clock and the time of day.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    instant: Instant,
    time: Timestamp,
}

/// The difference from which a correction of the clock counts, as when a machine gets its time after the start.
const STEP: SignedDuration = SignedDuration::from_secs(2);

impl WallClock {
    /// Returns the relation at this moment.
    pub fn now() -> Self {
        Self { instant: tokio::time::Instant::now().into_std(), time: time_of_day() }
    }

    /// Follows the time of day if someone set it.
    pub fn follow(&mut self) {
        self.compare(Self::now());
    }

    fn compare(&mut self, now: Self) {
        if self.at(now.instant).duration_since(now.time).abs() > STEP {
            *self = now;
        }
    }

    /// Returns the time of day of an instant.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let after = SignedDuration::try_from(instant.saturating_duration_since(self.instant));
        let before = SignedDuration::try_from(self.instant.saturating_duration_since(instant));
        let difference = after.unwrap_or_default() - before.unwrap_or_default();
        self.time.checked_add(difference).unwrap_or(self.time)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_instant_keeps_its_time_unless_the_clock_was_set() {
        let begin = WallClock::now();
        let (early, late) = (begin.instant, begin.instant + Duration::from_secs(60));
        let mut clock =
            WallClock { instant: late, time: begin.time + SignedDuration::from_secs(60) };
        assert_eq!(clock.at(early), begin.time);
        assert_eq!(
            clock.at(late + Duration::from_secs(1)),
            begin.time + SignedDuration::from_secs(61)
        );

        let now = |seconds: i64| WallClock {
            instant: late,
            time: begin.time + SignedDuration::from_secs(60 + seconds),
        };
        clock.compare(now(1));
        assert_eq!(clock.at(early), begin.time);
        clock.compare(now(-3600));
        assert_eq!(clock.at(early), begin.time - SignedDuration::from_secs(3600));
    }
}
