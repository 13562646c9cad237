//! Events, for whoever asks `kubectl describe`.
//!
//! They are written one after the other and never hold up anything else: where more happens than can be written,
//! the rest is dropped, and a log line says how much. What happens again within minutes, in the same words, is one
//! object that counts.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Service};
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::answered;
use ferrolb_node::causes;

/// Where events are written; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Events {
    queue: mpsc::Sender<(ObjectReference, Told)>,
    task: JoinHandle<()>,
    dropped: u64,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub(super) warning: bool,
    /// `IPAllocated`
    pub(super) reason: &'static str,
    /// What was being done: `Allocate`.
    pub(super) action: &'static str,
    pub(super) message: String,
}

/// So many may wait.
const QUEUE: usize = 1024;
/// What the API takes of a note.
const NOTE: usize = 1024;
/// What happens again within this time counts as the same, as with other recorders of events.
const SERIES: Duration = Duration::from_secs(6 * 60);
/// So many are remembered for that.
const REMEMBERED: usize = 512;

impl Events {
    /// Written by `component` on this node or in this pod.
    pub(super) fn new(client: Client, component: &'static str, instance: Option<String>) -> Self {
        let instance = instance.unwrap_or_else(|| component.to_owned());
        let mut recorder = Recorder { client, component, instance, recent: HashMap::new() };
        let (queue, mut waiting) = mpsc::channel::<(ObjectReference, Told)>(QUEUE);
        let task = tokio::spawn(async move {
            while let Some((object, told)) = waiting.recv().await {
                let reason = told.reason;
                if let Err(error) = answered(recorder.write(object, told)).await {
                    tracing::debug!(
                        reason,
                        error = causes(&error),
                        "an event could not be written"
                    );
                }
            }
        });
        Self { queue, task, dropped: 0 }
    }

    /// Writes one, soon. Of a Service whose UID is not known it is asked for, since `kubectl describe` looks for it.
    pub(super) fn tell(&mut self, object: ObjectReference, told: Told) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send((object, told)) {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(
                    dropped = self.dropped,
                    "more happens than events can be written of"
                );
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes events, and knows the latest by a hash of all that they say. The objects themselves are not kept: there
/// may be thousands in a few minutes.
struct Recorder {
    client: Client,
    component: &'static str,
    instance: String,
    recent: HashMap<u64, Series>,
}

struct Series {
    name: String,
    count: i32,
    last: Instant,
}

impl Recorder {
    async fn write(&mut self, mut object: ObjectReference, told: Told) -> Result<(), kube::Error> {
        let namespace = object.namespace.clone().unwrap_or_else(|| "default".to_owned());
        if object.uid.is_none() && object.kind.as_deref() == Some("Service") {
            let name = object.name.as_deref().unwrap_or_default();
            let services: Api<Service> = Api::namespaced(self.client.clone(), &namespace);
            object.uid = services.get_metadata(name).await?.metadata.uid;
        }
        let mut hasher = DefaultHasher::new();
        (&told, &object.kind, &object.namespace, &object.name, &object.uid).hash(&mut hasher);
        let key = hasher.finish();
        let (now, events) = (Instant::now(), Api::namespaced(self.client.clone(), &namespace));
        self.recent.retain(|_, series| series.last + SERIES > now);
        if let Some(series) = self.recent.get_mut(&key) {
            (series.count, series.last) = (series.count.saturating_add(1), now);
            let again = EventSeries {
                count: series.count,
                last_observed_time: MicroTime(Timestamp::now()),
            };
            let patch = Patch::Merge(json!({"series": again}));
            let params = PatchParams::default();
            match Api::<Event>::patch(&events, &series.name, &params, &patch).await {
                // The API server keeps events for a while only.
                Err(kube::Error::Api(answer)) if answer.code == 404 => {}
                other => return other.map(drop),
            }
        }
        let event = self.event(object, told);
        let name = event.metadata.name.clone().unwrap_or_default();
        events.create(&PostParams::default(), &event).await?;
        if self.recent.len() >= REMEMBERED
            && let Some(oldest) = self.recent.iter().min_by_key(|(_, series)| series.last)
        {
            let oldest = *oldest.0;
            self.recent.remove(&oldest);
        }
        self.recent.insert(key, Series { name, count: 1, last: now });
        Ok(())
    }

    fn event(&self, object: ObjectReference, told: Told) -> Event {
        let now = Timestamp::now();
        let name = object.name.as_deref().unwrap_or(self.component);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: object.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(told.action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(clipped(told.message)),
            reason: Some(told.reason.to_owned()),
            regarding: Some(object),
            reporting_controller: Some(self.component.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if told.warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

fn clipped(mut note: String) -> String {
    if note.len() > NOTE {
        let end = (0..=NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
        note.truncate(end);
    }
    note
}

/// The Event of an object that is not in force as it is written.
pub(super) fn invalid(problem: String) -> Told {
    let message = format!("not in force: {problem}");
    Told { warning: true, reason: "InvalidConfiguration", action: "Configure", message }
}

/// A Service, as an event refers to it.
pub(super) fn service(namespace: &str, name: &str, uid: Option<&str>) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Service".to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}
