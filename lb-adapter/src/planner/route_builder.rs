//! Joins the contributions of all Services to one prefix into the attributes of one route.
//!
//! Owns the rules for contradictory attributes. Among advertisements the first of the configuration wins, among Services the
//! first by name. Communities are combined. A route is depreferenced if all its Services are.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use bgp_core::wire::{AsPath, ExtendedCommunity, NextHop, Origin, PathAttributes};
use ipnet::IpNet;

use crate::model::{Asn, BgpAdvertisement, Config, Peer, PeerAsn};

use super::planned_route::PlannedRoute;
use super::service_attributes::ServiceAttributes;

/// Builds the attributes of routes to one peer.
pub(super) struct RouteBuilder<'a> {
    pub(super) config: &'a Config,
    pub(super) peer: &'a Peer,
    /// `None` stands for the session's own address.
    pub(super) next_hop: Option<IpAddr>,
}

impl<'a> RouteBuilder<'a> {
    /// Returns the attributes of a route.
    pub(super) fn attributes(&self, route: &PlannedRoute) -> PathAttributes {
        let advertisements: Vec<_> = self.advertisements(route).collect();

        let mut communities = BTreeSet::new();
        let mut large_communities = BTreeSet::new();
        for advertisement in &advertisements {
            communities.extend(&advertisement.communities);
            large_communities.extend(&advertisement.large_communities);
        }
        for service in route.service_attributes() {
            communities.extend(&service.communities);
            large_communities.extend(&service.large_communities);
        }

        let mut attributes = PathAttributes {
            next_hop: self.next_hop.map(NextHop::from),
            med: route.service_attributes().find_map(|service| service.med),
            communities: communities.into_iter().collect(),
            large_communities: large_communities.into_iter().collect(),
            extended_communities: self.bandwidth(route).into_iter().collect(),
            ..PathAttributes::default()
        };
        if self.peer.is_internal() {
            attributes.local_pref = Some(local_pref(route, &advertisements));
        }

        let mut prepended = route
            .service_attributes()
            .map(|service| usize::from(service.prepend))
            .find(|count| *count > 0)
            .unwrap_or(0);
        if route.is_depreferenced() {
            attributes.origin = Origin::Incomplete;
            attributes.med = Some(u32::MAX);
            attributes.local_pref = attributes.local_pref.map(|_| 0);
            prepended += 1;
        }
        if prepended > 0 && !self.peer.is_internal() {
            let mut path = AsPath::default();
            path.prepend(self.peer.shown_asn(), prepended);
            attributes.as_path = path;
        }
        attributes
    }

    /// Returns the link bandwidth of the endpoints of all Services (draft-ietf-idr-link-bandwidth).
    fn bandwidth(&self, route: &PlannedRoute) -> Option<ExtendedCommunity> {
        let bandwidths = route.service_attributes().filter_map(|service| service.bandwidth);
        let sum = bandwidths.map(|(octets, _)| octets).reduce(u64::saturating_add)?;
        let asn = u16::try_from(self.peer.shown_asn().0).unwrap_or(AS_TRANS);
        Some(ExtendedCommunity::link_bandwidth(asn, float(sum)))
    }

    fn advertisements(&self, route: &PlannedRoute) -> impl Iterator<Item = &'a BgpAdvertisement> {
        let mut indexes = BTreeSet::new();
        for contribution in route.contributions() {
            indexes.extend(contribution.advertisements.iter().copied());
        }
        let config = self.config;
        indexes.into_iter().filter_map(|index| config.bgp_advertisements.get(index))
    }

    /// Returns a warning for each configured value of a route that is not sent to the peer.
    pub(super) fn warnings(
        &self,
        prefix: IpNet,
        route: &PlannedRoute,
    ) -> BTreeSet<AttributeWarning> {
        let mut warnings = BTreeSet::new();

        let configured = self.advertisements(route).filter_map(RequestedValue::of_advertisement);
        if self.peer.is_internal() {
            warnings.extend(conflicts(prefix, "localpref", configured));
        } else {
            let peer_asn = self.peer.peer_asn;
            warnings.extend(
                configured.map(|unsent| AttributeWarning::LocalPrefNotSent { unsent, peer_asn }),
            );
        }

        for (attribute, value_of) in SINGLE_VALUED {
            if attribute == "local-pref" && !self.peer.is_internal() {
                continue;
            }
            let requested = route.contributions().iter().filter_map(|contribution| {
                let value = value_of(contribution.attributes.as_deref()?)?;
                Some(RequestedValue { by: format!("Service {}", contribution.service), value })
            });
            warnings.extend(conflicts(prefix, attribute, requested));
        }
        warnings
    }
}

