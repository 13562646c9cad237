//! What would become of the Services among the files: annotations without effect, addresses that they would not get.
//!
//! The allocator decides, as it does in a cluster; this only says it at the Service's place.

use std::collections::BTreeSet;

use crate::allocator::{Allocator, EventReason, HeldAddresses, KNOWN_ANNOTATIONS, Outcome};
use crate::config::Diagnostic;
use crate::config::place::Place;
use crate::config::report;
use crate::manifest::{Manifests, ServicePlace, ServicePlaces};
use crate::model::{Pool, Service, ServiceType};
use crate::planner::{AnnotationError, RouteAnnotations};
use crate::spelling::nearest;

/// Adds a warning for each such thing, and returns what the Services would hold.
pub(super) fn judge(
    manifests: &Manifests,
    places: &ServicePlaces,
    class: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Outcome {
    let balanced: Vec<&Service> = manifests
        .services
        .iter()
        .filter(|it| {
            it.type_ == ServiceType::LoadBalancer && it.load_balancer_class.as_deref() == class
        })
        .collect();
    let mut allocator = class.map_or_else(Allocator::new, Allocator::for_class);
    allocator.set_namespaces(manifests.namespaces.iter().cloned());
    let held: HeldAddresses = balanced.iter().map(|it| (it.key.clone(), held(it))).collect();
    let outcome = allocator.reconcile(&manifests.config.pools, balanced.iter().copied(), &held);
    // Whether a pool is for a namespace only its labels say.
    let known: BTreeSet<&str> = manifests.namespaces.iter().map(|it| it.name.as_str()).collect();
    let by_labels = allocator.uses_namespaces();
    for event in &outcome.changes.events {
        let told = match event.reason {
            EventReason::IpAllocated => false,
            // It has its effect all the same.
            EventReason::DeprecatedAnnotation => false,
            _ => true,
        };
        let unknown = by_labels && !known.contains(&*event.service.namespace);
        let Some(place) = places.get(&event.service).filter(|_| told && !unknown) else { continue };
        let message = format!("Service {}: {}", event.service, event.message);
        report::warning(diagnostics, &place.name, message);
    }
    for service in balanced {
        let Some(place) = places.get(&service.key) else { continue };
        let assignment = outcome.assignments.get(&service.key);
        let pool = assignment.and_then(|it| manifests.config.pool(&it.pool));
        annotations(service, pool, place, diagnostics);
    }
    outcome
}

fn held(service: &Service) -> Vec<std::net::IpAddr> {
    service.status_addresses.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Annotations that cannot be read, that the pool does not allow, or that there are not. Without a pool nothing is said
/// of what it allows.
fn annotations(
    service: &Service,
    pool: Option<&Pool>,
    place: &ServicePlace,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let none = Pool::new("", Vec::new());
    for complaint in RouteAnnotations::of(service, pool.unwrap_or(&none)).invalid {
        if pool.is_none() && matches!(complaint.error, AnnotationError::NotAllowed(_)) {
            continue;
        }
        let at: &Place = place.annotation(&complaint.annotation);
        report::warning(diagnostics, at, format!("without effect: {complaint}"));
    }
    for (name, at) in &place.annotations {
        let Some((prefix, rest)) = name.split_once('/').filter(|(it, _)| *it != "ferrolb.io")
        else {
            continue;
        };
        if KNOWN_ANNOTATIONS.contains(&rest) {
            continue;
        }
        let hint = match nearest(rest, KNOWN_ANNOTATIONS.into_iter()) {
            Some(nearest) => format!(", did you mean {prefix}/{nearest}?"),
            None => String::new(),
        };
        report::warning(
            diagnostics,
            at,
            format!("without effect: there is no such annotation{hint}"),
        );
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

    /// What is said of Services, each with these metadata and this spec.
    fn said(services: &[(&str, &str)], more: &str) -> Vec<String> {
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
    fn a_service_that_gets_what_it_asks_for_is_not_mentioned() {
        let own = "{name: a, annotations: {metallb.io/address-pool: a, ferrolb.io/med: '7'}}";
        let other = "{name: b, annotations: {metallb.io/allow-shared-ip: k}}";
        assert_eq!(said(&[(own, "loadBalancerIP: 10.0.0.1"), (other, "")], ""), [""; 0]);
    }

    #[test]
    fn addresses_that_a_service_would_not_get_are_told_at_its_place() {
        for (metadata, spec, expected) in [
            ("{name: a}", "loadBalancerIP: 10.0.9.9", "10.0.9.9"),
            ("{name: a}", "loadBalancerIP: 10.0.0.300", "10.0.0.300"),
            ("{name: a, annotations: {metallb.io/address-pool: b}}", "", "\"b\""),
            ("{name: a, annotations: {metallb.io/loadBalancerIPs: 'fd00::1'}}", "", "fd00::1"),
        ] {
            let said = said(&[(metadata, spec)], "");
            let [line] = said.as_slice() else { panic!("{spec}: {said:?}") };
            let place = "f:7:18: warning: metadata.name: Service metallb-system/a: ";
            assert!(line.starts_with(place) && line.contains(expected), "{line}");
        }
    }

    #[test]
    fn services_that_cannot_share_an_address_are_told() {
        let named = |name: &str, key: &str| {
            format!(
                "{{name: {name}, creationTimestamp: '2024-01-0{}T00:00:00Z', annotations: {{metallb.io/allow-shared-ip: {key}}}}}",
                if name == "a" { 1 } else { 2 }
            )
        };
        let both = |first: &str, second: &str, spec: &str| {
            let (a, b) = (named("a", first), named("b", second));
            said(&[(&a, "loadBalancerIP: 10.0.0.1"), (&b, spec)], "")
        };
        let found = both("k", "other", "loadBalancerIP: 10.0.0.1");
        let [line] = found.as_slice() else { panic!("{found:?}") };
        assert!(line.contains("Service metallb-system/b: ") && line.contains("10.0.0.1"), "{line}");
        let found = both("k", "k", "loadBalancerIP: 10.0.0.1");
        let [line] = found.as_slice() else { panic!("{found:?}") };
        assert!(line.contains("25"), "the same port: {line}");
    }

    #[test]
    fn annotations_without_effect_are_told_where_they_stand() {
        let annotations = "{name: a, annotations: {
  metallb.io/adress-pool: a,
  ferrolb.io/med: '11',
  ferrolb.io/prepend: many,
  ferrolb.io/comunities: '1:1',
  other.io/x: some}}";
        assert_eq!(
            said(&[(annotations, "")], ""),
            [
                "f:8:27: warning: metadata.annotations[\"metallb.io/adress-pool\"]: without effect: there is no such annotation, did you mean metallb.io/address-pool?",
                "f:9:19: warning: metadata.annotations[\"ferrolb.io/med\"]: without effect: annotation ferrolb.io/med: pool \"a\" does not allow \"11\"",
                "f:10:23: warning: metadata.annotations[\"ferrolb.io/prepend\"]: without effect: annotation ferrolb.io/prepend: expected a number from 0 to 255, found \"many\"",
                "f:11:26: warning: metadata.annotations[\"ferrolb.io/comunities\"]: without effect: annotation ferrolb.io/comunities: there is no such annotation",
            ]
        );
        let elsewhere =
            "{name: a, annotations: {metallb.io/address-pool: b, ferrolb.io/med: high}}";
        let said = said(&[(elsewhere, "")], "");
        assert_eq!(said.len(), 2, "what cannot be read needs no pool to be told: {said:?}");
    }

    #[test]
    fn of_pools_for_namespaces_is_said_nothing_where_the_namespaces_are_not_known() {
        let pool = "- {name: b, protocol: bgp, addresses: [10.1.0.0/30], service-allocation: {namespace-selectors: [{match-labels: {team: b}}]}}\n";
        let asks = ("{name: a, annotations: {metallb.io/address-pool: b}}", "");
        assert_eq!(said(&[asks], pool), [""; 0]);
        let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: metallb-system}\n";
        let mut said = said(&[asks], &format!("{pool}{namespace}"));
        said.retain(|line| line.contains("Service metallb-system/a"));
        assert!(said.len() == 1 && said[0].contains("\"b\""), "{said:?}");
    }
}
