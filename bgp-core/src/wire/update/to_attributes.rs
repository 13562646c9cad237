//! From a view to the owned attributes, with the AS numbers of AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.3).

use bytes::Bytes;

use crate::types::{AfiSafi, Asn};
use crate::wire::attribute::rules::{AttributeClass, AttributeRule};
use crate::wire::attribute::{
    AsPath, AsPathSegment, AsPathView, AttributeFlags, AttributeView, SegmentType,
};
use crate::wire::community::{LargeCommunity, without_repeated};
use crate::wire::encode::is_typed;
use crate::wire::path_attributes::{Aggregator, NextHop, PathAttributes, RawAttribute};

use super::decode::JudgedAttributes;
use super::{Update, ValueIter};

impl<'a> Update<'a> {
    /// The attributes in their owned form, with the next hop of the NLRI field, or where that is empty of the
    /// MP_REACH_NLRI.
    ///
    /// What RFC 7606 discards is left out, and so are repeated large communities (RFC 8092 section 3) and unknown
    /// attributes that are not transitive; unknown ones that are get Partial (RFC 4271 section 9).
    #[must_use]
    pub fn to_attributes(&self) -> PathAttributes {
        let next_hop = if self.nlri_field().is_empty() {
            self.mp_reach().and_then(|reach| reach.next_hop())
        } else {
            None
        };
        let next_hop = next_hop.or_else(|| self.next_hop().map(NextHop::V4));
        self.own(next_hop)
    }

    /// The attributes in their owned form with the next hop of that family's routes: of the MP_REACH_NLRI where it is of
    /// that family, else NEXT_HOP for IPv4 unicast.
    #[must_use]
    pub fn to_attributes_for(&self, family: AfiSafi) -> PathAttributes {
        let mp = self.mp_reach().filter(|reach| reach.family() == family);
        let classic = family == AfiSafi::IPV4_UNICAST && !self.nlri_field().is_empty();
        let next_hop = if classic {
            self.next_hop().map(NextHop::V4)
        } else {
            mp.and_then(|reach| reach.next_hop())
        };
        self.own(next_hop)
    }

    fn own(&self, next_hop: Option<NextHop>) -> PathAttributes {
        PathAttributes {
            origin: self.origin().unwrap_or_default(),
            as_path: self.merged_as_path(),
            next_hop,
            med: self.med(),
            local_pref: self.local_pref(),
            atomic_aggregate: self.atomic_aggregate(),
            aggregator: self.merged_aggregator(),
            communities: self.communities().collect(),
            extended_communities: self.extended_communities().collect(),
            ipv6_extended_communities: self.ipv6_extended_communities().collect(),
            large_communities: each_once(self.large_communities()),
            originator_id: self.originator_id(),
            cluster_list: self.cluster_list().collect(),
            only_to_customer: self.only_to_customer(),
            unknown: self.carried(),
        }
    }

    /// Attributes that are right and that this crate does not know, in the order sent.
    pub fn unknown(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        self.right()
            .filter(|attribute| AttributeRule::of(attribute.code).class == AttributeClass::Unknown)
    }

    /// The attributes that are right, each code once.
    fn right(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        let octets = self.attributes_field();
        let mut judged = JudgedAttributes::new(octets, self.metadata.cx);
        std::iter::from_fn(move || judged.step())
            .filter(|step| step.verdict.is_ok())
            .filter_map(move |step| AttributeView::split(octets.get(step.at..)?))
            .map(|(attribute, _)| attribute)
    }

    /// What [`PathAttributes::unknown`] holds.
    fn carried(&self) -> Vec<RawAttribute> {
        let mut carried = Vec::new();
        for attribute in self.right().filter(|attribute| !is_typed(attribute.code)) {
            let flags = AttributeFlags(attribute.flags.0 & CARRIED_FLAGS);
            let flags = match AttributeRule::of(attribute.code).class {
                AttributeClass::Unknown if !flags.contains(AttributeFlags::TRANSITIVE) => continue,
                AttributeClass::Unknown => flags.with(AttributeFlags::PARTIAL),
                _ => flags,
            };
            let value = Bytes::copy_from_slice(attribute.value);
            carried.push(RawAttribute { code: attribute.code, flags, value });
        }
        carried.sort_by_key(|attribute| attribute.code);
        carried
    }

