//! Kubernetes: the API server as the source of objects, and as the place where results are written.
//!
//! ```text
//! controller, speaker      the two programs
//! options                  their settings
//! informer                 the view of the cluster that both share
//!   watch                  the watches, through outages
//!   object_tree            an object as it is read
//!   object_cache           the configuration objects
//!   config_problems        the errors of configuration objects
//! resource                 the resources of the API
//! client                   the connection to the API server
//! reachability             its outages, as the log reports them
//! cluster_listing          a listing of a cluster, for commands
//!
//! status_writer            the one way to write a status
//! status_object            one object that a program keeps about itself
//! configuration_state      MetalLB's ConfigurationState, one for each program
//! events                   Events
//!
//! election, lease          the leader among controllers
//! service_status           the status that a Service should have
//! service_status_writer    the writes of that status
//! pool_status              how full pools are
//! pool_changes             the pools that go away
//! heartbeats               the speakers that no longer report
//!
//! announcer                the sessions of a speaker, and their routes
//! pending_updates          the updates that a speaker still has to make
//! drain                    the drain of a node
//! speaker_reports          the objects in which a speaker reports
//!   node_status            our BGPNodeStatus, one for each node
//!   service_bgp_status     MetalLB's ServiceBGPStatus, one for each Service and node
//!   announcement_events    the Events of announcements
//! ```
//!
//! This crate owns every use of the Kubernetes client.

#![forbid(unsafe_code)]

mod announcement_events;
mod announcer;
mod client;
mod cluster_listing;
mod config_problems;
mod configuration_state;
mod controller;
mod drain;
mod events;
mod heartbeats;
mod informer;
mod node_status;
mod object_cache;
mod object_tree;
mod options;
mod pending_updates;
mod pool_changes;
mod pool_status;
mod reachability;
mod resource;
mod service_bgp_status;
mod service_status;
mod service_status_writer;
mod speaker;
mod speaker_reports;
mod status_object;
mod status_writer;
#[cfg(test)]
mod test_log;
mod watch;

pub mod election;
pub mod lease;

pub use cluster_listing::list_cluster;
pub use controller::controller;
pub use options::{ClusterOptions, ControllerOptions, OnExit, SpeakerOptions};
pub use speaker::speaker;
