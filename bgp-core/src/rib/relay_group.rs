//! [`RelayGroup`]: the routes that are relayed to peers with equal rules, chosen once for all of them.
//!
//! Owns the choice among the paths of the Loc-RIB, and the table that the peers share. A peer never gets its own routes back:
//! its part of the table is a view without them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::policy::{LearnedFrom, Policy, RouteContext};
use crate::rib::decision::rank;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::table::{Table, same};
use crate::rib::{Destination, Path, PathSource, Relay, RouteSet, family_of};
use crate::rpki::VrpTable;
use crate::wire::{Community, PathAttributes};
use crate::{AfiSafi, Asn, PeerType};

/// The bit in the path identifier of a route that only the peer gets whose own path is the best. It makes that route the second
/// path to its prefix. The other bits are the number of the peer that the path comes from.
const ALTERNATIVE: u32 = 1 << 31;

/// The rules by which routes are relayed on a session. Sessions with equal rules can share a [`RelayGroup`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayRules {
    /// The way in which routes are passed on.
    pub relay: Relay,
    /// The type of the session's peer.
    pub peer_type: PeerType,
    /// The export policy. `None`: all routes pass unchanged.
    pub policy: Option<Arc<Policy>>,
    /// Our AS, as the policy sees it.
    pub local_asn: Asn,
    /// The VRPs that the policy validates routes with.
    pub vrps: VrpTable,
    /// The networks that we share with the peer, for [`Relay::prepare`].
    pub shared_networks: Vec<IpNet>,
    /// True if the peer takes routes that are long-lived stale: it has agreed on long-lived graceful restart (RFC 9494, section
    /// 4.3).
    pub long_lived: bool,
    /// The families of which the session carries several paths to a prefix (RFC 7911).
    pub several_paths: Vec<AfiSafi>,
    /// The number of the only member, if there are such families. Its own paths are left out of them, so that the group is not
    /// for other peers.
    pub only_member: Option<u32>,
}

impl RelayRules {
    /// The rules of a session with a peer of this type that has one path to a prefix, without a policy.
    #[must_use]
    pub fn new(relay: Relay, peer_type: PeerType) -> Self {
        Self {
            relay,
            peer_type,
            policy: None,
            local_asn: Asn::ZERO,
            vrps: VrpTable::default(),
            shared_networks: Vec::new(),
            long_lived: false,
            several_paths: Vec::new(),
            only_member: None,
        }
    }

    /// Returns true if sessions with these rules and with the others can share a group: they are equal. The cost does not grow
    /// with the VRPs, since VRP tables of other origin count as different, even if their content is the same.
    #[must_use]
    pub fn share_group(&self, other: &Self) -> bool {
        self.vrps.is_same(&other.vrps) && self == other
    }

    fn have_several_paths(&self, family: AfiSafi) -> bool {
        self.several_paths.contains(&family)
    }

    /// Returns true if the peer may have a path: it is not long-lived stale, or the peer takes such routes.
    fn may_pass<K>(&self, path: &Path<K>) -> bool {
        self.long_lived || !path.attributes.communities.contains(&Community::LLGR_STALE)
    }
}

/// The routes that are relayed to all peers with equal [`RelayRules`].
///
/// [`update`](Self::update) follows the Loc-RIB, prefix by prefix. [`routes_for`](Self::routes_for) is what one of the peers should
/// have, for [`Peer::set_relayed`](crate::peer::Peer::set_relayed). All peers share one table.
#[derive(Clone, Debug)]
pub struct RelayGroup {
    rules: RelayRules,
    routes: RouteSet,
    /// The number of routes from each peer, by its number, in families with one path to a prefix.
    of_peers: BTreeMap<u32, [usize; 2]>,
    /// The attributes that were prepared last, before and after.
    prepared: Option<(Arc<PathAttributes>, Arc<PathAttributes>)>,
}

/// A route of the group: its path identifier in the table, and its attributes.
type Chosen = (u32, Arc<PathAttributes>);

