//! What the benchmarks share: streams of real and generated UPDATEs, the decoders and encoders that are compared, and
//! the measuring. `README.md` says how to run them and what came out.

pub mod alloc;
pub mod append;
pub mod arguments;
pub mod clusters;
pub mod decoders;
pub mod encoders;
pub mod held;
pub mod measure;
pub mod seen;
pub mod streams;
pub mod table;
