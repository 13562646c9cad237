//! The rules once more, without an index: what the allocator is held against.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{ExternalTrafficPolicy, Pool, Service, ServiceKey};

/// Services that hold an address, in no other order than by name.
pub(super) type Assigned = BTreeMap<ServiceKey, IpAddr>;

/// A world small enough to try every address for every Service.
pub(super) struct World<'a> {
    pub(super) pools: &'a [Pool],
    pub(super) services: &'a [Service],
}

impl World<'_> {
    /// Keeps what may be kept, oldest first; then serves who lost something, then the others.
    ///
    /// Knows nothing of earlier requests, so it is the allocator after a restart.
    pub(super) fn reconcile(&self, held: &Assigned) -> Assigned {
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by_key(|s| (s.created.is_none(), s.created, s.key.clone()));
        let mut assigned = Assigned::new();
        let mut lost = BTreeSet::new();
        for service in &services {
            let Some(address) = held.get(&service.key) else { continue };
            if self.suits(service, *address) && self.joins(service, *address, &assigned) {
                assigned.insert(service.key.clone(), *address);
            } else {
                lost.insert(&service.key);
            }
        }
        let (first, then): (Vec<&Service>, Vec<_>) =
            services.iter().partition(|service| lost.contains(&service.key));
        for service in first.into_iter().chain(then) {
            if assigned.contains_key(&service.key) {
                continue;
            }
            let mut offered = self.offered(service);
            if let Some(address) = offered.find(|ip| self.joins(service, *ip, &assigned)) {
                assigned.insert(service.key.clone(), address);
            }
        }
        assigned
    }

    fn offered<'s>(&'s self, service: &'s Service) -> impl Iterator<Item = IpAddr> + 's {
        let names: BTreeSet<_> = self.pools.iter().map(|pool| pool.name.as_str()).collect();
        let pools = names.into_iter().filter_map(|name| self.pools.iter().find(|p| p.name == name));
        let asks = service.load_balancer_ip.is_some() || pool_of(service).is_some();
        pools
            .filter(move |pool| asks || pool.auto_assign)
            .flat_map(|pool| &pool.ranges)
            .flat_map(|range| range.addresses())
            .filter(|address| self.suits(service, *address))
    }

    fn suits(&self, service: &Service, address: IpAddr) -> bool {
        let pool = self.pools.iter().find(|pool| pool.contains(address));
        pool.is_some_and(|pool| {
            !pool.avoids(address) && pool_of(service).is_none_or(|name| name == pool.name)
        }) && service.load_balancer_ip.as_ref().is_none_or(|ip| *ip == address.to_string())
            && service.cluster_ips.iter().all(|ip| ip.is_ipv4() == address.is_ipv4())
    }

    pub(super) fn joins(&self, service: &Service, address: IpAddr, assigned: &Assigned) -> bool {
        let others = assigned.iter().filter(|(_, ip)| **ip == address).map(|(key, _)| key);
        others.filter(|key| **key != service.key).all(|key| {
            let other = self.services.iter().find(|other| other.key == *key).unwrap();
            may_share(service, other)
        })
    }
}

fn may_share(a: &Service, b: &Service) -> bool {
    let pods = |s: &Service| match s.external_traffic_policy {
        ExternalTrafficPolicy::Local => s.selector.clone(),
        ExternalTrafficPolicy::Cluster => BTreeMap::new(),
    };
    let key = |s: &Service| s.annotations.get("metallb.universe.tf/allow-shared-ip").cloned();
    key(a).is_some()
        && key(a) == key(b)
        && pods(a) == pods(b)
        && !a.ports.iter().any(|port| b.ports.contains(port))
}

fn pool_of(service: &Service) -> Option<&str> {
    service.annotations.get("metallb.universe.tf/address-pool").map(String::as_str)
}
