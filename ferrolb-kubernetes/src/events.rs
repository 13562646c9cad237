//! Events, which `kubectl describe` shows.
//!
//! Several are written at once while the API server responds quickly, but those about one object one after the other. No caller waits for
//! them. If they occur faster than they can be written, the rest is dropped, and a log line reports how many. An event that is
//! repeated with the same text within minutes stays one object with a counter.
//!
//! `kube::runtime::events::Recorder` does not fit. It treats events with the same reason as repetitions, even if their messages
//! differ, so that a second message about an object would be lost. It fails once the API server has removed an event that it
//! wants to count, and it keeps every event whole for minutes, although one configuration change may cause thousands.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{ObjectReference, Service};
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::with_timeout;
use super::write_window::WriteWindow;
use ferrolb_node::{causes, time_of_day};

/// The queue of events, and the task that writes them. Dropping this ends the task.
#[derive(Debug)]
pub(super) struct EventRecorder {
    queue: mpsc::Sender<(ObjectReference, EventContent)>,
    /// True while Events cannot be written.
    is_failing: watch::Receiver<bool>,
    task: JoinHandle<()>,
    dropped: u64,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EventContent {
    pub(super) is_warning: bool,
    /// The reason, such as `IPAllocated`.
    pub(super) reason: &'static str,
    /// The action that led to the event, such as `Allocate`.
    pub(super) action: &'static str,
    pub(super) message: String,
}

/// The number of events that may wait.
const QUEUE: usize = 1024;
/// The number of events that may be under way at once, about as many objects.
const AT_ONCE: usize = 8;
/// The least time between the starts of two writes.
const SPACING: Duration = Duration::from_millis(5);
/// The longest note that the API accepts, in octets.
const NOTE: usize = 1024;
/// The time within which the same event counts as a repetition, as in other recorders.
const SERIES: Duration = Duration::from_secs(6 * 60);
/// The number of events that are remembered to detect repetitions.
const REMEMBERED: usize = 512;

impl EventRecorder {
    /// A recorder for events that `component` reports, from this node or pod.
    pub(super) fn new(client: Client, component: &'static str, instance: Option<String>) -> Self {
        let instance = instance.unwrap_or_else(|| component.to_owned());
        let writer = EventWriter { client, component, instance, recent: Mutex::default() };
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (failing, is_failing) = watch::channel(false);
        Self { queue, is_failing, task: tokio::spawn(writer.run(waiting, failing)), dropped: 0 }
    }

    /// Waits until at least half of the queue is free. A caller with thousands of events to report waits for this before each, so
    /// that none is dropped. While Events cannot be written, nobody waits for them.
    pub(super) async fn room(&self) {
        // An error means that the writer has ended. Then no event is written, and nobody has to wait.
        let mut is_failing = self.is_failing.clone();
        tokio::select! {
            biased;
            room = self.queue.reserve_many(QUEUE / 2) => drop(room),
            failing = is_failing.wait_for(|failing| *failing) => drop(failing),
        }
    }

    /// Returns true if [`room`](Self::room) does not wait.
    pub(super) fn has_room(&self) -> bool {
        let is_free = self.queue.capacity() >= QUEUE / 2;
        is_free || self.queue.is_closed() || *self.is_failing.borrow()
    }

