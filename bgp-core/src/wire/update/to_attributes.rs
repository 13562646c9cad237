//! Conversion of an UPDATE to owned [`PathAttributes`], with the AS numbers of AS4_PATH and AS4_AGGREGATOR merged in (RFC
//! 6793 section 4.2.3).

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
    /// The attributes in owned form, with the next hop of the NLRI field, or of the MP_REACH_NLRI if that field is empty.
    ///
    /// Attributes that RFC 7606 discards, repeated large communities (RFC 8092 section 3) and unknown non-transitive
    /// attributes are left out. Unknown transitive attributes get the Partial flag (RFC 4271 section 9).
    #[must_use]
    pub fn to_attributes(&self) -> PathAttributes {
        let next_hop = if self.nlri_field().is_empty() {
            self.mp_reach().and_then(|reach| reach.next_hop())
        } else {
            None
        };
        let next_hop = next_hop.or_else(|| self.next_hop().map(NextHop::V4));
        self.with_next_hop(next_hop)
    }

    /// The attributes in owned form, with the next hop of one family's routes: NEXT_HOP for IPv4 unicast routes in the
    /// NLRI field, otherwise the next hop of that family's MP_REACH_NLRI.
    #[must_use]
    pub fn to_attributes_for(&self, family: AfiSafi) -> PathAttributes {
        self.with_next_hop(self.next_hop_for(family))
    }

    /// The next hop of one family's routes.
    pub(super) fn next_hop_for(&self, family: AfiSafi) -> Option<NextHop> {
        let in_nlri_field = family == AfiSafi::IPV4_UNICAST && !self.nlri_field().is_empty();
        if in_nlri_field {
            return self.next_hop().map(NextHop::V4);
        }
        self.mp_reach().filter(|reach| reach.family() == family)?.next_hop()
    }

    fn with_next_hop(&self, next_hop: Option<NextHop>) -> PathAttributes {
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

    /// The valid attributes that this crate does not know, in the order sent.
    pub fn unknown(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        self.valid_attributes()
            .filter(|attribute| AttributeRule::of(attribute.code).class == AttributeClass::Unknown)
    }

    /// The valid attributes, each code once.
    fn valid_attributes(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        let octets = self.attributes_field();
        let mut all = self.attributes();
        // Without an error, all are valid.
        let has_error = self.metadata.error.is_some();
        let mut judged = has_error.then(|| JudgedAttributes::new(octets, self.metadata.cx));
        std::iter::from_fn(move || match &mut judged {
            None => all.next(),
            Some(judged) => loop {
                let attribute = judged.next_judged()?;
                if attribute.verdict.is_ok() {
                    let whole = octets.get(attribute.at..).and_then(AttributeView::split)?;
                    return Some(whole.0);
                }
            },
        })
    }

    /// The attributes for [`PathAttributes::unknown`].
    fn carried(&self) -> Vec<RawAttribute> {
        let mut carried = Vec::new();
        for attribute in self.valid_attributes().filter(|attribute| !is_typed(attribute.code)) {
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

    /// AS_PATH, with the four-octet numbers of AS4_PATH if the peer sent both (RFC 6793 section 4.2.3).
    #[must_use]
    pub fn merged_as_path(&self) -> AsPath {
        let Some(path) = self.as_path() else { return AsPath::new() };
        match self.as4_path() {
            Some(as4) if self.uses_as4() => merge(path, as4),
            _ => path.to_owned(),
        }
    }

    /// AGGREGATOR, with the four-octet number of AS4_AGGREGATOR if the peer sent both.
    #[must_use]
    pub fn merged_aggregator(&self) -> Option<Aggregator> {
        let aggregator = self.aggregator()?;
        let as4 = self.as4_aggregator().filter(|_| aggregator.asn == Asn::TRANS);
        Some(as4.unwrap_or(aggregator))
    }

    /// Returns true if the AS4 attributes apply.
    ///
    /// If there is an AS4_AGGREGATOR but the AGGREGATOR is not AS_TRANS, a speaker that does not know the AS4 attributes
    /// wrote the AGGREGATOR, and the AS4 attributes are out of date.
    fn uses_as4(&self) -> bool {
        match (self.aggregator(), self.as4_aggregator()) {
            (Some(aggregator), Some(_)) => aggregator.asn == Asn::TRANS,
            _ => true,
        }
    }
}

/// Removes repeated large communities; the first one stays (RFC 8092 section 3).
fn each_once(communities: ValueIter<'_, LargeCommunity>) -> Vec<LargeCommunity> {
    let all: Vec<_> = communities.collect();
    if without_repeated(&all).count() == all.len() { all } else { without_repeated(&all).collect() }
}

/// Merges AS_PATH with AS4_PATH: the nearest AS numbers of `path` that `as4` lacks, followed by `as4`.
#[cold]
fn merge(path: AsPathView<'_>, as4: AsPathView<'_>) -> AsPath {
    let as4 = without_confederation(as4);
    let Some(mut missing) = path.hop_count().checked_sub(as4.hop_count()) else {
        return path.to_owned();
    };

    let mut merged = AsPath::new();
    for segment in path.segments() {
        let asns: Vec<_> = match segment.kind {
            // A confederation segment has no hops; it stays if it comes before the cut.
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

/// Joins two paths. Two sequences that meet become one, as they were before a speaker split them.
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

/// The path of an AS4_PATH without confederation segments (RFC 6793 section 6).
fn without_confederation(as4: AsPathView<'_>) -> AsPath {
    let mut path = as4.to_owned();
    path.segments.retain(|segment| !segment.kind.is_confederation());
    path
}

/// The flags that a carried attribute keeps.
const CARRIED_FLAGS: u8 =
    AttributeFlags::OPTIONAL.0 | AttributeFlags::TRANSITIVE.0 | AttributeFlags::PARTIAL.0;
