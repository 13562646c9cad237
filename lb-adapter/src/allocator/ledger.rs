//! Which addresses there are, who holds them, and the first one that suits a Service.
//!
//! Owns the indexes by address. A pool is never enumerated: the first free address of a range is a
//! look-up among the runs of taken ones, so an IPv6 /64 costs what a /28 costs.

use std::collections::{BTreeMap, btree_map};
use std::net::IpAddr;
use std::sync::Arc;

use crate::compact;
use crate::model::{AddressRange, IpFamily, Namespace, Pool, Service, ServiceKey};
use crate::spelling::nearest;

use super::interval_set::IntervalSet;
use super::outcome::Assignment;
use super::refusal::{AddressFamilies, Refusal};
use super::request::{AddressRequest, FamilyRequirement, PinnedPools};
use super::sharing::{Holders, SharingConflict, SharingKey, SharingTerms};
use super::sharing_group::SharingGroup;

/// Pools and what is held of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Whether it is for [`Ledger::check`] only: nobody looks for an address that could be given.
    checks_only: bool,
    /// By name, which is the order they are tried in where nothing else decides.
    pools: Vec<Pool>,
    /// Their names, as all have them who hold an address.
    pub(super) names: Vec<Arc<str>>,
    /// Those that are for all Services, by index.
    open: Vec<usize>,
    /// First address of each range of each pool, to the range and the pool's index. Ranges do not
    /// overlap.
    ranges: BTreeMap<IpAddr, (AddressRange, usize)>,
    /// What is no longer free: addresses that are held, and those passed over since their pool
    /// avoids them.
    taken: IntervalSet,
    /// Held addresses only.
    holders: BTreeMap<IpAddr, Holders>,
    /// The held addresses that a Service with these keys may be able to join.
    shared: BTreeMap<Arc<SharingKey>, SharingGroup>,
}

impl Ledger {
    /// These pools with nothing held.
    pub(super) fn new(pools: &[Pool], checks_only: bool) -> Self {
        let mut pools = pools.to_vec();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let ranges = pools.iter().enumerate().flat_map(|(index, pool)| {
            pool.ranges.iter().map(move |range| (range.first(), (*range, index)))
        });
        let open = (0..pools.len()).filter(|index| pools[*index].allocation.is_none());
        let names = pools.iter().map(|pool| pool.name.as_str().into()).collect();
        let (ranges, open) = (ranges.collect(), open.collect());
        Self { checks_only, ranges, open, names, pools, ..Self::default() }
    }

    /// The pools for some Services that are for this one, in the order they are tried.
    pub(super) fn pinned(&self, service: &Service, namespace: Option<&Namespace>) -> PinnedPools {
        let rank = |(index, pool): (usize, &Pool)| {
            let rule = pool.allocation.as_ref().filter(|it| it.admits(service, namespace))?;
            // 0 is no priority, and comes last.
            Some((rule.priority == 0, rule.priority, index))
        };
        let mut ranked: Vec<_> = self.pools.iter().enumerate().filter_map(rank).collect();
        ranked.sort_unstable();
        PinnedPools(ranked.into_iter().map(|(_, _, index)| index).collect())
    }

    /// Whether some pool asks which namespace a Service is in.
    pub(super) fn uses_namespaces(&self) -> bool {
        let rules = self.pools.iter().filter_map(|pool| pool.allocation.as_ref());
        rules.into_iter().any(|rule| !rule.namespace_selectors.is_empty())
    }

    /// What is held takes no more memory than it has to; until more is.
    pub(super) fn pack(&mut self) {
        compact::pack(&mut self.holders);
    }

    /// Notes that a Service holds an address that [`Ledger::check`] allows.
    pub(super) fn hold(&mut self, key: &ServiceKey, address: IpAddr, terms: &Arc<SharingTerms>) {
        match self.holders.entry(address) {
            btree_map::Entry::Vacant(free) => drop(free.insert(Holders::one(key, terms))),
            btree_map::Entry::Occupied(mut held) => held.get_mut().add(key, terms),
        }
        if self.checks_only {
            return;
        }
        self.taken.insert(address);
        if let Some(sharing) = &terms.sharing {
            self.shared.entry(sharing.clone()).or_default().insert(address);
        }
    }

