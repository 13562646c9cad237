//! FerroLB's decisions: from address pools and Services of type LoadBalancer to BGP routes, without network I/O.
//!
//! ```text
//! text ─► config, manifest ─► model ─► allocator ─► planner ─► engine ─► routes for each node and peer
//!                                          │            │
//!                                     state file        └── the reason for each route that is missing
//! ```
//!
//! A controller embeds this library. [`config`] and [`manifest`] turn text into the [`model`] and report every problem with
//! its place, [`allocator`] assigns addresses, and [`planner`] decides which node announces which routes to which peer.
//! [`engine`] joins them. [`recording`], [`explain`] and [`check`] answer questions about the result; [`migration`] turns
//! MetalLB's old format into its new one.
//!
//! This crate opens no socket, starts no thread and reads no clock. Of its files, [`manifest`] reads manifests and
//! [`state_file`] keeps the addresses across restarts. The values of BGP come from `bgp_core`; the crate does not know
//! Kubernetes' client.
//!
//! # Example
//!
//! A controller passes each object to an [`Engine`](engine::Engine) as a [`Change`](engine::Change). The engine returns the
//! [`Effects`](engine::Effects) of the change, and has a [`Plan`](planner::Plan) for each node.
//!
//! ```
//! use std::sync::Arc;
//!
//! use lb_adapter::config;
//! use lb_adapter::engine::{Change, Effects, Engine};
//! use lb_adapter::model::{Endpoint, EndpointSlice, Node, Service, ServiceKey};
//! use lb_adapter::planner::{NotAnnounced, Plan, PlannerOptions};
//!
//! let text = "
//! peers:
//! - {my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1}
//! address-pools:
//! - {name: default, protocol: bgp, addresses: [172.22.35.64/26]}
//! ";
//! let config = config::parse("config.yaml", text)?.config;
//!
//! let mut engine = Engine::new(PlannerOptions::default(), None);
//! engine.apply(Change::Config(Arc::new(config)));
//! engine.apply(Change::Node(Node::new("kube1")));
//! engine.apply(Change::Synced);
//!
//! let web = ServiceKey::new("default", "web");
//! let service = Box::new(Service::new(web.clone()));
//! let effects: Effects = engine.apply(Change::Service { service, status: None });
//! assert!(effects.written.contains(&web), "its status needs an update");
//! let assignment = engine.holding(&web).unwrap();
//! assert_eq!(assignment.addresses.to_vec()[0].to_string(), "172.22.35.64");
//!
//! // Nothing is announced for a Service without endpoints.
//! let plan: &Plan = engine.plan("kube1").unwrap();
//! let missing: Vec<NotAnnounced> = engine.not_announced(plan, &web);
//! assert_eq!(missing[0].reason.gate().as_str(), "endpoints");
//! println!("{}", missing[0].reason);
//!
//! let mut slice = EndpointSlice::new("web-1", web.clone());
//! slice.endpoints.push(Endpoint::new("10.244.0.7".parse::<std::net::IpAddr>().unwrap()));
//! engine.apply(Change::Slice(slice));
//!
//! // The node now announces a route to its only peer.
//! let plan = engine.plan("kube1").unwrap();
//! let routes = &plan.peers[0].routes;
//! assert!(routes.contains_key(&"172.22.35.64/32".parse().unwrap()));
//! # Ok::<(), config::Diagnostics>(())
//! ```

#![forbid(unsafe_code)]

pub mod allocator;
pub mod check;
pub mod config;
pub mod engine;
pub mod explain;
pub mod manifest;
pub mod migration;
pub mod model;
pub mod planner;
pub mod recording;
pub mod state_file;

mod compact;
mod one_line;
mod spelling;

pub use one_line::one_line;
