//! [`Event`]: a change that an operator may want to know of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer to `/v1/events` as JSON: the kept events, the oldest first.
///
/// With `Accept: text/event-stream` the answer does not end: first the kept events after `since`, then each new one as it
/// happens. Each is a server-sent event with the `id` of the event and the event as `data`. A reader that falls behind gets the
/// event `missed` with the number of lost events as `data`, and then the oldest ones that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// The number of events after `since` that are no longer kept.
    pub missed: u64,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// The number of the event in this process, from 1.
    pub id: u64,
    /// The time.
    pub time: Timestamp,
    /// The kind.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The node, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The name of the peer, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    /// The Service, as NAMESPACE/NAME, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<String>,
    /// The prefix, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prefix: Option<String>,
    /// The event in words.
    pub text: String,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The process started.
    Started,
    /// A configuration was loaded.
    ConfigurationLoaded,
    /// A configuration was refused.
    ConfigurationRefused,
    /// A session was established.
    SessionUp,
    /// A session ended.
    SessionDown,
    /// An attempt to get a session failed.
    SessionFailed,
    /// A peer was added or removed.
    Peer,
    /// A BFD session changed its state.
    Bfd,
    /// Routes cannot be sent.
    Unsendable,
    /// A peer sends nearly as many prefixes as its limit, or more.
    PrefixLimit,
    /// Routes were sent again, or asked for again.
    Refresh,
    /// A route is announced.
    Announced,
    /// A route is withdrawn.
    Withdrawn,
    /// A Service got an address.
    Assigned,
    /// A Service lost its address.
    Released,
    /// A Service cannot get an address.
    Pending,
    /// A drain began, changed its stage or ended.
    Drain,
    /// An operator acted on the process.
    Operator,
    /// The dataplane gate changed a Service, or kube-proxy's health changed.
    Dataplane,
    /// A probe changed its result.
    Probe,
    /// A watch of the API server stopped or works again.
    Watch,
    /// A controller became the leader, or no longer is.
    Leader,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}

/// How much an event or a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Info,
    /// It may keep traffic away later.
    Warning,
    /// It keeps traffic away.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_a_newer_process_is_unknown_and_its_event_is_read() {
        let event = serde_json::json!({
            "id": 7, "time": "2026-11-30T12:00:00Z", "kind": "eclipse", "severity": "info",
            "text": "the moon is in the way", "phase": "total",
        });
        let event: Event = serde_json::from_value(event).unwrap();
        assert_eq!((event.id, event.kind), (7, EventKind::Unknown));
    }
}