    /// Notes that a Service no longer holds an address; it is free when nobody else does.
    pub(super) fn release(&mut self, key: &ServiceKey, address: IpAddr) {
        let Some(holders) = self.holders.get_mut(&address) else { return };
        let Some(terms) = holders.terms_of(key).cloned() else { return };
        let emptied = !holders.remove(key);
        if let Some(sharing) = &terms.sharing
            && let Some(group) = self.shared.get_mut(sharing)
        {
            terms.ports.iter().for_each(|port| group.freed(address, *port));
            if emptied {
                group.remove(address);
            }
            if group.is_empty() {
                self.shared.remove(sharing);
            }
        }
        if !emptied {
            return;
        }
        self.holders.remove(&address);
        self.taken.remove(address);
    }

    /// The first addresses that suit, and their pool.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub(super) fn find(
        &mut self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<Assignment, Refusal> {
        if self.pools.is_empty() {
            return Err(Refusal::NoPools);
        }
        let (addresses, pool) = match *wanted.addresses {
            [] => self.first_fit(wanted, pinned, terms)?,
            _ => self.check_requested(wanted, pinned, terms)?,
        };
        Ok(Assignment { addresses: addresses.into(), pool: Arc::clone(pool) })
    }

    /// The first address of a family that suits, in a pool that a Service has one of already.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn find_other(
        &mut self,
        (pool, family): (&str, IpFamily),
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<IpAddr, Refusal> {
        if let Some(address) = wanted.address_of(family) {
            let lies_in = self.check(address, pinned, terms)?;
            return match **lies_in == *pool {
                true => Ok(address),
                false => Err(Refusal::TwoPools { pools: [pool.to_owned(), lies_in.to_string()] }),
            };
        }
        let index = self.pools.iter().position(|it| it.name == pool);
        let found = index.and_then(|index| self.first_fit_in_pool(index, &[Some(family)], terms));
        let (pools, families) = (vec![pool.to_owned()], AddressFamilies::One(family));
        let exhausted = Refusal::Exhausted { pools, families, nearest: None };
        found.and_then(|found| found.first().copied()).ok_or(exhausted)
    }

    /// Whether a pool has addresses of a family, taken or not.
    pub(super) fn has_family(&self, pool: &str, family: IpFamily) -> bool {
        let pool = self.pools.iter().find(|it| it.name == pool);
        pool.is_some_and(|pool| pool.ranges.iter().any(|range| range.family() == family))
    }

    /// Whether a Service with these terms may hold this address; the name of the pool it lies in.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub(super) fn check(
        &self,
        address: IpAddr,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<&Arc<str>, Refusal> {
        let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        let pool = self.admitting(index, pinned)?;
        if pool.avoids(address) {
            return Err(Refusal::Avoided { address, pool: pool.name.clone() });
        }
        self.check_holders(address, terms)?;
        Ok(&self.names[index])
    }

    /// Checks that the holders of an address can share it with a Service with these terms.
    ///
    /// # Errors
    ///
    /// The holder that cannot, and why.
    pub(super) fn check_holders(
        &self,
        address: IpAddr,
        terms: &SharingTerms,
    ) -> Result<(), Refusal> {
        let Some(holders) = self.holders.get(&address) else { return Ok(()) };
        holders.accept(terms).map_err(|by| Refusal::InUse { address, by })
    }

    pub(super) fn pool_of(&self, address: IpAddr) -> Option<usize> {
        let (_, (range, index)) = self.ranges.range(..=address).next_back()?;
        range.contains(address).then_some(*index)
    }

    fn admitting(&self, index: usize, pinned: &PinnedPools) -> Result<&Pool, Refusal> {
        let pool = &self.pools[index];
        match pool.allocation.is_none() || pinned.0.contains(&index) {
            true => Ok(pool),
            false => Err(Refusal::NotAdmitted { pool: pool.name.clone() }),
        }
    }

