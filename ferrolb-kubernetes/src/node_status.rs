//! FerroLB's own BGPNodeStatus: the actual state of one node and of its sessions.
//!
//! Owns the form of the status, and the rule by which it counts as stale. Each node has one object, which its speaker writes
//! after a change, at most once in two seconds. The status is valid only while its heartbeat is renewed, since a speaker that
//! loses power cannot withdraw it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bgp_session::UnsendableRoute;
use bgp_session::bfd::State;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};

use super::node_conditions::{
    self, ConfiguredPeer, DataplaneProblems, Facts, NodeConditions, PeerState, READY,
};
use super::object_cache::ConfigStatus;
use super::status_object::{StatusObject, time};
use ferrolb_node::WallClock;
use ferrolb_node::metrics::{DrainSample, SessionSample};
use ferrolb_node::sessions::SessionStatus;

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

/// Returns the final status of a speaker that ends.
pub(super) fn ended(mut status: Value) -> Value {
    set_conditions(&mut status, node_conditions::ended());
    status
}

/// Returns the change of the status of a speaker that has stopped reporting.
pub(super) fn stopped_reporting(heartbeat: &str) -> Value {
    let mut status = json!({});
    set_conditions(&mut status, node_conditions::stopped_reporting(heartbeat));
    status
}

fn set_conditions(status: &mut Value, found: NodeConditions) {
    status["conditions"] = found.conditions;
    status["problem"] = json!(found.problem);
}

/// The state of a speaker.
pub(super) struct SpeakerState<'a> {
    pub(super) node: &'a str,
    pub(super) config: &'a ConfigStatus,
    /// The peers that the configuration gives to the node.
    pub(super) peers: &'a [ConfiguredPeer],
    pub(super) sessions: &'a [SessionSample],
    /// The number of Services that the node announces.
    pub(super) services: usize,
    pub(super) drain: DrainSample,
    /// The resources that the API server refuses, each with its reason.
    pub(super) refused: &'a BTreeMap<&'static str, String>,
    pub(super) dataplane: &'a DataplaneProblems,
    pub(super) clock: &'a WallClock,
}

/// Returns the status of a node.
pub(super) fn status(state: &SpeakerState<'_>) -> Value {
    let SpeakerState { config, sessions, clock, .. } = state;
    let peers: Vec<_> = state.peers.iter().map(|peer| PeerState::new(peer, sessions)).collect();
    let established = peers.iter().filter(|peer| peer.is_established).count();
    let last_change = sessions.iter().filter_map(|session| changed_at(&session.status)).max();

    let mut status = json!({
        "node": state.node,
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": {
            "loaded": config.loaded,
            "stale": config.is_stale(),
            "message": config.errors.first().map(ToString::to_string),
        },
        "drain": match state.drain {
            DrainSample::Serving => "Serving",
            DrainSample::Graceful => "Graceful",
            DrainSample::Withdrawn => "Withdrawn",
        },
        "services": state.services,
        "established": format!("{established}/{}", peers.len()),
        "bfd": bfd_summary(&peers),
        "lastSessionChange": last_change.map(|at| time(clock.at(at))),
        "sessions": sessions.iter().map(|it| session(it, clock)).collect::<Vec<_>>(),
    });

    let facts = Facts {
        config,
        peers: &peers,
        drain: state.drain,
        refused: state.refused,
        dataplane: state.dataplane,
    };
    set_conditions(&mut status, node_conditions::conditions(&facts));
    status
}

/// Returns the number of BFD sessions that are up and of those that should be, as 2/2, or `-` if BFD watches no peer.
fn bfd_summary(peers: &[PeerState]) -> String {
    let watched = peers.iter().filter(|peer| peer.has_bfd);
    let up = watched.clone().filter(|peer| peer.bfd == Some(State::Up)).count();
    match watched.count() {
        0 => "-".to_owned(),
        watched => format!("{up}/{watched}"),
    }
}

/// Returns the time at which a session came up, or went down; `None` if it has never been up.
fn changed_at(status: &SessionStatus) -> Option<Instant> {
    let peer = status.peer.as_ref()?;
    if peer.is_established() { Some(peer.since) } else { peer.down_since }
}

/// The number of unsendable routes that are listed for each session, since an object cannot hold thousands.
const LISTED_ROUTES: usize = 20;

fn unsendable(route: &UnsendableRoute) -> Value {
    json!({"prefix": route.prefix.to_string(), "reason": route.why.to_string()})
}

fn session(session: &SessionSample, clock: &WallClock) -> Value {
    let status = &session.status;
    json!({
        "peer": session.name,
        "address": session.endpoint,
        "state": format!("{:?}", status.state()),
        "established": status.is_established(),
        "disabled": status.is_disabled(),
        "since": changed_at(status).map(|at| time(clock.at(at))),
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
