//! The limit of open descriptors of this process.
//!
//! Sessions, watches and files need some at any time: connections that strangers open must leave them some.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Returns how many descriptors may be open at a time; the largest number if there is no limit.
pub fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Raises the limit as far as the system allows.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of descriptors");
    }
}
