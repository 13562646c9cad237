//! Whether speakers report: a BGPNodeStatus whose heartbeat is not renewed is marked `Ready=Unknown`, as the node
//! lifecycle controller marks a Node, so that nobody takes for true what a speaker said before it was killed.
//!
//! Clocks of machines differ. A heartbeat counts as renewed when it is seen to be another, and time runs by the clock
//! here. A controller that cannot reach the API server has lost its Lease before long, and one that begins to lead gives
//! every speaker the whole time anew: an outage of the API server makes no speaker silent.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::answered;
use super::node_status::{holds_for, is_unknown, stopped_reporting};
use super::object::Object;
use super::reach;
use super::resource::Kind;
use super::status_object::note_transitions;
use super::watch::Seen;
use lb_adapter::config::Value as Tree;

/// What speakers have said of their life.
pub(super) struct Heartbeats {
    api: Api<Object>,
    namespace: String,
    manager: &'static str,
    rows: BTreeMap<String, Row>,
    /// None counts as silent before then. It may be too early by as much as has been seen since, and is looked up anew when
    /// it has come: not at each object that a controller sees.
    earliest: Option<Instant>,
    /// The object's name, and whether it needs no other try.
    under_way: JoinSet<(String, bool)>,
}

/// One BGPNodeStatus.
struct Row {
    version: String,
    heartbeat: String,
    conditions: Value,
    /// When its speaker counts as silent; never, if it is marked so, or was ended, or promises nothing.
    silent: Option<Instant>,
}

/// What is to be written of a speaker that is silent.
#[derive(Debug, PartialEq)]
struct Mark {
    name: String,
    /// Its last heartbeat.
    last: String,
    patch: Value,
}

/// So many writes at a time.
const AT_ONCE: usize = 16;
/// So long after a failure.
const PAUSE: Duration = Duration::from_secs(5);

impl Heartbeats {
    /// None seen yet. Dropped, what is under way is given up.
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        let api = Api::namespaced_with(client, namespace, &Kind::BgpNodeStatus.api_resource());
        let namespace = namespace.to_owned();
        let (rows, earliest) = (BTreeMap::new(), None);
        Self { api, namespace, manager, rows, earliest, under_way: JoinSet::new() }
    }

    /// Takes in what was seen of BGPNodeStatus; gives back what is of others.
    pub(super) fn take(&mut self, seen: Seen) -> Option<Seen> {
        match seen {
            Seen::Applied(Kind::BgpNodeStatus, object) => self.see(&object),
            Seen::Gone(Kind::BgpNodeStatus, (_, name)) => drop(self.rows.remove(&name)),
            // The first list says of nobody that it is gone.
            Seen::Listed(Kind::BgpNodeStatus, None) => {}
            Seen::Listed(Kind::BgpNodeStatus, Some(listed)) => {
                self.rows
                    .retain(|name, _| listed.contains(&(self.namespace.clone(), name.clone())));
            }
            other => return Some(other),
        }
        None
    }

    fn see(&mut self, object: &Object) {
        let (_, name) = object.name();
        let text = |path: &[&str]| object.text(path).unwrap_or_default().to_owned();
        let heartbeat = text(&["status", "heartbeatTime"]);
        let conditions = object.get(&["status", "conditions"]).map_or(Value::Null, Tree::to_json);
        let period = text(&["status", "heartbeatPeriodSeconds"]).parse().ok();
        let before = self.rows.get(&name).filter(|before| before.heartbeat == heartbeat);
        let silent = match holds_for(period) {
            Some(time) if !heartbeat.is_empty() && !is_unknown(&conditions) => {
                Some(before.and_then(|it| it.silent).unwrap_or_else(|| Instant::now() + time))
            }
            _ => None,
        };
        let version = text(&["metadata", "resourceVersion"]);
        self.rows.insert(name, Row { version, heartbeat, conditions, silent });
        self.note(silent);
    }

    /// Somebody counts as silent from then on.
    fn note(&mut self, silent: Option<Instant>) {
        self.earliest = self.earliest.into_iter().chain(silent).min();
    }

    /// Waits until a speaker has been silent for too long; loses nothing when it is dropped.
    pub(super) async fn due(&mut self) {
        while let Some(done) = self.under_way.join_next().await {
            if let Ok((name, false)) = done
                && let Some(row) = self.rows.get_mut(&name)
            {
                let again = *row.silent.get_or_insert_with(|| Instant::now() + PAUSE);
                self.note(Some(again));
            }
        }
        while let Some(at) = self.earliest {
            tokio::time::sleep_until(at).await;
            self.earliest = self.rows.values().filter_map(|row| row.silent).min();
            if self.earliest.is_some_and(|at| at <= Instant::now()) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Begins to mark the statuses of speakers that are silent. One that has spoken meanwhile is left alone: its object
    /// has another version.
    pub(super) fn mark(&mut self) {
        for Mark { name, last, patch } in self.silent() {
            let (api, manager) = (self.api.clone(), self.manager);
            self.under_way.spawn(async move {
                let params = PatchParams {
                    field_manager: Some(manager.to_owned()),
                    ..PatchParams::default()
                };
                let patch = Patch::Merge(patch);
                let done = match answered(api.patch_status(&name, &params, &patch)).await {
                    Ok(_) => {
                        tracing::warn!(node = name, last, "the speaker has stopped reporting");
                        true
                    }
                    // It is gone, or its speaker has spoken: that is about to be seen.
                    Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => true,
                    Err(error) => {
                        reach::warn_if_news!(
                            error,
                            node = name,
                            "a silent speaker could not be marked"
                        );
                        false
                    }
                };
                (name, done)
            });
        }
    }

    /// Some that are silent by now, each with what its object lacks.
    fn silent(&mut self) -> Vec<Mark> {
        let now = Instant::now();
        let silent = self.rows.iter_mut().filter(|(_, row)| row.silent.is_some_and(|at| at <= now));
        let mark = |(name, row): (&String, &mut Row)| {
            row.silent = None;
            let mut conditions = json!([stopped_reporting(&row.heartbeat)]);
            note_transitions(&mut conditions, &row.conditions, Timestamp::now());
            let patch = json!({"metadata": {"resourceVersion": row.version},
                "status": {"conditions": conditions}});
            Mark { name: name.clone(), last: row.heartbeat.clone(), patch }
        };
        silent.take(AT_ONCE).map(mark).collect()
    }
}

#[cfg(test)]
#[path = "heartbeats_tests.rs"]
mod tests;
