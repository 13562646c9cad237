//! The shared parts of the benchmarks: streams of recorded and generated UPDATEs, the decoders and encoders to compare, and
//! the measurement. See `README.md` for how to run them, and the results.

pub mod alloc;
pub mod append;
pub mod arguments;
pub mod clusters;
pub mod decoders;
pub mod encoders;
pub mod measure;
pub mod memory;
pub mod session;
pub mod streams;
pub mod table;
pub mod tables;
pub mod tally;
