//! The generated inputs that the benchmarks share: tables of routes, clusters, sessions in memory; and the count of allocations.

pub mod alloc;
pub mod append;
pub mod clusters;
pub mod session;
pub mod table;
pub mod tables;
