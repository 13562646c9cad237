//! [`LogPace`]: a limit for log lines that could come again and again.
//!
//! It decides which lines are written, and counts the others. It writes none itself.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::clock;

/// Limits lines that could come again and again: [`LogPace::BURST`] at once, and then one each [`LogPace::INTERVAL`].
#[derive(Debug, Default)]
pub struct LogPace {
    /// The lines that count towards the burst.
    spent: u32,
    /// The time from which they are forgotten, one each interval.
    since: Option<Instant>,
    left_out: u64,
}

/// Room for a line.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRoom {
    /// The number of lines that were left out before it, if any.
    pub left_out: Option<u64>,
}

impl LogPace {
    /// The number of lines that may come at once.
    pub const BURST: u32 = 20;
    /// The time for each further line.
    pub const INTERVAL: Duration = Duration::from_secs(600);

    /// Asks for room for a line. `None`: this one is left out.
    pub fn take(&mut self) -> Option<LogRoom> {
        self.forget(clock::now());
        if self.spent >= Self::BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.spent += 1;
        let left_out = mem::take(&mut self.left_out);
        Some(LogRoom { left_out: Some(left_out).filter(|count| *count > 0) })
    }

    /// Returns true if lines were left out, and there is room for one about that.
    pub fn has_left_out(&mut self) -> bool {
        if self.left_out == 0 {
            return false;
        }
        self.forget(clock::now());
        self.spent < Self::BURST
    }

    fn forget(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let intervals = now.saturating_duration_since(since).as_secs() / Self::INTERVAL.as_secs();
        let forgotten = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(forgotten);
        self.since = if self.spent == 0 {
            Some(now)
        } else {
            since.checked_add(Self::INTERVAL.saturating_mul(forgotten))
        };
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_come_at_a_bounded_rate_and_tell_how_many_were_left_out() {
        let mut pace = LogPace::default();
        let burst = (0..100).filter(|_| pace.take().is_some()).count();
        assert_eq!(burst, 20);
        assert!(!pace.has_left_out(), "there is no room to say so yet");

        sleep(Duration::from_secs(601)).await;
        assert!(pace.has_left_out());
        assert_eq!(pace.take(), Some(LogRoom { left_out: Some(80) }));
        assert_eq!(pace.take(), None);

        let mut lines = 0;
        for _ in 0..86_400 / 10 {
            sleep(Duration::from_secs(10)).await;
            lines += u32::from(pace.take().is_some());
        }
        assert_eq!(lines, 144, "one each ten minutes");

        sleep(Duration::from_secs(86_400)).await;
        assert_eq!((0..100).filter(|_| pace.take().is_some()).count(), 20);
    }
}
