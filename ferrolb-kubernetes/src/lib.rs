//! The controller and the speaker of a Kubernetes cluster: they read objects from the API server and write results to it.
//!
//! ```text
//! controller, speaker      the two programs
//! options                  their settings
//! surroundings             what they reach, and what reaches them
//! informer                 the view of the cluster that both share
//!   watch                  the watches, through outages
//!   secret_watches         those of the Secrets that are referred to
//!   object_tree            an object as it is read
//!   object_cache           the configuration objects
//!   watch_reader           the same view, from the lines of a watch
//!   config_problems        the errors of configuration objects
//! resource                 the resources of the API
//! client                   the connection to the API server
//! reachability             the log lines about its outages
//! https                    TLS for the HTTP port of a program
//! access_review            the API server decides who may read that port
//!   decision_cache         its latest decisions
//! cluster_listing          a snapshot of the objects of a cluster, for commands
//! cluster_overview         all nodes as they report, for `status --cluster`
//! speaker_pod              a speaker, asked through the API server
//!
//! status_writer            the queue of all status writes
//!   write_window           how many at a time, by the responses
//! status_object            an object in which a program reports its own status
//! configuration_state      MetalLB's ConfigurationState, one for each program
//! events                   Events
//!
//! controller_facts, speaker_facts   what both programs say about themselves
//! election, lease          the leader among controllers
//! service_status           the status that a Service should have
//! service_status_writer    the writes of that status
//! pool_status              how full pools are
//! pool_changes             the delays before removed pools take effect
//! heartbeats               the speakers that have stopped reporting
//!   reported_node          what a speaker has reported, for answers
//!
//! announcer                the sessions of a speaker, and their routes
//! pending_updates          the parts of its output that are out of date
//! dataplane                the gate that waits for kube-proxy, or the program in its place
//! dataplane_events         what the gate does, in the event log
//! drain                    the requests of a Node for a drain
//! speaker_reports          the objects and Events in which a speaker reports
//!   node_status            FerroLB's BGPNodeStatus, one for each node
//!   node_conditions        its conditions, Ready and Degraded
//!   service_bgp_status     MetalLB's ServiceBGPStatus, one for each Service and node
//!   announcement_events    the Events of announcements
//! ```
//!
//! This crate is the only one that uses the Kubernetes client. The engine of `lb_adapter` decides addresses and routes.

#![forbid(unsafe_code)]

mod access_review;
mod announcement_events;
mod announcer;
mod client;
mod cluster_listing;
mod cluster_overview;
mod config_problems;
mod configuration_state;
mod controller;
mod controller_facts;
mod dataplane;
mod dataplane_events;
mod decision_cache;
mod drain;
mod events;
mod heartbeats;
mod https;
mod informer;
mod node_conditions;
mod node_status;
mod object_cache;
mod object_tree;
mod options;
mod pending_updates;
mod pool_changes;
mod pool_status;
mod reachability;
mod reported_node;
mod resource;
mod secret_watches;
mod service_bgp_status;
mod service_status;
mod service_status_writer;
mod speaker;
mod speaker_facts;
mod speaker_pod;
mod speaker_reports;
mod status_object;
mod status_writer;
mod surroundings;
mod watch;
mod watch_reader;
mod write_window;

pub mod election;
pub mod lease;

pub use cluster_listing::list_cluster;
pub use cluster_overview::{ClusterOverview, NodeCondition, NodeReport, PendingService};
pub use controller::{controller, run_controller};
pub use dataplane::{
    CheckFuture, DataplaneNetwork, DataplaneOptions, HealthAnswer, HostNetwork, PerFamily,
    ProxyHealth, request_healthz,
};
pub use https::CertificateFiles;
pub use options::{ClusterOptions, ControllerOptions, HttpAuth, OnExit, SpeakerOptions};
pub use speaker::{run_speaker, speaker};
pub use speaker_pod::{SpeakerAnswer, SpeakerPod};
pub use surroundings::{NodeNetwork, Surroundings};
pub use watch_reader::WatchReader;
