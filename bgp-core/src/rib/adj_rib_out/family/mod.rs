//! One family of an Adj-RIB-Out.
//!
//! Owns the desired routes and their differences to the advertised ones. `take.rs` gives routes to messages, `advertised.rs`
//! computes what the peer has, `announced.rs` since when, and `listing.rs` shows all of it in pages.

mod advertised;
mod announced;
mod listing;
mod take;

pub(super) use self::listing::Listed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::rib::adj_rib_out::replay::{
    Group, Progress, Replay, SessionChange, session_changes, session_key, session_path,
};
use crate::rib::adj_rib_out::times::{Seconds, Times};
use crate::rib::adj_rib_out::withheld::Withheld;
use crate::rib::key::Key;
use crate::rib::table::{Table, same};
use crate::wire::PathAttributes;

/// The number of simultaneous changes from which they become a replay. Fewer are single changes, which overtake a replay.
const REPLAY_FROM: usize = if cfg!(test) { 3 } else { 1_024 };

/// The routes of one family that the peer should have, and those that were advertised to it. The two are the same except
/// for `replay` and `differing`.
#[derive(Debug)]
pub(super) struct Family<K: Key> {
    desired: Table<K>,
    /// The time of the current call.
    now: Seconds,
    /// The time at which each session key was announced last, unless `replay` or `differing` has another.
    times: Times<K>,
    /// True if there is a session that carries the family.
    up: bool,
    /// True if the session has every path to a prefix. Otherwise it has the first path.
    several_paths: bool,
    replay: Option<Replay<K>>,
    /// The state at the peer of keys for which it does not follow from `replay` and `desired`.
    differing: BTreeMap<K, Advertised>,
    /// Keys of `differing` to announce, by attributes, and to withdraw.
    reach: BTreeMap<Group, BTreeSet<K>>,
    unreach: BTreeSet<K>,
    /// Keys of `differing` whose desired routes cannot be sent. They are not offered again before they change.
    withheld: Withheld<K>,
    /// True if the replay is next when both it and `reach` have routes to announce.
    replay_turn: bool,
    /// True if the End-of-RIB has to be sent (RFC 4724, section 2).
    end_of_rib: bool,
    refresh: Refresh,
    /// A refresh that was requested during another one, or during the first announcement. True if it is bracketed.
    next_refresh: Option<bool>,
}

/// The progress of a bracketed route refresh (RFC 7313).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refresh {
    #[default]
    None,
    /// The BoRR has to be sent.
    Beginning,
    /// The BoRR was sent. The EoRR follows when everything is announced.
    Running,
}

/// The state of a key at the peer.
#[derive(Debug, Default)]
struct Advertised {
    /// The attributes that were announced last. `None`: the peer has no route.
    attributes: Option<Arc<PathAttributes>>,
    /// True if the route must be announced although it has not changed, because the peer asked for a refresh.
    owed: bool,
    /// The time at which the key got into its state: it was scheduled, skipped, or announced.
    since: Seconds,
}

impl<K: Key> Default for Family<K> {
    fn default() -> Self {
        Self {
            desired: Table::default(),
            now: 0,
            times: Times::default(),
            up: false,
            several_paths: false,
            replay: None,
            differing: BTreeMap::new(),
            reach: BTreeMap::new(),
            unreach: BTreeSet::new(),
            withheld: Withheld::default(),
            replay_turn: false,
            end_of_rib: false,
            refresh: Refresh::None,
            next_refresh: None,
        }
    }
}

impl<K: Key> Family<K> {
    pub(super) fn desired(&self) -> &Table<K> {
        &self.desired
    }

    /// Returns true if there are neither desired routes nor any to withdraw.
    pub(super) fn is_empty(&self) -> bool {
        self.desired.is_empty() && !self.has_unreach()
    }

    /// The desired routes that cannot be sent on the session.
    pub(super) fn withheld(&self) -> &Withheld<K> {
        &self.withheld
    }

