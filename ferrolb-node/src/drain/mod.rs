//! The drain of a node: who requests it, and its progress.
//!
//! ```text
//! Serving ──► Marked ──► Withdrawn ──► Drained          no longer requested ──► Serving
//! ```
//!
//! Owns these states, the requests, and their log lines and events. The sessions carry out the drain. An operator, the Node's
//! annotation or taint, and a signal may each request one, independently: the node serves again once none of them does. A restart
//! forgets the request of an operator.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bgp_session::GracefulShutdown;
use ferrolb_api::{Drain as DrainStatus, DrainStage, EventKind, Timestamp};
use tokio::time::{Instant, sleep_until};

use crate::events::{EventLog, NewEvent};
use crate::metrics::DrainSample;
use crate::time_of_day;

/// The drain of one node.
#[derive(Debug)]
pub struct Drain {
    node: String,
    times: DrainTimes,
    /// True if sessions end as soon as the routes are withdrawn.
    skips_withdrawn: bool,
    requests: BTreeSet<DrainRequester>,
    /// The operator's text for the operators of the routers.
    message: Option<String>,
    state: DrainState,
    /// The time at which the stage began; `None` while the node serves.
    since: Option<Timestamp>,
    log: EventLog,
}

/// The times of the stages of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a drain has these two stages")]
pub struct DrainTimes {
    /// The time for which routes are marked with GRACEFUL_SHUTDOWN (RFC 8326).
    pub marked: Duration,
    /// The time for which routes are withdrawn before the sessions end.
    pub withdrawn: Duration,
}

/// The origin of a request for a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "these are all")]
pub enum DrainRequester {
    /// An operator, over the socket of the process.
    Operator,
    /// The annotation of the Node.
    Annotation,
    /// The taint of the Node.
    Taint,
    /// A signal that ends the process.
    Signal,
}

/// The progress of a drain.
enum DrainState {
    /// The node carries traffic.
    Serving,
    /// Routes are marked or withdrawn.
    Draining {
        /// Ends when all sessions have ended. Dropping it cancels the drain.
        work: Pin<Box<dyn Future<Output = ()> + Send>>,
        /// The time at which the routes are withdrawn; `None` once they are.
        withdrawn_at: Option<Instant>,
    },
    /// The drain has ended all sessions.
    Drained,
}

/// The step that is due after a change of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the programs match every case")]
pub enum DrainStep {
    /// Begin to drain the sessions.
    Begin,
    /// Announce all routes unchanged again.
    Cancel,
    /// Open the sessions again.
    Resume,
}

impl Drain {
    /// Returns the drain of a node that carries traffic.
    pub fn new(node: impl Into<String>, times: DrainTimes, log: EventLog) -> Self {
        Self {
            node: node.into(),
            times,
            skips_withdrawn: false,
            requests: BTreeSet::new(),
            message: None,
            state: DrainState::Serving,
            since: None,
            log,
        }
    }

    /// Sets whether the sessions end as soon as the routes are withdrawn, as on a node that is handed over: another speaker waits
    /// for the end of the sessions, and the node has no routes until then.
    pub fn skip_withdrawn(&mut self, skips: bool) {
        self.skips_withdrawn = skips;
    }

    /// Sets whether this requester wants the node to be drained.
    pub fn set_requested(&mut self, requester: DrainRequester, wants: bool) {
        if wants {
            self.requests.insert(requester);
        } else {
            self.requests.remove(&requester);
        }
    }

    /// Notes that an operator requests a drain, with a text for the operators of the routers (RFC 9003).
    pub fn request_by_operator(&mut self, message: Option<String>) {
        self.set_requested(DrainRequester::Operator, true);
        self.message = message;
    }

    /// Notes that the operator requests no drain any more.
    pub fn release_by_operator(&mut self) {
        self.set_requested(DrainRequester::Operator, false);
        self.message = None;
    }

    /// Returns the step that is due, if there is one.
    pub fn due(&self) -> Option<DrainStep> {
        match (&self.state, self.is_requested()) {
            (DrainState::Serving, true) => Some(DrainStep::Begin),
            (DrainState::Draining { .. }, false) => Some(DrainStep::Cancel),
            (DrainState::Drained, false) => Some(DrainStep::Resume),
            _ => None,
        }
    }

    /// Starts the drain; `work` ends when all sessions have ended.
    pub fn begin(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let by = self.requested_by();
        let times = (self.times.marked, self.withdrawn());
        tracing::warn!(node = self.node, marked = ?times.0, withdrawn = ?times.1, "draining, requested by {by}");
        let text = format!("draining, requested by {by}: routes are marked with GRACEFUL_SHUTDOWN");
        self.enter(NewEvent::warning(EventKind::Drain, text));

        let withdrawn_at = Some(Instant::now() + self.times.marked);
        self.state = DrainState::Draining { work: Box::pin(work), withdrawn_at };
    }