    /// Queues an event. If the UID of a Service is not known, the writer reads it, since `kubectl describe` searches by it.
    pub(super) fn publish(&mut self, object: ObjectReference, content: EventContent) {
        let Err(TrySendError::Full(_)) = self.queue.try_send((object, content)) else { return };

        self.dropped += 1;
        if self.dropped.is_power_of_two() {
            tracing::warn!(
                dropped = self.dropped,
                "dropping Events: they occur faster than they can be written"
            );
        }
    }
}

impl Drop for EventRecorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes events. It remembers recent ones by a hash of their content, since there may be thousands in a few minutes.
struct EventWriter {
    client: Client,
    component: &'static str,
    instance: String,
    recent: Mutex<HashMap<u64, Series>>,
}

/// An event that may be repeated.
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

/// The end of a write.
struct Written {
    /// The hash of the object that the event is about.
    about: u64,
    began: Instant,
    result: Result<(), kube::Error>,
}

impl EventWriter {
    /// Writes what is queued, until the queue is closed.
    async fn run(
        self,
        mut waiting: mpsc::Receiver<(ObjectReference, EventContent)>,
        failing: watch::Sender<bool>,
    ) {
        let mut window = WriteWindow::new(AT_ONCE, SPACING);
        let mut under_way = FuturesUnordered::new();
        // The objects of these events. The next event about one of them waits, and all others behind it.
        let mut busy = HashSet::new();
        let mut next: Option<(ObjectReference, EventContent)> = None;

        loop {
            let is_free = |object| !busy.contains(&hash_of(&identity(object)));
            let may_begin = window.has_room(under_way.len())
                && next.as_ref().is_some_and(|(object, _)| is_free(object));

            // The order is fixed, so that the same events lead to the same requests.
            tokio::select! {
                biased;
                Some(Written { about, began, result }) = under_way.next() => {
                    busy.remove(&about);
                    window.end(began, result.as_ref().is_err_and(is_overload), Instant::now());
                    failing.send_if_modified(|failing| {
                        std::mem::replace(failing, result.is_err()) != result.is_err()
                    });
                }
                () = tokio::time::sleep_until(window.next()), if may_begin => {
                    let Some((object, content)) = next.take() else { continue };
                    let (about, began) = (hash_of(&identity(&object)), Instant::now());
                    window.begin(began);
                    busy.insert(about);
                    let written = self.try_write(object, content);
                    under_way.push(async move { Written { about, began, result: written.await } });
                }
                event = waiting.recv(), if next.is_none() => match event {
                    Some(event) => next = Some(event),
                    None => return,
                },
            }
        }
    }

    /// Writes an event within the time of a request, and logs a failure.
    async fn try_write(
        &self,
        object: ObjectReference,
        content: EventContent,
    ) -> Result<(), kube::Error> {
        let reason = content.reason;
        let written = with_timeout(self.write(object, content)).await;
        if let Err(error) = &written {
            tracing::debug!(reason, error = causes(error), "cannot write an Event");
        }
        written
    }

    async fn write(
        &self,
        mut object: ObjectReference,
        content: EventContent,
    ) -> Result<(), kube::Error> {
        let namespace = object.namespace.clone().unwrap_or_else(|| "default".to_owned());
        if object.uid.is_none() && object.kind.as_deref() == Some("Service") {
            let name = object.name.as_deref().unwrap_or_default();
            let services: Api<Service> = Api::namespaced(self.client.clone(), &namespace);
            object.uid = services.get_metadata(name).await?.metadata.uid;
        }

        let events = Api::namespaced(self.client.clone(), &namespace);
        let hash = hash_of(&(&content, identity(&object), &object.uid));
        if self.write_repetition(&events, hash).await? {
            return Ok(());
        }

        let event = self.event(object, content);
        let name = event.metadata.name.clone().unwrap_or_default();
        events.create(&PostParams::default(), &event).await?;
        self.remember(hash, name);
        Ok(())
    }

