//! [`EventReader`]: reads the events of a process in order, at its own pace.
//!
//! A reader holds no events itself. One that falls behind by more than the log keeps learns how many it missed.

use std::sync::Arc;

use ferrolb_api::Event;
use tokio::sync::watch;

use super::EventLog;

/// A reader of the events of a process.
#[derive(Debug)]
pub struct EventReader {
    log: EventLog,
    /// The number of the last event that was read or missed.
    read: u64,
    last: watch::Receiver<u64>,
}

/// The result of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an event was read, or it was missed")]
pub enum EventReading {
    /// The next event.
    Event(Arc<Event>),
    /// The number of events that are no longer kept. The oldest one that is kept follows.
    Missed(u64),
}

impl EventReader {
    pub(super) fn new(log: EventLog, read: u64, last: watch::Receiver<u64>) -> Self {
        Self { log, read, last }
    }

    /// Waits for the next event. Cancel safe.
    pub async fn next(&mut self) -> EventReading {
        loop {
            self.last.mark_unchanged();
            if let Some(reading) = self.try_next() {
                return reading;
            }
            // This reader has the log, and the log has the sender, so that waiting cannot fail.
            if self.last.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the next event if there is one.
    pub fn try_next(&mut self) -> Option<EventReading> {
        match self.log.next_after(self.read)? {
            Ok(event) => {
                self.read = event.id;
                Some(EventReading::Event(event))
            }
            Err(missed) => {
                self.read += missed;
                Some(EventReading::Missed(missed))
            }
        }
    }
}
