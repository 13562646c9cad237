//! Our own BGPNodeStatus: what is true of one node, sessions as they are and not as they are meant.
//!
//! One object a node, written when something has changed and once in two seconds at most. What it says holds for as long
//! as its heartbeat is renewed: whoever loses power cannot take it back.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::UnsendableRoute;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};

use super::configuration_state::NO_CONFIGURATION;
use super::mirror::ConfigState;
use super::status_object::StatusObject;
use ferrolb_node::metrics::{DrainSample, SessionSample};

/// The object of one node.
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

/// So many heartbeats have to be missing until nobody is believed to send them.
const MISSING: u32 = 3;

/// How long a status holds without another heartbeat; none where no heartbeat follows, as of a speaker that has ended.
pub(super) fn holds_for(period: Option<u64>) -> Option<Duration> {
    // A year is for ever.
    let period = period?.clamp(1, 365 * 24 * 60 * 60);
    Some(Duration::from_secs(period) * MISSING)
}

/// Whether the speaker that wrote a status has stopped to report, as the controller says or as it is seen by this clock.
pub(super) fn is_stale(status: &Value, now: Timestamp) -> bool {
    let holds_for = holds_for(status["heartbeatPeriodSeconds"].as_u64());
    let heartbeat: Option<Timestamp> =
        status["heartbeatTime"].as_str().and_then(|it| it.parse().ok());
    let over = holds_for.zip(heartbeat).is_some_and(|(holds_for, heartbeat)| {
        now.duration_since(heartbeat) > SignedDuration::try_from(holds_for).unwrap_or_default()
    });
    over || is_unknown(&status["conditions"])
}

/// Whether it has been found that the speaker does not report.
pub(super) fn is_unknown(conditions: &Value) -> bool {
    let mut conditions = conditions.as_array().into_iter().flatten();
    conditions.any(|it| it["type"] == READY && it["status"] == "Unknown")
}

/// The condition of a speaker that does not report.
pub(super) fn stopped_reporting(heartbeat: &str) -> Value {
    let message = format!(
        "the speaker has not reported since {heartbeat}: how the sessions stand is not known"
    );
    ready("Unknown", "SpeakerStoppedReporting", &message)
}

/// What a speaker says that ends.
pub(super) fn ended(mut status: Value) -> Value {
    status["conditions"] = json!([ready("False", "SpeakerEnded", "the speaker was ended")]);
    status
}

/// The type of the condition.
const READY: &str = "Ready";

fn ready(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": READY, "status": status, "reason": reason, "message": message})
}

/// What there is to say.
pub(super) fn status(
    node: &str,
    config: &ConfigState,
    sessions: &[SessionSample],
    services: usize,
    drain: DrainSample,
    refused: &BTreeMap<&'static str, String>,
) -> Value {
    let stale = config.errors.first().map(ToString::to_string);
    let established = sessions.iter().filter(|it| it.status.is_established()).count();
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

/// Returns the condition Ready, which is true if the speaker does all that it should.
fn condition(
    config: &ConfigState,
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
        .filter_map(|it| {
            let problem = it.status.bfd_problem()?;
            Some(format!("{} ({}): {problem}", it.name, it.endpoint))
        })
        .collect();
    if !without_bfd.is_empty() {
        let message = format!("no BFD session with {}", without_bfd.join("; with "));
        return ready("False", "BFDNotUp", &message);
    }
    ready("True", "SpeakerReady", "the speaker announces what it should")
}

/// How many of the routes that a session cannot carry are listed: an object is no place for thousands.
const LISTED: usize = 20;

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
        "unsendableRoutes": session.unsendable.iter().take(LISTED).map(unsendable).collect::<Vec<_>>(),
        "flaps": status.stats().sessions_lost,
        "lastError": status.reason(),
    })
}

#[cfg(test)]
#[path = "node_status_tests.rs"]
mod tests;
