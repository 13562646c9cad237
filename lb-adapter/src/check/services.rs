//! Services whose annotations have no effect, or that would not get the addresses that they request.
//!
//! The allocator decides, as in a cluster. This module reports its decision at the Service's place in the file.

use std::collections::BTreeSet;

use crate::allocator::{Allocator, EventReason, HeldAddresses, KNOWN_ANNOTATIONS, Outcome};
use crate::config::Diagnostic;
use crate::config::report;
use crate::manifest::{Manifests, ServicePlace, ServicePlaces};
use crate::model::{Pool, Service, ServiceType};
use crate::planner::{AnnotationError, RouteAnnotations};
use crate::spelling::nearest;

/// Adds the warnings, and returns the addresses that the Services would get.
pub(super) fn check(
    manifests: &Manifests,
    places: &ServicePlaces,
    class: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Outcome {
    let mut served: Vec<&Service> = manifests.services.iter().collect();
    served.retain(|service| {
        service.type_ == ServiceType::LoadBalancer
            && service.load_balancer_class.as_deref() == class
    });

    let mut allocator = class.map_or_else(Allocator::new, Allocator::for_class);
    allocator.set_namespaces(manifests.namespaces.iter().cloned());
    let held: HeldAddresses =
        served.iter().map(|service| (service.key.clone(), held_addresses(service))).collect();
    let outcome = allocator.reconcile(&manifests.config.pools, served.iter().copied(), &held);

    // A pool may select namespaces by labels, which are unknown if the files do not have the Namespace.
    let known: BTreeSet<&str> = manifests.namespaces.iter().map(|it| it.name.as_str()).collect();
    let uses_namespaces = allocator.uses_namespaces();
    for event in &outcome.changes.events {
        if has_effect(event.reason) || uses_namespaces && !known.contains(&*event.service.namespace)
        {
            continue;
        }
        if let Some(place) = places.get(&event.service) {
            let message = format!("Service {}: {}", event.service, event.message);
            report::warning(diagnostics, &place.name, message);
        }
    }

    for service in served {
        let Some(place) = places.get(&service.key) else { continue };
        let assignment = outcome.assignments.get(&service.key);
        let pool = assignment.and_then(|assignment| manifests.config.pool(&assignment.pool));
        check_route_annotations(service, pool, place, diagnostics);
        check_annotation_names(place, diagnostics);
    }
    outcome
}

fn held_addresses(service: &Service) -> Vec<std::net::IpAddr> {
    service.status_addresses.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Returns true if an event reports that a request had its effect.
fn has_effect(reason: EventReason) -> bool {
    matches!(reason, EventReason::IpAllocated | EventReason::DeprecatedAnnotation)
}

/// Warns of annotations with an invalid value, or with one that the pool does not allow. Without a pool, only invalid values
/// cause a warning.
fn check_route_annotations(
    service: &Service,
    pool: Option<&Pool>,
    place: &ServicePlace,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let no_pool = Pool::new("", Vec::new());
    for invalid in RouteAnnotations::of(service, pool.unwrap_or(&no_pool)).invalid {
        if pool.is_none() && matches!(invalid.error, AnnotationError::NotAllowed(_)) {
            continue;
        }
        let annotation = place.annotation(&invalid.annotation);
        report::warning(diagnostics, annotation, format!("ignored: {invalid}"));
    }
}

/// Warns of unknown annotations. The names in `ferrolb.io` are checked together with their values.
fn check_annotation_names(place: &ServicePlace, diagnostics: &mut Vec<Diagnostic>) {
    for (name, annotation) in &place.annotations {
        let Some((prefix, rest)) = name.split_once('/') else { continue };
        if prefix == "ferrolb.io" || KNOWN_ANNOTATIONS.contains(&rest) {
            continue;
        }

        let hint = match nearest(rest, KNOWN_ANNOTATIONS.into_iter()) {
            Some(nearest) => format!(", did you mean {prefix}/{nearest}?"),
            None => String::new(),
        };
        report::warning(diagnostics, annotation, format!("ignored: unknown annotation{hint}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::problems;
    use crate::manifest::{Options, Source};

    const CONFIG: &str = "\
peers: [{my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1}]
address-pools:
- {name: a, protocol: bgp, addresses: [10.0.0.0/30], allow-med: 0-10}
";

    /// Returns the warnings about Services, each with these metadata and this spec.
    fn warnings(services: &[(&str, &str)], more: &str) -> Vec<String> {
        let services: String = services
            .iter()
            .map(|(metadata, spec)| {
                let spec = format!("{{type: LoadBalancer, ports: [{{port: 25}}], {spec}}}");
                format!("---\napiVersion: v1\nkind: Service\nmetadata: {metadata}\nspec: {spec}\n")
            })
            .collect();
        let text = format!("{CONFIG}{more}{services}");
        let options = Options { lenient: true, ..Options::default() };
        let source = Source { name: "f".to_owned(), octets: text.into_bytes() };
        problems(&options, "f", &[source]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_service_that_gets_what_it_requests_causes_no_warning() {
        let own = "{name: a, annotations: {metallb.io/address-pool: a, ferrolb.io/med: '7'}}";
        let other = "{name: b, annotations: {metallb.io/allow-shared-ip: k}}";
        assert_eq!(warnings(&[(own, "loadBalancerIP: 10.0.0.1"), (other, "")], ""), [""; 0]);
    }

    #[test]
    fn addresses_that_a_service_would_not_get_cause_a_warning_at_its_place() {
        for (metadata, spec, expected) in [
            ("{name: a}", "loadBalancerIP: 10.0.9.9", "10.0.9.9"),
            ("{name: a}", "loadBalancerIP: 10.0.0.300", "10.0.0.300"),
            ("{name: a, annotations: {metallb.io/address-pool: b}}", "", "\"b\""),
            ("{name: a, annotations: {metallb.io/loadBalancerIPs: 'fd00::1'}}", "", "fd00::1"),
        ] {
            let warnings = warnings(&[(metadata, spec)], "");
            let [line] = warnings.as_slice() else { panic!("{spec}: {warnings:?}") };
            let place = "f:7:18: warning: metadata.name: Service metallb-system/a: ";
            assert!(line.starts_with(place) && line.contains(expected), "{line}");
        }
    }

    #[test]
    fn services_that_cannot_share_an_address_cause_a_warning() {
        let named = |name: &str, key: &str| {
            format!(
                "{{name: {name}, creationTimestamp: '2024-01-0{}T00:00:00Z', annotations: {{metallb.io/allow-shared-ip: {key}}}}}",
                if name == "a" { 1 } else { 2 }
            )
        };
        let both = |first: &str, second: &str, spec: &str| {
            let (a, b) = (named("a", first), named("b", second));
            warnings(&[(&a, "loadBalancerIP: 10.0.0.1"), (&b, spec)], "")
        };
        let found = both("k", "other", "loadBalancerIP: 10.0.0.1");
        let [line] = found.as_slice() else { panic!("{found:?}") };
        assert!(line.contains("Service metallb-system/b: ") && line.contains("10.0.0.1"), "{line}");
        let found = both("k", "k", "loadBalancerIP: 10.0.0.1");
        let [line] = found.as_slice() else { panic!("{found:?}") };
        assert!(line.contains("25"), "the same port: {line}");
    }

    #[test]
    fn annotations_without_effect_cause_a_warning_at_their_place() {
        let annotations = "{name: a, annotations: {
  metallb.io/adress-pool: a,
  ferrolb.io/med: '11',
  ferrolb.io/prepend: many,
  ferrolb.io/comunities: '1:1',
  other.io/x: some}}";
        assert_eq!(
            warnings(&[(annotations, "")], ""),
            [
                "f:8:27: warning: metadata.annotations[\"metallb.io/adress-pool\"]: ignored: unknown annotation, did you mean metallb.io/address-pool?",
                "f:9:19: warning: metadata.annotations[\"ferrolb.io/med\"]: ignored: annotation ferrolb.io/med: pool \"a\" does not allow \"11\"",
                "f:10:23: warning: metadata.annotations[\"ferrolb.io/prepend\"]: ignored: annotation ferrolb.io/prepend: expected a number from 0 to 255, found \"many\"",
                "f:11:26: warning: metadata.annotations[\"ferrolb.io/comunities\"]: ignored: annotation ferrolb.io/comunities: there is no such annotation",
            ]
        );
        let elsewhere =
            "{name: a, annotations: {metallb.io/address-pool: b, ferrolb.io/med: high}}";
        let warnings = warnings(&[(elsewhere, "")], "");
        assert_eq!(
            warnings.len(),
            2,
            "an invalid value causes a warning even without a pool: {warnings:?}"
        );
    }

    #[test]
    fn pools_for_namespaces_cause_no_warning_if_the_namespaces_are_unknown() {
        let pool = "- {name: b, protocol: bgp, addresses: [10.1.0.0/30], service-allocation: {namespace-selectors: [{match-labels: {team: b}}]}}\n";
        let asks = ("{name: a, annotations: {metallb.io/address-pool: b}}", "");
        assert_eq!(warnings(&[asks], pool), [""; 0]);
        let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: metallb-system}\n";
        let mut warnings = warnings(&[asks], &format!("{pool}{namespace}"));
        warnings.retain(|line| line.contains("Service metallb-system/a"));
        assert!(warnings.len() == 1 && warnings[0].contains("\"b\""), "{warnings:?}");
    }
}