    /// Increments the counter of an earlier event. Returns false if there is none.
    async fn write_repetition(&self, events: &Api<Event>, hash: u64) -> Result<bool, kube::Error> {
        let Some((name, count)) = self.repeat(hash) else { return Ok(false) };

        let repetition = EventSeries { count, last_observed_time: MicroTime(time_of_day()) };
        let patch = Patch::Merge(json!({"series": repetition}));
        match events.patch(&name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(true),
            // The API server keeps events only for a while.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Counts a repetition. Returns the name of the event, and how often it has occurred.
    fn repeat(&self, hash: u64) -> Option<(String, i32)> {
        let now = Instant::now();
        let mut recent = self.recent();
        recent.retain(|_, series| series.last + SERIES > now);

        let series = recent.get_mut(&hash)?;
        (series.count, series.last) = (series.count.saturating_add(1), now);
        Some((series.name.clone(), series.count))
    }

    fn remember(&self, hash: u64, name: String) {
        let mut recent = self.recent();
        if recent.len() >= REMEMBERED {
            let oldest = recent.iter().min_by_key(|(_, series)| series.last);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                recent.remove(&oldest);
            }
        }
        recent.insert(hash, Series { name, count: 1, last: Instant::now() });
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<u64, Series>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, object: ObjectReference, content: EventContent) -> Event {
        let now = time_of_day();
        let name = object.name.as_deref().unwrap_or(self.component);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: object.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(content.action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(truncated(content.message)),
            reason: Some(content.reason.to_owned()),
            regarding: Some(object),
            reporting_controller: Some(self.component.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if content.is_warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

/// Returns true if a failure shows that the API server has too much to do, or is not there.
fn is_overload(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}

/// Returns what tells an object from others at the same time.
fn identity(object: &ObjectReference) -> [&Option<String>; 3] {
    [&object.kind, &object.namespace, &object.name]
}

/// Returns the hash by which an object, or an event about it, is recognised.
fn hash_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn truncated(mut note: String) -> String {
    if note.len() > NOTE {
        let end = (0..=NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
        note.truncate(end);
    }
    note
}

/// Returns the Event about an object whose current version is invalid.
pub(super) fn invalid(problem: String) -> EventContent {
    let message = format!("not in force: {problem}");
    EventContent { is_warning: true, reason: "InvalidConfiguration", action: "Configure", message }
}

/// Returns the reference from an Event to a Service.
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

#[cfg(test)]
mod tests {
    use test_apiserver::ApiServer;

    use super::*;

    /// An API server that responds after a delay, and a recorder for it.
    fn start(delay: Duration) -> (ApiServer, EventRecorder) {
        let server = ApiServer::builder().start_in_memory();
        server.set_delay(delay);
        let client = Client::new(server.service("admin"), "default");
        (server, EventRecorder::new(client, "test", None))
    }

    /// Publishes an Event, once there is room for it.
    async fn publish_patiently(recorder: &mut EventRecorder, number: usize) {
        if !recorder.has_room() {
            recorder.room().await;
        }
        publish(recorder, number);
    }

    fn publish(recorder: &mut EventRecorder, number: usize) {
        let (reason, action, message) = ("Test", "Test", number.to_string());
        let event = EventContent { is_warning: false, reason, action, message };
        recorder.publish(service("default", &format!("s{number}"), Some("1")), event);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_events_that_cannot_be_written() {
        let (_server, mut recorder) = start(Duration::from_secs(3_600));

        let begin = Instant::now();
        for number in 0..2 * QUEUE {
            publish_patiently(&mut recorder, number).await;
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
        assert!(recorder.dropped > 0);
    }

    /// Two thousand Events take 100 s one after the other.
    #[tokio::test(start_paused = true)]
    async fn a_caller_that_waits_for_room_loses_no_event_and_several_are_written_at_once() {
        let (server, mut recorder) = start(Duration::from_millis(50));

        let (events, begin) = (2 * QUEUE, Instant::now());
        for number in 0..events {
            publish_patiently(&mut recorder, number).await;
        }

        while recorder.queue.capacity() < QUEUE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        assert_eq!((recorder.dropped, server.objects("events.events.k8s.io").len()), (0, events));
    }

    /// If they were written at once, each would be an object of its own.
    #[tokio::test(start_paused = true)]
    async fn events_about_one_object_are_written_one_after_the_other_and_counted() {
        let (server, mut recorder) = start(Duration::from_millis(50));

        // A window is only wide after some fast responses.
        (0..100).for_each(|number| publish(&mut recorder, number));
        (0..5).for_each(|_| publish(&mut recorder, 100));
        tokio::time::sleep(Duration::from_secs(10)).await;

        let events = server.objects("events.events.k8s.io");
        let repeated: Vec<_> =
            events.iter().filter(|event| event["regarding"]["name"] == "s100").collect();
        assert_eq!((events.len(), repeated.len()), (101, 1));
        assert_eq!(repeated[0]["series"]["count"], 5);
    }
}
