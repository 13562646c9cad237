//! The histograms of update latency, which are kept between scrapes.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// The times from a watch event, or a change of a file, until the sessions have the resulting routes, and until the system has
/// accepted the resulting UPDATEs. Clones share them.
#[derive(Clone, Debug)]
pub struct Latency {
    handed: Histogram,
    sent: Histogram,
    /// The changes whose UPDATEs were not measured, because too many others were.
    skipped: Counter,
    /// The permits of the measurements that may be under way.
    permits: Arc<Semaphore>,
}

/// The most measurements that are under way at a time.
const MOST_MEASUREMENTS: usize = 16;

/// The longest measurement. A router that has not read by then counts with this time.
const LONGEST: Duration = Duration::from_secs(60);

impl Latency {
    /// Returns histograms without observations.
    pub fn new() -> Self {
        let handed = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0];
        let sent =
            [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
        Self {
            handed: Histogram::new(handed),
            sent: Histogram::new(sent),
            skipped: Counter::default(),
            permits: Arc::new(Semaphore::new(MOST_MEASUREMENTS)),
        }
    }

    /// Adds a time until the sessions had the routes.
    pub fn observe(&self, seconds: f64) {
        self.handed.observe(seconds);
    }

    /// Adds the time from `begin` until `sent` completes with true, in the background. It completes with false if no session was
    /// up, which adds nothing. Needs a runtime of tokio.
    pub fn observe_sent(&self, begin: Instant, sent: impl Future<Output = bool> + Send + 'static) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.skipped.inc();
            return;
        };

        let histogram = self.sent.clone();
        tokio::spawn(async move {
            let was_sent = timeout(LONGEST, sent).await.unwrap_or(true);
            if was_sent {
                histogram.observe(begin.elapsed().as_secs_f64());
            }
            drop(permit);
        });
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ferrolb_bgp_update_latency_seconds",
            "Time from an event of the API until the resulting routes are handed to the sessions",
            self.handed.clone(),
        );
        registry.register(
            "ferrolb_bgp_propagation_seconds",
            "Time from an event of the API, or a change of a file, until the system has accepted the last octet of the \
             resulting UPDATEs for all Established peers; at most a minute is measured",
            self.sent.clone(),
        );
        registry.register(
            "ferrolb_bgp_propagation_skipped",
            "Changes whose propagation was not measured, because 16 measurements were under way",
            self.skipped.clone(),
        );
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// The value of a metric without labels.
    fn value(latency: &Latency, name: &str) -> String {
        let text = super::super::encode(&super::super::Sample::default(), latency).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_until_all_is_sent_is_measured_in_the_background() {
        let latency = Latency::new();
        let begin = Instant::now();
        let slow = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            true
        };
        latency.observe_sent(begin, slow);
        latency.observe_sent(begin, ready(false));
        assert_eq!(value(&latency, "ferrolb_bgp_propagation_seconds_count"), "0");

        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(value(&latency, "ferrolb_bgp_propagation_seconds_count"), "1");
        let seconds: f64 = value(&latency, "ferrolb_bgp_propagation_seconds_sum").parse().unwrap();
        assert!((2.0..2.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn measurements_are_bounded_in_number_and_time() {
        let latency = Latency::new();
        for _ in 0..MOST_MEASUREMENTS + 5 {
            latency.observe_sent(Instant::now(), pending());
        }
        assert_eq!(value(&latency, "ferrolb_bgp_propagation_skipped_total"), "5");

        tokio::time::sleep(LONGEST + Duration::from_secs(1)).await;
        assert_eq!(value(&latency, "ferrolb_bgp_propagation_seconds_count"), "16");
        latency.observe_sent(Instant::now(), ready(true));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(value(&latency, "ferrolb_bgp_propagation_seconds_count"), "17");
    }
}
