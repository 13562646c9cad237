//! What can go wrong with an API server, on demand.

use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

/// The knobs of a server; changed while it runs.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    delay: Duration,
    clock: Option<SignedDuration>,
    failures: Vec<(usize, Planned)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Planned {
    TooMany(u32),
    Internal,
    Conflict,
}

impl Faults {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    pub(crate) fn delay(&self) -> Duration {
        self.lock().delay
    }

    pub(crate) fn set_clock(&self, ahead: SignedDuration) {
        self.lock().clock = Some(ahead);
    }

    /// What an answer says of the time, if its clock has been set.
    pub(crate) fn date(&self) -> Option<String> {
        let now = Timestamp::now() + self.lock().clock?;
        Some(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// The next `count` requests fail.
    pub(crate) fn plan(&self, count: usize, failure: Planned) {
        self.lock().failures.push((count, failure));
    }

    /// How the request that comes now fails, if it does. Conflicts concern writes alone.
    pub(crate) fn next(&self, writes: bool) -> Option<Failure> {
        let mut inner = self.lock();
        let planned = inner.failures.iter_mut().find(|(count, planned)| {
            *count > 0 && (writes || !matches!(planned, Planned::Conflict))
        })?;
        planned.0 -= 1;
        let failure = match planned.1 {
            Planned::TooMany(seconds) => Failure::too_many(seconds),
            Planned::Internal => Failure::internal("the server has been told to fail"),
            Planned::Conflict => Failure::conflict("objects", "told to conflict"),
        };
        inner.failures.retain(|(count, _)| *count > 0);
        Some(failure)
    }
}
