//! Makes one route of all that is announced for one prefix to one peer.
//!
//! Owns the rules between contradicting attributes. Of advertisements the first of the configuration
//! counts, of Services the first by name; communities are added up. A route counts as depreferenced
//! if all its Services are.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::wire::{AsPath, ExtendedCommunity, NextHop, Origin, PathAttributes};
use ipnet::IpNet;
use smallvec::{SmallVec, smallvec};

use crate::model::{
    Asn, BgpAdvertisement, Community, Config, LargeCommunity, Peer, PeerAsn, ServiceKey,
};

use super::own::Own;

/// One route as one peer is to have it; its prefix is what it is kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRoute {
    /// By Service; there are thousands of routes, nearly all of them of one.
    parts: SmallVec<[Part; 1]>,
    attributes: Arc<PathAttributes>,
}

/// What one Service contributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) service: ServiceKey,
    /// Indexes into the configuration's advertisements, ascending.
    pub(super) advertisements: Arc<[usize]>,
    pub(super) own: Option<Arc<Own>>,
}

impl PlannedRoute {
    /// A route of one Service, whose attributes are yet to be made.
    pub(super) fn of(part: Part, attributes: Arc<PathAttributes>) -> Self {
        Self { parts: smallvec![part], attributes }
    }

    /// Adds what a Service contributes, in place of what it did before.
    pub(super) fn put(&mut self, part: Part) {
        match self.parts.binary_search_by(|it| it.service.cmp(&part.service)) {
            Ok(at) => self.parts[at] = part,
            Err(at) => self.parts.insert(at, part),
        }
    }

    /// Takes out what a Service contributes; says whether anything is left.
    pub(super) fn take(&mut self, service: &ServiceKey) -> bool {
        self.parts.retain(|part| part.service != *service);
        !self.parts.is_empty()
    }

    pub(super) fn set_attributes(&mut self, attributes: Arc<PathAttributes>) {
        self.attributes = attributes;
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What a Service contributes.
    pub(super) fn part(&self, service: &ServiceKey) -> Option<&Part> {
        self.parts.iter().find(|part| part.service == *service)
    }

    /// The attributes as a session takes them: ORIGIN is IGP unless the route is depreferenced, and
    /// AS_PATH has nothing but what is prepended to the session's own.
    pub fn attributes(&self) -> &Arc<PathAttributes> {
        &self.attributes
    }

    /// NEXT_HOP; `None` is the session's own address.
    pub fn next_hop(&self) -> Option<IpAddr> {
        self.attributes.next_hop.map(|it| it.address())
    }

    /// LOCAL_PREF: always there for an internal peer and 100 if nothing is configured, as in
    /// MetalLB's FRR modes; never for an external one (RFC 4271 section 5.1.5).
    pub fn local_pref(&self) -> Option<u32> {
        self.attributes.local_pref
    }

    /// COMMUNITIES (RFC 1997), sorted.
    pub fn communities(&self) -> &[Community] {
        &self.attributes.communities
    }

    /// LARGE_COMMUNITY (RFC 8092), sorted.
    pub fn large_communities(&self) -> &[LargeCommunity] {
        &self.attributes.large_communities
    }

    /// The Services that it is for, by namespace and name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.parts.iter().map(|part| &part.service)
    }

    /// Whether its Services are not healthy here, all of them, and other nodes should be preferred.
    pub fn is_depreferenced(&self) -> bool {
        self.parts.iter().all(|part| part.own.as_deref().is_some_and(|own| own.depreferenced))
    }
}

/// What a route is made from, besides its parts.
pub(super) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) peer: &'a Peer,
    pub(super) next_hop: Option<IpAddr>,
}

impl<'a> Maker<'a> {
    /// The attributes that the parts of a route make together.
    pub(super) fn attributes(&self, route: &PlannedRoute) -> PathAttributes {
        let advertisements: Vec<_> = self.advertisements(route).collect();
        let own = || route.parts.iter().filter_map(|part| part.own.as_deref());
        let communities: BTreeSet<_> = advertisements
            .iter()
            .flat_map(|it| &it.communities)
            .chain(own().flat_map(|own| &own.communities))
            .copied()
            .collect();
        let large: BTreeSet<_> = advertisements
            .iter()
            .flat_map(|it| &it.large_communities)
            .chain(own().flat_map(|own| &own.large_communities))
            .copied()
            .collect();
        let mut attributes = PathAttributes {
            next_hop: self.next_hop.map(NextHop::from),
            med: own().find_map(|own| own.med),
            communities: communities.into_iter().collect(),
            large_communities: large.into_iter().collect(),
            extended_communities: self.bandwidth(route).into_iter().collect(),
            ..PathAttributes::default()
        };
        let mut prepend = usize::from(own().map(|own| own.prepend).find(|it| *it > 0).unwrap_or(0));
        if self.peer.is_internal() {
            let configured = || advertisements.iter().find_map(|it| it.local_pref);
            let local_pref = own().find_map(|own| own.local_pref).or_else(configured);
            attributes.local_pref = Some(local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
        }
        if route.is_depreferenced() {
            attributes.origin = Origin::Incomplete;
            attributes.med = Some(u32::MAX);
            attributes.local_pref = attributes.local_pref.map(|_| 0);
            prepend += 1;
        }
        if prepend > 0 && !self.peer.is_internal() {
            let mut path = AsPath::default();
            path.prepend(self.peer.shown_asn(), prepend);
            attributes.as_path = path;
        }
        attributes
    }

    /// The link bandwidth of the endpoints of all its Services (draft-ietf-idr-link-bandwidth).
    fn bandwidth(&self, route: &PlannedRoute) -> Option<ExtendedCommunity> {
        let told = route.parts.iter().filter_map(|part| part.own.as_deref()?.bandwidth);
        let sum = told.map(|(octets, _)| octets).reduce(u64::saturating_add)?;
        let asn = u16::try_from(self.peer.shown_asn().0).unwrap_or(AS_TRANS);
        Some(ExtendedCommunity::link_bandwidth(asn, float(sum)))
    }

    fn advertisements(&self, route: &PlannedRoute) -> impl Iterator<Item = &'a BgpAdvertisement> {
        let indexes: BTreeSet<usize> =
            route.parts.iter().flat_map(|part| part.advertisements.iter().copied()).collect();
        let config = self.config;
        indexes.into_iter().filter_map(|index| config.bgp_advertisements.get(index))
    }

