//! The drain of a node: the annotation or taint of the Node that requests it, and how far it is.
//!
//! ```text
//! Serving ──► Draining ──► Drained          requested no longer ──► Serving
//! ```
//!
//! Owns these states. The sessions do the work.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bgp_session::GracefulShutdown;

use super::SpeakerOptions;
use super::object_tree::ObjectTree;
use ferrolb_node::metrics::DrainSample;
use lb_adapter::config::Value;

/// The label of a Node that keeps our speakers off it, with the values `metallb` and `none`. The DaemonSet's affinity names
/// it.
const SPEAKER: &str = "ferrolb.io/speaker";

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

/// The marks of a Node that request a drain, as the operator has named them.
struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
}

/// The progress of a drain.
enum DrainState {
    /// The node carries traffic.
    Serving,
    /// Routes are marked or withdrawn. Dropping the future calls the drain off.
    Draining(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// All sessions have ended by the drain.
    Drained,
}

/// The step that is due after a change of the Node.
pub(super) enum DrainStep {
    Begin,
    CallOff,
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

    /// Takes in the Node. Returns true if it was drained and is to carry traffic again.
    pub(super) fn observe(&mut self, node: &ObjectTree) -> bool {
        let speaker = node.text(&["metadata", "labels", SPEAKER]);
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
            (DrainState::Draining(_), false) => Some(DrainStep::CallOff),
            _ => None,
        }
    }

    /// Begins the drain; `work` ends when all sessions have ended.
    pub(super) fn begin(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.state = DrainState::Draining(Box::pin(work));
    }

    /// Calls the drain off.
    pub(super) fn call_off(&mut self) {
        self.state = DrainState::Serving;
    }

    /// Notes that no more sessions are drained, whether or not all of them have ended.
    pub(super) fn finish(&mut self) {
        self.state = DrainState::Drained;
    }

    /// Waits until the drain has ended; without end if none is under way. Cancel safe.
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

    /// Returns the time for which routes are withdrawn before the sessions end. On a node that is handed over, another
    /// speaker waits for that end, and the node has no routes until then.
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

    /// Returns the progress, as metrics and the status have it.
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
