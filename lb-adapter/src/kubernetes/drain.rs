//! What asks for a drain of the node: an annotation or a taint of its Node, as the operator has named them.

use std::future::Future;
use std::pin::Pin;

use tokio::time::Instant;

use super::SpeakerArgs;
use super::object::Object;
use crate::config::yaml::Value;

/// What on the Node asks for a drain, and how far it is.
pub(super) struct DrainTrigger {
    annotation: Option<String>,
    taint: Option<String>,
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
    pub(super) fn new(args: &SpeakerArgs) -> Self {
        Self {
            annotation: args.drain_annotation.clone(),
            taint: args.drain_taint.clone(),
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

    /// Whether the Node asks for it.
    pub(super) fn asks(&self, node: &Object) -> bool {
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
