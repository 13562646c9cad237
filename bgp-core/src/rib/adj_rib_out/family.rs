//! One family of an Adj-RIB-Out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::rib::Unsendable;
use crate::rib::adj_rib_out::Pending;
use crate::rib::adj_rib_out::replay::{Group, Replay, lookup, told_key};
use crate::rib::adj_rib_out::withheld::Withheld;
use crate::rib::key::Key;
use crate::rib::table::{Table, differences, same};
use crate::wire::PathAttributes;

/// More changes at once than this are a replay; fewer are changes one by one, which go ahead of a replay.
const REPLAY_FROM: usize = if cfg!(test) { 3 } else { 1_024 };

/// What the peer should have of one family and what it has been told: that too, but for `replay` and `differing`.
#[derive(Debug)]
pub(super) struct Family<K> {
    desired: Table<K>,
    /// There is a session, and it has the family.
    up: bool,
    /// The session has every path to a prefix; otherwise the first one.
    several_paths: bool,
    replay: Option<Replay<K>>,
    /// What the peer was told of the keys whose state is another than `replay` and `desired` say.
    differing: BTreeMap<K, Told>,
    /// Keys of `differing` to announce, by attributes, and to withdraw.
    reach: BTreeMap<Group, BTreeSet<K>>,
    unreach: BTreeSet<K>,
    /// Keys of `differing` whose desired routes cannot be sent: they are not offered again before they change.
    withheld: Withheld<K>,
    /// Whether it is the turn of the replay, where both it and `reach` have something to announce.
    turn: bool,
    /// The End-of-RIB is still to be sent (RFC 4724, section 2).
    end_of_rib: bool,
    refresh: Refresh,
    /// A refresh was asked for during another, or during the first announcement; and whether it is bracketed.
    next_refresh: Option<bool>,
}

/// Where a bracketed route refresh stands (RFC 7313).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refresh {
    #[default]
    None,
    /// The BoRR is still to be sent.
    Beginning,
    /// It was; when everything is announced, the EoRR is to be.
    Running,
}

/// What the peer was told of a key.
#[derive(Debug, Default)]
struct Told {
    attributes: Option<Arc<PathAttributes>>,
    /// It is to be announced even though it is known: the peer asked to be told again.
    owed: bool,
}

