//! [`Action`]: a change of a route's attributes.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::wire::{
    Aggregator, AsPath, AttributeCode, Community, ExtendedCommunity, Ipv6ExtendedCommunity,
    LargeCommunity, NextHop, Origin, PathAttributes, RawAttribute, is_typed,
};
use crate::{Asn, BgpIdentifier};

use super::{AsnSet, CommunityMatch, LargeCommunityMatch};

/// A change of a route's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Action {
    /// Adds a community, unless it is present.
    AddCommunity(Community),
    /// Removes the communities that match.
    RemoveCommunity(CommunityMatch),
    /// Replaces all communities by these. An empty list removes the attribute.
    SetCommunities(Vec<Community>),
    /// Adds a large community, unless it is present.
    AddLargeCommunity(LargeCommunity),
    /// Removes the large communities that match.
    RemoveLargeCommunity(LargeCommunityMatch),
    /// Replaces all large communities by these. An empty list removes the attribute.
    SetLargeCommunities(Vec<LargeCommunity>),
    /// Adds an extended community, unless it is present.
    AddExtendedCommunity(ExtendedCommunity),
    /// Removes the extended communities in this range, in the order of their octets.
    RemoveExtendedCommunity(RangeInclusive<ExtendedCommunity>),
    /// Replaces all extended communities by these. An empty list removes the attribute.
    SetExtendedCommunities(Vec<ExtendedCommunity>),
    /// Adds an IPv6 extended community, unless it is present.
    AddIpv6ExtendedCommunity(Ipv6ExtendedCommunity),
    /// Removes the IPv6 extended communities in this range, in the order of their octets.
    RemoveIpv6ExtendedCommunity(RangeInclusive<Ipv6ExtendedCommunity>),
    /// Replaces all IPv6 extended communities by these. An empty list removes the attribute.
    SetIpv6ExtendedCommunities(Vec<Ipv6ExtendedCommunity>),

    /// Prepends an AS number to the AS_PATH this many times, in addition to what an external session prepends.
    Prepend(Asn, usize),
    /// Removes these AS numbers from the AS_PATH, for example the [private](AsnSet::private) ones.
    RemoveAs(AsnSet),
    /// Replaces these AS numbers in the AS_PATH by another.
    ReplaceAs(AsnSet, Asn),
    /// Replaces the AS_PATH.
    SetAsPath(AsPath),

    /// Sets ORIGIN.
    Origin(Origin),
    /// Sets the next hop. `None` in an export policy: the session's own (next hop self).
    NextHop(Option<NextHop>),
    /// Sets MULTI_EXIT_DISC, or removes it.
    Med(Option<u32>),
    /// Adds to MULTI_EXIT_DISC, within its limits. A route without one has 0.
    AddMed(i64),
    /// Sets LOCAL_PREF, or removes it.
    LocalPref(Option<u32>),
    /// Adds to LOCAL_PREF, within its limits. A route without one has 100.
    AddLocalPref(i64),
    /// Adds or removes ATOMIC_AGGREGATE.
    AtomicAggregate(bool),
    /// Sets AGGREGATOR, or removes it.
    Aggregator(Option<Aggregator>),
    /// Sets ORIGINATOR_ID, or removes it.
    OriginatorId(Option<BgpIdentifier>),
    /// Replaces CLUSTER_LIST. An empty list removes the attribute.
    ClusterList(Vec<BgpIdentifier>),
    /// Sets ONLY_TO_CUSTOMER (RFC 9234), or removes it. A session with a role treats routes by it after an export policy, and
    /// before an import policy.
    OnlyToCustomer(Option<Asn>),
    /// Sets the metric of AIGP (RFC 7311), or removes it.
    Aigp(Option<u64>),
    /// Adds an attribute in the form of octets. It replaces one with the same code. An attribute that [`PathAttributes`] has a
    /// field for, such as AS_PATH, is left as it is: it has actions of its own.
    SetUnknown(RawAttribute),
    /// Removes an attribute that is [carried as octets](PathAttributes::unknown).
    RemoveUnknown(AttributeCode),
}

/// Sets a field of shared attributes, which are copied only if it differs.
macro_rules! set {
    ($attributes:ident.$field:ident, $value:expr) => {
        if $attributes.$field != *$value {
            Arc::make_mut($attributes).$field = $value.clone();
        }
    };
}

/// Adds a value to a list of shared attributes, unless it is present.
macro_rules! add {
    ($attributes:ident.$field:ident, $value:expr) => {
        if !$attributes.$field.contains($value) {
            Arc::make_mut($attributes).$field.push(*$value);
        }
    };
}

/// Removes the values from a list of shared attributes that match.
macro_rules! remove {
    ($attributes:ident.$field:ident, $matches:expr) => {
        if $attributes.$field.iter().any($matches) {
            Arc::make_mut($attributes).$field.retain(|it| !$matches(it));
        }
    };
}

