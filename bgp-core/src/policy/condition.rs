//! [`Match`]: the condition of a rule.

use std::cell::OnceCell;
use std::ops::{Not, RangeInclusive};

use ipnet::IpNet;

use crate::PeerType;
use crate::rpki::{Validity, route_origin};
use crate::wire::{
    AttributeCode, Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity, Origin,
    PathAttributes,
};

use super::{
    AsPathPattern, AsnSet, CommunityMatch, LargeCommunityMatch, PrefixMatch, PrefixSet,
    RouteContext,
};

/// A condition for routes.
///
/// [`and`](Self::and), [`or`](Self::or) and `!` combine conditions. Attributes are those that the rules before have left.
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::policy::{Match, PrefixSet};
/// use bgp_core::rpki::Validity;
///
/// let customer = Match::FirstAs(Asn(64_500).into()) & Match::PathLength(1..=5);
/// let refused = Match::Validity(Validity::Invalid) | Match::Prefix(PrefixSet::martians()) | !customer;
/// # let _ = refused;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Match {
    /// All of these hold. An empty list holds for every route.
    All(Vec<Self>),
    /// One of these holds. An empty list holds for no route.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),

    /// The prefix is in the set.
    Prefix(PrefixSet),
    /// The AS_PATH matches a regular expression.
    AsPath(AsPathPattern),
    /// The length of the AS_PATH, as the decision process counts it, is in the range.
    PathLength(RangeInclusive<usize>),
    /// The AS_PATH has one of these ASes.
    PathContains(AsnSet),
    /// The AS_PATH begins with one of these: the AS that the route came from.
    FirstAs(AsnSet),
    /// The AS_PATH ends with one of these: the AS that originated the route.
    OriginAs(AsnSet),

    /// The route has a community that matches.
    Community(CommunityMatch),
    /// The route has a large community that matches.
    LargeCommunity(LargeCommunityMatch),
    /// The route has an extended community in this range, in the order of their octets. All route targets of AS 65000 are
    /// between `rt:65000:0` and `rt:65000:4294967295`.
    ExtendedCommunity(RangeInclusive<ExtendedCommunity>),
    /// The route has an IPv6 extended community in this range, in the order of their octets.
    Ipv6ExtendedCommunity(RangeInclusive<Ipv6ExtendedCommunity>),

    /// The next hop is inside a prefix of the set; the lengths of the set do not count. A route without a next hop is not matched.
    NextHop(PrefixSet),
    /// ORIGIN has this value.
    Origin(Origin),
    /// The route has a MULTI_EXIT_DISC in this range.
    Med(RangeInclusive<u32>),
    /// The route has a LOCAL_PREF in this range.
    LocalPref(RangeInclusive<u32>),
    /// The route has this attribute.
    Attribute(AttributeCode),

    /// The route is our own: it came from no peer.
    Own,
    /// The address of the peer that sent the route is inside a prefix of the set.
    PeerAddress(PrefixSet),
    /// The peer that sent the route is in one of these ASes.
    PeerAs(AsnSet),
    /// The route came over a session of this type.
    PeerType(PeerType),

    /// The result of origin validation (RFC 6811). Without VRPs it is [`Validity::NotFound`] for every route.
    Validity(Validity),
}

impl Match {
    /// Matches every route.
    #[must_use]
    pub fn all() -> Self {
        Self::All(Vec::new())
    }

    /// Matches routes to these prefixes. An empty list matches no route.
    #[must_use]
    pub fn prefixes(prefixes: impl IntoIterator<Item = PrefixMatch>) -> Self {
        Self::Prefix(prefixes.into_iter().collect())
    }

    /// Matches routes with one of these communities. An empty list matches no route.
    #[must_use]
    pub fn communities(communities: impl IntoIterator<Item = Community>) -> Self {
        Self::Any(communities.into_iter().map(|it| Self::Community(it.into())).collect())
    }

    /// Matches routes with one of these large communities. An empty list matches no route.
    #[must_use]
    pub fn large_communities(communities: impl IntoIterator<Item = LargeCommunity>) -> Self {
        Self::Any(communities.into_iter().map(|it| Self::LargeCommunity(it.into())).collect())
    }

