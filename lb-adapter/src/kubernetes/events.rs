//! Events, for whoever asks `kubectl describe`.
//!
//! They are written one after the other and never hold up anything else: where more happens than can be written,
//! the rest is dropped, and a log line says how much. Equal ones are one object that counts (the client's recorder
//! sees to that).

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

/// Where events are written; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Events {
    queue: mpsc::Sender<(ObjectReference, Told)>,
    task: JoinHandle<()>,
    dropped: u64,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Events {
    /// Written by `component` on this node or in this pod.
    pub(super) fn new(client: Client, component: &str, instance: Option<String>) -> Self {
        let reporter = Reporter { controller: component.to_owned(), instance };
        let recorder = Recorder::new(client, reporter);
        let (queue, mut waiting) = mpsc::channel::<(ObjectReference, Told)>(QUEUE);
        let task = tokio::spawn(async move {
            while let Some((object, told)) = waiting.recv().await {
                let event = Event {
                    type_: if told.warning { EventType::Warning } else { EventType::Normal },
                    reason: told.reason.to_owned(),
                    note: Some(clipped(told.message)),
                    action: told.action.to_owned(),
                    secondary: None,
                };
                if let Err(error) = recorder.publish(&event, &object).await {
                    tracing::debug!(reason = told.reason, %error, "an event could not be written");
                }
            }
        });
        Self { queue, task, dropped: 0 }
    }

    /// Writes one, soon.
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

fn clipped(mut note: String) -> String {
    if note.len() > NOTE {
        let end = (0..=NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
        note.truncate(end);
    }
    note
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
