//! The number of writes that may be under way, by how fast the API server responds.
//!
//! Owns the rule by which a writer follows the load of the API server, as TCP follows that of a network: the window opens while
//! responses are fast, and halves after one that is slow. A request that Priority and Fairness queues is slow; so is one that it
//! rejects (429), since the client repeats it after the time of `Retry-After`. A fixed rate would be too slow for an idle API
//! server, and too fast for one that thousands of speakers ask at once.

use std::time::Duration;

use tokio::time::Instant;

/// The window of one writer.
#[derive(Debug)]
pub(super) struct WriteWindow {
    /// The largest size.
    limit: usize,
    /// The least time between the starts of two writes.
    spacing: Duration,
    /// True if the size is always the limit.
    is_fixed: bool,
    size: usize,
    /// The number of fast responses since the size last changed.
    fast: usize,
    /// The time of the last slow response or failure. Writes that began earlier belong to the same congestion.
    narrowed: Option<Instant>,
    /// The time before which no write begins.
    next: Instant,
}

/// The time after which a response is slow: the longest time that Kubernetes allows for a write as its service level.
const SLOW: Duration = Duration::from_secs(1);
/// The longest wait after a slow response.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The part of the limit with which a window begins.
const FIRST_PART: usize = 8;

impl WriteWindow {
    /// A window that begins with an eighth of its limit. It doubles while all responses are fast.
    pub(super) fn new(limit: usize, spacing: Duration) -> Self {
        let size = limit.div_ceil(FIRST_PART).max(1);
        Self { size, is_fixed: false, ..Self::fixed(limit, spacing) }
    }

    /// A window that does not follow the responses.
    pub(super) fn fixed(limit: usize, spacing: Duration) -> Self {
        let next = Instant::now();
        Self { limit, spacing, is_fixed: true, size: limit, fast: 0, narrowed: None, next }
    }

    /// Returns true if another write may be under way beside so many others.
    pub(super) fn has_room(&self, under_way: usize) -> bool {
        under_way < self.size
    }

    /// Returns the time before which no write begins.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Notes that a write begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next = self.next.max(now + self.spacing);
    }

    /// Notes the end of a write that began at this time.
    pub(super) fn end(&mut self, began: Instant, has_failed: bool, now: Instant) {
        if self.is_fixed {
            return;
        }

        let took = now.saturating_duration_since(began);
        if !has_failed && took < SLOW {
            self.widen();
            return;
        }

        if self.narrowed.is_none_or(|narrowed| began >= narrowed) {
            self.size = (self.size / 2).max(1);
            self.fast = 0;
            self.narrowed = Some(now);
        }
        // Even one write at a time is too many for an API server that thousands ask.
        self.next = self.next.max(now + took.min(LONGEST_WAIT));
    }

    /// Opens the window: with each response at first, and once it has been too wide, with each window of responses.
    fn widen(&mut self) {
        self.fast += 1;
        if self.size < self.limit && (self.narrowed.is_none() || self.fast >= self.size) {
            self.size += 1;
            self.fast = 0;
        }
    }
}

#[cfg(test)]
#[path = "write_window_tests.rs"]
mod tests;
