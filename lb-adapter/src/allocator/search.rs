//! The search for addresses that can be assigned to a Service.
//!
//! Owns the order of the search: the pools that admit only some Services come first, by priority, then the others by
//! name; the ranges of a pool in the order written, and the lowest address first.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{AddressRange, IpFamily};

use super::ledger::Ledger;
use super::outcome::Assignment;
use super::refusal::{AddressFamilies, Refusal};
use super::request::{AddressRequest, FamilyRequirement, PinnedPools};
use super::sharing::SharingTerms;

/// Addresses to look for together in one pool, one for each item. None stands for an address of either family.
type Attempt = Vec<Option<IpFamily>>;

impl Ledger {
    /// Finds the first addresses that meet a request, and their pool.
    ///
    /// # Errors
    ///
    /// The reason why there are none.
    pub(super) fn find(
        &mut self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<Assignment, Refusal> {
        if self.is_empty() {
            return Err(Refusal::NoPools);
        }

        let (addresses, pool) = if wanted.addresses.is_empty() {
            self.first_fit(wanted, pinned, terms)?
        } else {
            self.check_requested(wanted, pinned, terms)?
        };
        Ok(Assignment { addresses: addresses.into(), pool: Arc::clone(pool) })
    }

    /// Finds the first address of a family for a Service that already holds one of the other family, in the same pool.
    ///
    /// # Errors
    ///
    /// The reason why there is none.
    pub(super) fn find_other(
        &mut self,
        (pool, family): (&str, IpFamily),
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<IpAddr, Refusal> {
        if let Some(address) = wanted.address_of(family) {
            let found = self.check(address, pinned, terms)?;
            if **found != *pool {
                return Err(Refusal::TwoPools { pools: [pool.to_owned(), found.to_string()] });
            }
            return Ok(address);
        }

        if let Some(index) = self.index_of(pool)
            && let Some(address) = self.first_fit_of_family(index, Some(family), terms)
        {
            return Ok(address);
        }
        Err(Refusal::Exhausted {
            pools: vec![pool.to_owned()],
            families: AddressFamilies::One(family),
            nearest: None,
        })
    }

    /// Checks that the requested addresses can be assigned, and returns them in the order in which a status lists them.
    fn check_requested(
        &self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<(Vec<IpAddr>, &Arc<str>), Refusal> {
        let mut common_pool: Option<&Arc<str>> = None;
        for &address in &wanted.addresses {
            let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
            let found = &*self.names[index];
            if let Some(requested) = &wanted.pool
                && **requested != *found
            {
                let (found, requested) = (found.to_owned(), requested.to_string());
                return Err(Refusal::OtherPool { address, found, requested });
            }

            let pool = self.check(address, pinned, terms)?;
            if let Some(first) = common_pool
                && first != pool
            {
                return Err(Refusal::TwoPools { pools: [first.to_string(), pool.to_string()] });
            }
            common_pool = Some(pool);
        }

        let pool = common_pool.ok_or(Refusal::NoPools)?;
        Ok((wanted.families.sorted(&wanted.addresses), pool))
    }

    /// Finds the first free or shareable addresses.
    ///
    /// If both families are preferred but not required, a single address from the pinned pools comes before two from
    /// the open ones.
    fn first_fit(
        &mut self,
        wanted: &AddressRequest,
        pinned: &PinnedPools,
        terms: &SharingTerms,
    ) -> Result<(Vec<IpAddr>, &Arc<str>), Refusal> {
        let candidates = self.candidates(wanted.pool.as_deref(), pinned)?;
        let attempts = attempts(wanted.families);

        for group in &candidates {
            for families in &attempts {
                for &index in group {
                    if let Some(addresses) = self.first_fit_in_pool(index, families, terms) {
                        return Ok((addresses, &self.names[index]));
                    }
                }
            }
        }

        Err(self.exhausted(&candidates.concat(), wanted.families))
    }

    /// Finds an address in a pool for each of these families.
    fn first_fit_in_pool(
        &mut self,
        pool: usize,
        families: &[Option<IpFamily>],
        terms: &SharingTerms,
    ) -> Option<Vec<IpAddr>> {
        let mut addresses = Vec::with_capacity(families.len());
        for family in families {
            addresses.push(self.first_fit_of_family(pool, *family, terms)?);
        }
        Some(addresses)
    }

    /// Finds the first address of a family in a pool; with none, of either family.
    fn first_fit_of_family(
        &mut self,
        pool: usize,
        family: Option<IpFamily>,
        terms: &SharingTerms,
    ) -> Option<IpAddr> {
        for position in 0..self.pools[pool].ranges.len() {
            let range = self.pools[pool].ranges[position];
            if family.is_some_and(|family| family != range.family()) {
                continue;
            }
            if let Some(address) = self.first_fit_in_range(pool, range, terms) {
                return Some(address);
            }
        }
        None
    }

    /// Finds the lowest address of a range that is free or can be shared.
    fn first_fit_in_range(
        &mut self,
        pool: usize,
        range: AddressRange,
        terms: &SharingTerms,
    ) -> Option<IpAddr> {
        let free = self.first_free(pool, range);
        let end = free.unwrap_or_else(|| range.last());

        if let Some(sharing) = &terms.sharing
            && let Some(group) = self.shared.get_mut(sharing)
        {
            let shared = group.find_lowest(range, end, &terms.ports, |address, port| {
                self.holders.get(&address).is_some_and(|holders| holders.uses_port(port))
            });
            return shared.or(free);
        }
        free
    }

    fn first_free(&mut self, pool: usize, range: AddressRange) -> Option<IpAddr> {
        let mut from = range.first();
        loop {
            let free = self.taken.next_absent(from).filter(|free| *free <= range.last())?;
            if !self.pools[pool].avoids(free) {
                return Some(free);
            }
            // An avoided address is never assigned. Marked as taken, it is skipped from now on.
            self.taken.insert(free);
            from = free;
        }
    }

    /// Returns the indexes of the pools to search, in two groups: the first group that can serve wins.
    fn candidates(
        &self,
        requested: Option<&str>,
        pinned: &PinnedPools,
    ) -> Result<Vec<Vec<usize>>, Refusal> {
        if let Some(name) = requested {
            let Some(index) = self.index_of(name) else {
                let configured = self.pool_names();
                return Err(Refusal::UnknownPool { pool: name.to_owned(), configured });
            };
            self.check_admitted(index, pinned)?;
            return Ok(vec![vec![index]]);
        }

        let groups = vec![self.auto_assigned(&pinned.0), self.auto_assigned(&self.open)];
        if groups.iter().any(|group| !group.is_empty()) {
            return Ok(groups);
        }

        let configured = self.pool_names();
        if self.pools.iter().any(|pool| pool.auto_assign) {
            Err(Refusal::NoneAdmits { configured })
        } else {
            Err(Refusal::NoAutoAssign { configured })
        }
    }

    fn auto_assigned(&self, pools: &[usize]) -> Vec<usize> {
        pools.iter().copied().filter(|index| self.pools[*index].auto_assign).collect()
    }

    fn pool_names(&self) -> Vec<String> {
        self.pools.iter().map(|pool| pool.name.clone()).collect()
    }

    /// Returns the refusal for a search of these pools that found nothing.
    fn exhausted(&self, searched: &[usize], families: FamilyRequirement) -> Refusal {
        let pools = searched.iter().map(|index| self.pools[*index].name.clone()).collect();
        let has_families = searched.iter().any(|index| self.has_any_of(*index, families));

        let families = AddressFamilies::from(families);
        if families != AddressFamilies::Any && !has_families {
            Refusal::NoneOfFamily { pools, families }
        } else {
            Refusal::Exhausted { pools, families, nearest: None }
        }
    }

    /// Returns true if a pool has addresses, free or taken, that would meet a requirement.
    fn has_any_of(&self, pool: usize, families: FamilyRequirement) -> bool {
        attempts(families).iter().any(|attempt| {
            attempt.iter().all(|family| {
                let mut ranges = self.pools[pool].ranges.iter();
                ranges.any(|range| family.is_none_or(|family| family == range.family()))
            })
        })
    }
}

/// Returns the combinations of families that meet a requirement, the best first.
fn attempts(families: FamilyRequirement) -> Vec<Attempt> {
    match families {
        FamilyRequirement::Any => vec![vec![None]],
        FamilyRequirement::One(family) => vec![vec![Some(family)]],
        FamilyRequirement::Both { first, required: true } => {
            vec![vec![Some(first), Some(first.other())]]
        }
        FamilyRequirement::Both { first, required: false } => vec![
            vec![Some(first), Some(first.other())],
            vec![Some(first)],
            vec![Some(first.other())],
        ],
    }
}
