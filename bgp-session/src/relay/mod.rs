//! [`Relays`]: passes the routes of the Loc-RIB on to the peers that are configured for it.
//!
//! Peers with equal rules form a group. One task follows the table for all of them and publishes the result, in `group`. The task
//! of a peer takes the latest result when everything before it has been sent, so that a slow peer delays no other and
//! nothing waits in a queue. The core chooses the routes.

mod group;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bgp_core::rib::{RelayGroup, RelayRules, RouteSet};

use crate::{
    PeerId,
    table::Table,
    watched::{Watchable, Watched},
};

/// The groups of a speaker.
pub(crate) struct Relays {
    table: Arc<Table>,
    state: Mutex<RelaysState>,
}

#[derive(Default)]
struct RelaysState {
    /// The numbers under which groups know the peers. A number is not given again, because routes of a peer that has gone are
    /// still among those of a group for a moment.
    numbers: BTreeMap<PeerId, u32>,
    groups: Vec<(RelayRules, Published)>,
}

/// The routes of a group, once its task has been through the table.
type Published = Watchable<Option<Arc<RelayGroup>>>;

impl Relays {
    pub(crate) fn new(table: Arc<Table>) -> Self {
        Self { table, state: Mutex::default() }
    }

    /// Adds the peer with this [number](Self::number) to the group with these rules.
    pub(crate) fn join(self: &Arc<Self>, number: u32, rules: RelayRules) -> Membership {
        let mut state = self.lock();
        // The newest first: after a change of the VRPs all members move to it.
        let known = state.groups.iter().rev().find(|(known, _)| known.share_group(&rules));
        let published = match known {
            Some((_, published)) => published.watch(),
            None => {
                let published = Published::new(None);
                let routes = published.watch();
                tokio::spawn(group::run(Arc::clone(self), rules.clone(), published.clone()));
                state.groups.push((rules, published));
                routes
            }
        };
        Membership { number, published }
    }

    /// Removes a group that has no members. Returns true if it did.
    fn dissolve(&self, published: &Published) -> bool {
        let mut state = self.lock();
        let is_left = !published.is_watched();
        if is_left {
            state.groups.retain(|(_, known)| !known.is_same(published));
        }
        is_left
    }

    /// The number under which groups know a peer.
    pub(crate) fn number(&self, peer: PeerId) -> u32 {
        self.lock().number(peer)
    }

    /// The state is consistent at any time, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, RelaysState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelaysState {
    fn number(&mut self, peer: PeerId) -> u32 {
        // Groups want numbers from 1 on.
        let next = u32::try_from(self.numbers.len() + 1).unwrap_or(u32::MAX);
        *self.numbers.entry(peer).or_insert(next)
    }
}

/// A peer's place in a group. Dropping it leaves the group.
pub(crate) struct Membership {
    number: u32,
    published: Watched<Option<Arc<RelayGroup>>>,
}

impl Membership {
    /// Waits for routes that this peer has not taken. The first poll is ready at once.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.published.poll_changed(cx)
    }

    /// Takes the latest routes. From now on polls wait for the next ones. `None`: they are not known yet.
    pub(crate) fn take(&mut self) -> Option<RouteSet> {
        Some(self.published.take()?.routes_for(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_peers_begin_at_one_and_stay() {
        let mut state = RelaysState::default();
        let peers = ["192.0.2.1", "192.0.2.2"]
            .map(|it| PeerId::from(it.parse::<std::net::IpAddr>().unwrap()));
        let numbers = [peers[0], peers[1], peers[0]].map(|peer| state.number(peer));
        assert_eq!(numbers, [1, 2, 1]);
    }
}
