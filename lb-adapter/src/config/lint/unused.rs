//! BFD profiles and communities that nothing uses.

use std::collections::BTreeSet;
use std::time::Duration;

use super::linter::Linter;

/// Checks all BFD profiles.
pub(super) fn check_bfd_profiles(linter: &mut Linter<'_>) {
    let (draft, config) = (linter.draft, linter.config);
    let used: BTreeSet<&str> =
        config.peers.iter().filter_map(|peer| peer.bfd_profile.as_deref()).collect();

    for draft in &draft.bfd_profiles {
        let profile = &draft.profile;
        if linter.is_complete && !used.contains(profile.name.as_str()) {
            linter.warn(&draft.place, "unused BFD profile: no peer refers to it");
        }
        if profile.receive_interval * u32::from(profile.detect_multiplier) < FASTEST_DETECTION {
            let message = "a router counts as dead after less than 30 ms of silence, which a busy \
                           host can cause";
            linter.warn(&draft.place, message);
        }
    }
}

/// Checks all names of communities.
pub(super) fn check_communities(linter: &mut Linter<'_>) {
    let draft = linter.draft;
    let references = draft.bgp_advertisements.iter().flat_map(|it| &it.communities);
    let used: BTreeSet<&str> = references.map(|reference| reference.name.as_str()).collect();

    for alias in &draft.aliases {
        if linter.is_complete && !used.contains(alias.name.as_str()) {
            linter.warn(&alias.place, "unused community: no advertisement refers to it");
        }
    }
}

/// With a shorter detection time, a short delay on a host counts as a failure.
const FASTEST_DETECTION: Duration = Duration::from_millis(30);
