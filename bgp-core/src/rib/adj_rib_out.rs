//! Adj-RIB-Out: what one peer should have, what it has been told, and hence what to tell it next
//! (RFC 4271, section 3.2).
//!
//! Nothing here is a queue of messages. A change only moves a prefix into the set of those still to be
//! announced, grouped by attributes, or to be withdrawn; a second change to the same prefix moves it again.
//! Memory is bounded by the number of routes, however often they change, and a flap that the peer never saw
//! costs nothing.

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::rib::{RouteSet, family_of};
use crate::wire::PathAttributes;

/// The Adj-RIB-Out of one peer.
#[derive(Debug, Default)]
pub struct AdjRibOut {
    routes: BTreeMap<IpNet, Slot>,
    /// Prefixes to announce, by family and attributes: a group becomes one UPDATE, or as many as it needs.
    reach: BTreeMap<Group, BTreeSet<IpNet>>,
    unreach: BTreeSet<IpNet>,
    /// Families whose End-of-RIB is still to be sent (RFC 4724, section 2).
    end_of_rib: BTreeSet<AfiSafi>,
    /// Families of which the peer has still to be told again what it was told before: until then what it was
    /// told says nothing about what it wants to hear.
    refreshing: BTreeSet<AfiSafi>,
    /// The families of the session; empty while there is none.
    families: Vec<AfiSafi>,
}

/// What a prefix should have, and what the peer was told of it.
#[derive(Debug, Default)]
struct Slot {
    desired: Option<Arc<PathAttributes>>,
    advertised: Option<Arc<PathAttributes>>,
}

/// Routes that can share an UPDATE.
#[derive(Clone, Debug)]
struct Group {
    family: AfiSafi,
    attributes: Arc<PathAttributes>,
}

/// What to send next; withdrawals first, since they say that traffic is being lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an UPDATE announces, withdraws, or ends the RIB")]
pub enum Pending {
    /// Withdraw prefixes of this family: take them by [`AdjRibOut::take_unreach`].
    Unreach(AfiSafi),
    /// Announce prefixes of this family with these attributes: take them by [`AdjRibOut::take_reach`].
    Reach(AfiSafi, Arc<PathAttributes>),
    /// Everything of this family has been announced: send an End-of-RIB and confirm it by
    /// [`AdjRibOut::end_of_rib_sent`].
    EndOfRib(AfiSafi),
}

impl AdjRibOut {
    /// Empty, without a session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A session begins: everything desired is to be announced, then an End-of-RIB for each family.
    pub fn session_up(&mut self, families: &[AfiSafi]) {
        self.session_down();
        self.families = families.to_vec();
        self.end_of_rib = families.iter().copied().collect();
        for &family in families {
            self.refresh(family);
        }
    }

    /// The session is over: the peer has forgotten all it was told.
    pub fn session_down(&mut self) {
        self.families.clear();
        self.reach.clear();
        self.unreach.clear();
        self.end_of_rib.clear();
        self.refreshing.clear();
        self.routes.retain(|_, slot| {
            slot.advertised = None;
            slot.desired.is_some()
        });
    }

    /// Announces everything of `family` again: the peer asked for a route refresh (RFC 2918).
    pub fn refresh(&mut self, family: AfiSafi) {
        if !self.families.contains(&family) {
            return;
        }
        self.refreshing.insert(family);
        for (prefix, slot) in &self.routes {
            if let Some(attributes) = slot.desired.as_ref().filter(|_| family_of(prefix) == family)
            {
                let group = Group { family, attributes: Arc::clone(attributes) };
                self.reach.entry(group).or_default().insert(*prefix);
            }
        }
    }

    /// Makes `routes` the whole of what the peer should have.
    pub fn set(&mut self, routes: &RouteSet) {
        let gone: Vec<_> = self
            .routes
            .iter()
            .filter(|(prefix, slot)| slot.desired.is_some() && routes.get(prefix).is_none())
            .map(|(prefix, _)| *prefix)
            .collect();
        for prefix in gone {
            self.withdraw(prefix);
        }
        for (prefix, attributes) in routes {
            self.announce(*prefix, attributes);
        }
    }

    /// The peer should have this route.
    pub fn announce(&mut self, prefix: IpNet, attributes: &Arc<PathAttributes>) {
        let prefix = prefix.trunc();
        let slot = self.routes.entry(prefix).or_default();
        if let Some(before) = &slot.desired {
            if before == attributes {
                return;
            }
            let before = Group { family: family_of(&prefix), attributes: Arc::clone(before) };
            unschedule(&mut self.reach, &before, &prefix);
        }
        slot.desired = Some(Arc::clone(attributes));
        self.unreach.remove(&prefix);
        let family = family_of(&prefix);
        let known = slot.advertised.as_ref() == Some(attributes);
        if self.families.contains(&family) && (!known || self.refreshing.contains(&family)) {
            let group = Group { family, attributes: Arc::clone(attributes) };
            self.reach.entry(group).or_default().insert(prefix);
        }
    }

