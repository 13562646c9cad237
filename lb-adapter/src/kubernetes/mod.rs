//! Kubernetes: the API as the source of objects, and as the place where results are written.
//!
//! ```text
//! election    who leads: a machine without I/O      lease   the same at the API server
//! ```
//!
//! This module owns every use of the Kubernetes client. Model, allocator and planner know nothing of it.

pub mod election;
pub mod lease;
