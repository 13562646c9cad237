//! How many descriptors this process may have.
//!
//! Sessions, watches and files need some at any time, so that whatever strangers can open has to leave them.

use rustix::process::{Resource, getrlimit, setrlimit};

/// How many there may be at a time, with a number for "as many as one likes".
pub(crate) fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Raises the limit as far as the system lets a process raise it.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of descriptors");
    }
}
