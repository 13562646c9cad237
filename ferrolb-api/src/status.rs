//! [`Status`]: everything about a process that fits on one screen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{PrefixCounts, Severity};

/// The answer to `/v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The time of this answer.
    pub time: Timestamp,
    /// The command that the process runs.
    pub program: Program,
    /// The version of FerroLB.
    pub version: String,
    /// The time at which the process started.
    pub started_at: Timestamp,
    /// The node that the process speaks for. A controller and a lab have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// True if this controller holds the Lease. Only controllers have one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leader: Option<bool>,
    /// The reason why the process is not ready; none if it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_ready: Option<String>,
    /// What an operator should look at, the most severe first.
    pub problems: Vec<Problem>,
    /// The configuration in force.
    pub configuration: Configuration,
    /// The peers of the nodes that this process speaks for.
    pub peers: PeerCount,
    /// The BFD sessions of these peers.
    pub bfd: BfdCount,
    /// The prefixes for all peers together.
    pub prefixes: PrefixCounts,
    /// The Services of type LoadBalancer that this process serves.
    pub services: ServiceCount,
    /// The drain of the node.
    pub drain: Drain,
    /// The watches of the API server, by resource. Empty for a process that reads files.
    pub watches: Vec<Watch>,
    /// The dataplane gate, if the process has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dataplane: Option<Dataplane>,
    /// The filter of the log, such as `info,bgp_session=debug`.
    pub log_level: String,
}

/// The commands whose processes answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Program {
    /// `ferrolb run`.
    Run,
    /// `ferrolb speaker`.
    Speaker,
    /// `ferrolb controller`.
    Controller,
    /// `ferrolb lab`.
    Lab,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}

/// A fact that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// An error keeps traffic away; a warning may do so later.
    pub severity: Severity,
    /// The thing in question, such as `peer tor1`, `service default/smtp` or `configuration`.
    pub subject: String,
    /// The problem, in words.
    pub text: String,
    /// The way to fix it, if one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

/// The configuration of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The state.
    pub state: ConfigurationState,
    /// The place that it comes from: a directory, or the namespace of a cluster.
    pub source: String,
    /// The time at which the configuration in force was loaded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loaded_at: Option<Timestamp>,
    /// The errors of the configuration that is not in force because of them. Each names the file or object, the field and the
    /// value. At most 20.
    pub errors: Vec<String>,
}

/// The states of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConfigurationState {
    /// No valid configuration has been found yet.
    Missing,
    /// The latest configuration is in force.
    Valid,
    /// The latest configuration has errors, so that an older one, or its last valid objects, are in force.
    Stale,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}

/// The number of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerCount {
    /// The peers of the configuration.
    pub expected: usize,
    /// Those whose session is Established.
    pub established: usize,
    /// Those that an operator has disabled.
    pub disabled: usize,
}

/// The number of BFD sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BfdCount {
    /// The peers that have a BFD profile.
    pub expected: usize,
    /// Those whose BFD session is Up.
    pub up: usize,
}

/// The number of Services of type LoadBalancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceCount {
    /// All that the process serves.
    pub total: usize,
    /// Those that a node of this process announces to a peer whose session is Established. Zero for a controller.
    pub announced: usize,
    /// Those that have no address yet.
    pub pending: usize,
}

/// The drain of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drain {
    /// The stage.
    pub stage: DrainStage,
    /// The time at which that stage began. None while the node serves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// What requests the drain: `operator`, `annotation`, `taint` or `signal`, or several of them, as in `operator, annotation`.
    /// The node serves again once none of them does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested_by: Option<String>,
    /// The effect of the request that this answers, in words. Only in the answers to `POST /v1/drain` and `POST /v1/undrain`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// The stages of a drain (RFC 8326).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DrainStage {
    /// No drain: the node serves.
    #[default]
    Serving,
    /// Routes have the community GRACEFUL_SHUTDOWN.
    Marked,
    /// Routes are withdrawn, and the sessions are up.
    Withdrawn,
    /// The sessions have ended.
    Drained,
    /// One that this version of the types does not know. No process sends it; a reader of a newer process gets it.
    #[serde(other)]
    Unknown,
}

/// A watch of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Watch {
    /// The plural name of the resource, such as `services`.
    pub resource: String,
    /// True once all objects have been listed.
    pub synced: bool,
    /// The number of times that the watch was started again.
    pub restarts: u64,
    /// The reason why the API server refuses the watch or cannot be reached; none while it works.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// The state of the dataplane gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dataplane {
    /// The number of Services that are held back.
    pub held: usize,
    /// The number of Services that are announced with a lower preference.
    pub depreferenced: usize,
    /// The number of Services whose routes are withdrawn.
    pub withdrawn: usize,
    /// True if kube-proxy reports that it is healthy; none if it has never answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kube_proxy_healthy: Option<bool>,
}
