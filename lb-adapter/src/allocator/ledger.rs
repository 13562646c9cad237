//! The pools, and the Services that hold their addresses.
//!
//! Owns the indexes by address. A pool is never enumerated: the next free address of a range is found by one look-up
//! in the set of taken addresses, so an IPv6 /64 costs no more than a /28.

use std::collections::{BTreeMap, btree_map};
use std::net::IpAddr;
use std::sync::Arc;

use crate::compact;
use crate::model::{
    AddressRange, IpFamily, Namespace, Pool, Service, ServiceAllocation, ServiceKey,
};

use super::interval_set::IntervalSet;
use super::refusal::Refusal;
use super::request::PinnedPools;
use super::sharing::{Holders, SharingKey, SharingTerms};
use super::sharing_group::SharingGroup;

/// The pools that do not admit all Services. A Service is not compared with those of other namespaces.
#[derive(Clone, Debug, Default)]
struct RestrictedPools {
    /// The pools that only name namespaces, for each namespace.
    by_namespace: BTreeMap<String, Vec<usize>>,
    /// The pools with selectors of namespaces, and those that admit all namespaces.
    others: Vec<usize>,
}

impl RestrictedPools {
    fn insert(&mut self, allocation: &ServiceAllocation, index: usize) {
        if allocation.namespaces.is_empty() || !allocation.namespace_selectors.is_empty() {
            self.others.push(index);
            return;
        }
        for namespace in &allocation.namespaces {
            self.by_namespace.entry(namespace.clone()).or_default().push(index);
        }
    }

    /// Returns the pools that may admit Services of a namespace.
    fn of_namespace(&self, name: &str) -> impl Iterator<Item = usize> {
        let named = self.by_namespace.get(name).into_iter().flatten();
        named.chain(&self.others).copied()
    }
}

/// The pools and the held addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// True if the ledger only checks addresses and never looks for a free one.
    checks_only: bool,
    /// The pools by name, which is the order in which they are tried if nothing else decides.
    pub(super) pools: Vec<Pool>,
    /// The names of the pools, shared by all assignments.
    pub(super) names: Vec<Arc<str>>,
    /// The indexes of the pools that admit all Services.
    pub(super) open: Vec<usize>,
    /// The indexes of the other pools.
    restricted: RestrictedPools,
    /// By first address, each range and the index of its pool. Ranges do not overlap.
    ranges: BTreeMap<IpAddr, (AddressRange, usize)>,
    /// The addresses that are not free: the held ones, and those that were skipped because their pool avoids them.
    pub(super) taken: IntervalSet,
    /// The holders of each held address.
    pub(super) holders: BTreeMap<IpAddr, Holders>,
    /// The held addresses that a Service with a sharing key may be able to join, by key.
    pub(super) shared: BTreeMap<Arc<SharingKey>, SharingGroup>,
}

impl Ledger {
    /// Makes a ledger of these pools without holders.
    pub(super) fn new(pools: &[Pool], checks_only: bool) -> Self {
        let mut pools = pools.to_vec();
        pools.sort_by(|a, b| a.name.cmp(&b.name));

        let mut ledger = Self { checks_only, ..Self::default() };
        for (index, pool) in pools.iter().enumerate() {
            ledger.names.push(pool.name.as_str().into());
            match &pool.allocation {
                None => ledger.open.push(index),
                Some(allocation) => ledger.restricted.insert(allocation, index),
            }
            for range in &pool.ranges {
                ledger.ranges.insert(range.first(), (*range, index));
            }
        }
        ledger.pools = pools;
        ledger
    }

    /// Returns the restricted pools that admit a Service, in the order in which they are tried.
    pub(super) fn pinned(&self, service: &Service, namespace: Option<&Namespace>) -> PinnedPools {
        let mut ranked = Vec::new();
        for index in self.restricted.of_namespace(&service.key.namespace) {
            let allocation = self.pools.get(index).and_then(|pool| pool.allocation.as_ref());
            let Some(allocation) = allocation else { continue };
            if allocation.admits(service, namespace) {
                // 0 means no priority, and comes last.
                ranked.push((allocation.priority == 0, allocation.priority, index));
            }
        }

        ranked.sort_unstable();
        PinnedPools(ranked.into_iter().map(|(_, _, index)| index).collect())
    }

    /// Returns true if a pool selects namespaces by their labels.
    pub(super) fn uses_namespaces(&self) -> bool {
        let mut allocations = self.pools.iter().filter_map(|pool| pool.allocation.as_ref());
        allocations.any(|allocation| !allocation.namespace_selectors.is_empty())
    }

