//! Pools: entries of `address-pools` in the ConfigMap, IPAddressPool resources.

use super::draft::{Format, Key};
use super::field::{Field, Mapping};
use super::report::{Place, Report};
use super::{labels, ranges};
use crate::model::{AddressRange, Pool, ServiceAllocation};

/// Reads what both formats say of a pool, and where its ranges are. Name, labels, protocol and what
/// is FerroLB's own are not among it.
pub(crate) fn read(
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (Pool, Vec<Place>) {
    let (ranges, places) = addresses(mapping, report, format);
    let mut pool = Pool::new("", ranges);
    let boolean = |key: Key, report: &mut Report<'_>| {
        mapping.get(key.of(format)).and_then(|field| field.boolean(report))
    };
    pool.auto_assign = boolean(AUTO_ASSIGN, report).unwrap_or(true);
    pool.avoid_buggy_ips = boolean(AVOID_BUGGY_IPS, report).unwrap_or(false);
    pool.allocation = mapping
        .get(SERVICE_ALLOCATION.of(format))
        .and_then(|field| allocation(field, format, report));
    (pool, places)
}

fn addresses(
    pool: &Mapping<'_>,
    report: &mut Report<'_>,
    format: Format,
) -> (Vec<AddressRange>, Vec<Place>) {
    let Some(list) = pool.required(ADDRESSES.0, "at least one prefix or range", report) else {
        return Default::default();
    };
    if list.is_empty_list() {
        list.error(report, "empty, expected at least one prefix or range");
    }
    let items: Vec<_> = list.list(report).collect();
    let placed = items
        .into_iter()
        .filter_map(|field| Some((ranges::read(field, format, report)?, report.place_of(&field))));
    placed.unzip()
}

fn allocation(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<ServiceAllocation> {
    let mapping = field.mapping(report)?;
    let keys = [PRIORITY, NAMESPACES, NAMESPACE_SELECTORS, SERVICE_SELECTORS];
    mapping.only(&keys.map(|key| key.of(format)), report);
    let mut rule = ServiceAllocation::default();
    let priority = mapping.get(PRIORITY.of(format));
    rule.priority =
        priority.and_then(|field| field.integer(report, 0..=i32::MAX.unsigned_abs())).unwrap_or(0);
    if let Some(list) = mapping.get(NAMESPACES.of(format)) {
        let items: Vec<_> = list.list(report).collect();
        for item in items {
            let Some(name) = item.word(format, report) else { continue };
            if !rule.namespaces.insert(name.to_owned()) {
                item.error(report, format!("{} is listed twice", item.shown()));
            }
        }
    }
    rule.namespace_selectors =
        labels::selectors(&mapping, NAMESPACE_SELECTORS.of(format), format, report);
    rule.service_selectors =
        labels::selectors(&mapping, SERVICE_SELECTORS.of(format), format, report);
    Some(rule)
}

const ADDRESSES: Key = Key("addresses", "addresses");
const AUTO_ASSIGN: Key = Key("auto-assign", "autoAssign");
const AVOID_BUGGY_IPS: Key = Key("avoid-buggy-ips", "avoidBuggyIPs");
const SERVICE_ALLOCATION: Key = Key("service-allocation", "serviceAllocation");
const PRIORITY: Key = Key("priority", "priority");
const NAMESPACES: Key = Key("namespaces", "namespaces");
const NAMESPACE_SELECTORS: Key = Key("namespace-selectors", "namespaceSelectors");
const SERVICE_SELECTORS: Key = Key("service-selectors", "serviceSelectors");

/// What [`read`] reads.
pub(crate) const KEYS: [Key; 4] = [ADDRESSES, AUTO_ASSIGN, AVOID_BUGGY_IPS, SERVICE_ALLOCATION];