    fn check_requested(
        &self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<(Vec<IpAddr>, &Arc<str>), Refusal> {
        let mut found: Option<&Arc<str>> = None;
        for &address in &wanted.addresses {
            let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
            let lies_in = &*self.names[index];
            if let Some(requested) = wanted.pool.as_deref().filter(|pool| *pool != lies_in) {
                let (lies_in, requested) = (lies_in.to_owned(), requested.to_owned());
                return Err(Refusal::OtherPool { address, lies_in, requested });
            }
            let pool = self.check(address, pinned, terms)?;
            if let Some(other) = found.filter(|other| *other != pool) {
                let pools = [other.to_string(), lies_in.to_owned()];
                return Err(Refusal::TwoPools { pools });
            }
            found = Some(pool);
        }
        let pool = found.ok_or(Refusal::NoPools)?;
        Ok((wanted.families.sorted(&wanted.addresses), pool))
    }

    /// Pools in their order, ranges as written, the lowest address first. Where two families are
    /// preferred and not required, one alone of these pools comes before both of the next ones: the
    /// first family if there is one left of it, else the other.
    fn first_fit(
        &mut self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<(Vec<IpAddr>, &Arc<str>), Refusal> {
        let candidates = self.candidates(wanted.pool.as_deref(), pinned)?;
        for pools in &candidates {
            for families in attempts(wanted.families) {
                for &index in pools {
                    if let Some(found) = self.first_fit_in_pool(index, &families, terms) {
                        return Ok((found, &self.names[index]));
                    }
                }
            }
        }
        Err(self.nothing_in(&candidates.concat(), wanted.families))
    }

    /// An address for each of these families, none of which is any.
    fn first_fit_in_pool(
        &mut self,
        pool: usize,
        families: &[Option<IpFamily>],
        terms: &SharingTerms,
    ) -> Option<Vec<IpAddr>> {
        let mut found = Vec::with_capacity(families.len());
        for family in families {
            let mut address = None;
            for position in 0..self.pools[pool].ranges.len() {
                let range = self.pools[pool].ranges[position];
                if family.is_none_or(|family| family == range.family()) {
                    address = self.first_fit_in(pool, range, terms);
                }
                if address.is_some() {
                    break;
                }
            }
            found.push(address?);
        }
        Some(found)
    }

    /// The lowest address of a range that is free or can be shared.
    fn first_fit_in(
        &mut self,
        pool: usize,
        range: AddressRange,
        terms: &SharingTerms,
    ) -> Option<IpAddr> {
        let free = self.first_free_in(pool, range);
        let end = free.unwrap_or_else(|| range.last());
        let group = terms.sharing.as_ref().and_then(|sharing| self.shared.get_mut(sharing));
        let joined = group.and_then(|group| {
            group.lowest(range, end, &terms.ports, |address, port| {
                self.holders.get(&address).is_some_and(|holders| holders.uses(port))
            })
        });
        joined.or(free)
    }

    fn first_free_in(&mut self, pool: usize, range: AddressRange) -> Option<IpAddr> {
        let mut from = range.first();
        loop {
            let free = self.taken.next_absent(from).filter(|free| *free <= range.last())?;
            if !self.pools[pool].avoids(free) {
                return Some(free);
            }
            // Never to be given out: passed over once, then part of a run like what is held.
            self.taken.insert(free);
            from = free;
        }
    }

    /// The indexes of the pools to look in, in groups of which the first that serves is taken.
    fn candidates(
        &self,
        pool: Option<&str>,
        pinned: &PinnedPools,
    ) -> Result<Vec<Vec<usize>>, Refusal> {
        let known = || self.pools.iter().map(|pool| pool.name.clone()).collect();
        if let Some(name) = pool {
            let index = self.pools.iter().position(|pool| pool.name == name);
            let unknown = || Refusal::UnknownPool { pool: name.to_owned(), known: known() };
            let index = index.ok_or_else(unknown)?;
            return self.admitting(index, pinned).map(|_| vec![vec![index]]);
        }
        let automatic = |indexes: &[usize]| -> Vec<usize> {
            indexes.iter().copied().filter(|index| self.pools[*index].auto_assign).collect()
        };
        let found = vec![automatic(&pinned.0), automatic(&self.open)];
        match found.iter().all(Vec::is_empty) {
            true if self.pools.iter().any(|pool| pool.auto_assign) => {
                Err(Refusal::NoneAdmits { known: known() })
            }
            true => Err(Refusal::NoAutoAssign { known: known() }),
            false => Ok(found),
        }
    }

    fn nothing_in(&self, candidates: &[usize], families: FamilyRequirement) -> Refusal {
        let pools = candidates.iter().map(|index| self.pools[*index].name.clone()).collect();
        let has = |family: &Option<IpFamily>, index: usize| {
            let mut ranges = self.pools[index].ranges.iter();
            ranges.any(|range| family.is_none_or(|family| family == range.family()))
        };
        let attempts = attempts(families);
        let served = |index: &usize| attempts.iter().any(|it| it.iter().all(|f| has(f, *index)));
        let families = AddressFamilies::from(families);
        match families != AddressFamilies::Any && !candidates.iter().any(served) {
            true => Refusal::NoneOfFamily { pools, families },
            false => Refusal::Exhausted { pools, families, nearest: None },
        }
    }

    /// Adds to the refusal of a Service with these terms the address that it comes nearest to sharing. That changes with
    /// other Services, so that it is not kept.
    pub(super) fn explained(&self, refusal: &Refusal, terms: &SharingTerms) -> Refusal {
        let mut explained = refusal.clone();
        if let Refusal::Exhausted { pools, families, nearest } = &mut explained {
            *nearest = self.nearest(pools, *families, terms);
        }
        explained
    }

    /// Returns the held address of these pools that a Service comes nearest to sharing, and what forbids it. One of its
    /// own key comes before one of a key that is spelt alike. Only the first few are examined, so that a refusal costs
    /// little.
    fn nearest(
        &self,
        pools: &[String],
        families: AddressFamilies,
        terms: &SharingTerms,
    ) -> Option<Box<(IpAddr, SharingConflict)>> {
        let wanted = terms.sharing.as_ref()?;
        let suits = |address: IpAddr| match families {
            AddressFamilies::One(family) => family == IpFamily::of(address),
            AddressFamilies::Any | AddressFamilies::Both => true,
        };
        let of = |group: &SharingGroup| {
            let mut held = group.addresses().take(FEW).filter(|address| {
                let pool = self.pool_of(*address).map(|index| &self.pools[index].name);
                suits(*address) && pool.is_some_and(|pool| pools.contains(pool))
            });
            held.find_map(|address| {
                let by = self.holders.get(&address)?.accept(terms).err()?;
                Some(Box::new((address, by)))
            })
        };

        if let Some(found) = self.shared.get(wanted).and_then(of) {
            return Some(found);
        }
        let others = || self.shared.iter().take(MANY).filter(|(key, _)| *key != wanted);
        let mut same_name = others().filter(|(key, _)| key.name() == wanted.name());
        if let Some(found) = same_name.find_map(|(_, group)| of(group)) {
            return Some(found);
        }
        let alike = nearest(wanted.name(), others().map(|(key, _)| key.name()))?;
        others().filter(|(key, _)| key.name() == alike).find_map(|(_, group)| of(group))
    }
}

/// The most addresses of one key that are examined to explain why none can be shared.
const FEW: usize = 16;
/// The most keys that are examined for that.
const MANY: usize = 100;

/// What to look for together, the best first.
fn attempts(families: FamilyRequirement) -> Vec<Vec<Option<IpFamily>>> {
    match families {
        FamilyRequirement::Any => vec![vec![None]],
        FamilyRequirement::One(family) => vec![vec![Some(family)]],
        FamilyRequirement::Both { first, required } => {
            let both = vec![Some(first), Some(first.other())];
            if required {
                vec![both]
            } else {
                vec![both, vec![Some(first)], vec![Some(first.other())]]
            }
        }
    }
}
