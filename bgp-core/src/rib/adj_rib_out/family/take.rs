//! The side of a family that gives routes to messages.
//!
//! Owns the order in which routes are offered. Announcements alternate between a replay and single changes, so that
//! neither has to wait for all of the other.

use std::sync::Arc;

use ipnet::IpNet;

use super::{Advertised, Family, Refresh};
use crate::rib::Unsendable;
use crate::rib::adj_rib_out::Pending;
use crate::rib::adj_rib_out::replay::{Replay, session_key};
use crate::rib::key::Key;
use crate::wire::PathAttributes;

impl<K: Key> Family<K> {
    pub(in crate::rib::adj_rib_out) fn has_unreach(&self) -> bool {
        let replay = self.replay.as_ref();
        !self.unreach.is_empty() || replay.is_some_and(|it| it.next_withdrawal().is_some())
    }

    /// The attributes of the group to announce next.
    pub(in crate::rib::adj_rib_out) fn next_reach(&self) -> Option<&Arc<PathAttributes>> {
        if self.replay_is_next() {
            return Some(self.replay.as_ref()?.peek()?.1);
        }
        self.reach.first_key_value().map(|(group, _)| &group.0)
    }

    /// Returns true if the next announcement is the replay's.
    fn replay_is_next(&self) -> bool {
        let has_reach = self.replay.as_ref().is_some_and(|replay| replay.peek().is_some());
        has_reach && (self.replay_turn || self.reach.is_empty())
    }

    /// The marker that precedes announcements.
    pub(in crate::rib::adj_rib_out) fn opening(&self) -> Option<Pending> {
        (self.refresh == Refresh::Beginning).then_some(Pending::BeginningOfRefresh(K::FAMILY))
    }

    /// The marker that follows when everything is announced.
    pub(in crate::rib::adj_rib_out) fn closing(&self, end_of_rib_held: bool) -> Option<Pending> {
        if self.next_reach().is_some() {
            None
        } else if self.end_of_rib {
            (!end_of_rib_held).then_some(Pending::EndOfRib(K::FAMILY))
        } else {
            (self.refresh == Refresh::Running).then_some(Pending::EndOfRefresh(K::FAMILY))
        }
    }

    pub(in crate::rib::adj_rib_out) fn marker_sent(&mut self, marker: &Pending) {
        match marker {
            Pending::BeginningOfRefresh(_) => self.refresh = Refresh::Running,
            Pending::EndOfRefresh(_) => self.refresh = Refresh::None,
            Pending::EndOfRib(_) => self.end_of_rib = false,
            Pending::Reach(..) | Pending::Unreach(_) => {}
        }
        self.begin_next_refresh();
    }

    pub(in crate::rib::adj_rib_out) fn reach_len(&self) -> usize {
        match &self.replay {
            Some(replay) if self.replay_is_next() => replay.rest_of_group_len(),
            _ => self.reach.first_key_value().map_or(0, |(_, keys)| keys.len()),
        }
    }

    pub(in crate::rib::adj_rib_out) fn unreach_len(&self) -> usize {
        self.unreach.len() + self.replay.as_ref().map_or(0, Replay::withdrawals_len)
    }

    pub(in crate::rib::adj_rib_out) fn take_reach(
        &mut self,
        push: impl FnMut(IpNet, u32) -> bool,
    ) -> usize {
        let taken = if self.replay_is_next() {
            self.take_reach_of_replay(push)
        } else {
            self.take_reach_of_changes(push)
        };

        // If no prefix fits, the same group has to stay next: `skip_reach` drops it, and not the other one.
        if taken > 0 {
            self.taken();
        }
        taken
    }

    /// Takes routes of the replay's current group, except those that single changes have taken over.
    fn take_reach_of_replay(&mut self, mut push: impl FnMut(IpNet, u32) -> bool) -> usize {
        let Some(replay) = &mut self.replay else { return 0 };
        let (differing, several_paths) = (&self.differing, self.several_paths);

        let mut taken = 0;
        replay.take(|key| {
            if !differing.is_empty() && differing.contains_key(&session_key(key, several_paths)) {
                return true;
            }
            let fits = push(key.prefix(), key.path_id());
            taken += usize::from(fits);
            fits
        });
        replay.note_time(self.now);
        taken
    }

    /// Takes routes of the first group of single changes.
    fn take_reach_of_changes(&mut self, mut push: impl FnMut(IpNet, u32) -> bool) -> usize {
        let Some(mut group) = self.reach.first_entry() else { return 0 };
        let attributes = Arc::clone(&group.key().0);
        let keys = group.get_mut();

        let mut taken = 0;
        while let Some(&key) = keys.first() {
            if !push(key.prefix(), key.path_id()) {
                break;
            }
            keys.pop_first();
            taken += 1;

            if self.replay.is_none() {
                self.differing.remove(&key);
                self.times.set(&self.desired, self.several_paths, key, self.now);
            } else if let Some(advertised) = self.differing.get_mut(&key) {
                let attributes = Some(Arc::clone(&attributes));
                *advertised = Advertised { attributes, owed: false, since: self.now };
            }
        }

        if keys.is_empty() {
            group.remove();
        }
        taken
    }

    pub(in crate::rib::adj_rib_out) fn skip_reach(&mut self, why: Unsendable) -> usize {
        let mut skipped = Vec::new();
        if self.replay_is_next() {
            let (differing, several_paths) = (&self.differing, self.several_paths);
            let Some(replay) = &mut self.replay else { return 0 };
            // Their advertised attributes are read before the replay passes them.
            for key in replay.rest_of_group() {
                let key = session_key(key, several_paths);
                if !differing.contains_key(&key) {
                    skipped.push((key, replay.advertised(key, several_paths).cloned()));
                }
            }
            replay.take(|_| true);
        } else if let Some((_, keys)) = self.reach.pop_first() {
            for key in keys {
                let advertised = self.differing.remove(&key);
                skipped.push((key, advertised.and_then(|it| it.attributes)));
            }
        }

        let count = skipped.len();
        for (key, attributes) in skipped {
            // An older route that the peer still has is no longer desired.
            if attributes.is_some() {
                self.unreach.insert(key);
            }
            self.differing.insert(key, Advertised { attributes, owed: false, since: self.now });
            self.withheld.insert(key, why);
        }
        self.taken();
        count
    }

    pub(in crate::rib::adj_rib_out) fn take_unreach(
        &mut self,
        mut push: impl FnMut(IpNet, u32) -> bool,
    ) -> usize {
        let mut taken = 0;
        while let Some(&key) = self.unreach.first() {
            if !push(key.prefix(), key.path_id()) {
                return taken;
            }
            self.unreach.pop_first();
            taken += 1;

            if self.replay.is_some() || self.withheld.contains(key) {
                if let Some(advertised) = self.differing.get_mut(&key) {
                    *advertised = Advertised { since: advertised.since, ..Advertised::default() };
                }
            } else {
                self.differing.remove(&key);
            }
        }

        if let Some(replay) = &mut self.replay {
            let differing = &self.differing;
            replay.take_withdrawals(|key| {
                if differing.contains_key(&key) {
                    return true;
                }
                let fits = push(key.prefix(), key.path_id());
                taken += usize::from(fits);
                fits
            });
        }
        self.taken();
        taken
    }

    /// Gives the other source of announcements its turn, and ends the replay or a refresh that is complete.
    fn taken(&mut self) {
        self.replay_turn = !self.replay_turn;
        self.settle();
        self.begin_next_refresh();
    }
}
