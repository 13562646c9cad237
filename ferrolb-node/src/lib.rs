//! FerroLB on a node, no matter where its objects come from.
//!
//! ```text
//! lb_adapter::engine ─► sessions ─► bgp_session          http ◄─ metrics ◄─ engine, sessions
//!         ▲
//!         └── files, probe
//! ```
//!
//! Owns what both `ferrolb run` and the programs of a cluster need: [`sessions`] kept in line with a plan, [`probe`]s of
//! Services, [`metrics`] and the [`http`] server, manifests and state in [`files`], signals and limits of the process. It
//! decides neither which routes there are nor who gets an address, and knows no Kubernetes client and no command line.

#![forbid(unsafe_code)]

pub mod descriptors;
pub mod files;
pub mod grace;
pub mod http;
pub mod metrics;
pub mod probe;
pub mod sessions;
pub mod signals;

mod error;

pub use error::{Error, causes};
