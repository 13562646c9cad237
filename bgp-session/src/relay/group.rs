//! The task of a group: it keeps the group's routes in line with the Loc-RIB.

use std::{cell::Cell, sync::Arc, time::Duration};

use bgp_core::rib::{LocRibDifferences, RelayGroup, RelayRules};
use tokio::{task::yield_now, time::sleep};

use super::{Published, Relays};
use crate::{PeerId, table::LocRibSnapshot};

/// The most changed prefixes that are handled without a pause.
const MOST_CHANGES: usize = 256;

/// The most changed prefixes after which there is no pause. Members usually take them before the group looks for the next ones.
const FEW_CHANGES: usize = 64;

/// The pause after publishing the routes, for each changed prefix. With many changes the next ones are many too, so that their
/// cost for the group and for its members, which is partly one for each time, is shared by them.
const PAUSE: Duration = Duration::from_micros(2);
/// The shortest pause after more than a few changes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Follows the table until the group has no members.
pub(super) async fn run(relays: Arc<Relays>, rules: RelayRules, published: Published) {
    let mut version = relays.table.version();
    let mut group = RelayGroup::new(rules);
    let mut known = LocRibSnapshot::default();

    loop {
        // Marked as seen first, so that a change after the look at the table wakes this again.
        version.mark_unchanged();
        let table = relays.table.snapshot();
        let changes = follow(&relays, &mut group, &known, &table).await;
        known = table;

        if changes > 0 || published.get().is_none() {
            published.set(Some(Arc::new(group.clone())));
            match pause_after(changes) {
                Some(pause) => sleep(pause).await,
                None => yield_now().await,
            }
        }
        loop {
            tokio::select! {
                // The table lives as long as this task.
                _ = version.changed() => break,
                () = published.unwatched() => if relays.dissolve(&published) {
                    return;
                },
            }
        }
    }
}

/// Brings a group from one state of the table to a later one. Returns the number of changed prefixes.
async fn follow(
    relays: &Relays,
    group: &mut RelayGroup,
    known: &LocRibSnapshot,
    table: &LocRibSnapshot,
) -> usize {
    let mut differences = table.rib.differences(&known.rib);
    let mut changes = follow_some(relays, group, &mut differences);
    if changes < MOST_CHANGES {
        return changes;
    }

    loop {
        // Others run before this task goes on.
        yield_now().await;
        let permit = relays.table.work_permit().await;
        let some = follow_some(relays, group, &mut differences);
        drop(permit);
        changes += some;
        if some < MOST_CHANGES {
            return changes;
        }
    }
}

/// Follows the next changes. Returns their number.
fn follow_some(
    relays: &Relays,
    group: &mut RelayGroup,
    differences: &mut LocRibDifferences<'_, PeerId>,
) -> usize {
    let last: Cell<Option<(PeerId, u32)>> = Cell::new(None);
    // Adjacent paths mostly come from one peer.
    let number = |peer| match last.get().filter(|(known, _)| *known == peer) {
        Some((_, number)) => number,
        None => {
            let number = relays.number(peer);
            last.set(Some((peer, number)));
            number
        }
    };

    let mut changes = 0;
    for (prefix, _, paths) in differences.take(MOST_CHANGES) {
        group.update(prefix, paths, number);
        changes += 1;
    }
    changes
}

fn pause_after(changes: usize) -> Option<Duration> {
    let pause = PAUSE.saturating_mul(u32::try_from(changes).unwrap_or(u32::MAX));
    (changes > FEW_CHANGES).then(|| pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}