    /// Tells the time of the calls that follow.
    pub(super) fn set_time(&mut self, now: Seconds) {
        self.now = now;
    }

    pub(super) fn session_up(&mut self, several_paths: bool) {
        self.up = true;
        self.several_paths = several_paths;
        self.end_of_rib = true;
        self.start_replay(Table::default(), false);
        self.times = Times::same(self.now);
    }

    pub(super) fn session_down(&mut self) {
        let desired = std::mem::take(&mut self.desired);
        let mut withheld = std::mem::take(&mut self.withheld);
        withheld.clear();
        *self = Self { desired, withheld, now: self.now, ..Self::default() };
    }

    pub(super) fn refresh(&mut self, bracketed: bool) {
        if !self.up {
            return;
        }
        if self.end_of_rib || self.refresh != Refresh::None || self.is_repeating() {
            // The EoRR of the running refresh would end the one that the peer has just requested.
            let before = self.next_refresh.unwrap_or_default();
            self.next_refresh = Some(before || bracketed);
            return;
        }

        if bracketed {
            self.refresh = Refresh::Beginning;
        }
        self.repeat();
    }

    pub(super) fn repeat(&mut self) {
        if self.up {
            let advertised = self.advertised_by_key();
            self.start_replay(advertised, true);
            self.times = Times::same(self.now);
        }
    }

    pub(super) fn set(&mut self, routes: &Table<K>) {
        if !self.up {
            self.desired = routes.clone();
            return;
        }
        let is_quiet = self.replay.is_none() && self.differing.is_empty();
        if !is_quiet && self.set_few(routes) {
            return;
        }

        let repeats = self.is_repeating();
        let advertised = self.advertised_by_key();
        if repeats {
            self.times = Times::same(self.now);
        } else if !is_quiet {
            self.note_times();
            self.note_times_of_returning(routes);
        }
        self.desired = routes.clone();
        self.start_replay(advertised, repeats);
    }

    /// Replaces the desired routes by single changes, which overtake a replay, if they are few. Returns true if it did.
    fn set_few(&mut self, routes: &Table<K>) -> bool {
        let changes = session_changes(&self.desired, routes, self.several_paths);
        let changes = changes.take(REPLAY_FROM).map(|SessionChange { key, old, new }| {
            (key, old.cloned(), new.map(|(attributes, _)| Arc::clone(attributes)))
        });
        let changes: Vec<_> = changes.collect();
        if changes.len() >= REPLAY_FROM {
            return false;
        }

        self.desired = routes.clone();
        for (key, before, after) in changes {
            self.reschedule(key, before, after);
        }
        self.rescheduled();
        true
    }

    /// Adds a path that the peer should have, or removes it.
    pub(super) fn change(&mut self, key: K, attributes: Option<&Arc<PathAttributes>>) {
        if same(self.desired.get(key), attributes) {
            return;
        }

        let session_key = session_key(key, self.several_paths);
        let before = session_path(&self.desired, session_key, self.several_paths).cloned();
        match attributes {
            Some(attributes) => {
                self.desired.insert(key, Arc::clone(attributes));
            }
            None => {
                self.desired.remove(key);
            }
        }
        let after = session_path(&self.desired, session_key, self.several_paths).cloned();

        if self.up && !same(before.as_ref(), after.as_ref()) {
            self.reschedule(session_key, before, after);
            self.rescheduled();
        }
    }

    /// Removes every path to the prefix of `key` from the desired routes.
    pub(super) fn withdraw(&mut self, key: K) {
        while let Some((key, _)) = self.desired.first_of(key) {
            self.change(key, None);
        }
    }