    /// Returns true if there is a pool with this name.
    pub(super) fn has_pool(&self, name: &str) -> bool {
        self.index_of(name).is_some()
    }

    /// The index of the pool with this name.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|other| (**other).cmp(name)).ok()
    }

    /// Returns true if there are no pools.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns true if a pool has addresses of a family, free or taken.
    pub(super) fn has_family(&self, pool: &str, family: IpFamily) -> bool {
        let pool = self.index_of(pool).and_then(|index| self.pools.get(index));
        pool.is_some_and(|pool| pool.ranges.iter().any(|range| range.family() == family))
    }

    /// Packs the map of the holders.
    pub(super) fn pack(&mut self) {
        compact::pack(&mut self.holders);
    }

    /// Records that a Service holds an address, which [`Ledger::check`] must have allowed.
    pub(super) fn hold(&mut self, key: &ServiceKey, address: IpAddr, terms: &Arc<SharingTerms>) {
        match self.holders.entry(address) {
            btree_map::Entry::Vacant(entry) => {
                entry.insert(Holders::one(key, terms));
            }
            btree_map::Entry::Occupied(mut entry) => entry.get_mut().add(key, terms),
        }
        if self.checks_only {
            return;
        }

        self.taken.insert(address);
        if let Some(sharing) = &terms.sharing {
            self.shared.entry(Arc::clone(sharing)).or_default().insert(address);
        }
    }

    /// Records that a Service no longer holds an address. The address is free once no Service holds it.
    pub(super) fn release(&mut self, key: &ServiceKey, address: IpAddr) {
        let Some(holders) = self.holders.get_mut(&address) else { return };
        let Some(terms) = holders.terms_of(key).cloned() else { return };
        let is_free = !holders.remove(key);

        if let Some(sharing) = &terms.sharing
            && let Some(group) = self.shared.get_mut(sharing)
        {
            for port in &terms.ports {
                group.free_port(address, *port);
            }
            if is_free {
                group.remove(address);
            }
            if group.is_empty() {
                self.shared.remove(sharing);
            }
        }

        if is_free {
            self.holders.remove(&address);
            self.taken.remove(address);
        }
    }

    /// Checks that an address may be assigned to a Service, and returns the name of its pool.
    ///
    /// # Errors
    ///
    /// The reason why it may not.
    pub(super) fn check(
        &self,
        address: IpAddr,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<&Arc<str>, Refusal> {
        let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        let pool = self.check_admitted(index, pinned)?;
        if pool.avoids(address) {
            return Err(Refusal::Avoided { address, pool: pool.name.clone() });
        }

        self.check_holders(address, terms)?;
        Ok(&self.names[index])
    }

    /// Checks that a Service may hold an address that the controller assigned: a pool must have the address, and the
    /// other holders must be able to share it. Returns the name of the pool.
    ///
    /// # Errors
    ///
    /// The reason why it may not.
    pub(super) fn check_held(
        &self,
        address: IpAddr,
        terms: &SharingTerms,
    ) -> Result<&Arc<str>, Refusal> {
        let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        self.check_holders(address, terms)?;
        Ok(&self.names[index])
    }

    /// Checks that the holders of an address can share it with a Service on these terms.
    ///
    /// # Errors
    ///
    /// The holder that cannot share it, and the reason.
    pub(super) fn check_holders(
        &self,
        address: IpAddr,
        terms: &SharingTerms,
    ) -> Result<(), Refusal> {
        let Some(holders) = self.holders.get(&address) else { return Ok(()) };
        holders.accept(terms).map_err(|conflict| Refusal::InUse { address, conflict })
    }

    /// Checks that a pool, by index, admits the Service with these pinned pools.
    pub(super) fn check_admitted(
        &self,
        index: usize,
        pinned: &PinnedPools,
    ) -> Result<&Pool, Refusal> {
        let pool = &self.pools[index];
        if pool.allocation.is_none() || pinned.0.contains(&index) {
            Ok(pool)
        } else {
            Err(Refusal::NotAdmitted { pool: pool.name.clone() })
        }
    }

    /// The index of the pool that contains an address.
    pub(super) fn pool_of(&self, address: IpAddr) -> Option<usize> {
        let (_, (range, index)) = self.ranges.range(..=address).next_back()?;
        range.contains(address).then_some(*index)
    }
}
