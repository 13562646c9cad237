//! The reach of the API server: one log line when it is lost, and one when it answers again.
//!
//! Every request of the process, watches included, reports its outcome here, and none of them logs that the API server does
//! not answer. Refusals are not this module's business: the module that made the request logs them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tower::BoxError;

use ferrolb_node::causes;

/// The reach of the API server; a process has one.
static REACHABILITY: Mutex<Reachability> =
    Mutex::new(Reachability { failing_since: None, is_lost: false });

/// The time for which all requests fail before the API server counts as lost. Replacing a connection takes less.
const GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Reachability {
    /// The first failure after the last answer.
    failing_since: Option<Instant>,
    /// True if the API server counts as lost, which has been logged.
    is_lost: bool,
}

impl Reachability {
    /// Notes that a request has failed. Returns true if the API server counts as lost from now on.
    fn failed(&mut self, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        if self.is_lost || now.duration_since(since) < GRACE {
            return false;
        }
        self.is_lost = true;
        true
    }

    /// Notes that a request was answered. Returns the length of the outage that this ends, if there was one.
    fn answered(&mut self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.take()?;
        std::mem::take(&mut self.is_lost).then(|| now.duration_since(since))
    }
}

/// Notes the outcome of a request: the status of the response, or the reason why there is none.
pub(super) fn observe(response: Result<u16, &BoxError>) {
    match response {
        Ok(status) if status >= 500 => failed(&format!("it answers with status {status}")),
        Ok(_) => answered(),
        Err(error) => failed(&causes(error.as_ref())),
    }
}

/// Notes that a request was not answered.
pub(super) fn failed(why: &str) {
    let mut reach = REACHABILITY.lock().unwrap_or_else(PoisonError::into_inner);
    if reach.failed(Instant::now()) {
        tracing::warn!("the API server is out of reach, everything stays as it is: {why}");
    }
}

fn answered() {
    let mut reach = REACHABILITY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lost_for) = reach.answered(Instant::now()) {
        tracing::info!("the API server answers again, after {} s", lost_for.as_secs());
    }
}

/// Returns true if a failed request deserves a warning of its own. That the API server does not answer is logged once for all
/// requests.
pub(super) fn deserves_warning(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code < 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_once_and_so_is_its_end() {
        let (begin, mut reach) = (Instant::now(), Reachability::default());
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let lost: Vec<_> = (0..450).map(|nth| reach.failed(at(nth * 100))).collect();
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 1);
        assert!(lost[5], "after the grace");
        assert_eq!(reach.answered(at(45_000)), Some(Duration::from_secs(45)));
        assert_eq!(reach.answered(at(45_001)), None);
    }

    #[test]
    fn a_replaced_connection_is_no_outage() {
        let (begin, mut reach) = (Instant::now(), Reachability::default());
        for nth in 0..100 {
            let now = begin + Duration::from_millis(nth * 400);
            assert!(!reach.failed(now));
            assert_eq!(reach.answered(now + Duration::from_millis(200)), None);
        }
    }
}
