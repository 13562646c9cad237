//! [`EventLog`]: the latest events of a process.
//!
//! Owns their numbers and times. A full log drops the oldest event, so that memory is bounded; readers learn how many they missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferrolb_api::{Event, EventPage};
use tokio::sync::watch;

use super::{EventReader, NewEvent};
use crate::time_of_day;

/// The latest events of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    /// The number of the last event. Readers wait for it to change.
    last: watch::Sender<u64>,
}

/// The events that are kept, the oldest first. Their numbers have no gaps.
#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    last: u64,
}

impl EventLog {
    /// The number of events that are kept.
    pub const CAPACITY: usize = 4_096;

    /// Returns a log without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an event that has just happened.
    pub fn record(&self, event: NewEvent) {
        let NewEvent { kind, severity, node, peer, service, prefix, text } = event;
        let time = time_of_day();

        let id = {
            let mut kept = self.kept();
            kept.last += 1;
            let id = kept.last;
            if kept.events.len() == Self::CAPACITY {
                kept.events.pop_front();
            }
            kept.events.push_back(Arc::new(Event {
                id,
                time,
                kind,
                severity,
                node,
                peer,
                service,
                prefix,
                text,
            }));
            id
        };
        self.shared.last.send_replace(id);
    }

    /// Records events that have just happened, in this order.
    pub fn record_all(&self, events: impl IntoIterator<Item = NewEvent>) {
        for event in events {
            self.record(event);
        }
    }

    /// Returns the kept events after the one with this number, or all of them. A number that this process has not reached yet is
    /// from before a restart: then all events are new to the reader.
    pub fn page(&self, since: Option<u64>) -> EventPage {
        let kept = self.kept();
        let since = kept.known(since);
        let events = kept.after(since).map(|event| Event::clone(event)).collect();
        EventPage { events, missed: kept.missed_after(since) }
    }

    /// Returns a reader of the kept events after the one with this number, or of all of them, and of those to come.
    pub fn reader(&self, since: Option<u64>) -> EventReader {
        let since = self.kept().known(since);
        EventReader::new(self.clone(), since, self.shared.last.subscribe())
    }

    /// Returns the event that follows the one with this number, or else how many such events are lost; `None` if there is
    /// none yet.
    pub(super) fn next_after(&self, since: u64) -> Option<Result<Arc<Event>, u64>> {
        let kept = self.kept();
        match kept.missed_after(since) {
            0 => kept.after(since).next().cloned().map(Ok),
            missed => Some(Err(missed)),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Returns the number that a reader has read up to. One from before a restart counts as none.
    fn known(&self, since: Option<u64>) -> u64 {
        match since {
            // A reader that asks for everything misses nothing.
            None => self.first().saturating_sub(1),
            Some(since) if since > self.last => self.first().saturating_sub(1),
            Some(since) => since,
        }
    }

    /// Returns the number of the oldest event that is kept, or of the next one.
    fn first(&self) -> u64 {
        self.events.front().map_or(self.last + 1, |event| event.id)
    }

    /// Returns the number of events after this one that are no longer kept.
    fn missed_after(&self, since: u64) -> u64 {
        self.first().saturating_sub(since + 1)
    }

    fn after(&self, since: u64) -> impl Iterator<Item = &Arc<Event>> {
        let skipped = (since + 1).saturating_sub(self.first());
        self.events.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX))
    }
}
