//! Our own BGPNodeStatus: what is true of one node, sessions as they are and not as they are meant.
//!
//! One object a node, written when something has changed and once in two seconds at most.

use std::time::Duration;

use kube::Client;
use serde_json::{Value, json};

use super::mirror::ConfigState;
use super::status_object::StatusObject;
use crate::metrics::{DrainSample, SessionSample};

/// The object of one node.
pub(super) fn object(
    client: Client,
    namespace: &str,
    node: &str,
    manager: &'static str,
) -> StatusObject {
    let kind = ("ferrolb.io", "v1alpha1", "BGPNodeStatus", "bgpnodestatuses");
    StatusObject::new(client, namespace, kind, node, manager, Duration::from_secs(2))
}

/// What there is to say.
pub(super) fn status(
    node: &str,
    config: &ConfigState,
    sessions: &[SessionSample],
    services: usize,
    drain: DrainSample,
) -> Value {
    let sessions: Vec<Value> = sessions.iter().map(session).collect();
    let stale = config.errors.first().map(ToString::to_string);
    json!({
        "node": node,
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
        "sessions": sessions,
    })
}

fn session(session: &SessionSample) -> Value {
    let status = &session.status;
    json!({
        "peer": session.name,
        "address": session.endpoint,
        "state": format!("{:?}", status.state()),
        "established": status.is_established(),
        "bfd": status.bfd.as_ref().map(|bfd| bfd.state.to_string()),
        "prefixes": session.prefixes,
        "flaps": status.stats().sessions_lost,
        "lastError": status.reason(),
    })
}
