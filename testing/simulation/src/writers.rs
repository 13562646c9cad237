//! Never two writers: a controller writes only while the Lease names it.
//!
//! The request is checked as it arrives at the API server. It may have been on its way for some seconds, which is less than what
//! lies between the end of a leader and the next one.

use crate::plan::Who;
use crate::world::World;

/// The name of this invariant.
const INVARIANT: &str = "one writer";

/// Checks a write that arrives.
pub(crate) fn check(world: &World, who: Who, path: &str) {
    // A candidate writes the Lease itself. Events only report.
    if !matches!(who, Who::Controller(_)) || path.contains("/leases") || path.contains("/events") {
        return;
    }
    let holder = world.lease_holder();
    if holder.as_deref() != Some(who.to_string().as_str()) {
        let holder = holder.as_deref().unwrap_or("nobody");
        world.violate(INVARIANT, format!("{who} writes {path} while the Lease names {holder}"));
    }
}
