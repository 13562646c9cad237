//! What asks for a drain of the node: an annotation or a taint of its Node, as the operator has named them.

use kube::core::DynamicObject;
use tokio::time::Instant;

use super::SpeakerArgs;

/// What on the Node asks for a drain, and how far it is.
pub(super) struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
    pub(super) wanted: bool,
    /// When it began.
    pub(super) since: Option<Instant>,
    /// Whether the sessions have ended by it.
    pub(super) done: bool,
}

impl DrainTrigger {
    /// That the operator has named.
    pub(super) fn new(args: &SpeakerArgs) -> Self {
        Self {
            annotation: args.drain_annotation.clone(),
            taint: args.drain_taint.clone(),
            wanted: false,
            since: None,
            done: false,
        }
    }

    /// Whether the Node asks for it.
    pub(super) fn asks(&self, node: &DynamicObject) -> bool {
        let annotated = self.annotation.as_ref().is_some_and(|key| {
            let value = node.metadata.annotations.as_ref().and_then(|it| it.get(key));
            value.is_some_and(|value| value != "false")
        });
        let tainted = self.taint.as_ref().is_some_and(|key| {
            let mut taints = node.data["spec"]["taints"].as_array().into_iter().flatten();
            taints.any(|taint| taint["key"] == key.as_str())
        });
        annotated || tainted
    }
}
