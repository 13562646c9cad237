//! The parts of FerroLB that run on a node, independent of the source of its objects.
//!
//! ```text
//! lb_adapter::engine ─► sessions ─► bgp_session          http ◄─ metrics, api ◄─ engine, sessions
//!         ▲
//!         └── files, probe
//! ```
//!
//! Owns what both `ferrolb run` and the programs in a cluster need: [`sessions`] kept in line with a plan, the [`probe`]s
//! of Services, [`metrics`], the answers of a process about itself in [`api`], its [`events`], and the [`http`] server; what an
//! operator changes at run time ([`actions`], the [`drain`], the [`log`]); manifests and state in [`files`], the signals and
//! limits of the process. It decides neither which routes there are nor which Service gets which address, and knows neither a
//! Kubernetes client nor a command line.

#![forbid(unsafe_code)]

pub mod actions;
pub mod api;
pub mod descriptors;
pub mod drain;
pub mod events;
pub mod files;
pub mod grace;
pub mod http;
pub mod log;
mod looking_glass;
pub mod metrics;
mod page;
pub mod probe;
pub mod sessions;
pub mod signals;

mod error;
mod wall_clock;

pub use error::{Error, causes};
pub use wall_clock::{WallClock, set_time_of_day, time_of_day};