    /// AS_PATH with the four-octet numbers of AS4_PATH, where the peer sent both (RFC 6793 section 4.2.3).
    #[must_use]
    pub fn merged_as_path(&self) -> AsPath {
        let Some(path) = self.as_path() else { return AsPath::new() };
        match self.as4_path() {
            Some(as4) if self.uses_as4() => merge(path, as4),
            _ => path.to_owned(),
        }
    }

    /// AGGREGATOR with the four-octet number of AS4_AGGREGATOR, where the peer sent both.
    #[must_use]
    pub fn merged_aggregator(&self) -> Option<Aggregator> {
        let aggregator = self.aggregator()?;
        let as4 = self.as4_aggregator().filter(|_| aggregator.asn == Asn::TRANS);
        Some(as4.unwrap_or(aggregator))
    }

    /// An AGGREGATOR that is not AS_TRANS beside an AS4_AGGREGATOR was written by a speaker that does not know the AS4
    /// attributes, so that those are out of date.
    fn uses_as4(&self) -> bool {
        match (self.aggregator(), self.as4_aggregator()) {
            (Some(aggregator), Some(_)) => aggregator.asn == Asn::TRANS,
            _ => true,
        }
    }
}

/// RFC 8092 section 3: of repeated large communities the first stands.
fn each_once(communities: ValueIter<'_, LargeCommunity>) -> Vec<LargeCommunity> {
    let all: Vec<_> = communities.collect();
    if without_repeated(&all).count() == all.len() { all } else { without_repeated(&all).collect() }
}

/// As many of the nearest AS numbers of the path as the other one lacks, then that one.
#[cold]
fn merge(path: AsPathView<'_>, as4: AsPathView<'_>) -> AsPath {
    let as4 = without_confederation(as4);
    let Some(mut missing) = path.hop_count().checked_sub(as4.hop_count()) else {
        return path.to_owned();
    };
    let mut merged = AsPath::new();
    for segment in path.segments() {
        let asns: Vec<_> = match segment.kind {
            // A confederation segment counts nothing, and stays where it leads or follows what stays.
            SegmentType::ConfedSequence | SegmentType::ConfedSet => segment.asns.collect(),
            _ if missing == 0 => break,
            SegmentType::Set => {
                missing -= 1;
                segment.asns.collect()
            }
            SegmentType::Sequence => {
                let taken: Vec<_> = segment.asns.take(missing).collect();
                missing -= taken.len();
                taken
            }
        };
        merged.segments.push(AsPathSegment { kind: segment.kind, asns });
    }
    append(&mut merged, as4);
    merged
}

/// Joins two paths; sequences that meet become one, as they were before a speaker took them apart.
fn append(path: &mut AsPath, mut tail: AsPath) {
    match (path.segments.last_mut(), tail.segments.first_mut()) {
        (Some(last), Some(first))
            if last.kind == SegmentType::Sequence
                && first.kind == SegmentType::Sequence
                && last.asns.len() + first.asns.len() <= 255 =>
        {
            last.asns.append(&mut first.asns);
            tail.segments.remove(0);
        }
        _ => {}
    }
    path.segments.append(&mut tail.segments);
}

/// RFC 6793 section 6: confederation segments in an AS4_PATH are dropped.
fn without_confederation(as4: AsPathView<'_>) -> AsPath {
    let mut path = as4.to_owned();
    path.segments.retain(|segment| !segment.kind.is_confederation());
    path
}

/// The flags that stay with an attribute that is carried.
const CARRIED_FLAGS: u8 =
    AttributeFlags::OPTIONAL.0 | AttributeFlags::TRANSITIVE.0 | AttributeFlags::PARTIAL.0;
