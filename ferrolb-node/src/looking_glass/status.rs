//! `/status`.

use std::net::Ipv4Addr;

use ferrolb_api::Timestamp;
use serde::Serialize;

use super::{Meta, bird_time};

/// The answer to `/status`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    api: Meta,
    ttl: Timestamp,
    status: Process,
}

#[derive(Clone, Debug, Serialize)]
struct Process {
    version: String,
    router_id: String,
    current_server: String,
    last_reboot: String,
    last_reconfig: String,
    message: String,
}

impl Status {
    /// Returns the status of a process. The BGP Identifier is known once an OPEN was sent.
    pub(crate) fn of(status: &ferrolb_api::Status, identifier: Option<Ipv4Addr>) -> Self {
        let message = match (&status.not_ready, status.problems.first()) {
            (Some(reason), _) => reason.clone(),
            (None, Some(problem)) => format!("{}: {}", problem.subject, problem.text),
            (None, None) => "up and running".to_owned(),
        };
        let process = Process {
            version: format!("FerroLB {}", status.version),
            router_id: identifier.map_or_else(|| "unknown".to_owned(), |it| it.to_string()),
            current_server: bird_time(status.time),
            last_reboot: bird_time(status.started_at),
            last_reconfig: bird_time(status.configuration.loaded_at.unwrap_or(status.started_at)),
            message,
        };
        Self { api: Meta::of(status), ttl: status.time, status: process }
    }
}