/// Returns LOCAL_PREF for an internal peer: a Service's, an advertisement's, or the default.
fn local_pref(route: &PlannedRoute, advertisements: &[&BgpAdvertisement]) -> u32 {
    let of_service = route.service_attributes().find_map(|service| service.local_pref);
    if let Some(local_pref) = of_service {
        return local_pref;
    }
    let configured = advertisements.iter().find_map(|advertisement| advertisement.local_pref);
    configured.unwrap_or(DEFAULT_LOCAL_PREF)
}

/// Takes one value out of the attributes of a Service.
type ValueOf = fn(&ServiceAttributes) -> Option<u32>;

/// The attributes that can have one value only, by the names of their annotations.
const SINGLE_VALUED: [(&str, ValueOf); 3] = [
    ("local-pref", |service| service.local_pref),
    ("med", |service| service.med),
    ("prepend", |service| (service.prepend > 0).then(|| service.prepend.into())),
];

/// Returns a conflict for each value that differs from the first, which is the one that is sent.
fn conflicts(
    prefix: IpNet,
    attribute: &'static str,
    mut values: impl Iterator<Item = RequestedValue>,
) -> Vec<AttributeWarning> {
    let Some(kept) = values.next() else { return Vec::new() };
    values
        .filter(|other| other.value != kept.value)
        .map(|ignored| AttributeWarning::Conflict {
            prefix,
            attribute,
            kept: kept.clone(),
            ignored,
        })
        .collect()
}

/// Converts a bandwidth to the nearest value that the community can carry.
#[expect(clippy::cast_precision_loss, reason = "the community has a 32-bit float")]
fn float(octets: u64) -> f32 {
    octets as f32
}

/// The LOCAL_PREF that routers assume for a route that has none, and that MetalLB's FRR modes send.
const DEFAULT_LOCAL_PREF: u32 = 100;
/// The AS number that stands for those that do not fit into two octets (RFC 6793).
const AS_TRANS: u16 = 23_456;

/// A value and the object that requests it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RequestedValue {
    /// An advertisement or a Service, in words.
    pub by: String,
    /// The value.
    pub value: u32,
}

impl RequestedValue {
    fn of_advertisement(advertisement: &BgpAdvertisement) -> Option<Self> {
        let value = advertisement.local_pref?;

        let mut by = format!("advertisement {}", advertisement.name);
        let pools = &advertisement.pools;
        if pools.selectors.is_empty()
            && pools.names.len() == 1
            && let Some(pool) = pools.names.first()
        {
            by.push_str(&format!(" of pool {pool:?}"));
        }
        Some(Self { by, value })
    }
}

/// A value of the configuration or of a Service that is not sent to a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttributeWarning {
    /// Two objects request different values for one prefix.
    Conflict {
        /// The prefix.
        prefix: IpNet,
        /// The name of the attribute, in the spelling of the objects.
        attribute: &'static str,
        /// The first value, which is sent.
        kept: RequestedValue,
        /// The value that is not sent.
        ignored: RequestedValue,
    },
    /// LOCAL_PREF is not sent to external peers (RFC 4271 section 5.1.5).
    LocalPrefNotSent {
        /// The configured value.
        unsent: RequestedValue,
        /// The AS of the peer.
        peer_asn: PeerAsn,
    },
}

impl fmt::Display for AttributeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { prefix, attribute, kept, ignored } => write!(
                f,
                "conflict for {prefix}: {attribute} {} of {} is sent, {attribute} {} of {} is not",
                kept.value, kept.by, ignored.value, ignored.by
            ),
            Self::LocalPrefNotSent { unsent, peer_asn } => {
                write!(
                    f,
                    "localpref {} of {} is not sent, since the peer is in another AS",
                    unsent.value, unsent.by
                )?;
                match peer_asn {
                    PeerAsn::Number(Asn(asn)) => write!(f, ", {asn}"),
                    _ => Ok(()),
                }
            }
        }
    }
}
