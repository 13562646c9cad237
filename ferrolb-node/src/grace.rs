//! The grace period in which Services keep the addresses of pools that are gone.
//!
//! Owns only its clock: the engine keeps the addresses, and releases them.

use std::time::Duration;

use tokio::time::Instant;

use lb_adapter::model::Config;

/// The time from the removal of the last pool to the release of its addresses.
#[derive(Debug)]
pub struct GracePeriod {
    length: Duration,
    deadline: Option<Instant>,
}

/// The effect of a new configuration on the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum GracePeriodChange {
    /// The last pool was removed, and the grace period begins.
    Started,
    /// The last pool was removed, and the grace period has no length: its addresses are released at once.
    Skipped,
    /// There is a pool again before the grace period is over.
    Cancelled,
}

impl GracePeriod {
    /// Returns a grace period of this length, which has not begun. With a length of zero it never does.
    pub fn new(length: Duration) -> Self {
        Self { length, deadline: None }
    }

    /// Returns its length.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Notes that one configuration replaces another. A process that starts without a pool has no grace period, since it
    /// has not seen a pool being removed.
    pub fn update(&mut self, before: Option<&Config>, after: &Config) -> Option<GracePeriodChange> {
        if after.has_pools() {
            return self.deadline.take().map(|_| GracePeriodChange::Cancelled);
        }
        if !before.is_some_and(Config::has_pools) {
            return None;
        }
        if self.length.is_zero() {
            return Some(GracePeriodChange::Skipped);
        }

        self.deadline = Some(Instant::now() + self.length);
        Some(GracePeriodChange::Started)
    }

    /// Waits for the end of the grace period, and never returns if it has not begun. Can be dropped and called again.
    pub async fn expired(&mut self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
        self.deadline = None;
    }
}

/// The default of `--pool-grace-period`.
pub const DEFAULT_GRACE_PERIOD: &str = "5m";

#[cfg(test)]
mod tests {
    use super::*;
    use lb_adapter::model::Pool;

    fn config(pools: usize) -> Config {
        let pool = |number| Pool::new(format!("pool-{number}"), Vec::new());
        Config::new(Vec::new(), (0..pools).map(pool).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn it_starts_when_the_last_pool_is_removed_and_a_new_pool_cancels_it() {
        let five = Duration::from_secs(300);
        let mut grace = GracePeriod::new(five);
        assert_eq!(grace.update(None, &config(0)), None, "there was no pool");
        assert_eq!(grace.update(Some(&config(0)), &config(2)), None);
        assert_eq!(grace.update(Some(&config(2)), &config(1)), None, "one pool is left");
        assert_eq!(grace.update(Some(&config(1)), &config(0)), Some(GracePeriodChange::Started));
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(grace.update(Some(&config(0)), &config(0)), None, "it continues");
        grace.expired().await;
        assert_eq!(begin.elapsed(), five);
        let waits = tokio::time::timeout(Duration::from_secs(3600), grace.expired()).await;
        assert!(waits.is_err(), "it ends only once");
        grace.update(Some(&config(1)), &config(0));
        assert_eq!(grace.update(Some(&config(0)), &config(1)), Some(GracePeriodChange::Cancelled));
        let waits = tokio::time::timeout(Duration::from_secs(3600), grace.expired()).await;
        assert!(waits.is_err(), "it was cancelled");
    }

    #[test]
    fn with_a_length_of_zero_there_is_no_grace_period() {
        let mut grace = GracePeriod::new(Duration::ZERO);
        assert_eq!(grace.update(Some(&config(1)), &config(0)), Some(GracePeriodChange::Skipped));
    }
}
