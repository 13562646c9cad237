//! Pools: entries of `address-pools` in the ConfigMap, IPAddressPool resources.

use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::place::Place;
use super::report::Report;
use super::{address_ranges, selectors};
use crate::model::{AddressRange, Pool, ServiceAllocation};

/// Reads the keys of a pool that both formats have, and the places of its ranges. Name, labels, protocol and FerroLB's
/// extensions are read elsewhere.
pub(crate) fn read(
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (Pool, Vec<Place>) {
    let (ranges, places) = addresses(mapping, report, format);
    let mut pool = Pool::new("", ranges);
    pool.auto_assign = mapping.boolean(AUTO_ASSIGN.of(format), report).unwrap_or(true);
    pool.avoid_buggy_ips = mapping.boolean(AVOID_BUGGY_IPS.of(format), report).unwrap_or(false);
    if let Some(field) = mapping.get(SERVICE_ALLOCATION.of(format)) {
        pool.allocation = allocation(field, format, report);
    }
    (pool, places)
}

fn addresses(
    pool: &Mapping<'_>,
    report: &mut Report<'_>,
    format: Format,
) -> (Vec<AddressRange>, Vec<Place>) {
    let expected = "at least one prefix or range";
    let Some(list) = pool.required(ADDRESSES.of(format), expected, report) else {
        return Default::default();
    };
    if list.is_empty_list() {
        list.error(report, format!("empty, expected {expected}"));
    }

    let items: Vec<_> = list.list(report).collect();
    let (mut ranges, mut places) = (Vec::new(), Vec::new());
    for item in items {
        if let Some(range) = address_ranges::read(item, format, report) {
            ranges.push(range);
            places.push(item.place(report));
        }
    }
    (ranges, places)
}

fn allocation(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<ServiceAllocation> {
    let mapping = field.mapping(report)?;
    let keys = [PRIORITY, NAMESPACES, NAMESPACE_SELECTORS, SERVICE_SELECTORS];
    mapping.only(&keys.map(|key| key.of(format)), report);

    let mut allocation = ServiceAllocation::default();
    if let Some(field) = mapping.get(PRIORITY.of(format)) {
        allocation.priority = field.integer(report, 0..=i32::MAX.unsigned_abs()).unwrap_or(0);
    }

    if let Some(list) = mapping.get(NAMESPACES.of(format)) {
        let items: Vec<_> = list.list(report).collect();
        for item in items {
            let Some(name) = item.word(format, report) else { continue };
            if !allocation.namespaces.insert(name.to_owned()) {
                item.error(report, format!("{} is listed twice", item.shown()));
            }
        }
    }

    allocation.namespace_selectors =
        selectors::selectors(&mapping, NAMESPACE_SELECTORS.of(format), format, report);
    allocation.service_selectors =
        selectors::selectors(&mapping, SERVICE_SELECTORS.of(format), format, report);
    Some(allocation)
}

const ADDRESSES: Key = Key("addresses", "addresses");
const AUTO_ASSIGN: Key = Key("auto-assign", "autoAssign");
const AVOID_BUGGY_IPS: Key = Key("avoid-buggy-ips", "avoidBuggyIPs");
const SERVICE_ALLOCATION: Key = Key("service-allocation", "serviceAllocation");
const PRIORITY: Key = Key("priority", "priority");
const NAMESPACES: Key = Key("namespaces", "namespaces");
const NAMESPACE_SELECTORS: Key = Key("namespace-selectors", "namespaceSelectors");
const SERVICE_SELECTORS: Key = Key("service-selectors", "serviceSelectors");

/// The keys that [`read`] reads.
pub(crate) const KEYS: [Key; 4] = [ADDRESSES, AUTO_ASSIGN, AVOID_BUGGY_IPS, SERVICE_ALLOCATION];