impl<K> Default for Family<K> {
    fn default() -> Self {
        Self {
            desired: Table::default(),
            up: false,
            several_paths: false,
            replay: None,
            differing: BTreeMap::new(),
            reach: BTreeMap::new(),
            unreach: BTreeSet::new(),
            withheld: Withheld::default(),
            turn: false,
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

    /// The desired routes that cannot be sent on the session.
    pub(super) fn withheld(&self) -> &Withheld<K> {
        &self.withheld
    }

    pub(super) fn session_up(&mut self, several_paths: bool) {
        self.up = true;
        self.several_paths = several_paths;
        self.end_of_rib = true;
        self.start_replay(Table::default(), false);
    }

    pub(super) fn session_down(&mut self) {
        let desired = std::mem::take(&mut self.desired);
        let mut withheld = std::mem::take(&mut self.withheld);
        withheld.clear();
        *self = Self { desired, withheld, ..Self::default() };
    }

    pub(super) fn refresh(&mut self, bracketed: bool) {
        if !self.up {
            return;
        }
        if self.end_of_rib || self.refresh != Refresh::None || self.is_repeating() {
            // The EoRR of the one that runs would end what the peer does for the one that it asked for now.
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
            let told = self.told();
            self.start_replay(told, true);
        }
    }

    pub(super) fn set(&mut self, routes: &Table<K>) {
        let mut changes = Vec::new();
        differences(&self.desired, routes, |key, (_, new)| {
            changes.push((key, new.cloned()));
            changes.len() < REPLAY_FROM
        });
        if changes.len() < REPLAY_FROM {
            for (key, attributes) in changes {
                self.change(key, attributes.as_ref());
            }
            // The same routes, and shared from now on.
            self.desired = routes.clone();
        } else if self.up {
            let repeats = self.is_repeating() || self.refresh != Refresh::None;
            let told = self.told();
            self.desired = routes.clone();
            self.start_replay(told, repeats);
        } else {
            self.desired = routes.clone();
        }
    }

    /// The peer should have this path, or should not have it.
    pub(super) fn change(&mut self, key: K, attributes: Option<&Arc<PathAttributes>>) {
        if same(self.desired.get(key), attributes) {
            return;
        }
        let told_by = told_key(key, self.several_paths);
        let before = lookup(&self.desired, told_by, self.several_paths).cloned();
        match attributes {
            Some(attributes) => self.desired.insert(key, Arc::clone(attributes)),
            None => self.desired.remove(key),
        };
        let after = lookup(&self.desired, told_by, self.several_paths).cloned();
        if self.up && !same(before.as_ref(), after.as_ref()) {
            self.reschedule(told_by, before, after);
        }
    }

    fn reschedule(
        &mut self,
        key: K,
        before: Option<Arc<PathAttributes>>,
        after: Option<Arc<PathAttributes>>,
    ) {
        let told = match self.differing.remove(&key) {
            Some(told) => {
                self.unreach.remove(&key);
                if let Some(before) = before {
                    unschedule(&mut self.reach, Group(before), key);
                }
                told
            }
            None => self.follow_replay(key, before),
        };
        self.withheld.remove(key);

        match after {
            Some(after) if told.owed || !same(told.attributes.as_ref(), Some(&after)) => {
                self.reach.entry(Group(after)).or_default().insert(key);
            }
            None if told.attributes.is_some() => {
                self.unreach.insert(key);
            }
            // The peer has what it should have; a replay has to be kept from telling it anything else.
            _ if self.replay.is_none() => return,
            _ => {}
        }

        self.differing.insert(key, told);
        self.settle();
        self.begin_next_refresh();
    }

    /// What the peer was told of a key that only a replay has concerned so far, or nothing.
    fn follow_replay(&self, key: K, desired: Option<Arc<PathAttributes>>) -> Told {
        match &self.replay {
            Some(replay) => {
                let attributes = replay.told(key, self.several_paths).cloned();
                let ahead = || replay.repeats && replay.is_ahead(key, self.several_paths);
                Told { owed: attributes.is_some() && ahead(), attributes }
            }
            None => Told { attributes: desired, ..Told::default() },
        }
    }

    fn is_repeating(&self) -> bool {
        let replay = self.replay.as_ref().is_some_and(|replay| replay.repeats);
        replay || self.differing.values().any(|told| told.owed)
    }

    fn start_replay(&mut self, told: Table<K>, repeats: bool) {
        self.reach.clear();
        self.unreach.clear();
        self.differing.clear();
        self.withheld.clear();
        let replay = Replay::new(told, self.desired.clone(), self.several_paths, repeats);
        self.replay = Some(replay).filter(|replay| !replay.is_over());
    }

    /// Passes what the replay no longer has to tell, and ends it where nothing is left: what is offered next is
    /// always there to take.
    fn settle(&mut self) {
        let Some(replay) = &mut self.replay else { return };
        let (differing, several_paths) = (&self.differing, self.several_paths);
        if !differing.is_empty() {
            replay.pass(|key| differing.contains_key(&told_key(key, several_paths)));
        }
        if replay.is_over() {
            self.replay = None;
            let (desired, withheld) = (&self.desired, &self.withheld);
            self.differing.retain(|key, told| {
                let desired = lookup(desired, *key, several_paths);
                told.owed || withheld.contains(*key) || !same(told.attributes.as_ref(), desired)
            });
        }
    }

    pub(super) fn has_unreach(&self) -> bool {
        !self.unreach.is_empty() || self.replay.as_ref().is_some_and(|it| it.peek_gone().is_some())
    }

    /// The attributes of the group to announce next.
    pub(super) fn next_reach(&self) -> Option<&Arc<PathAttributes>> {
        let of_replay = || Some(self.replay.as_ref()?.peek()?.1);
        let of_changes = || self.reach.first_key_value().map(|(group, _)| &group.0);
        if self.turn { of_replay().or_else(of_changes) } else { of_changes().or_else(of_replay) }
    }

    fn replay_is_next(&self) -> bool {
        let ahead = self.replay.as_ref().is_some_and(|replay| replay.peek().is_some());
        ahead && (self.turn || self.reach.is_empty())
    }

    /// What stands before announcements.
    pub(super) fn opening(&self) -> Option<Pending> {
        (self.refresh == Refresh::Beginning).then_some(Pending::BeginningOfRefresh(K::FAMILY))
    }

    /// What follows when everything is announced.
    pub(super) fn closing(&self, end_of_rib_held: bool) -> Option<Pending> {
        if self.next_reach().is_some() {
            None
        } else if self.end_of_rib {
            (!end_of_rib_held).then_some(Pending::EndOfRib(K::FAMILY))
        } else {
            (self.refresh == Refresh::Running).then_some(Pending::EndOfRefresh(K::FAMILY))
        }
    }

    pub(super) fn marker_sent(&mut self, marker: &Pending) {
        match marker {
            Pending::BeginningOfRefresh(_) => self.refresh = Refresh::Running,
            Pending::EndOfRefresh(_) => self.refresh = Refresh::None,
            Pending::EndOfRib(_) => self.end_of_rib = false,
            Pending::Reach(..) | Pending::Unreach(_) => {}
        }
        self.begin_next_refresh();
    }

    fn begin_next_refresh(&mut self) {
        // Where it has to wait still, it is put back.
        if let Some(bracketed) = self.next_refresh.take() {
            self.refresh(bracketed);
        }
    }

    pub(super) fn reach_len(&self) -> usize {
        match &self.replay {
            Some(replay) if self.replay_is_next() => replay.rest_of_group_len(),
            _ => self.reach.first_key_value().map_or(0, |(_, keys)| keys.len()),
        }
    }

    pub(super) fn unreach_len(&self) -> usize {
        self.unreach.len() + self.replay.as_ref().map_or(0, Replay::gone_len)
    }

    pub(super) fn take_reach(&mut self, mut push: impl FnMut(IpNet, u32) -> bool) -> usize {
        let mut taken = 0;
        if self.replay_is_next() {
            self.take_replay(|key| {
                let fits = push(key.prefix(), key.path_id());
                taken += usize::from(fits);
                fits
            });
        } else if let Some(mut group) = self.reach.first_entry() {
            let attributes = Arc::clone(&group.key().0);
            let keys = group.get_mut();
            while let Some(&key) = keys.first() {
                if !push(key.prefix(), key.path_id()) {
                    break;
                }
                keys.pop_first();
                taken += 1;
                if self.replay.is_none() {
                    self.differing.remove(&key);
                } else if let Some(told) = self.differing.get_mut(&key) {
                    *told = Told { attributes: Some(Arc::clone(&attributes)), ..Told::default() };
                }
            }
            if keys.is_empty() {
                group.remove();
            }
        }
        // Where nothing fits, the same is offered still: `skip_reach` is to drop that, and not what has the next turn.
        if taken > 0 {
            self.taken();
        }
        taken
    }

    /// Takes of the group of the replay what nothing else has become of meanwhile.
    fn take_replay(&mut self, mut push: impl FnMut(K) -> bool) {
        let Some(replay) = &mut self.replay else { return };
        let (differing, several_paths) = (&self.differing, self.several_paths);
        replay.take(|key| {
            let detached =
                !differing.is_empty() && differing.contains_key(&told_key(key, several_paths));
            detached || push(key)
        });
    }

    pub(super) fn skip_reach(&mut self, why: Unsendable) -> usize {
        let mut skipped = Vec::new();
        if self.replay_is_next() {
            let (differing, several_paths) = (&self.differing, self.several_paths);
            let Some(replay) = &mut self.replay else { return 0 };
            let keys = replay.rest_of_group().map(|key| told_key(key, several_paths));
            let keys = keys.filter(|key| !differing.contains_key(key));
            // Looked up before they count as told.
            skipped.extend(keys.map(|key| (key, replay.told(key, several_paths).cloned())));
            replay.take(|_| true);
        } else if let Some((_, keys)) = self.reach.pop_first() {
            for key in keys {
                let told = self.differing.remove(&key).and_then(|told| told.attributes);
                skipped.push((key, told));
            }
        }

        let count = skipped.len();
        for (key, attributes) in skipped {
            // What the peer was told before must go: it is no longer what it should have.
            if attributes.is_some() {
                self.unreach.insert(key);
            }
            self.differing.insert(key, Told { attributes, owed: false });
            self.withheld.insert(key, why);
        }
        self.taken();
        count
    }

    pub(super) fn take_unreach(&mut self, mut push: impl FnMut(IpNet, u32) -> bool) -> usize {
        let mut taken = 0;
        while let Some(&key) = self.unreach.first() {
            if !push(key.prefix(), key.path_id()) {
                return taken;
            }
            self.unreach.pop_first();
            taken += 1;
            let keep = self.replay.is_some();
            if let Some(told) = self.differing.get_mut(&key) {
                (told.attributes, told.owed) = (None, false);
                if !self.withheld.contains(key) && !keep {
                    self.differing.remove(&key);
                }
            }
        }

        if let Some(replay) = &mut self.replay {
            let differing = &self.differing;
            replay.take_gone(|key| {
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

    /// Something was taken: whose turn it is next, and whether something is over.
    fn taken(&mut self) {
        self.turn = !self.turn;
        self.settle();
        self.begin_next_refresh();
    }

    /// What the peer has been told, without the paths that it has not since it gets one a prefix.
    pub(super) fn advertised(&self) -> Table<K> {
        let told = self.told();
        if self.several_paths {
            return told;
        }
        let mut before = None;
        told.filter_map(|key, attributes| {
            let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
            first.then(|| Arc::clone(attributes))
        })
    }

    /// What the peer has been told, as a table to look up in.
    fn told(&self) -> Table<K> {
        if !self.up {
            return Table::default();
        }
        if self.replay.is_none() && self.differing.is_empty() {
            return self.desired.clone();
        }
        let mut told = Table::default();
        let several_paths = self.several_paths;
        let mut add = |key: K, attributes: Option<&Arc<PathAttributes>>| {
            if let Some(attributes) = attributes {
                told.insert(key, Arc::clone(attributes));
            }
        };
        let walked: Vec<&Table<K>> = match &self.replay {
            Some(replay) => replay.tables().to_vec(),
            None => vec![&self.desired],
        };
        for table in walked {
            let mut before = None;
            for (key, attributes) in table.iter() {
                let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
                let told_by = told_key(key, several_paths);
                if (several_paths || first) && !self.differing.contains_key(&told_by) {
                    match &self.replay {
                        Some(replay) => add(told_by, replay.told(told_by, several_paths)),
                        None => add(told_by, Some(attributes)),
                    }
                }
            }
        }
        for (key, state) in &self.differing {
            add(*key, state.attributes.as_ref());
        }
        told
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
