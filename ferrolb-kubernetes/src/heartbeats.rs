//! The heartbeats of speakers: a BGPNodeStatus whose heartbeat is not renewed is marked `Ready=Unknown` and `Degraded=Unknown`,
//! as the node lifecycle controller marks a Node. Without the mark, the last report of a killed speaker would seem current.
//!
//! Owns the time at which each speaker counts as silent. Since the clocks of machines differ, a heartbeat counts as renewed when
//! it differs from the last one, and the local clock measures the time in between. A controller that cannot reach the API server
//! soon loses its Lease, and a new leader gives every speaker the full time again, so an outage of the API server makes no
//! speaker silent.

use std::collections::BTreeMap;
use std::time::Duration;

use ferrolb_api::Node;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::node_status::{holds_for, is_unknown, stopped_reporting};
use super::object_tree::ObjectTree;
use super::reported_node::ReportedNode;
use super::resource::Kind;
use super::status_object::note_transitions;
use super::status_writer::{Decision, Limits, Outcome, StatusWriter, log_failure, patch_status};
use super::watch::WatchEvent;
use ferrolb_node::time_of_day;
use lb_adapter::config::Value as Tree;

/// The heartbeats of all speakers.
pub(super) struct Heartbeats {
    api: Api<ObjectTree>,
    namespace: String,
    manager: &'static str,
    /// The BGPNodeStatus objects, by name.
    speakers: BTreeMap<String, SpeakerHeartbeat>,
    /// Marks silent speakers. A successful write returns the last heartbeat.
    writer: StatusWriter<String, String>,
}

/// A speaker, by its BGPNodeStatus.
struct SpeakerHeartbeat {
    version: String,
    heartbeat: String,
    /// The conditions as JSON, which takes a tenth of the memory of their tree.
    conditions: Box<str>,
    is_unknown: bool,
    /// The time from which the speaker counts as silent. None if it is marked already, has ended, or announces no heartbeat.
    silent_at: Option<Instant>,
    report: ReportedNode,
}

/// The mark of a silent speaker.
#[derive(Debug, PartialEq)]
struct SilentMark {
    last_heartbeat: String,
    patch: Value,
}

const LIMITS: Limits = Limits {
    at_once: 16,
    follows_load: false,
    spacing: Duration::ZERO,
    pause: (Duration::from_secs(5), Duration::from_secs(5)),
};

