//! The annotations with which a Service requests an address.
//!
//! Owns their names. MetalLB read them under the prefix `metallb.universe.tf/` at first and reads them under
//! `metallb.io/` today; if a Service has an annotation under both, the new prefix wins.

use crate::model::Service;

/// The pool to take the address from.
pub(super) const ADDRESS_POOL: &str = "address-pool";
/// The key that Services must have in common to share an address.
pub(super) const ALLOW_SHARED_IP: &str = "allow-shared-ip";
/// The requested addresses, at most one for each family.
pub(super) const LOAD_BALANCER_IPS: &str = "loadBalancerIPs";

const NAMES: [&str; 3] = [ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS];

/// Returns the annotation's full name and its value. An empty value counts as absent.
pub(super) fn value<'a>(service: &'a Service, name: &str) -> Option<(&'a str, &'a str)> {
    let (full_name, value) = PREFIXES.into_iter().find_map(|prefix| find(service, prefix, name))?;
    let value = value.trim();
    (!value.is_empty()).then_some((full_name, value))
}

fn find<'a>(service: &'a Service, prefix: &str, name: &str) -> Option<(&'a str, &'a str)> {
    service.annotations.iter().find(|(key, _)| key.strip_prefix(prefix) == Some(name))
}

/// Returns the names that a Service has under the old prefix only.
pub(super) fn deprecated(service: &Service) -> Box<[&'static str]> {
    let mut names = NAMES.to_vec();
    names.retain(|name| {
        find(service, OLD_PREFIX, name).is_some() && find(service, PREFIX, name).is_none()
    });
    names.into()
}

/// Returns true if the allocator reads an annotation of this full name.
pub(crate) fn reads_annotation(full_name: &str) -> bool {
    let name = PREFIXES.into_iter().find_map(|prefix| full_name.strip_prefix(prefix));
    name.is_some_and(|name| NAMES.contains(&name))
}

/// All names that a Service may have under MetalLB's prefixes, including the one that the controller writes.
pub(crate) const KNOWN_ANNOTATIONS: [&str; 4] =
    [ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS, "ip-allocated-from-pool"];

/// MetalLB's prefix of today.
pub(super) const PREFIX: &str = "metallb.io/";
/// MetalLB's deprecated prefix.
pub(super) const OLD_PREFIX: &str = "metallb.universe.tf/";

/// The prefixes in order of precedence.
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
