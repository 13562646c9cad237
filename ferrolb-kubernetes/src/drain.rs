//! The requests of a Node for a drain: its annotation or taint, and the label that hands it over to another speaker.
//!
//! Owns these keys. `ferrolb_node::drain` owns the progress.

use super::SpeakerOptions;
use super::object_tree::ObjectTree;
use ferrolb_node::drain::{Drain, DrainRequester};
use lb_adapter::config::Value;

/// The label that keeps FerroLB's speakers off a Node, with the value `metallb` or `none`. The affinity of the DaemonSet uses
/// it.
const SPEAKER_LABEL: &str = "ferrolb.io/speaker";

/// The annotation and the taint that request a drain, by the names that the operator chose.
pub(super) struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
}

impl DrainTrigger {
    pub(super) fn new(options: &SpeakerOptions) -> Self {
        Self { annotation: options.drain_annotation.clone(), taint: options.drain_taint.clone() }
    }

    /// Passes on what the Node requests.
    pub(super) fn observe(&self, node: &ObjectTree, drain: &mut Drain) {
        let speaker = node.text(&["metadata", "labels", SPEAKER_LABEL]);
        drain.skip_withdrawn(matches!(speaker, Some("metallb" | "none")));

        let is_annotated = self
            .annotation
            .as_ref()
            .is_some_and(|key| node.annotation(key).is_some_and(|value| value != "false"));
        drain.set_requested(DrainRequester::Annotation, is_annotated);
        let is_tainted = self.taint.as_ref().is_some_and(|key| has_taint(node, key));
        drain.set_requested(DrainRequester::Taint, is_tainted);
    }
}

fn has_taint(node: &ObjectTree, key: &str) -> bool {
    let taints = node.get(&["spec", "taints"]).map_or(&[][..], Value::items);
    let mut keys = taints.iter().filter_map(|taint| taint.get("key")?.text());
    keys.any(|tainted| tainted == key)
}
