//! How long Services keep the addresses of pools that are gone.
//!
//! Owns the clock of it and nothing else: that the addresses stay, and what becomes of them, is the engine's.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Config;

/// The time from the last pool's end to the release of its addresses.
#[derive(Debug)]
pub(crate) struct GracePeriod {
    length: Duration,
    ends: Option<Instant>,
}

/// What a change of the configuration means for the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The last pool is gone: it begins.
    Begins,
    /// There is no such period, and the last pool is gone: its addresses are released at once.
    Over,
    /// There is a pool again.
    CalledOff,
}

impl GracePeriod {
    /// Of this length; zero is none.
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, ends: None }
    }

    /// How long it is.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// Takes note of a configuration that takes the place of the one before. Who begins without a pool has no grace
    /// period, since nobody has seen one go.
    pub(crate) fn follow(&mut self, before: Option<&Config>, now: &Config) -> Option<Turn> {
        let had_pools = before.is_some_and(Config::has_pools);
        match (had_pools, !now.has_pools()) {
            (true, true) if self.length.is_zero() => Some(Turn::Over),
            (true, true) => {
                self.ends = Some(Instant::now() + self.length);
                Some(Turn::Begins)
            }
            (_, false) => self.ends.take().map(|_| Turn::CalledOff),
            (false, true) => None,
        }
    }

    /// Waits until it is over, which it then is; for ever if it has not begun. Loses nothing when it is dropped.
    pub(crate) async fn over(&mut self) {
        match self.ends {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
        self.ends = None;
    }
}

/// The default of `--pool-grace-period`.
pub(crate) const DEFAULT: &str = "5m";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pool;

    fn config(pools: usize) -> Config {
        let pool = |number| Pool::new(format!("pool-{number}"), Vec::new());
        Config::new(Vec::new(), (0..pools).map(pool).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn it_runs_from_the_end_of_the_last_pool_and_a_pool_calls_it_off() {
        let five = Duration::from_secs(300);
        let mut grace = GracePeriod::new(five);
        assert_eq!(grace.follow(None, &config(0)), None, "nobody has seen a pool");
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
