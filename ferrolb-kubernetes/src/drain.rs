//! The annotation or taint of a Node that asks for a drain, as the operator has named it, and the way the drain goes.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bgp_session::GracefulShutdown;
use tokio::time::Instant;

use super::SpeakerOptions;
use super::object::Object;
use lb_adapter::config::Value;

/// The label of a Node that keeps our speakers off it, with the values `metallb` and `none`. The DaemonSet's affinity names
/// it.
const SPEAKER: &str = "ferrolb.io/speaker";

/// What on the Node asks for a drain, and how far it is.
pub(super) struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
    how: GracefulShutdown,
    withdrawn: Duration,
    /// Whether the Node has the label that keeps speakers off it.
    handed_over: bool,
    pub(super) wanted: bool,
    /// When it began, while it is under way.
    pub(super) since: Option<Instant>,
    /// What drains, while it is under way; dropped, it is called off.
    pub(super) under_way: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether the sessions have ended by it.
    pub(super) done: bool,
}

impl DrainTrigger {
    /// That the operator has named.
    pub(super) fn new(options: &SpeakerOptions) -> Self {
        Self {
            annotation: options.drain_annotation.clone(),
            taint: options.drain_taint.clone(),
            how: options.graceful_shutdown(),
            withdrawn: options.drain_withdrawn,
            handed_over: false,
            wanted: false,
            since: None,
            under_way: None,
            done: false,
        }
    }

    /// Waits until what is under way has ended, for ever if nothing is; loses nothing when it is dropped.
    pub(super) async fn ended(&mut self) {
        match &mut self.under_way {
            Some(under_way) => under_way.await,
            None => std::future::pending().await,
        }
        self.under_way = None;
    }

    /// Returns the way the drain goes.
    pub(super) fn how(&self) -> GracefulShutdown {
        self.how.clone().withdrawn_for(self.withdrawn())
    }

    /// Returns how long routes are withdrawn before the sessions end. On a node that is handed over, another speaker waits
    /// for that end, and the node has no routes until it comes.
    pub(super) fn withdrawn(&self) -> Duration {
        if self.handed_over { Duration::ZERO } else { self.withdrawn }
    }

    /// Notes the labels of the Node. Returns true if it asks for a drain.
    pub(super) fn take(&mut self, node: &Object) -> bool {
        let speaker = node.text(&["metadata", "labels", SPEAKER]);
        self.handed_over = matches!(speaker, Some("metallb" | "none"));

        let annotated = self
            .annotation
            .as_ref()
            .is_some_and(|key| node.annotation(key).is_some_and(|value| value != "false"));
        let tainted = self.taint.as_ref().is_some_and(|key| {
            let taints = node.get(&["spec", "taints"]).map_or(&[][..], Value::items);
            let mut keys = taints.iter().filter_map(|taint| taint.get("key")?.text());
            keys.any(|tainted| tainted == key)
        });
        annotated || tainted
    }
}
