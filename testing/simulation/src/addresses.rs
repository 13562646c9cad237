//! The addresses in the statuses of Services, after every write.
//!
//! - An address has one owner, or several that share it: they have the same key.
//! - A valid address stays. It may go if its Service is no longer a LoadBalancer, asks for another pool or address, or if its
//!   pool was gone.
//! - A Service of another class is written by no one here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::world::{POOLS, World};

/// The class of the Services that another controller serves.
pub(crate) const FOREIGN_CLASS: &str = "example.com/other";
/// The time within which a controller certainly acts on what it has seen: it may have learned of a removed pool late, and the
/// pool may be back.
const LATEST: Duration = Duration::from_secs(100);

/// What has been seen of the addresses and of the reasons for which they may go.
#[derive(Debug, Default)]
pub(crate) struct AddressRecord {
    /// The addresses of each Service, by its UID.
    held: BTreeMap<String, BTreeSet<IpAddr>>,
    /// When each address last became that of a Service.
    assigned: BTreeMap<IpAddr, Instant>,
    /// When each pool was last absent. A present time means now.
    absent: BTreeMap<usize, Instant>,
    /// When a Service last stopped being a LoadBalancer, or asked for another pool, by its UID.
    asked: BTreeMap<String, Instant>,
}

impl AddressRecord {
    /// Returns when an address last became that of a Service.
    pub(crate) fn assigned_at(&self, address: IpAddr) -> Option<Instant> {
        self.assigned.get(&address).copied()
    }
}

/// The Services before a write.
pub(crate) type Before = Vec<Arc<Value>>;

/// Returns the Services before a write to this path, if it may concern them.
pub(crate) fn begin(world: &World, path: Option<&str>) -> Option<Before> {
    path.filter(|path| path.contains("/services"))?;
    Some(world.server.objects("services"))
}

/// Checks the Services after a write. `who` wrote.
pub(crate) fn check(world: &World, who: &str, before: &Before) {
    let after = world.server.objects("services");
    check_foreign(world, who, before, &after);
    check_owners(world, &after);
    check_taken(world, who, &after);
}

/// Notes whether a pool exists. Call it before its change and after.
pub(crate) fn note_pool(world: &World, pool: usize) {
    world.lock().addresses.absent.insert(pool, Instant::now());
}

/// Notes that a Service asks for something else, or is about to be of another type.
pub(crate) fn note_request(world: &World, uid: &str) {
    world.lock().addresses.asked.insert(uid.to_owned(), Instant::now());
}

/// Returns the addresses in the status of a Service.
pub(crate) fn addresses(service: &Value) -> BTreeSet<IpAddr> {
    let entries = service["status"]["loadBalancer"]["ingress"].as_array();
    let texts = entries.into_iter().flatten().filter_map(|entry| entry["ip"].as_str());
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// Returns true if another controller serves the Service.
pub(crate) fn is_foreign(service: &Value) -> bool {
    service["spec"]["loadBalancerClass"] == FOREIGN_CLASS
}

fn uid(service: &Value) -> &str {
    service["metadata"]["uid"].as_str().unwrap_or_default()
}

fn check_foreign(world: &World, who: &str, before: &Before, after: &[Arc<Value>]) {
    if who == "user" {
        return;
    }
    for service in before.iter().filter(|service| is_foreign(service)) {
        let now = after.iter().find(|now| uid(now) == uid(service));
        if now.is_some_and(|now| now["status"] != service["status"]) {
            let name = &service["metadata"]["name"];
            world.violate("others' Services", format!("{who} wrote the status of {name}"));
        }
    }
}

fn check_owners(world: &World, services: &[Arc<Value>]) {
    let mut owners: BTreeMap<IpAddr, &Value> = BTreeMap::new();
    for service in services.iter().filter(|service| !is_foreign(service)) {
        for address in addresses(service) {
            let Some(other) = owners.insert(address, service) else { continue };
            let [one, two] = [&**service, other]
                .map(|service| &service["metadata"]["annotations"]["metallb.io/allow-shared-ip"]);
            if one.is_null() || one != two {
                let names = [&**service, other].map(|service| &service["metadata"]["name"]);
                world.violate("one owner", format!("{} and {} have {address}", names[0], names[1]));
            }
        }
    }
}

fn check_taken(world: &World, who: &str, services: &[Arc<Value>]) {
    let now = Instant::now();
    let present: BTreeSet<String> = world
        .server
        .objects("ipaddresspools.metallb.io")
        .iter()
        .filter_map(|pool| Some(pool["metadata"]["name"].as_str()?.to_owned()))
        .collect();

    let mut state = world.lock();
    let record = &mut state.addresses;
    let mut lost = Vec::new();
    for service in services.iter().filter(|service| !is_foreign(service)) {
        let held = addresses(service);
        let before = record.held.insert(uid(service).to_owned(), held.clone());
        let is_recent = |at: Option<&Instant>| at.is_some_and(|at| now < *at + LATEST);
        let is_excused =
            service["spec"]["type"] != "LoadBalancer" || is_recent(record.asked.get(uid(service)));
        let before = before.unwrap_or_default();
        record.assigned.extend(held.difference(&before).map(|address| (*address, now)));
        for address in before.difference(&held) {
            let pool = (0..POOLS.len()).find(|pool| contains(*pool, *address));
            let has_reason = pool.is_none_or(|pool| {
                !present.contains(POOLS[pool].0) || is_recent(record.absent.get(&pool))
            });
            if !is_excused && !has_reason {
                lost.push(format!("{who} took {address} from {}", service["metadata"]["name"]));
            }
        }
    }
    drop(state);
    for text in lost {
        world.violate("no address taken", text);
    }
}

/// Returns true if a pool contains an address.
pub(crate) fn contains(pool: usize, address: IpAddr) -> bool {
    POOLS[pool].1.parse::<bgp_session::IpNet>().is_ok_and(|range| range.contains(&address))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Plan;
    use crate::trace::Trace;

    fn service(number: u8, address: &str, key: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "default", "name": format!("web-{number}"), "uid": number.to_string(),
                "annotations": {"metallb.io/allow-shared-ip": key}},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
    }

    /// Returns the invariant that is broken if the API server has these Services, one list after the other.
    fn broken(lists: &[&[Value]]) -> Option<&'static str> {
        let world = World::new(0, Plan::of(0).size, Trace::default());
        crate::user::set_up(&world);
        for services in lists {
            let services: Vec<_> = services.iter().cloned().map(Arc::new).collect();
            check_owners(&world, &services);
            check_taken(&world, "controller-0", &services);
        }
        let state = world.lock();
        state.violation.as_ref().map(|violation| violation.invariant)
    }

    #[test]
    fn two_services_have_one_address_only_if_both_share_it() {
        let pair = |one, two| [service(0, "192.0.2.1", one), service(1, "192.0.2.1", two)];
        assert_eq!(broken(&[&pair(None, None)]), Some("one owner"));
        assert_eq!(broken(&[&pair(Some("a"), Some("b"))]), Some("one owner"));
        assert_eq!(broken(&[&pair(Some("a"), Some("a"))]), None);
    }

    #[test]
    fn a_service_keeps_its_address_for_as_long_as_its_pool_exists() {
        let moved = |from| broken(&[&[service(0, from, None)], &[service(0, "192.0.2.2", None)]]);
        assert_eq!(moved("192.0.2.1"), Some("no address taken"));
        assert_eq!(moved("203.0.113.1"), None);
    }
}
