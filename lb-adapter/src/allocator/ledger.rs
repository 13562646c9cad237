//! Which addresses there are, who holds them, and the first one that suits a Service.
//!
//! Owns the indexes by address. A pool is never enumerated: the first free address of a range is a
//! look-up among the runs of taken ones, so an IPv6 /64 costs what a /28 costs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::{AddressRange, IpFamily, Pool, ServiceKey};

use super::group::Group;
use super::refusal::Refusal;
use super::request::Wanted;
use super::runs::Runs;
use super::terms::{Holders, SharingKey, Terms};

/// Pools and what is held of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// In the order they are tried: by name.
    pools: Vec<Pool>,
    /// First address of each range of each pool, to the range and the pool's index. Ranges do not
    /// overlap.
    ranges: BTreeMap<IpAddr, (AddressRange, usize)>,
    /// What is no longer free: addresses that are held, and those passed over since their pool
    /// avoids them.
    taken: Runs,
    /// Held addresses only.
    holders: BTreeMap<IpAddr, Holders>,
    /// The held addresses that a Service with these keys may be able to join.
    shared: BTreeMap<SharingKey, Group>,
}

impl Ledger {
    /// These pools with nothing held.
    pub(super) fn new(pools: &[Pool]) -> Self {
        let mut pools = pools.to_vec();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let ranges = pools.iter().enumerate().flat_map(|(index, pool)| {
            pool.ranges.iter().map(move |range| (range.first(), (*range, index)))
        });
        Self { ranges: ranges.collect(), pools, ..Self::default() }
    }

    /// Notes that a Service holds an address that [`Ledger::check`] allows.
    pub(super) fn hold(&mut self, key: &ServiceKey, address: IpAddr, terms: &Terms) {
        let holders = self.holders.entry(address).or_default();
        holders.add(key, terms);
        self.taken.insert(address);
        if let Some(sharing) = &terms.sharing {
            self.shared.entry(sharing.clone()).or_default().insert(address);
        }
    }

    /// Notes that a Service no longer holds an address; it is free when nobody else does.
    pub(super) fn release(&mut self, key: &ServiceKey, address: IpAddr) {
        let Some(holders) = self.holders.get_mut(&address) else { return };
        let ports = holders.remove(key);
        let emptied = holders.is_empty();
        if let Some(sharing) = holders.sharing()
            && let Some(group) = self.shared.get_mut(sharing)
        {
            ports.iter().for_each(|port| group.freed(address, *port));
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

    /// The first address that suits, and its pool.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn find(
        &mut self,
        wanted: &Wanted,
        terms: &Terms,
    ) -> Result<(IpAddr, String), Refusal> {
        if self.pools.is_empty() {
            return Err(Refusal::NoPools);
        }
        let (address, pool) = match wanted.address {
            Some(address) => self.check_requested(address, wanted.pool.as_deref(), terms)?,
            None => self.first_fit(wanted, terms)?,
        };
        Ok((address, pool.name.clone()))
    }

    /// Whether a Service with these terms may hold this address; the pool it lies in.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub(super) fn check(&self, address: IpAddr, terms: &Terms) -> Result<&Pool, Refusal> {
        let pool = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        if pool.avoids(address) {
            return Err(Refusal::Avoided { address, pool: pool.name.clone() });
        }
        if let Some(holders) = self.holders.get(&address) {
            holders.accept(terms).map_err(|by| Refusal::InUse { address, by })?;
        }
        Ok(pool)
    }

    fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        let (_, (range, index)) = self.ranges.range(..=address).next_back()?;
        if range.contains(address) { self.pools.get(*index) } else { None }
    }

    fn check_requested(
        &self,
        address: IpAddr,
        pool: Option<&str>,
        terms: &Terms,
    ) -> Result<(IpAddr, &Pool), Refusal> {
        let lies_in = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        if let Some(requested) = pool.filter(|pool| *pool != lies_in.name) {
            let (lies_in, requested) = (lies_in.name.clone(), requested.to_owned());
            return Err(Refusal::OtherPool { address, lies_in, requested });
        }
        self.check(address, terms).map(|pool| (address, pool))
    }

    /// Pools in their order, ranges as written, the lowest address first.
    fn first_fit(&mut self, wanted: &Wanted, terms: &Terms) -> Result<(IpAddr, &Pool), Refusal> {
        let candidates = self.candidates(wanted.pool.as_deref())?;
        let mut seen_family = false;
        for &index in &candidates {
            let ranges = self.pools[index].ranges.len();
            for position in 0..ranges {
                let range = self.pools[index].ranges[position];
                if wanted.family.is_some_and(|family| family != range.family()) {
                    continue;
                }
                seen_family = true;
                if let Some(address) = self.first_fit_in(index, range, terms) {
                    return Ok((address, &self.pools[index]));
                }
            }
        }
        Err(self.nothing_in(&candidates, wanted.family, seen_family))
    }

    /// The lowest address of a range that is free or can be shared.
    fn first_fit_in(&mut self, pool: usize, range: AddressRange, terms: &Terms) -> Option<IpAddr> {
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

    /// The indexes of the pools to look in.
    fn candidates(&self, pool: Option<&str>) -> Result<Vec<usize>, Refusal> {
        let indexes = |wanted: &dyn Fn(&Pool) -> bool| -> Vec<usize> {
            let pools = self.pools.iter().enumerate();
            pools.filter(|(_, pool)| wanted(pool)).map(|(index, _)| index).collect()
        };
        let known = || self.pools.iter().map(|pool| pool.name.clone()).collect();
        let (found, refusal) = match pool {
            Some(name) => {
                let unknown = |known| Refusal::UnknownPool { pool: name.to_owned(), known };
                (indexes(&|pool| pool.name == name), unknown(known()))
            }
            None => (indexes(&|pool| pool.auto_assign), Refusal::NoAutoAssign { known: known() }),
        };
        if found.is_empty() { Err(refusal) } else { Ok(found) }
    }

    fn nothing_in(
        &self,
        candidates: &[usize],
        family: Option<IpFamily>,
        seen_family: bool,
    ) -> Refusal {
        let pools = candidates.iter().map(|index| self.pools[*index].name.clone()).collect();
        match family {
            Some(family) if !seen_family => Refusal::NoneOfFamily { pools, family },
            _ => Refusal::Exhausted { pools, family },
        }
    }
}
