//! The events of a process: what happened, when, and to whom.
//!
//! ```text
//! sessions, routes, allocator, drain, operator ... ──► EventLog ──► a page, or a stream for each reader
//! ```
//!
//! Owns the events that are kept, their numbers and times, and the words for the events of sessions, routes and the allocator.
//! Log lines are written elsewhere. Events live in memory only: a restart begins with number 1.

mod allocation;
mod configuration;
mod log;
mod reader;
mod routes;
mod sessions;

use ferrolb_api::{EventKind, Severity};

pub use allocation::allocation_events;
pub use configuration::{configuration_loaded, configuration_refused};
pub use log::EventLog;
pub use reader::{EventReader, EventReading};
pub use routes::{RouteChanges, changed_routes};
pub(crate) use sessions::record_session_events;

/// An event that has just happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an event has no effect before it is recorded"]
pub struct NewEvent {
    kind: EventKind,
    severity: Severity,
    node: Option<String>,
    peer: Option<String>,
    service: Option<String>,
    prefix: Option<String>,
    text: String,
}

impl NewEvent {
    /// Returns an event that is as it should be.
    pub fn info(kind: EventKind, text: impl Into<String>) -> Self {
        Self::new(kind, Severity::Info, text)
    }

    /// Returns an event that may keep traffic away later.
    pub fn warning(kind: EventKind, text: impl Into<String>) -> Self {
        Self::new(kind, Severity::Warning, text)
    }

    /// Returns an event that keeps traffic away.
    pub fn error(kind: EventKind, text: impl Into<String>) -> Self {
        Self::new(kind, Severity::Error, text)
    }

    /// Returns an event of this severity.
    pub fn new(kind: EventKind, severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, severity, node: None, peer: None, service: None, prefix: None, text }
    }

    /// Sets the node.
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Sets the name of the peer.
    pub fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peer = Some(peer.into());
        self
    }

    /// Sets the Service.
    pub fn service(mut self, service: impl ToString) -> Self {
        self.service = Some(service.to_string());
        self
    }

    /// Sets the prefix.
    pub fn prefix(mut self, prefix: impl ToString) -> Self {
        self.prefix = Some(prefix.to_string());
        self
    }
}

#[cfg(test)]
mod tests;