    /// Schedules the announcement or withdrawal of a key whose desired path has changed. [`rescheduled`](Self::rescheduled) follows.
    fn reschedule(
        &mut self,
        key: K,
        before: Option<Arc<PathAttributes>>,
        after: Option<Arc<PathAttributes>>,
    ) {
        let is_new = before.is_none();
        let mut advertised = match self.differing.remove(&key) {
            Some(advertised) => {
                self.unreach.remove(&key);
                if let Some(before) = before {
                    unschedule(&mut self.reach, Group(before), key);
                }
                advertised
            }
            None => self.advertised_so_far(key, before),
        };
        self.withheld.remove(key);

        let is_known = same(advertised.attributes.as_ref(), after.as_ref());
        match after {
            Some(after) if advertised.owed || !is_known => {
                self.reach.entry(Group(after)).or_default().insert(key);
                advertised.since = self.now;
            }
            None if !is_known => {
                self.unreach.insert(key);
                advertised.since = self.now;
            }
            _ if self.replay.is_none() => {
                // The time of a key that was to be withdrawn is not kept.
                if is_new {
                    self.times.set(&self.desired, self.several_paths, key, self.now);
                }
                return;
            }
            // The peer has what it should have. The entry keeps a replay from announcing anything else.
            _ if is_new => advertised.since = self.now,
            _ => {}
        }
        self.differing.insert(key, advertised);
    }

    /// Goes on after keys have been rescheduled.
    fn rescheduled(&mut self) {
        self.settle();
        self.begin_next_refresh();
    }

    /// The state of a key at the peer that was changed by nothing but a replay.
    fn advertised_so_far(&self, key: K, desired: Option<Arc<PathAttributes>>) -> Advertised {
        let Some(replay) = &self.replay else {
            return Advertised { attributes: desired, owed: false, since: self.now };
        };

        let attributes = replay.advertised(key, self.several_paths).cloned();
        let owed =
            attributes.is_some() && replay.repeats && replay.is_ahead(key, self.several_paths);
        let since = match replay.progress(key, self.several_paths) {
            Progress::Announced(time) => time,
            Progress::Unchanged | Progress::Ahead => self.now,
        };
        Advertised { attributes, owed, since }
    }

    fn is_repeating(&self) -> bool {
        let replay = self.replay.as_ref().is_some_and(|replay| replay.repeats);
        replay || self.differing.values().any(|advertised| advertised.owed)
    }

    fn start_replay(&mut self, advertised: Table<K>, repeats: bool) {
        self.reach.clear();
        self.unreach.clear();
        self.differing.clear();
        self.withheld.clear();

        let (target, now) = (self.desired.clone(), self.now);
        let replay = Replay::new(advertised, target, self.several_paths, repeats, now);
        self.replay = Some(replay).filter(|replay| !replay.is_over());
    }

    /// Skips routes that the replay need not announce any more, and ends the replay if none are left. So the next route that
    /// is offered can always be taken.
    fn settle(&mut self) {
        let Some(replay) = &mut self.replay else { return };

        let (differing, several_paths) = (&self.differing, self.several_paths);
        if !differing.is_empty() {
            replay.skip(|key| differing.contains_key(&session_key(key, several_paths)));
        }
        if !replay.is_over() {
            return;
        }

        self.note_times();
        self.replay = None;
        let (desired, withheld) = (&self.desired, &self.withheld);
        self.differing.retain(|key, advertised| {
            let desired = session_path(desired, *key, several_paths);
            advertised.owed
                || withheld.contains(*key)
                || !same(advertised.attributes.as_ref(), desired)
        });
    }

    fn begin_next_refresh(&mut self) {
        // `refresh` stores it again if it still has to wait.
        if let Some(bracketed) = self.next_refresh.take() {
            self.refresh(bracketed);
        }
    }
}

fn unschedule<K: Key>(reach: &mut BTreeMap<Group, BTreeSet<K>>, group: Group, key: K) {
    if let Some(keys) = reach.get_mut(&group) {
        keys.remove(&key);
        if keys.is_empty() {
            reach.remove(&group);
        }
    }
}
