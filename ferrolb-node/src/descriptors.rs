//! The limit of open file descriptors of this process.
//!
//! Sessions, watches and files need descriptors at any time, so the connections of HTTP clients must not use them all.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Returns the number of descriptors that may be open at a time, or the largest number if there is no limit.
pub fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Raises the limit as far as the system allows.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of file descriptors");
    }
}
