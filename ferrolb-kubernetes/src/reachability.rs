//! Tracks if the API server is reachable: logs one line when it becomes unreachable, and one when it responds again.
//!
//! Every request of the process, watches included, reports its outcome here, and leaves it to this module to log that the
//! API server does not respond. The module that made a request logs its refusal.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tower::BoxError;

use ferrolb_api::EventKind;
use ferrolb_node::causes;
use ferrolb_node::events::{EventLog, NewEvent};

/// The reachability of the one API server that a process uses.
static REACHABILITY: Mutex<Reachability> =
    Mutex::new(Reachability { failing_since: None, is_unreachable: false });
/// The events of the process, in which outages are recorded.
static EVENTS: OnceLock<EventLog> = OnceLock::new();

/// The time for which all requests must fail before the API server counts as unreachable. Replacing a connection takes less.
const GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Reachability {
    /// The time of the first failure after the last response.
    failing_since: Option<Instant>,
    /// True if the API server counts as unreachable, which has been logged.
    is_unreachable: bool,
}

impl Reachability {
    /// Notes that a request has failed. Returns true if the API server counts as unreachable from now on.
    fn failed(&mut self, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        if self.is_unreachable || now.duration_since(since) < GRACE {
            return false;
        }
        self.is_unreachable = true;
        true
    }

    /// Notes a response. Returns the length of the outage that it ends, if there was one.
    fn responded(&mut self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.take()?;
        std::mem::take(&mut self.is_unreachable).then(|| now.duration_since(since))
    }
}

/// Records outages in this log from now on. A process has one.
pub(super) fn record_in(events: &EventLog) {
    let _ = EVENTS.set(events.clone());
}

fn record(event: NewEvent) {
    if let Some(events) = EVENTS.get() {
        events.record(event);
    }
}

/// Notes the outcome of a request: the status of the response, or the reason why there is none.
pub(super) fn observe(response: Result<u16, &BoxError>) {
    match response {
        Ok(status) if status >= 500 => failed(&format!("response status {status}")),
        Ok(_) => responded(),
        Err(error) => failed(&causes(error.as_ref())),
    }
}

/// Notes that a request got no response.
pub(super) fn failed(why: &str) {
    let mut reach = REACHABILITY.lock().unwrap_or_else(PoisonError::into_inner);
    if reach.failed(Instant::now()) {
        let text = format!("the API server is unreachable, everything stays as it is: {why}");
        tracing::warn!("{text}");
        record(NewEvent::warning(EventKind::Watch, text));
    }
}

fn responded() {
    let mut reach = REACHABILITY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(outage) = reach.responded(Instant::now()) {
        let text = format!("the API server responds again, after {} s", outage.as_secs());
        tracing::info!("{text}");
        record(NewEvent::info(EventKind::Watch, text));
    }
}

/// Returns true if a failed request deserves a warning of its own. A missing response does not: this module logs an outage once
/// for all requests.
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
        assert_eq!(reach.responded(at(45_000)), Some(Duration::from_secs(45)));
        assert_eq!(reach.responded(at(45_001)), None);
    }

    #[test]
    fn a_replaced_connection_is_no_outage() {
        let (begin, mut reach) = (Instant::now(), Reachability::default());
        for nth in 0..100 {
            let now = begin + Duration::from_millis(nth * 400);
            assert!(!reach.failed(now));
            assert_eq!(reach.responded(now + Duration::from_millis(200)), None);
        }
    }
}
