//! Whether the API server can be reached: one log line when it is lost, and one when it answers again.
//!
//! Every request of the process, watches included, reports here what came of it, and none of them logs by itself that
//! nobody answers. What the API server refuses is not this module's business: whoever asked says so.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tower::BoxError;

/// The API server of this process, of which there is one.
static REACH: Mutex<Reach> = Mutex::new(Reach { failing_since: None, is_lost: false });

/// Requests fail for so long before the API server is called lost: one that only restarts a connection is not.
const GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Reach {
    /// Since when every request has failed.
    failing_since: Option<Instant>,
    /// Whether the log says so.
    is_lost: bool,
}

impl Reach {
    /// A request has failed. Returns whether the API server is lost, as of now.
    fn failed(&mut self, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        if self.is_lost || now.duration_since(since) < GRACE {
            return false;
        }
        self.is_lost = true;
        true
    }

    /// A request was answered. Returns for how long the API server was lost, if it was.
    fn answered(&mut self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.take()?;
        std::mem::take(&mut self.is_lost).then(|| now.duration_since(since))
    }
}

/// Takes note of what a request came to: the status of the answer, or why there is none.
pub(super) fn observe(answer: Result<u16, &BoxError>) {
    match answer {
        Ok(status) if status >= 500 => failed(&format!("it answers with status {status}")),
        Ok(_) => answered(),
        Err(error) => failed(&chain(error.as_ref())),
    }
}

/// Nobody has answered a request, for this reason.
pub(super) fn failed(why: &str) {
    let mut reach = REACH.lock().unwrap_or_else(PoisonError::into_inner);
    if reach.failed(Instant::now()) {
        tracing::warn!("the API server is out of reach, everything stays as it is: {why}");
    }
}

fn answered() {
    let mut reach = REACH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lost_for) = reach.answered(Instant::now()) {
        tracing::info!("the API server answers again, after {} s", lost_for.as_secs());
    }
}

/// Whether a failed request deserves a log line of its own. That nobody answers is told once for all requests.
pub(super) fn is_news(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code < 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => false,
        _ => true,
    }
}

/// Warns of a request that has failed with this error, if that [is news](is_news); the rest is as for `tracing::warn`.
macro_rules! warn_if_news {
    ($error:expr, $($rest:tt)*) => {
        match $crate::kubernetes::reach::is_news(&$error) {
            true => tracing::warn!(error = %$error, $($rest)*),
            false => tracing::debug!(error = %$error, $($rest)*),
        }
    };
}
pub(super) use warn_if_news;

/// What went wrong, with its causes to the last.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // Some repeat their cause.
        if !texts.iter().any(|before| before.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let (begin, mut reach) = (Instant::now(), Reach::default());
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let told: Vec<_> = (0..450).map(|nth| reach.failed(at(nth * 100))).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 1);
        assert!(told[5], "after the grace");
        assert_eq!(reach.answered(at(45_000)), Some(Duration::from_secs(45)));
        assert_eq!(reach.answered(at(45_001)), None);
    }

    #[test]
    fn a_connection_that_is_only_begun_again_is_no_outage() {
        let (begin, mut reach) = (Instant::now(), Reach::default());
        for nth in 0..100 {
            let now = begin + Duration::from_millis(nth * 400);
            assert!(!reach.failed(now));
            assert_eq!(reach.answered(now + Duration::from_millis(200)), None);
        }
    }

    #[test]
    fn a_cause_stands_once_and_the_last_one_too() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect")]
        struct Connect(#[source] std::io::Error);

        let cause = std::io::Error::other("connection refused");
        assert_eq!(chain(&Connect(cause)), "cannot connect: connection refused");
    }
}
