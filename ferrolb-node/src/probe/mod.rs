//! The probes that a node sends to its own endpoints, in addition to the readiness that Kubernetes reports.
//!
//! ```text
//! Engine::probe_targets ---> Prober ---> a task for each Service: attempt, thresholds ---> result ---> Change::Probed
//! ```
//!
//! Owns the tasks, the attempts, and the thresholds of successes and failures in a row. The planner decides what follows
//! from a result.

mod attempt;
mod first_attempts;
mod node_probes;
mod prober;
mod thresholds;

pub use node_probes::NodeProbes;