impl RelayGroup {
    /// A group without routes.
    #[must_use]
    pub fn new(rules: RelayRules) -> Self {
        Self { rules, routes: RouteSet::new(), of_peers: BTreeMap::new(), prepared: None }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &RelayRules {
        &self.rules
    }

    /// The number of routes in the shared table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Returns true if the group has no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Removes all routes.
    pub fn clear(&mut self) {
        self.routes = RouteSet::new();
        self.of_peers.clear();
    }

    /// Chooses again among the paths to a prefix, which are `None` if it is gone. Every peer has a `number` of its own, from
    /// 1 to 2³¹ - 1.
    pub fn update<K: Copy + Ord>(
        &mut self,
        prefix: IpNet,
        paths: Option<&Destination<K>>,
        number: impl Fn(K) -> u32,
    ) {
        let chosen = paths.map(|paths| self.choose(prefix, paths, number)).unwrap_or_default();
        // Of families with several paths no member's routes are hidden, and path identifiers are no numbers of peers.
        let counts = !self.rules.have_several_paths(family_of(&prefix));
        if let Some(key) = Key4::new(prefix, 0) {
            replace(&mut self.routes.v4, key, chosen, |id, is_new| {
                if counts {
                    count(&mut self.of_peers, 0, id, is_new);
                }
            });
        } else if let Some(key) = Key6::new(prefix, 0) {
            replace(&mut self.routes.v6, key, chosen, |id, is_new| {
                if counts {
                    count(&mut self.of_peers, 1, id, is_new);
                }
            });
        }
    }

    /// The routes that a member of the group should have, given its number: all except those that came from itself.
    #[must_use]
    pub fn routes_for(&self, peer: u32) -> RouteSet {
        let [v4, v6] = self.of_peers.get(&peer).copied().unwrap_or_default();
        let mut routes = self.routes.clone();
        if !self.rules.have_several_paths(AfiSafi::IPV4_UNICAST) {
            routes.v4 = routes.v4.hiding(peer, !ALTERNATIVE, v4);
        }
        if !self.rules.have_several_paths(AfiSafi::IPV6_UNICAST) {
            routes.v6 = routes.v6.hiding(peer, !ALTERNATIVE, v6);
        }
        routes
    }

    fn choose<K: Copy + Ord>(
        &mut self,
        prefix: IpNet,
        paths: &Destination<K>,
        number: impl Fn(K) -> u32,
    ) -> Vec<Chosen> {
        if self.rules.have_several_paths(family_of(&prefix)) {
            return self.choose_all(prefix, paths, number);
        }
        if !self.rules.relay.is_transparent(self.rules.peer_type) {
            let best =
                paths.best().and_then(|best| Some((number(best.peer()), self.pass(prefix, best)?)));
            return best.into_iter().collect();
        }
        if self.rules.policy.is_some() {
            return self.choose_by_policy(prefix, paths, number);
        }

        // Stale paths are the last choice, so behind one there is no other.
        let passes = |path: &&Path<K>| self.rules.may_pass(path);
        let Some(best) = paths.best().filter(passes) else { return Vec::new() };
        let peer = number(best.peer());
        let mut chosen = vec![(peer, Arc::clone(&best.attributes))];
        if paths.len() > 1 {
            let other = paths.best_of(|path| number(path.peer()) != peer).filter(passes);
            chosen.extend(other.map(|it| alternative(number(it.peer()), &it.attributes)));
        }
        chosen
    }

    /// The choice for a session with several paths: all except those of the member itself.
    fn choose_all<K: Copy + Ord>(
        &mut self,
        prefix: IpNet,
        paths: &Destination<K>,
        number: impl Fn(K) -> u32,
    ) -> Vec<Chosen> {
        let mut chosen: BTreeMap<u32, Arc<PathAttributes>> = BTreeMap::new();
        for path in paths.iter() {
            let peer = number(path.peer());
            if self.rules.only_member == Some(peer) {
                continue;
            }
            if let Some(attributes) = self.pass(prefix, path) {
                let mut id = path_id(peer, path.path_id);
                while chosen.contains_key(&id) {
                    id = id.wrapping_add(1);
                }
                chosen.insert(id, attributes);
            }
        }
        chosen.into_iter().collect()
    }

    /// The choice of a route server whose policy may reject paths, and may change what the decision process compares.
    fn choose_by_policy<K: Copy + Ord>(
        &mut self,
        prefix: IpNet,
        paths: &Destination<K>,
        number: impl Fn(K) -> u32,
    ) -> Vec<Chosen> {
        let mut passing: Vec<_> = paths
            .iter()
            .filter_map(|path| Some(Path { attributes: self.pass(prefix, path)?, ..path.clone() }))
            .collect();
        rank(&mut passing);
        let Some(best) = passing.first() else { return Vec::new() };
        let peer = number(best.peer());
        let mut chosen = vec![(peer, Arc::clone(&best.attributes))];

        passing.retain(|path| number(path.peer()) != peer);
        rank(&mut passing);
        chosen.extend(passing.first().map(|it| alternative(number(it.peer()), &it.attributes)));
        chosen
    }

    /// The attributes with which a path is passed on, before the export rules of a session. `None` if it is not.
    fn pass<K: Copy>(&mut self, prefix: IpNet, path: &Path<K>) -> Option<Arc<PathAttributes>> {
        let RelayRules { relay, peer_type, policy, .. } = &self.rules;
        let PathSource { address, asn, peer_type: from, .. } = *path.source;
        let is_permitted = relay.permits(from, *peer_type, &path.attributes);
        if !is_permitted || !self.rules.may_pass(path) {
            return None;
        }

        // Without a policy the export rules prepare the attributes, so that no copy of them is kept.
        let Some(policy) = policy.clone() else { return Some(Arc::clone(&path.attributes)) };
        let attributes = self.prepare(&path.attributes);
        let context = RouteContext::own(self.rules.local_asn)
            .learned_from(LearnedFrom { address, asn, peer_type: from })
            .vrps(&self.rules.vrps);
        policy.apply(prefix, &attributes, &context)
    }

    fn prepare(&mut self, attributes: &Arc<PathAttributes>) -> Arc<PathAttributes> {
        if let Some((_, after)) = self.prepared.as_ref().filter(|it| Arc::ptr_eq(&it.0, attributes))
        {
            return Arc::clone(after);
        }

        let RelayRules { relay, peer_type, shared_networks, .. } = &self.rules;
        let mut prepared = PathAttributes::clone(attributes);
        relay.prepare(&mut prepared, *peer_type, shared_networks);
        let prepared =
            if prepared == **attributes { Arc::clone(attributes) } else { Arc::new(prepared) };
        self.prepared = Some((Arc::clone(attributes), Arc::clone(&prepared)));
        prepared
    }
}

/// The identifier that a path is sent with: the peer's number, unless the peer sends several paths to a prefix itself. Two paths
/// rarely have the same.
fn path_id(peer: u32, received: u32) -> u32 {
    const SPREAD: u32 = 0x9e37_79b1;
    if received == 0 { peer } else { peer.wrapping_mul(SPREAD).wrapping_add(received) }
}

/// The route that only the peer gets whose own path is the best.
fn alternative(peer: u32, attributes: &Arc<PathAttributes>) -> Chosen {
    (peer | ALTERNATIVE, Arc::clone(attributes))
}

/// Counts a route that is new, or else gone, by its path identifier.
fn count(of_peers: &mut BTreeMap<u32, [usize; 2]>, family: usize, id: u32, is_new: bool) {
    let counts = of_peers.entry(id & !ALTERNATIVE).or_default();
    if let Some(count) = counts.get_mut(family) {
        *count = if is_new { *count + 1 } else { count.saturating_sub(1) };
    }
    if *counts == [0; 2] {
        of_peers.remove(&(id & !ALTERNATIVE));
    }
}

/// Replaces the routes to a prefix, and passes the identifiers of those that were added or removed to `counted`. What has not
/// changed stays shared.
fn replace<K: Key>(
    table: &mut Table<K>,
    prefix: K,
    chosen: Vec<Chosen>,
    mut counted: impl FnMut(u32, bool),
) {
    let kept = |key: K| chosen.iter().any(|(id, _)| *id == key.path_id());
    let gone: Vec<K> = table.paths(prefix).map(|(key, _)| key).filter(|key| !kept(*key)).collect();
    for key in gone {
        table.remove(key);
        counted(key.path_id(), false);
    }

    for (id, attributes) in chosen {
        let key = prefix.with_path_id(id);
        let before = table.get(key);
        if same(before, Some(&attributes)) {
            continue;
        }
        let is_new = before.is_none();
        table.insert_shared(key, attributes);
        if is_new {
            counted(id, true);
        }
    }
}

#[cfg(test)]
#[path = "relay_group_tests.rs"]
mod tests;
