//! The annotations by which a Service asks for an address.
//!
//! Owns their names. MetalLB had them under `metallb.universe.tf/` first and has them under
//! `metallb.io/` now; where a Service has both, the new one counts.

use crate::model::Service;

/// Names the pool to take the address of.
pub(super) const ADDRESS_POOL: &str = "address-pool";
/// Lets Services with an equal value hold one address.
pub(super) const ALLOW_SHARED_IP: &str = "allow-shared-ip";
/// Names the addresses wanted, one for each family.
pub(super) const LOAD_BALANCER_IPS: &str = "loadBalancerIPs";

const NAMES: [&str; 3] = [ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS];

/// The annotation's whole name and its value; one that is empty counts as absent.
pub(super) fn value<'a>(service: &'a Service, name: &str) -> Option<(&'a str, &'a str)> {
    let (name, value) = PREFIXES.into_iter().find_map(|prefix| find(service, prefix, name))?;
    let value = value.trim();
    (!value.is_empty()).then_some((name, value))
}

fn find<'a>(service: &'a Service, prefix: &str, name: &str) -> Option<(&'a str, &'a str)> {
    service.annotations.iter().find(|(key, _)| key.strip_prefix(prefix) == Some(name))
}

/// Those of the names that a Service has under the old prefix alone.
pub(super) fn deprecated(service: &Service) -> Box<[&'static str]> {
    let has = |prefix, name| find(service, prefix, name).is_some();
    NAMES.into_iter().filter(|name| has(OLD_PREFIX, name) && !has(PREFIX, name)).collect()
}

/// Whether an annotation of this name is one of them.
pub(crate) fn reads_annotation(annotation: &str) -> bool {
    let name = PREFIXES.into_iter().find_map(|prefix| annotation.strip_prefix(prefix));
    name.is_some_and(|name| NAMES.contains(&name))
}

/// All that a Service may have under MetalLB's prefixes, the one that is written included.
pub(crate) const KNOWN_ANNOTATIONS: [&str; 4] =
    [ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS, "ip-allocated-from-pool"];

/// What the names begin with.
pub(super) const PREFIX: &str = "metallb.io/";
/// What they began with.
pub(super) const OLD_PREFIX: &str = "metallb.universe.tf/";

/// The first wins.
const PREFIXES: [&str; 2] = [PREFIX, OLD_PREFIX];

#[cfg(test)]
mod tests {
    use crate::model::ServiceKey;

    use super::*;

    #[test]
    fn the_new_prefix_wins_over_the_old_one_even_when_empty() {
        let mut service = Service::new(ServiceKey::new("default", "a"));
        let old = "metallb.universe.tf/address-pool";
        assert_eq!(value(&service, ADDRESS_POOL), None);
        service.annotations.insert(old.to_owned(), " one ".to_owned());
        assert_eq!(value(&service, ADDRESS_POOL), Some((old, "one")));
        service.annotations.insert("metallb.io/address-pool".to_owned(), "two".to_owned());
        assert_eq!(value(&service, ADDRESS_POOL), Some(("metallb.io/address-pool", "two")));
        service.annotations.insert("metallb.io/address-pool".to_owned(), String::new());
        assert_eq!(value(&service, ADDRESS_POOL), None);
    }
}
