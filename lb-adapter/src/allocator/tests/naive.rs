//! A naive model of the allocator without indexes, as the reference for the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{ExternalTrafficPolicy, IpFamilyPolicy, Labels, Pool, Service, ServiceKey};

/// The addresses of Services, by name.
pub(super) type Assigned = BTreeMap<ServiceKey, Vec<IpAddr>>;

/// A world small enough to try every address for every Service.
pub(super) struct World<'a> {
    pub(super) pools: &'a [Pool],
    pub(super) services: &'a [Service],
}

impl World<'_> {
    /// Keeps all addresses that may be kept, oldest Service first. Then serves the Services that lost an address, then the
    /// others.
    ///
    /// It knows no earlier requests, so it models the allocator after a restart.
    pub(super) fn reconcile(&self, held: &Assigned) -> Assigned {
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by_key(|s| (s.created.is_none(), s.created, s.key.clone()));
        let mut assigned = Assigned::new();
        let mut lost = BTreeSet::new();
        for service in &services {
            let Some(addresses) = held.get(&service.key) else { continue };
            let kept = self.kept(service, addresses, &assigned);
            if kept.len() < addresses.len() && kept.len() < slots(service).len() {
                lost.insert(&service.key);
            }
            if !kept.is_empty() {
                assigned.insert(service.key.clone(), kept);
            }
        }
        let (first, then): (Vec<&Service>, Vec<_>) =
            services.iter().partition(|service| lost.contains(&service.key));
        // A Service that moves to a pool with both families frees an address, so all others are tried once more.
        for service in first.into_iter().chain(then).chain(services.iter().copied()) {
            if let Some(addresses) = self.served(service, &assigned) {
                assigned.insert(service.key.clone(), addresses);
            }
        }
        assigned
    }

    /// The held addresses that stay: all of one pool, and one of each wanted family.
    fn kept(&self, service: &Service, held: &[IpAddr], assigned: &Assigned) -> Vec<IpAddr> {
        let may = |address: &&IpAddr| {
            let pool = self.pool_of(**address);
            pool.is_some_and(|pool| !pool.avoids(**address) && pool.admits(service, None))
                && self.joins(service, **address, assigned)
        };
        let allowed: Vec<IpAddr> = held.iter().filter(may).copied().collect();
        let pools: BTreeSet<_> =
            allowed.iter().map(|it| self.pool_of(*it).unwrap().name.as_str()).collect();
        let families: BTreeSet<_> = allowed.iter().map(IpAddr::is_ipv4).collect();
        if pools.len() != 1 || families.len() != allowed.len() {
            return Vec::new();
        }
        let wanted = |address: &IpAddr| {
            let slots = slots(service);
            slots == [None] || slots.contains(&Some(address.is_ipv4()))
        };
        let mut kept: Vec<_> = allowed.into_iter().filter(wanted).collect();
        kept.sort();
        let is_of_requested_pool = pool_of(service).is_none_or(|name| pools.contains(name));
        let requested = requested_address(service);
        if is_of_requested_pool
            && kept.iter().all(|it| requested.is_none_or(|requested| requested == *it))
        {
            kept
        } else {
            Vec::new()
        }
    }

    /// The addresses of a Service after it was served, with those that it has already.
    fn served(&self, service: &Service, assigned: &Assigned) -> Option<Vec<IpAddr>> {
        let (slots, required) = (slots(service), is_required(service));
        let offered = |pool: &Pool, slots: &[Option<bool>]| -> Option<Vec<IpAddr>> {
            let fits = |address: &IpAddr, slot: &Option<bool>| {
                slot.is_none_or(|v4| v4 == address.is_ipv4())
                    && !pool.avoids(*address)
                    && requested_address(service).is_none_or(|requested| requested == *address)
                    && self.joins(service, *address, assigned)
            };
            let each = slots.iter().map(|slot| {
                let mut addresses = pool.ranges.iter().flat_map(|range| range.addresses());
                addresses.find(|address| fits(address, slot))
            });
            each.collect()
        };
        if let Some(has) = assigned.get(&service.key) {
            let pool = self.pool_of(has[0]).unwrap();
            let missing = slots.iter().filter(|v4| **v4 != Some(has[0].is_ipv4())).copied();
            let missing: Vec<_> = missing.collect();
            if slots.len() < 2 || has.len() == 2 {
                return None;
            }
            if let Some(other) = offered(pool, &missing) {
                let mut both = [has.clone(), other].concat();
                both.sort();
                return Some(both);
            }
            if !required {
                return None;
            }
            return self.groups(service).into_iter().flatten().find_map(|it| offered(it, &slots));
        }
        self.groups(service).into_iter().find_map(|group| {
            let both = group.iter().find_map(|pool| offered(pool, &slots));
            let alone =
                || slots.chunks(1).find_map(|slot| group.iter().find_map(|it| offered(it, slot)));
            both.or_else(|| if required { None } else { alone() })
        })
    }

    /// The restricted pools that admit a Service, by priority, and the pools that admit all.
    fn groups(&self, service: &Service) -> [Vec<&Pool>; 2] {
        let has_request = requested_address(service).is_some() || pool_of(service).is_some();
        let mut pools: Vec<_> = self.pools.iter().collect();
        pools.sort_by_key(|pool| {
            let priority = pool.allocation.as_ref().map_or(0, |rule| rule.priority);
            (priority == 0, priority, pool.name.clone())
        });
        pools.retain(|pool| {
            pool_of(service).is_none_or(|name| name == pool.name)
                && (has_request || pool.auto_assign)
                && pool.admits(service, None)
        });
        let (pinned, open) = pools.into_iter().partition(|pool| pool.allocation.is_some());
        [pinned, open]
    }

    fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.contains(address))
    }

    pub(super) fn joins(&self, service: &Service, address: IpAddr, assigned: &Assigned) -> bool {
        let others = assigned.iter().filter(|(_, held)| held.contains(&address));
        others.filter(|(key, _)| **key != service.key).all(|(key, _)| {
            let other = self.services.iter().find(|other| other.key == *key).unwrap();
            may_share(service, other)
        })
    }
}

/// The wanted families: `Some(true)` is IPv4, `Some(false)` is IPv6, and `None` is either.
pub(super) fn slots(service: &Service) -> Vec<Option<bool>> {
    match service.cluster_ips.as_slice() {
        [] => vec![None],
        ips => ips.iter().map(|ip| Some(ip.is_ipv4())).collect(),
    }
}

fn is_required(service: &Service) -> bool {
    service.cluster_ips.len() < 2
        || service.ip_family_policy == Some(IpFamilyPolicy::RequireDualStack)
}

fn requested_address(service: &Service) -> Option<IpAddr> {
    service.load_balancer_ip.as_ref().map(|ip| ip.parse().unwrap())
}

fn may_share(a: &Service, b: &Service) -> bool {
    let pods = |s: &Service| match s.external_traffic_policy {
        ExternalTrafficPolicy::Local => s.selector.clone(),
        ExternalTrafficPolicy::Cluster => Labels::new(),
    };
    let key = |s: &Service| s.annotations.get("metallb.io/allow-shared-ip").map(str::to_owned);
    key(a).is_some()
        && key(a) == key(b)
        && pods(a) == pods(b)
        && !a.ports.iter().any(|port| b.ports.contains(port))
}

fn pool_of(service: &Service) -> Option<&str> {
    service.annotations.get("metallb.io/address-pool")
}