    /// The peer should not have a route to `prefix`.
    pub fn withdraw(&mut self, prefix: IpNet) {
        let prefix = prefix.trunc();
        let Entry::Occupied(mut entry) = self.routes.entry(prefix) else { return };
        let Some(attributes) = entry.get_mut().desired.take() else { return };
        let group = Group { family: family_of(&prefix), attributes };
        unschedule(&mut self.reach, &group, &prefix);
        if entry.get().advertised.is_some() {
            self.unreach.insert(prefix);
        } else {
            entry.remove();
        }
    }

    /// What to send next. While `hold_reach`, no announcement is offered, nor an End-of-RIB before one: the
    /// MinRouteAdvertisementIntervalTimer runs.
    #[must_use]
    pub fn pending(&self, hold_reach: bool) -> Option<Pending> {
        if let Some(prefix) = self.unreach.first() {
            return Some(Pending::Unreach(family_of(prefix)));
        }
        match self.reach.first_key_value() {
            Some(_) if hold_reach => None,
            Some((group, _)) => Some(Pending::Reach(group.family, Arc::clone(&group.attributes))),
            None => self.end_of_rib.first().copied().map(Pending::EndOfRib),
        }
    }

    /// Whether an announcement is still to be made.
    #[must_use]
    pub fn has_reach(&self) -> bool {
        !self.reach.is_empty()
    }

    /// Gives prefixes to announce to `push`, until it answers that no more fit; those taken count as
    /// advertised. Returns how many.
    pub fn take_reach(
        &mut self,
        family: AfiSafi,
        attributes: &Arc<PathAttributes>,
        mut push: impl FnMut(IpNet) -> bool,
    ) -> usize {
        let group = Group { family, attributes: Arc::clone(attributes) };
        let Some(prefixes) = self.reach.get_mut(&group) else { return 0 };
        let mut taken = 0;
        while let Some(&prefix) = prefixes.first() {
            if !push(prefix) {
                return taken;
            }
            prefixes.pop_first();
            taken += 1;
            if let Some(slot) = self.routes.get_mut(&prefix) {
                slot.advertised = Some(Arc::clone(attributes));
            }
        }
        self.reach.remove(&group);
        self.note_refreshed();
        taken
    }

    /// Drops a whole group that cannot be sent on this session; the routes count as told, so that they are
    /// not offered again before they change. Returns the prefixes.
    pub fn skip_reach(&mut self, family: AfiSafi, attributes: &Arc<PathAttributes>) -> Vec<IpNet> {
        let group = Group { family, attributes: Arc::clone(attributes) };
        let skipped = self.reach.remove(&group).unwrap_or_default();
        self.note_refreshed();
        for prefix in &skipped {
            // What the peer was told before must go: it is no longer what it should have.
            if self.routes.get(prefix).is_some_and(|slot| slot.advertised.is_some()) {
                self.unreach.insert(*prefix);
            }
        }
        skipped.into_iter().collect()
    }

    /// Gives prefixes to withdraw to `push`, until it answers that no more fit. Returns how many.
    pub fn take_unreach(&mut self, family: AfiSafi, mut push: impl FnMut(IpNet) -> bool) -> usize {
        let mut taken = 0;
        while let Some(&prefix) = self.unreach.first() {
            if family_of(&prefix) != family || !push(prefix) {
                break;
            }
            self.unreach.pop_first();
            taken += 1;
            if let Entry::Occupied(mut entry) = self.routes.entry(prefix) {
                entry.get_mut().advertised = None;
                if entry.get().desired.is_none() {
                    entry.remove();
                }
            }
        }
        taken
    }

    fn note_refreshed(&mut self) {
        if self.reach.is_empty() {
            self.refreshing.clear();
        }
    }

    /// The End-of-RIB of `family` was sent.
    pub fn end_of_rib_sent(&mut self, family: AfiSafi) {
        self.end_of_rib.remove(&family);
    }

    /// The routes that the peer has been told of, with the attributes as they were originated.
    pub fn advertised(&self) -> impl Iterator<Item = (&IpNet, &Arc<PathAttributes>)> {
        self.routes.iter().filter_map(|(prefix, slot)| Some((prefix, slot.advertised.as_ref()?)))
    }

    /// The routes that the peer should have.
    pub fn desired(&self) -> impl Iterator<Item = (&IpNet, &Arc<PathAttributes>)> {
        self.routes.iter().filter_map(|(prefix, slot)| Some((prefix, slot.desired.as_ref()?)))
    }
}

fn unschedule(reach: &mut BTreeMap<Group, BTreeSet<IpNet>>, group: &Group, prefix: &IpNet) {
    if let Some(prefixes) = reach.get_mut(group) {
        prefixes.remove(prefix);
        if prefixes.is_empty() {
            reach.remove(group);
        }
    }
}

impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        self.family.cmp(&other.family).then_with(|| {
            // Routes of one origin mostly share their attributes outright: then nothing is compared.
            if Arc::ptr_eq(&self.attributes, &other.attributes) {
                Ordering::Equal
            } else {
                self.attributes.cmp(&other.attributes)
            }
        })
    }
}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Group {}
