//! The drain of a node: the annotation or taint of the Node that requests it, and its progress.
//!
//! ```text
//! Serving ──► Draining ──► Drained          no longer requested ──► Serving
//! ```
//!
//! Owns these states. The sessions carry out the drain.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bgp_session::GracefulShutdown;

use super::SpeakerOptions;
use super::object_tree::ObjectTree;
use ferrolb_node::metrics::DrainSample;
use lb_adapter::config::Value;

/// The label that keeps FerroLB's speakers off a Node, with the value `metallb` or `none`. The affinity of the DaemonSet uses
/// it.
const SPEAKER_LABEL: &str = "ferrolb.io/speaker";

/// The drain of one node.
pub(super) struct Drain {
    trigger: DrainTrigger,
    procedure: GracefulShutdown,
    /// The time for which routes are withdrawn before the sessions end.
    withdrawn: Duration,
    /// True if the Node has the label that keeps speakers off it.
    is_handed_over: bool,
    /// True if the Node requests a drain.
    is_requested: bool,
    state: DrainState,
}

/// The annotation and the taint that request a drain, by the names that the operator chose.
struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
}

/// The progress of a drain.
enum DrainState {
    /// The node carries traffic.
    Serving,
    /// Routes are marked or withdrawn. Dropping the future cancels the drain.
    Draining(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The drain has ended all sessions.
    Drained,
}

/// The step that is due after a change of the Node.
pub(super) enum DrainStep {
    Begin,
    Cancel,
}

impl Drain {
    /// A node that carries traffic.
    pub(super) fn new(options: &SpeakerOptions) -> Self {
        Self {
            trigger: DrainTrigger {
                annotation: options.drain_annotation.clone(),
                taint: options.drain_taint.clone(),
            },
            procedure: options.graceful_shutdown(),
            withdrawn: options.drain_withdrawn,
            is_handed_over: false,
            is_requested: false,
            state: DrainState::Serving,
        }
    }

    /// Notes a change of the Node. Returns true if it was drained and should carry traffic again.
    pub(super) fn observe(&mut self, node: &ObjectTree) -> bool {
        let speaker = node.text(&["metadata", "labels", SPEAKER_LABEL]);
        self.is_handed_over = matches!(speaker, Some("metallb" | "none"));
        self.is_requested = self.trigger.is_set(node);

        let is_over = self.is_drained() && !self.is_requested;
        if is_over {
            self.state = DrainState::Serving;
        }
        is_over
    }

    /// Returns the step that is due, if there is one.
    pub(super) fn due(&self) -> Option<DrainStep> {
        match (&self.state, self.is_requested) {
            (DrainState::Serving, true) => Some(DrainStep::Begin),
            (DrainState::Draining(_), false) => Some(DrainStep::Cancel),
            _ => None,
        }
    }

    /// Starts the drain; `work` ends when all sessions have ended.
    pub(super) fn begin(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.state = DrainState::Draining(Box::pin(work));
    }

    /// Cancels the drain.
    pub(super) fn cancel(&mut self) {
        self.state = DrainState::Serving;
    }

    /// Ends the drain, whether or not all sessions have ended.
    pub(super) fn finish(&mut self) {
        self.state = DrainState::Drained;
    }

    /// Waits until the drain has ended, and never returns if none is under way. Cancel safe.
    pub(super) async fn ended(&mut self) {
        match &mut self.state {
            DrainState::Draining(work) => work.await,
            DrainState::Serving | DrainState::Drained => std::future::pending().await,
        }
        self.finish();
    }

    /// Returns the steps in which the sessions are drained.
    pub(super) fn procedure(&self) -> GracefulShutdown {
        self.procedure.clone().withdrawn_for(self.withdrawn())
    }

    /// Returns the time for which routes are withdrawn before the sessions end. On a node that is handed over, this is zero,
    /// because another speaker waits for the end of the sessions, and the node has no routes until then.
    pub(super) fn withdrawn(&self) -> Duration {
        if self.is_handed_over { Duration::ZERO } else { self.withdrawn }
    }

    pub(super) fn is_requested(&self) -> bool {
        self.is_requested
    }

    pub(super) fn is_serving(&self) -> bool {
        matches!(self.state, DrainState::Serving)
    }

    pub(super) fn is_drained(&self) -> bool {
        matches!(self.state, DrainState::Drained)
    }

    /// Returns the progress, for metrics and the status.
    pub(super) fn stage(&self) -> DrainSample {
        match self.state {
            DrainState::Serving => DrainSample::Serving,
            DrainState::Draining(_) => DrainSample::Graceful,
            DrainState::Drained => DrainSample::Withdrawn,
        }
    }
}

impl DrainTrigger {
    /// Returns true if the Node has the annotation or the taint.
    fn is_set(&self, node: &ObjectTree) -> bool {
        let is_annotated = self
            .annotation
            .as_ref()
            .is_some_and(|key| node.annotation(key).is_some_and(|value| value != "false"));
        is_annotated || self.taint.as_ref().is_some_and(|key| has_taint(node, key))
    }
}

fn has_taint(node: &ObjectTree, key: &str) -> bool {
    let taints = node.get(&["spec", "taints"]).map_or(&[][..], Value::items);
    let mut keys = taints.iter().filter_map(|taint| taint.get("key")?.text());
    keys.any(|tainted| tainted == key)
}
