//! The two libraries as an embedder gets them. [`Listing`] is the public API of one of them; the tests of this crate compare it
//! with the one in the repository, serialize values, run the examples and look into the packages.
//!
//! Owns no behaviour of the libraries: their own tests examine that.

mod listing;

pub use listing::{Listing, ListingError, RUST};