impl Action {
    /// Changes the attributes. They are copied only if something changes, because routes share them.
    pub(super) fn apply(&self, attributes: &mut Arc<PathAttributes>) {
        match self {
            Self::AddCommunity(it) => add!(attributes.communities, it),
            Self::RemoveCommunity(pattern) => {
                remove!(attributes.communities, |it: &Community| pattern.matches(*it));
            }
            Self::SetCommunities(all) => set!(attributes.communities, all),
            Self::AddLargeCommunity(it) => add!(attributes.large_communities, it),
            Self::RemoveLargeCommunity(pattern) => {
                remove!(attributes.large_communities, |it: &LargeCommunity| pattern.matches(*it));
            }
            Self::SetLargeCommunities(all) => set!(attributes.large_communities, all),
            Self::AddExtendedCommunity(it) => add!(attributes.extended_communities, it),
            Self::RemoveExtendedCommunity(range) => {
                remove!(attributes.extended_communities, |it| range.contains(it));
            }
            Self::SetExtendedCommunities(all) => set!(attributes.extended_communities, all),
            Self::AddIpv6ExtendedCommunity(it) => add!(attributes.ipv6_extended_communities, it),
            Self::RemoveIpv6ExtendedCommunity(range) => {
                remove!(attributes.ipv6_extended_communities, |it| range.contains(it));
            }
            Self::SetIpv6ExtendedCommunities(all) => {
                set!(attributes.ipv6_extended_communities, all);
            }

            Self::Prepend(_, 0) => {}
            Self::Prepend(asn, times) => Arc::make_mut(attributes).as_path.prepend(*asn, *times),
            Self::RemoveAs(set) => {
                if has_as(&attributes.as_path, set) {
                    remove_as(&mut Arc::make_mut(attributes).as_path, set);
                }
            }
            Self::ReplaceAs(set, by) => {
                if has_as(&attributes.as_path, set) {
                    replace_as(&mut Arc::make_mut(attributes).as_path, set, *by);
                }
            }
            Self::SetAsPath(path) => set!(attributes.as_path, path),

            Self::Origin(origin) => set!(attributes.origin, origin),
            Self::NextHop(next_hop) => set!(attributes.next_hop, next_hop),
            Self::Med(med) => set!(attributes.med, med),
            Self::AddMed(more) => set!(attributes.med, &sum(attributes.med, 0, *more)),
            Self::LocalPref(preference) => set!(attributes.local_pref, preference),
            Self::AddLocalPref(more) => {
                set!(attributes.local_pref, &sum(attributes.local_pref, DEFAULT_LOCAL_PREF, *more));
            }
            Self::AtomicAggregate(is_present) => set!(attributes.atomic_aggregate, is_present),
            Self::Aggregator(aggregator) => set!(attributes.aggregator, aggregator),
            Self::OriginatorId(originator) => set!(attributes.originator_id, originator),
            Self::ClusterList(clusters) => set!(attributes.cluster_list, clusters),
            Self::OnlyToCustomer(asn) => set!(attributes.only_to_customer, asn),
            Self::Aigp(metric) => {
                if attributes.aigp() != *metric {
                    Arc::make_mut(attributes).set_aigp(*metric);
                }
            }
            Self::SetUnknown(raw) => set_unknown(attributes, raw),
            Self::RemoveUnknown(code) => {
                remove!(attributes.unknown, |it: &RawAttribute| it.code == *code);
            }
        }
    }
}

/// The LOCAL_PREF that a route without one has in the decision process.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// The sum of a metric and a change of it, within the limits of a metric.
fn sum(metric: Option<u32>, missing: u32, more: i64) -> Option<u32> {
    let sum = i64::from(metric.unwrap_or(missing)).saturating_add(more).max(0);
    Some(u32::try_from(sum).unwrap_or(u32::MAX))
}

fn has_as(path: &AsPath, set: &AsnSet) -> bool {
    path.segments.iter().flat_map(|segment| &segment.asns).any(|asn| set.contains(*asn))
}

/// Removes AS numbers, and the segments that they leave empty, which a path must not have.
fn remove_as(path: &mut AsPath, set: &AsnSet) {
    for segment in &mut path.segments {
        segment.asns.retain(|asn| !set.contains(*asn));
    }
    path.segments.retain(|segment| !segment.asns.is_empty());
}

fn replace_as(path: &mut AsPath, set: &AsnSet, by: Asn) {
    for asn in path.segments.iter_mut().flat_map(|segment| &mut segment.asns) {
        if set.contains(*asn) {
            *asn = by;
        }
    }
}

/// Puts an attribute in its place by code.
fn set_unknown(attributes: &mut Arc<PathAttributes>, raw: &RawAttribute) {
    // A route must not have an attribute twice.
    if is_typed(raw.code) || attributes.unknown.contains(raw) {
        return;
    }
    let unknown = &mut Arc::make_mut(attributes).unknown;
    unknown.retain(|it| it.code != raw.code);
    let at = unknown.partition_point(|it| it.code < raw.code);
    unknown.insert(at, raw.clone());
}
