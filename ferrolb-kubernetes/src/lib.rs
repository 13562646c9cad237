//! Kubernetes: the API as the source of objects, and as the place where results are written.
//!
//! ```text
//! client    the connection                      resource        what is watched
//! object    one, while it is read               reach           whether the API server answers
//! watch     lists and watches, through outages  mirror          what they saw, as changes for the engine
//! election  who leads: a machine without I/O    lease           the same at the API server
//! writer    writes of Services                  service_status  what a Service's status should say
//! events    Events                              pools           how full pools are
//!
//! status_object  one object that a program keeps about itself
//! node_status    ours, one a node               configuration_state  MetalLB's, one a program
//! heartbeats     which of ours nobody renews
//! service_bgp_status  MetalLB's, one a Service and node
//!
//! controller    gives addresses                 speaker         announces, from one node
//! objects       what a cluster has, asked for once
//! options       the settings of both            drain           what on the Node asks for one
//! ```
//!
//! This module owns every use of the Kubernetes client. Model, allocator and planner know nothing of it.

#![forbid(unsafe_code)]

mod announced;
mod assignment;
mod client;
mod configuration_state;
mod controller;
mod drain;
mod events;
mod heartbeats;
#[cfg(test)]
mod logged;
mod mirror;
mod node_status;
mod object;
mod objects;
mod options;
mod pool_changes;
mod pools;
mod problems;
mod reach;
mod resource;
mod service_bgp_status;
mod service_status;
mod speaker;
mod status_object;
mod watch;
mod writer;

pub mod election;
pub mod lease;

pub use objects::objects;

pub use controller::controller;
pub use options::{ClusterOptions, ControllerOptions, OnExit, SpeakerOptions};
pub use speaker::speaker;