    /// Ends the drain because it is no longer requested: the node carries traffic again.
    pub fn serve(&mut self) {
        let text = match self.state {
            DrainState::Drained => "the drain is no longer requested: announcing again",
            _ => "the drain was cancelled: routes are announced unchanged again",
        };
        tracing::warn!(node = self.node, "{text}");
        self.enter(NewEvent::warning(EventKind::Drain, text));
        self.since = None;
        self.state = DrainState::Serving;
    }

    /// Ends the drain, whether or not all sessions have ended.
    pub fn finish(&mut self) {
        tracing::warn!(node = self.node, "the drain is complete");
        let text = "the drain is complete: the sessions have ended";
        self.enter(NewEvent::warning(EventKind::Drain, text));
        self.state = DrainState::Drained;
    }

    /// Waits until the drain reaches its next stage, and returns it. Never returns if no drain is under way. Cancel safe.
    pub async fn advanced(&mut self) -> DrainStage {
        let DrainState::Draining { work, withdrawn_at } = &mut self.state else {
            return std::future::pending().await;
        };

        let withdrawal = *withdrawn_at;
        let has_ended = tokio::select! {
            biased;
            () = work => true,
            () = until(withdrawal) => false,
        };
        if has_ended {
            self.finish();
            return DrainStage::Drained;
        }

        *withdrawn_at = None;
        tracing::warn!(node = self.node, "the routes are withdrawn");
        let text = "the routes are withdrawn: the sessions end soon";
        self.enter(NewEvent::warning(EventKind::Drain, text));
        DrainStage::Withdrawn
    }

    /// Records the event of a new stage.
    fn enter(&mut self, event: NewEvent) {
        self.since = Some(time_of_day());
        self.log.record(event.node(&self.node));
    }

    /// Returns the steps in which the sessions are drained.
    pub fn procedure(&self) -> GracefulShutdown {
        let default = || format!("{} is being drained", self.node);
        GracefulShutdown::new()
            .marked_for(self.times.marked)
            .withdrawn_for(self.withdrawn())
            .message(self.message.clone().unwrap_or_else(default))
    }

    /// Returns the time for which routes are withdrawn before the sessions end.
    fn withdrawn(&self) -> Duration {
        if self.skips_withdrawn { Duration::ZERO } else { self.times.withdrawn }
    }

    /// Returns true if anything requests a drain.
    pub fn is_requested(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Returns true if the node carries traffic.
    pub fn is_serving(&self) -> bool {
        matches!(self.state, DrainState::Serving)
    }

    /// Returns true if the drain has ended all sessions.
    pub fn is_drained(&self) -> bool {
        matches!(self.state, DrainState::Drained)
    }

    /// Returns the stage.
    pub fn stage(&self) -> DrainStage {
        match &self.state {
            DrainState::Serving => DrainStage::Serving,
            DrainState::Draining { withdrawn_at: Some(_), .. } => DrainStage::Marked,
            DrainState::Draining { withdrawn_at: None, .. } => DrainStage::Withdrawn,
            DrainState::Drained => DrainStage::Drained,
        }
    }

    /// Returns the progress for metrics and for the status of the node.
    pub fn sample(&self) -> DrainSample {
        match self.state {
            DrainState::Serving => DrainSample::Serving,
            DrainState::Draining { .. } => DrainSample::Graceful,
            DrainState::Drained => DrainSample::Withdrawn,
        }
    }

    /// Returns the answer to a question about the drain.
    pub fn status(&self) -> DrainStatus {
        DrainStatus {
            stage: self.stage(),
            since: self.since,
            requested_by: self.is_requested().then(|| self.requested_by()),
            note: None,
        }
    }

    /// Returns the name of the node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Returns those that request the drain, except for an operator.
    pub fn other_requesters(&self) -> Option<String> {
        let others = self.requests.iter().filter(|it| **it != DrainRequester::Operator);
        let others: Vec<_> = others.map(ToString::to_string).collect();
        (!others.is_empty()).then(|| others.join(", "))
    }

    /// Returns those that request the drain, such as `operator, annotation`.
    fn requested_by(&self) -> String {
        let requesters: Vec<_> = self.requests.iter().map(ToString::to_string).collect();
        requesters.join(", ")
    }
}

impl fmt::Display for DrainRequester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Annotation => "annotation",
            Self::Taint => "taint",
            Self::Signal => "signal",
        })
    }
}

impl fmt::Debug for DrainState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serving => "Serving",
            Self::Draining { .. } => "Draining",
            Self::Drained => "Drained",
        })
    }
}

/// Waits until then, and never returns without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
