//! MetalLB's scenarios of `PreferDualStack` and `RequireDualStack`, where pools change under a Service.

use super::allocator::{families, held};
use crate::world::*;

const V4: &str = "IPAddressPool four {addresses: [198.51.100.100/32]}";
const V6: &str = "IPAddressPool six {addresses: ['2001:db8::/124']}";
const BOTH: &str = "IPAddressPool both {addresses: [203.0.113.100/32, '2001:db8:1::/124']}";

fn service_that(policy: &str, order: &[&str]) -> serde_json::Value {
    families(service("a"), policy, order)
}

fn prefers(order: &[&str]) -> serde_json::Value {
    service_that("PreferDualStack", order)
}

#[test]
fn a_pool_with_both_families_takes_precedence_over_those_with_one() {
    let mut world = World::of(&format!("{V4}\n{V6}\n{BOTH}"));
    let answer = world.applied(prefers(&["IPv4", "IPv6"]));
    assert_eq!(held(&answer, "a"), "203.0.113.100 2001:db8:1::");
}

#[test]
fn among_single_family_pools_the_services_first_family_takes_precedence() {
    for (order, address) in [(["IPv4", "IPv6"], "198.51.100.100"), (["IPv6", "IPv4"], "2001:db8::")]
    {
        let mut world = World::of(&format!("{V6}\n{V4}"));
        assert_eq!(held(&world.applied(prefers(&order)), "a"), address, "{order:?}");
    }
}

#[test]
fn the_second_address_is_assigned_once_the_pool_has_one() {
    let mut world = World::of(
        "IPAddressPool p {addresses: [198.51.100.100/32], serviceAllocation: {namespaces: [default]}}",
    );
    assert_eq!(held(&world.applied(prefers(&["IPv4", "IPv6"])), "a"), "198.51.100.100");
    let answer = world.have(
        "IPAddressPool p {addresses: [198.51.100.0/24, '2001:db8::/124'], serviceAllocation: {namespaces: [default]}}",
    );
    assert_eq!(held(&answer, "a"), "198.51.100.100 2001:db8::");
}

/// MetalLB takes the only address away from a Service that requires two. FerroLB leaves it, as the documentation says: a
/// Service that can be reached by one family is better than one that cannot be reached at all.
#[test]
fn a_service_that_now_requires_both_families_keeps_its_address() {
    let mut world = World::of(V4);
    let order = ["IPv4", "IPv6"];
    assert_eq!(held(&world.applied(prefers(&order)), "a"), "198.51.100.100");
    let answer = world.applied(service_that("RequireDualStack", &order));
    assert_eq!(held(&answer, "a"), "198.51.100.100");
    assert_eq!(answer.events("a"), ["AllocationFailed"]);
    let answer = world.applied(prefers(&order));
    assert_eq!(held(&answer, "a"), "198.51.100.100");

    let mut world = World::of(V4);
    let answer = world.applied(service_that("RequireDualStack", &order));
    assert_eq!(held(&answer, "a"), "", "a new one gets both or nothing, as in MetalLB");
}

#[test]
fn a_new_pool_with_both_families_moves_no_service() {
    let mut world = World::of(V4);
    world.applied(prefers(&["IPv4", "IPv6"]));
    let answer = world.have(BOTH);
    assert_eq!(
        (held(&answer, "a"), answer.service("a").changed),
        ("198.51.100.100".to_owned(), false)
    );
}

/// MetalLB moves the Service to the other pool with both addresses. FerroLB leaves the address that is still in a pool, as
/// the documentation says: an address in use is not taken away.
#[test]
fn if_a_pool_loses_one_family_the_other_address_stays() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.100/32, '2001:db8::/124']}");
    let answer = world.applied(prefers(&["IPv4", "IPv6"]));
    assert_eq!(held(&answer, "a"), "198.51.100.100 2001:db8::");
    world.have(BOTH);
    let answer = world.have("IPAddressPool p {addresses: ['2001:db8::/124']}");
    assert_eq!(held(&answer, "a"), "2001:db8::");
}

#[test]
fn a_pool_of_only_the_second_family_assigns_that_one() {
    for order in [["IPv4", "IPv6"], ["IPv6", "IPv4"]] {
        let mut world = World::of(V6);
        assert_eq!(held(&world.applied(prefers(&order)), "a"), "2001:db8::", "{order:?}");
    }
}
