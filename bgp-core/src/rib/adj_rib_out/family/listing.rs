//! A family in pages: its routes with their states and times, for an operator.
//!
//! A page looks at a bounded number of routes, so that a caller with other duties can make one between them.

use std::ops::Bound;
use std::sync::Arc;

use super::Family;
use crate::rib::adj_rib_out::listing::OutRouteState;
use crate::rib::adj_rib_out::replay::{Progress, session_key, session_path};
use crate::rib::adj_rib_out::times::{Reader, Seconds};
use crate::rib::key::Key;
use crate::wire::PathAttributes;

/// A route with its state.
#[derive(Clone, Debug)]
pub(in crate::rib::adj_rib_out) struct Listed<K> {
    pub(in crate::rib::adj_rib_out) key: K,
    pub(in crate::rib::adj_rib_out) state: OutRouteState,
    pub(in crate::rib::adj_rib_out) since: Option<Seconds>,
    /// The attributes that the peer has or will get, before the export rules.
    pub(in crate::rib::adj_rib_out) attributes: Arc<PathAttributes>,
}

impl<K: Key> Family<K> {
    /// The routes from a key on, in order, and the key from which the next page begins. At most `most` routes of each kind
    /// are looked at.
    pub(in crate::rib::adj_rib_out) fn list(
        &self,
        from: Option<K>,
        most: usize,
    ) -> (Vec<Listed<K>>, Option<K>) {
        let most = most.max(1);
        let mut listed = Vec::new();
        // The first keys that were not looked at.
        let mut ends: Vec<K> = Vec::new();

        let mut desired =
            from.map_or_else(|| self.desired.iter(), |from| self.desired.starting_at(from));
        let routes: Vec<_> = desired.by_ref().take(most).collect();
        if let (Some((first, _)), Some((last, _))) = (routes.first(), routes.last()) {
            let [first, last] = [first, last].map(|key| session_key(*key, self.several_paths));
            let times = self.times.read(first, last);
            listed.extend(routes.into_iter().map(|(key, it)| self.desired_route(key, it, &times)));
        }
        ends.extend(desired.next().map(|(key, _)| key));

        let start = from.map_or(Bound::Unbounded, Bound::Included);
        let mut unreach = self.unreach.range((start, Bound::Unbounded)).copied();
        listed.extend(unreach.by_ref().take(most).filter_map(|key| self.unreach_route(key)));
        ends.extend(unreach.next());

        if let Some(replay) = &self.replay {
            let mut withdrawals = replay.withdrawals_from(from, self.several_paths);
            let alone = |key: &K| !self.differing.contains_key(key);
            let waiting = withdrawals.by_ref().take(most).filter(|(key, _)| alone(key));
            listed.extend(
                waiting.filter_map(|(key, attributes)| {
                    Some(withdrawing(key, attributes?, replay.since))
                }),
            );
            ends.extend(withdrawals.next().map(|(key, _)| key));
        }

        listed.sort_by_key(|route| route.key);
        ends.extend(listed.get(most).map(|route| route.key));
        let end = ends.into_iter().min();
        listed.retain(|route| end.is_none_or(|end| route.key < end));
        (listed, end)
    }

    fn desired_route(
        &self,
        key: K,
        attributes: &Arc<PathAttributes>,
        times: &Reader<'_, K>,
    ) -> Listed<K> {
        let (state, since) = self.state_of(key, attributes, times);
        Listed { key, state, since, attributes: Arc::clone(attributes) }
    }

    fn state_of(
        &self,
        key: K,
        attributes: &Arc<PathAttributes>,
        times: &Reader<'_, K>,
    ) -> (OutRouteState, Option<Seconds>) {
        if !self.up {
            return (OutRouteState::NoSession, None);
        }
        let first = self.desired.first_of(key).map(|(first, _)| first);
        if !self.several_paths && first != Some(key) {
            return (OutRouteState::OtherPath, None);
        }

        let session_key = session_key(key, self.several_paths);
        if let Some(single) = self.differing.get(&session_key) {
            let known = single.attributes.as_ref();
            let state = match self.withheld.get(session_key) {
                Some(why) => OutRouteState::Unsendable(why),
                None if known.is_some_and(|known| !single.owed && known == attributes) => {
                    OutRouteState::Sent
                }
                None => OutRouteState::Pending { replaces: known.is_some() },
            };
            return (state, Some(single.since));
        }

        let replay = self.replay.as_ref();
        let progress = replay.map(|replay| (replay, replay.progress(key, self.several_paths)));
        match progress {
            Some((_, Progress::Announced(time))) => (OutRouteState::Sent, Some(time)),
            Some((replay, Progress::Ahead)) => {
                let replaces = replay.advertised(key, self.several_paths).is_some();
                (OutRouteState::Pending { replaces }, Some(replay.since))
            }
            Some((_, Progress::Unchanged)) | None => {
                (OutRouteState::Sent, Some(times.get(session_key)))
            }
        }
    }

    /// A route that is scheduled to be withdrawn, unless it is among the desired ones: then it cannot be sent, and that is
    /// its state.
    fn unreach_route(&self, key: K) -> Option<Listed<K>> {
        if session_path(&self.desired, key, self.several_paths).is_some() {
            return None;
        }
        let single = self.differing.get(&key)?;
        Some(withdrawing(key, single.attributes.as_ref()?, single.since))
    }
}

fn withdrawing<K>(key: K, attributes: &Arc<PathAttributes>, since: Seconds) -> Listed<K> {
    let (state, attributes) = (OutRouteState::Withdrawing, Arc::clone(attributes));
    Listed { key, state, since: Some(since), attributes }
}
