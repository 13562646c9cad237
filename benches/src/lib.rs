//! The shared parts of the benchmarks: streams of recorded and generated UPDATEs, the decoders and encoders to compare, and
//! the measurement. See `README.md` for how to run them, and the results.

pub mod arguments;
pub mod decoders;
pub mod encoders;
pub mod measure;
pub mod memory;
pub mod streams;
pub mod tally;

pub use bench_growth::{alloc, append, clusters, session, table, tables};
