//! The faults that a test injects.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

/// A way for a request to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429 with `Retry-After` in seconds.
    TooManyRequests(u32),
    /// 500.
    Internal,
    /// 409, only for a write.
    Conflict,
}

/// The faults that a test has planned so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<PlannedFaults>,
}

#[derive(Debug, Default)]
struct PlannedFaults {
    delay: Duration,
    clock_offset: Option<SignedDuration>,
    /// The planned faults, each with the number of requests that it still affects.
    failures: Vec<(usize, Fault)>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, PlannedFaults> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    pub(crate) fn delay(&self) -> Duration {
        self.lock().delay
    }

    pub(crate) fn set_clock(&self, ahead: SignedDuration) {
        self.lock().clock_offset = Some(ahead);
    }

    /// The `Date` of a response, if the test has set the clock.
    pub(crate) fn date(&self) -> Option<String> {
        let now = Timestamp::now() + self.lock().clock_offset?;
        Some(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Makes the next `count` requests fail.
    pub(crate) fn plan(&self, count: usize, fault: Fault) {
        self.lock().failures.push((count, fault));
    }

    /// Takes the failure that is planned for the present request, if any. Only writes have conflicts.
    pub(crate) fn next(&self, writes: bool) -> Option<Failure> {
        let mut planned = self.lock();
        let (count, fault) = planned
            .failures
            .iter_mut()
            .find(|(count, fault)| *count > 0 && (writes || *fault != Fault::Conflict))?;

        *count -= 1;
        let failure = match fault {
            Fault::TooManyRequests(seconds) => Failure::too_many(*seconds),
            Fault::Internal => Failure::internal("a planned fault"),
            Fault::Conflict => Failure::conflict("objects", "a planned fault"),
        };

        planned.failures.retain(|(count, _)| *count > 0);
        Some(failure)
    }
}
