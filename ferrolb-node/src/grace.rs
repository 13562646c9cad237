//! The grace period in which Services keep the addresses of pools that are gone.
//!
//! Owns its clock and nothing else: the engine keeps the addresses, and releases them.

use std::time::Duration;

use tokio::time::Instant;

use lb_adapter::model::Config;

/// The time from the last pool's end to the release of its addresses.
#[derive(Debug)]
pub struct GracePeriod {
    length: Duration,
    ends: Option<Instant>,
}

/// The effect of a change of the configuration on the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum Turn {
    /// The last pool is gone, and the grace period begins.
    Begins,
    /// The last pool is gone, and there is no grace period: its addresses are released at once.
    Over,
    /// There is a pool again before the end of the grace period.
    CalledOff,
}

impl GracePeriod {
    /// A grace period of this length; with zero there is none.
    pub fn new(length: Duration) -> Self {
        Self { length, ends: None }
    }

    /// Its length.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Notes a configuration that replaces the one before. A process that starts without a pool has no grace period, since
    /// it has not seen a pool go.
    pub fn follow(&mut self, before: Option<&Config>, now: &Config) -> Option<Turn> {
        if now.has_pools() {
            return self.ends.take().map(|_| Turn::CalledOff);
        }
        if !before.is_some_and(Config::has_pools) {
            return None;
        }
        if self.length.is_zero() {
            return Some(Turn::Over);
        }
        self.ends = Some(Instant::now() + self.length);
        Some(Turn::Begins)
    }

    /// Waits for the end of the grace period, which has then ended; for ever if it has not begun. Loses nothing when it is
    /// dropped.
    pub async fn over(&mut self) {
        match self.ends {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
        self.ends = None;
    }
}

/// The default of `--pool-grace-period`.
pub const DEFAULT: &str = "5m";

#[cfg(test)]
mod tests {
    use super::*;
    use lb_adapter::model::Pool;

    fn config(pools: usize) -> Config {
        let pool = |number| Pool::new(format!("pool-{number}"), Vec::new());
        Config::new(Vec::new(), (0..pools).map(pool).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn it_runs_from_the_end_of_the_last_pool_and_a_pool_calls_it_off() {
        let five = Duration::from_secs(300);
        let mut grace = GracePeriod::new(five);
        assert_eq!(grace.follow(None, &config(0)), None, "there was no pool");
        assert_eq!(grace.follow(Some(&config(0)), &config(2)), None);
        assert_eq!(grace.follow(Some(&config(2)), &config(1)), None, "one is left");
        assert_eq!(grace.follow(Some(&config(1)), &config(0)), Some(Turn::Begins));
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(grace.follow(Some(&config(0)), &config(0)), None, "it goes on");
        grace.over().await;
        assert_eq!(begin.elapsed(), five);
        let waits = tokio::time::timeout(Duration::from_secs(3600), grace.over()).await;
        assert!(waits.is_err(), "it is over once");
        grace.follow(Some(&config(1)), &config(0));
        assert_eq!(grace.follow(Some(&config(0)), &config(1)), Some(Turn::CalledOff));
        let waits = tokio::time::timeout(Duration::from_secs(3600), grace.over()).await;
        assert!(waits.is_err(), "it was called off");
    }

    #[test]
    fn a_length_of_zero_is_no_grace_period() {
        let mut grace = GracePeriod::new(Duration::ZERO);
        assert_eq!(grace.follow(Some(&config(1)), &config(0)), Some(Turn::Over));
    }
}