    /// Matches routes for which both conditions hold; `&` does the same.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::All(mut all) => {
                all.push(other);
                Self::All(all)
            }
            first => Self::All(vec![first, other]),
        }
    }

    /// Matches routes for which one of both conditions holds; `|` does the same.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Any(mut any) => {
                any.push(other);
                Self::Any(any)
            }
            first => Self::Any(vec![first, other]),
        }
    }

    /// Returns true if the condition holds for a route.
    #[must_use]
    pub fn applies(
        &self,
        prefix: IpNet,
        attributes: &PathAttributes,
        context: &RouteContext<'_>,
    ) -> bool {
        self.holds(attributes, &Subject::new(prefix, context))
    }

    /// Returns true if the condition depends on the validity of a route.
    pub(super) fn uses_validity(&self) -> bool {
        match self {
            Self::All(several) | Self::Any(several) => several.iter().any(Self::uses_validity),
            Self::Not(inner) => inner.uses_validity(),
            Self::Validity(_) => true,
            _ => false,
        }
    }

    pub(super) fn holds(&self, attributes: &PathAttributes, subject: &Subject<'_>) -> bool {
        let path = &attributes.as_path;
        let peer = subject.context.learned_from;
        match self {
            Self::All(all) => all.iter().all(|it| it.holds(attributes, subject)),
            Self::Any(any) => any.iter().any(|it| it.holds(attributes, subject)),
            Self::Not(inner) => !inner.holds(attributes, subject),

            Self::Prefix(set) => set.contains(subject.prefix),
            Self::AsPath(pattern) => pattern.matches_text(subject.path_text(attributes)),
            Self::PathLength(range) => range.contains(&path.hop_count()),
            Self::PathContains(set) => {
                let mut asns = path.segments.iter().flat_map(|segment| &segment.asns);
                asns.any(|asn| set.contains(*asn))
            }
            Self::FirstAs(set) => path.first_as().is_some_and(|asn| set.contains(asn)),
            Self::OriginAs(set) => path.origin_as().is_some_and(|asn| set.contains(asn)),

            Self::Community(pattern) => {
                attributes.communities.iter().any(|it| pattern.matches(*it))
            }
            Self::LargeCommunity(pattern) => {
                attributes.large_communities.iter().any(|it| pattern.matches(*it))
            }
            Self::ExtendedCommunity(range) => {
                attributes.extended_communities.iter().any(|it| range.contains(it))
            }
            Self::Ipv6ExtendedCommunity(range) => {
                attributes.ipv6_extended_communities.iter().any(|it| range.contains(it))
            }

            Self::NextHop(set) => {
                attributes.next_hop.is_some_and(|it| set.contains_address(it.address()))
            }
            Self::Origin(origin) => attributes.origin == *origin,
            Self::Med(range) => attributes.med.is_some_and(|med| range.contains(&med)),
            Self::LocalPref(range) => attributes.local_pref.is_some_and(|it| range.contains(&it)),
            Self::Attribute(code) => has_attribute(attributes, *code),

            Self::Own => peer.is_none(),
            Self::PeerAddress(set) => peer.is_some_and(|peer| set.contains_address(peer.address)),
            Self::PeerAs(set) => peer.is_some_and(|peer| set.contains(peer.asn)),
            Self::PeerType(kind) => peer.is_some_and(|peer| peer.peer_type == *kind),

            Self::Validity(wanted) => subject.validity(attributes) == *wanted,
        }
    }
}

impl Not for Match {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

impl std::ops::BitAnd for Match {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl std::ops::BitOr for Match {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// The route that a policy is applied to, beside its attributes, with what several conditions need and is computed once.
pub(super) struct Subject<'a> {
    prefix: IpNet,
    context: &'a RouteContext<'a>,
    path_text: OnceCell<String>,
    validity: OnceCell<Validity>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(prefix: IpNet, context: &'a RouteContext<'a>) -> Self {
        Self { prefix, context, path_text: OnceCell::new(), validity: OnceCell::new() }
    }

    /// Forgets what was computed from attributes that have changed.
    pub(super) fn attributes_changed(&mut self) {
        self.path_text.take();
        self.validity.take();
    }

    fn path_text(&self, attributes: &PathAttributes) -> &str {
        self.path_text.get_or_init(|| attributes.as_path.to_string())
    }

    fn validity(&self, attributes: &PathAttributes) -> Validity {
        let Some(vrps) = self.context.vrps else { return Validity::NotFound };
        *self.validity.get_or_init(|| {
            vrps.validate(self.prefix, route_origin(&attributes.as_path, self.context.local_asn))
        })
    }
}

/// Returns true if a route has the attribute. Every route has ORIGIN and AS_PATH.
fn has_attribute(attributes: &PathAttributes, code: AttributeCode) -> bool {
    match code {
        AttributeCode::ORIGIN | AttributeCode::AS_PATH => true,
        AttributeCode::NEXT_HOP => attributes.next_hop.is_some(),
        AttributeCode::MULTI_EXIT_DISC => attributes.med.is_some(),
        AttributeCode::LOCAL_PREF => attributes.local_pref.is_some(),
        AttributeCode::ATOMIC_AGGREGATE => attributes.atomic_aggregate,
        AttributeCode::AGGREGATOR => attributes.aggregator.is_some(),
        AttributeCode::COMMUNITIES => !attributes.communities.is_empty(),
        AttributeCode::ORIGINATOR_ID => attributes.originator_id.is_some(),
        AttributeCode::CLUSTER_LIST => !attributes.cluster_list.is_empty(),
        AttributeCode::EXTENDED_COMMUNITIES => !attributes.extended_communities.is_empty(),
        AttributeCode::IPV6_EXTENDED_COMMUNITIES => {
            !attributes.ipv6_extended_communities.is_empty()
        }
        AttributeCode::LARGE_COMMUNITIES => !attributes.large_communities.is_empty(),
        AttributeCode::ONLY_TO_CUSTOMER => attributes.only_to_customer.is_some(),
        other => attributes.unknown.iter().any(|raw| raw.code == other),
    }
}
