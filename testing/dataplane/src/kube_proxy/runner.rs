//! The rhythm of kube-proxy's syncs, which it calls a bounded-frequency runner. It decides when, and knows nothing of
//! what a sync does.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// The pause after a sync that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Decides when a sync may run: at once after a change, but not within a period of the end of the last one.
#[derive(Debug)]
pub(super) struct Runner {
    period: Duration,
    wanted: bool,
    not_before: Instant,
    rhythm: Arc<Rhythm>,
}

/// The state of a runner, shared with those who wait until it is idle.
#[derive(Debug, Default)]
pub(super) struct Rhythm(Mutex<Option<Instant>>);

impl Rhythm {
    /// Notes since when a change starts a sync at once; `None` while a sync is wanted.
    fn set(&self, idle_from: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = idle_from;
    }

    /// Returns true if a change would start a sync at once.
    pub(super) fn is_idle(&self) -> bool {
        let idle_from = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle_from.is_some_and(|at| at <= Instant::now())
    }
}

impl Runner {
    /// A runner without a sync so far.
    pub(super) fn new(period: Duration, rhythm: Arc<Rhythm>) -> Self {
        rhythm.set(None);
        Self { period, wanted: false, not_before: Instant::now(), rhythm }
    }

    /// Wants a sync. Several changes before it runs have one sync.
    pub(super) fn want(&mut self) {
        self.wanted = true;
        self.rhythm.set(None);
    }

    /// Waits until a sync is due, without end if none is wanted.
    pub(super) async fn due(&self) {
        if !self.wanted {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.not_before).await;
    }

    /// Notes that a sync begins. Later changes want another one.
    pub(super) fn begin(&mut self) {
        self.wanted = false;
    }

    /// Notes that a sync has ended.
    pub(super) fn end(&mut self, success: bool) {
        let pause = if success { self.period } else { RETRY };
        self.not_before = Instant::now() + pause;
        self.wanted |= !success;
        if !self.wanted {
            self.rhythm.set(Some(self.not_before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(1000);

    fn runner() -> Runner {
        Runner::new(PERIOD, Arc::default())
    }

    /// The time until a sync is due.
    async fn wait(runner: &Runner) -> Duration {
        let begin = Instant::now();
        runner.due().await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_change_starts_a_sync_at_once_and_the_next_one_waits_for_the_period() {
        let mut runner = runner();
        runner.want();
        assert_eq!(wait(&runner).await, Duration::ZERO);

        // A Service is created, and gets its address during the sync that this has started.
        runner.begin();
        runner.want();
        tokio::time::advance(Duration::from_millis(5)).await;
        runner.end(true);
        assert_eq!(wait(&runner).await, PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_runner_is_idle_a_period_after_its_last_sync() {
        let mut runner = runner();
        assert!(!runner.rhythm.is_idle(), "before the first sync");
        runner.want();
        runner.begin();
        runner.end(true);
        assert!(!runner.rhythm.is_idle(), "within the period");

        tokio::time::advance(PERIOD).await;
        assert!(runner.rhythm.is_idle());
        runner.want();
        assert!(!runner.rhythm.is_idle(), "with a change");
        assert_eq!(wait(&runner).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_sync_runs_again_after_a_pause() {
        let mut runner = runner();
        runner.want();
        runner.begin();
        runner.end(false);
        assert_eq!(wait(&runner).await, RETRY);
    }
}
