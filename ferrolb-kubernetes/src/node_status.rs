//! FerroLB's own BGPNodeStatus: the actual state of one node and of its sessions.
//!
//! Owns the form of the status, and the rule by which it counts as stale. Each node has one object, which its speaker writes
//! after a change, at most once in two seconds. The status is valid only while its heartbeat is renewed, since a speaker that
//! loses power cannot withdraw it.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::UnsendableRoute;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};

use super::configuration_state::NO_CONFIGURATION;
use super::object_cache::ConfigStatus;
use super::status_object::StatusObject;
use ferrolb_node::metrics::{DrainSample, SessionSample};

/// Returns the object of one node.
pub(super) fn object(
    client: Client,
    namespace: &str,
    node: &str,
    manager: &'static str,
    heartbeat: Duration,
) -> StatusObject {
    let kind = ("ferrolb.io", "v1alpha1", "BGPNodeStatus", "bgpnodestatuses");
    let object = StatusObject::new(client, namespace, kind, node, manager, Duration::from_secs(2));
    object.heartbeat(heartbeat)
}

/// The number of missed heartbeats after which a speaker counts as silent.
const MISSED: u32 = 3;

/// Returns the time for which a status is valid without another heartbeat, or `None` if no heartbeat follows, as after the end
/// of a speaker.
pub(super) fn holds_for(period: Option<u64>) -> Option<Duration> {
    // No heartbeat is a year late.
    let period = period?.clamp(1, 365 * 24 * 60 * 60);
    Some(Duration::from_secs(period) * MISSED)
}

/// Returns true if the speaker that wrote a status has stopped reporting: the controller has marked it, or its heartbeat is
/// too old by the given time.
pub(super) fn is_stale(status: &Value, now: Timestamp) -> bool {
    if is_unknown(&status["conditions"]) {
        return true;
    }

    let period = status["heartbeatPeriodSeconds"].as_u64();
    let heartbeat = status["heartbeatTime"].as_str().and_then(|text| text.parse().ok());
    let (Some(holds_for), Some(heartbeat)) = (holds_for(period), heartbeat) else { return false };
    let age = now.duration_since(heartbeat);
    age > SignedDuration::try_from(holds_for).unwrap_or_default()
}

/// Returns true if these conditions mark a speaker that has stopped reporting.
pub(super) fn is_unknown(conditions: &Value) -> bool {
    let mut conditions = conditions.as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == READY && condition["status"] == "Unknown")
}

/// Returns the condition of a speaker that has stopped reporting.
pub(super) fn stopped_reporting(heartbeat: &str) -> Value {
    let message = format!(
        "the speaker has not reported since {heartbeat}: the state of its sessions is unknown"
    );
    ready("Unknown", "SpeakerStoppedReporting", &message)
}

/// Returns the final status of a speaker that ends.
pub(super) fn ended(mut status: Value) -> Value {
    status["conditions"] = json!([ready("False", "SpeakerEnded", "the speaker was stopped")]);
    status
}

/// The type of the condition.
const READY: &str = "Ready";

fn ready(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": READY, "status": status, "reason": reason, "message": message})
}

/// Returns the status of a node. `refused` are the resources that the API server refuses, each with its reason.
pub(super) fn status(
    node: &str,
    config: &ConfigStatus,
    sessions: &[SessionSample],
    services: usize,
    drain: DrainSample,
    refused: &BTreeMap<&'static str, String>,
) -> Value {
    let stale = config.errors.first().map(ToString::to_string);
    let established = sessions.iter().filter(|session| session.status.is_established()).count();
    let established = format!("{established}/{}", sessions.len());
    let ready = condition(config, sessions, refused);
    let sessions: Vec<Value> = sessions.iter().map(session).collect();

    json!({
        "node": node,
        "conditions": [ready],
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": {
            "loaded": config.loaded,
            "stale": config.is_stale(),
            "message": stale,
        },
        "drain": match drain {
            DrainSample::Serving => "Serving",
            DrainSample::Graceful => "Graceful",
            DrainSample::Withdrawn => "Withdrawn",
        },
        "services": services,
        "established": established,
        "sessions": sessions,
    })
}

/// Returns the condition Ready, which is true if the speaker can announce everything that it should.
fn condition(
    config: &ConfigStatus,
    sessions: &[SessionSample],
    refused: &BTreeMap<&'static str, String>,
) -> Value {
    if !refused.is_empty() {
        let refused: Vec<_> =
            refused.iter().map(|(resource, why)| format!("{resource}: {why}")).collect();
        let message = format!("the API server refuses to list or to watch {}", refused.join("; "));
        return ready("False", "WatchRefused", &message);
    }
    if config.is_absent {
        return ready("False", "NoConfiguration", NO_CONFIGURATION);
    }
    if !config.loaded {
        return ready("False", "NoConfiguration", "there has been no valid configuration yet");
    }

    let without_bfd: Vec<_> = sessions
        .iter()
        .filter_map(|session| {
            let problem = session.status.bfd_problem()?;
            Some(format!("{} ({}): {problem}", session.name, session.endpoint))
        })
        .collect();
    if !without_bfd.is_empty() {
        let message = format!("no BFD session with {}", without_bfd.join("; with "));
        return ready("False", "BFDNotUp", &message);
    }
    ready("True", "SpeakerReady", "the speaker announces what it should")
}

/// The number of unsendable routes that are listed for each session, since an object cannot hold thousands.
const LISTED_ROUTES: usize = 20;

fn unsendable(route: &UnsendableRoute) -> Value {
    json!({"prefix": route.prefix.to_string(), "reason": route.why.to_string()})
}

fn session(session: &SessionSample) -> Value {
    let status = &session.status;
    json!({
        "peer": session.name,
        "address": session.endpoint,
        "state": format!("{:?}", status.state()),
        "established": status.is_established(),
        "bfd": status.bfd.as_ref().map(|bfd| bfd.state.to_string()),
        "bfdProblem": status.bfd_problem(),
        "families": status.families(),
        "prefixes": session.prefixes,
        "unsendable": status.unsendable(),
        "unsendableRoutes": session.unsendable.iter().take(LISTED_ROUTES).map(unsendable).collect::<Vec<_>>(),
        "flaps": status.stats().sessions_lost,
        "lastError": status.reason(),
    })
}

#[cfg(test)]
#[path = "node_status_tests.rs"]
mod tests;