impl Heartbeats {
    /// The heartbeats of speakers that have not been seen yet. Dropping this aborts the writes under way.
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        Self {
            api: Api::namespaced_with(client, namespace, &Kind::BgpNodeStatus.api_resource()),
            namespace: namespace.to_owned(),
            manager,
            speakers: BTreeMap::new(),
            writer: StatusWriter::new(LIMITS),
        }
    }

    /// Processes an event about BGPNodeStatus objects. Returns any other event to the caller.
    pub(super) fn take(&mut self, event: WatchEvent) -> Option<WatchEvent> {
        match event {
            WatchEvent::Applied(Kind::BgpNodeStatus, object) => self.observe(&object),
            WatchEvent::Deleted(Kind::BgpNodeStatus, (_, name)) => {
                self.speakers.remove(&name);
            }
            // No earlier object can be missing from the first list.
            WatchEvent::Listed(Kind::BgpNodeStatus, None) => {}
            WatchEvent::Listed(Kind::BgpNodeStatus, Some(listed)) => {
                let namespace = &self.namespace;
                self.speakers.retain(|name, _| listed.contains(&(namespace.clone(), name.clone())));
            }
            other => return Some(other),
        }
        None
    }

    fn observe(&mut self, object: &ObjectTree) {
        let (_, name) = object.name();
        let version = object.text(&["metadata", "resourceVersion"]).unwrap_or_default();
        let heartbeat = object.text(&["status", "heartbeatTime"]).unwrap_or_default();
        let period = object.text(&["status", "heartbeatPeriodSeconds"]);
        let period = period.and_then(|seconds| seconds.parse().ok());
        let conditions = object.get(&["status", "conditions"]).map_or(Value::Null, Tree::to_json);

        let is_unknown = is_unknown(&conditions);
        let silent_at = match holds_for(period) {
            Some(time) if !heartbeat.is_empty() && !is_unknown => {
                let before =
                    self.speakers.get(&name).filter(|speaker| speaker.heartbeat == heartbeat);
                let known = before.and_then(|before| before.silent_at);
                Some(known.unwrap_or_else(|| Instant::now() + time))
            }
            _ => None,
        };
        if let Some(at) = silent_at {
            self.writer.mark_at(&name, at);
        }

        let status = object.get(&["status"]).map_or(Value::Null, Tree::to_json);
        let report = ReportedNode::of(&name, &status);
        let (version, heartbeat) = (version.to_owned(), heartbeat.to_owned());
        let conditions = conditions.to_string().into_boxed_str();
        let speaker =
            SpeakerHeartbeat { version, heartbeat, conditions, is_unknown, silent_at, report };
        self.speakers.insert(name, speaker);
    }

    /// Returns the nodes as their speakers last reported them.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let (now, instant) = (time_of_day(), Instant::now());
        let nodes = self.speakers.values().map(|speaker| {
            let is_due = speaker.silent_at.is_some_and(|at| at <= instant);
            speaker.report.row(now, is_due || speaker.is_unknown)
        });
        nodes.collect()
    }

    /// Waits until [`mark`](Self::mark) has to be called. Cancel safe.
    pub(super) async fn due(&mut self) {
        while let Some((name, outcome)) = self.writer.next().await {
            match outcome {
                Outcome::Done(last) => {
                    tracing::warn!(node = name, last, "the speaker has stopped reporting");
                }
                // The object was deleted, or its speaker has reported: the watch will deliver that.
                Outcome::Outdated => {}
                Outcome::Failed(failure) => {
                    log_failure!(failure, node = name, "cannot mark the silent speaker");
                    if let Some(speaker) = self.speakers.get_mut(&name) {
                        speaker.silent_at.get_or_insert_with(Instant::now);
                    }
                }
            }
        }
    }

    /// Starts to mark the silent speakers. The mark fails for a speaker that has reported since: its object has a new version.
    pub(super) fn mark(&mut self) {
        let Self { api, manager, speakers, writer, .. } = self;
        writer.begin(|name| {
            let SilentMark { last_heartbeat, patch } = match decide(speakers, name) {
                Decision::Write(mark) => mark,
                Decision::Wait(until) => return Decision::Wait(until),
                Decision::Skip => return Decision::Skip,
            };

            let (api, manager, name) = (api.clone(), *manager, name.clone());
            Decision::Write(async move {
                patch_status(&api, manager, &name, patch).await?;
                Ok(last_heartbeat)
            })
        });
    }
}

/// Decides if a speaker is marked now. A marked speaker does not count as silent again before its next report.
fn decide(speakers: &mut BTreeMap<String, SpeakerHeartbeat>, name: &str) -> Decision<SilentMark> {
    let Some(speaker) = speakers.get_mut(name) else { return Decision::Skip };
    match speaker.silent_at {
        None => return Decision::Skip,
        Some(at) if at > Instant::now() => return Decision::Wait(at),
        Some(_) => speaker.silent_at = None,
    }

    let mut status = stopped_reporting(&speaker.heartbeat);
    let before = serde_json::from_str(&speaker.conditions).unwrap_or_default();
    note_transitions(&mut status["conditions"], &before, time_of_day());
    let metadata = json!({"resourceVersion": speaker.version});
    let patch = json!({"metadata": metadata, "status": status});
    Decision::Write(SilentMark { last_heartbeat: speaker.heartbeat.clone(), patch })
}

#[cfg(test)]
#[path = "heartbeats_tests.rs"]
mod tests;