    /// What there is to say about a route.
    pub(super) fn notes(&self, prefix: IpNet, route: &PlannedRoute) -> BTreeSet<Note> {
        let mut notes = BTreeSet::new();
        let configured = self.advertisements(route).filter_map(Preferred::of);
        if self.peer.is_internal() {
            notes.extend(contradictions(prefix, "localpref", configured));
        } else {
            let peer_asn = self.peer.peer_asn;
            notes.extend(configured.map(|unsent| Note::LocalPrefNotSent { unsent, peer_asn }));
        }
        for (attribute, value) in ATTRIBUTES {
            if attribute == "local-pref" && !self.peer.is_internal() {
                continue;
            }
            let set = route.parts.iter().filter_map(|part| {
                let value = value(part.own.as_deref()?)?;
                Some(Preferred { by: format!("Service {}", part.service), value })
            });
            notes.extend(contradictions(prefix, attribute, set));
        }
        notes
    }
}

/// Takes a value out of what a Service says.
type Attribute = fn(&Own) -> Option<u32>;

/// What Services set of which one value can be sent, by the names of their annotations.
const ATTRIBUTES: [(&str, Attribute); 3] = [
    ("local-pref", |own| own.local_pref),
    ("med", |own| own.med),
    ("prepend", |own| (own.prepend > 0).then(|| own.prepend.into())),
];

/// The first of the values is sent, and each other one contradicts it.
fn contradictions(
    prefix: IpNet,
    attribute: &'static str,
    values: impl Iterator<Item = Preferred>,
) -> Vec<Note> {
    let mut values = values;
    let Some(kept) = values.next() else { return Vec::new() };
    let others = values.filter(|other| other.value != kept.value);
    let note = |ignored| Note::Conflict { prefix, attribute, kept: kept.clone(), ignored };
    others.map(note).collect()
}

/// To the nearest value that the community can have.
#[expect(clippy::cast_precision_loss, reason = "the community has a 32-bit float")]
fn float(octets: u64) -> f32 {
    octets as f32
}

/// The LOCAL_PREF that routers assume where a route has none, and that MetalLB's FRR modes send.
const DEFAULT_LOCAL_PREF: u32 = 100;
/// The AS that stands for those that do not fit two octets (RFC 6793).
const AS_TRANS: u16 = 23_456;

/// A value and who wants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Preferred {
    /// An advertisement or a Service, in words.
    pub by: String,
    /// The value.
    pub value: u32,
}

impl Preferred {
    fn of(advertisement: &BgpAdvertisement) -> Option<Self> {
        let mut by = format!("advertisement {}", advertisement.name);
        let pools = &advertisement.pools;
        if let (Some(pool), 1, true) =
            (pools.names.first(), pools.names.len(), pools.selectors.is_empty())
        {
            by.push_str(&format!(" of pool {pool:?}"));
        }
        Some(Self { by, value: advertisement.local_pref? })
    }
}

/// What the configuration or Services say that has no effect on a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Note {
    /// Two want different values for one prefix.
    Conflict {
        /// The prefix.
        prefix: IpNet,
        /// What the values are of, as it is written where they stand.
        attribute: &'static str,
        /// What is sent: the first.
        kept: Preferred,
        /// What is not.
        ignored: Preferred,
    },
    /// LOCAL_PREF is not for external peers (RFC 4271 section 5.1.5).
    LocalPrefNotSent {
        /// What is configured.
        unsent: Preferred,
        /// The AS of the peer.
        peer_asn: PeerAsn,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { prefix, attribute, kept, ignored } => write!(
                f,
                "conflict for {prefix}: {attribute} {} of {} is sent, {attribute} {} of {} is not",
                kept.value, kept.by, ignored.value, ignored.by
            ),
            Self::LocalPrefNotSent { unsent, peer_asn: PeerAsn::Number(Asn(asn)) } => write!(
                f,
                "localpref {} of {} is not sent, since the peer is in another AS, {asn}",
                unsent.value, unsent.by
            ),
            Self::LocalPrefNotSent { unsent, .. } => write!(
                f,
                "localpref {} of {} is not sent, since the peer is in another AS",
                unsent.value, unsent.by
            ),
        }
    }
}
