//! Watches: a stream of events from a version on, until the watch is cut, times out or its version is forgotten.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::selector::Selector;
use crate::store::{Change, Store};
use crate::traffic::Meter;

/// The ways in which a test ends watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Between two events, as when a server restarts in order.
    Clean,
    /// In the middle of an event, as when a connection breaks.
    MidEvent,
    /// With an event of type ERROR and code 410: the watch has fallen too far behind.
    Gone,
}

/// The cuts of all watches. Like the store, it wakes them in the order in which they wait.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// The number of cuts so far, and the last one.
    last: Mutex<(u64, Option<Cut>)>,
    happened: Notify,
}

impl Cuts {
    /// Ends every running watch.
    pub(crate) fn cut(&self, how: Cut) {
        {
            let mut last = self.lock();
            *last = (last.0 + 1, Some(how));
        }
        self.happened.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<Cut>)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the last cut, if it is not among the first `seen`.
    fn after(&self, seen: u64) -> Option<Cut> {
        let (count, how) = *self.lock();
        how.filter(|_| count > seen)
    }
}

/// A watch request.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) store: Arc<Store>,
    /// The qualified name of the resource.
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    pub(crate) selector: Selector,
    /// The `apiVersion` of the objects.
    pub(crate) api_version: String,
    pub(crate) kind: String,
    /// The version after which events are sent; `None` for a watch that begins with all present objects.
    pub(crate) since: Option<u64>,
    /// True if a bookmark marks the end of the present objects.
    pub(crate) marks_initial_end: bool,
    pub(crate) bookmark_interval: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) cuts: Arc<Cuts>,
    pub(crate) meter: Meter,
}

/// A watch in progress.
struct WatchStream {
    watch: Watch,
    version: u64,
    ready: VecDeque<Bytes>,
    changed: Arc<Notify>,
    /// The number of cuts before this watch and during it.
    seen_cuts: u64,
    deadline: Instant,
    next_bookmark: Option<Instant>,
    ended: bool,
}

impl Watch {
    /// Starts the watch, and returns its events as a streamed body.
    pub(crate) fn respond(self) -> Result<Response<Body>, Failure> {
        // Only cuts from now on concern this watch.
        let (seen_cuts, _) = *self.cuts.lock();

        let mut ready = VecDeque::new();
        let version = match self.since {
            Some(since) => since,
            None => {
                let (version, objects) = self.store.list(&self.resource, self.namespace.as_deref());
                let selected = objects.iter().filter(|object| self.selector.matches(object));
                ready.extend(selected.map(|object| event("ADDED", &self.present(object))));
                if self.marks_initial_end {
                    ready.push_back(self.bookmark(version, true));
                }
                version
            }
        };

        let now = Instant::now();
        let running = WatchStream {
            version,
            ready,
            changed: self.store.changed(&self.resource),
            seen_cuts,
            deadline: now + self.timeout,
            next_bookmark: self.bookmark_interval.map(|every| now + every),
            ended: false,
            watch: self,
        };

        let events = stream::unfold(running, |mut running| async move {
            let next = running.next().await?;
            if let Ok(octets) = &next {
                running.watch.meter.add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
            }
            Some((next, running))
        });

        let response = Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(events));
        response.map_err(|error| Failure::internal(error.to_string()))
    }

    fn present<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        if object["apiVersion"] == self.api_version {
            return Cow::Borrowed(object);
        }
        let mut object = object.clone();
        object["apiVersion"] = json!(self.api_version);
        Cow::Owned(object)
    }

    fn bookmark(&self, version: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        event(
            "BOOKMARK",
            &json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}),
        )
    }

    /// The event of a change for this watch. An object that the selector no longer matches counts as deleted.
    fn event_of(&self, change: &Change) -> Option<Bytes> {
        if self.namespace.as_ref().is_some_and(|namespace| *namespace != change.key.namespace) {
            return None;
        }

        match (self.selected(&change.before), self.selected(&change.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(event("ADDED", &self.present(after))),
            (Some(_), Some(after)) => Some(event("MODIFIED", &self.present(after))),
            (Some(before), None) => {
                let mut gone = self.present(before).into_owned();
                gone["metadata"]["resourceVersion"] = json!(change.version.to_string());
                Some(event("DELETED", &gone))
            }
        }
    }

    fn selected<'a>(&self, object: &'a Option<Arc<Value>>) -> Option<&'a Value> {
        object.as_deref().filter(|object| self.selector.matches(object))
    }
}

impl WatchStream {
    async fn next(&mut self) -> Option<Result<Bytes, io::Error>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }

            // Both begin to wait before anything is looked at, so that nothing in between is missed.
            let (changes, cuts) = (Arc::clone(&self.changed), Arc::clone(&self.watch.cuts));
            let (mut changed, mut happened) =
                (pin!(changes.notified()), pin!(cuts.happened.notified()));
            changed.as_mut().enable();
            happened.as_mut().enable();

            match self.watch.store.changes_since(self.version, &self.watch.resource) {
                None => {
                    self.ended = true;
                    return Some(Ok(gone(self.version)));
                }
                Some((version, changes)) => {
                    self.version = version;
                    self.ready
                        .extend(changes.iter().filter_map(|change| self.watch.event_of(change)));
                }
            }
            if !self.ready.is_empty() {
                continue;
            }
            if let Some(how) = cuts.after(self.seen_cuts) {
                self.seen_cuts = cuts.lock().0;
                return self.cut(how);
            }

            let bookmark = self.next_bookmark.unwrap_or(self.deadline);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.deadline) => return None,
                () = changed => {}
                () = happened => {}
                () = tokio::time::sleep_until(bookmark), if self.next_bookmark.is_some() => {
                    self.next_bookmark = self.watch.bookmark_interval.map(|every| Instant::now() + every);
                    return Some(Ok(self.watch.bookmark(self.version, false)));
                }
            }
        }
    }

    fn cut(&mut self, how: Cut) -> Option<Result<Bytes, io::Error>> {
        match how {
            Cut::Clean => None,
            Cut::Gone => {
                self.ended = true;
                Some(Ok(gone(self.version)))
            }
            Cut::MidEvent => {
                // Nothing follows half an event: a client would read it and the next event as one line, and lose both.
                self.ended = true;
                Some(Ok(Bytes::from_static(
                    b"{\"type\":\"MODIFIED\",\"object\":{\"apiVersion\":\"v1\",\"ki",
                )))
            }
        }
    }
}

fn event(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{{\"object\":{object},\"type\":\"{kind}\"}}\n"))
}

fn gone(version: u64) -> Bytes {
    event("ERROR", &Failure::expired(format!("too old resource version: {version}")).to_status())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use futures_util::StreamExt as _;

    use super::*;
    use crate::ApiServer;

    /// A reader that is slow asks for more only after objects have changed.
    #[tokio::test]
    async fn nothing_follows_half_an_event() {
        let server = ApiServer::builder().start_in_memory();
        let request = Request::get("/api/v1/services?watch=true&resourceVersion=0");
        let response = server.respond("admin", request.body(Bytes::new()).unwrap()).await;
        let mut events = response.into_body().into_data_stream();

        server.cut_watches(Cut::MidEvent);
        let half = events.next().await.unwrap().unwrap();
        assert!(serde_json::from_slice::<Value>(&half).is_err(), "{half:?}");
        server.put(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "default", "name": "late"}}));
        assert!(events.next().await.is_none());
    }
}
