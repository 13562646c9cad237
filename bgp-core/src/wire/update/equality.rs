//! The comparison of an UPDATE's attributes with attributes in owned form, without a copy.

use std::hash::{Hash, Hasher};

use crate::types::AfiSafi;
use crate::wire::attribute::{AsPath, AsPathView, AttributeCode};
use crate::wire::encode::is_typed;
use crate::wire::path_attributes::PathAttributes;

use super::Update;

impl Update<'_> {
    /// Returns true if [`to_attributes_for`](Self::to_attributes_for) would return these attributes for the family. It
    /// allocates nothing, unless the message has rare attributes. Always false if it repeats a large community.
    #[must_use]
    pub fn has_attributes(&self, family: AfiSafi, known: &PathAttributes) -> bool {
        let is_rare = |code| {
            let is_merged =
                [AttributeCode::AS4_PATH, AttributeCode::AS4_AGGREGATOR].contains(&code);
            is_merged || !is_typed(code)
        };
        if self.attributes().any(|attribute| is_rare(attribute.code)) {
            return self.to_attributes_for(family) == *known;
        }

        let PathAttributes {
            origin,
            as_path,
            next_hop,
            med,
            local_pref,
            atomic_aggregate,
            aggregator,
            communities,
            extended_communities,
            ipv6_extended_communities,
            large_communities,
            originator_id,
            cluster_list,
            only_to_customer,
            unknown,
        } = known;
        self.origin().unwrap_or_default() == *origin
            && self.next_hop_for(family) == *next_hop
            && self.med() == *med
            && self.local_pref() == *local_pref
            && self.atomic_aggregate() == *atomic_aggregate
            && self.aggregator() == *aggregator
            && self.originator_id() == *originator_id
            && self.only_to_customer() == *only_to_customer
            && is_same_path(self.as_path(), as_path)
            && self.communities().eq(communities.iter().copied())
            && self.extended_communities().eq(extended_communities.iter().copied())
            && self.ipv6_extended_communities().eq(ipv6_extended_communities.iter().copied())
            && self.cluster_list().eq(cluster_list.iter().copied())
            && self.large_communities().eq(large_communities.iter().copied())
            && unknown.is_empty()
    }

    /// Hashes what [`to_attributes_for`](Self::to_attributes_for) returns for the family: all attributes as sent, without
    /// prefixes. Messages with equal attributes may have different hashes, but only if they encode them in different ways.
    pub fn hash_attributes(&self, family: AfiSafi, hasher: &mut impl Hasher) {
        if self.mp_reach().is_none() && self.mp_unreach().is_none() {
            // Nothing but attributes is among these octets.
            hasher.write(self.attribute_octets());
            return;
        }

        self.next_hop_for(family).hash(hasher);
        for attribute in self.attributes() {
            let has_prefixes = [AttributeCode::MP_REACH_NLRI, AttributeCode::MP_UNREACH_NLRI];
            if !has_prefixes.contains(&attribute.code) {
                hasher.write_u8(attribute.code.0);
                attribute.value.hash(hasher);
            }
        }
    }
}

fn is_same_path(view: Option<AsPathView<'_>>, known: &AsPath) -> bool {
    let Some(view) = view else { return known.is_empty() };
    let mut known = known.segments.iter();
    let all = view.segments().all(|segment| {
        let Some(known) = known.next() else { return false };
        segment.kind == known.kind && segment.asns.eq(known.asns.iter().copied())
    });
    all && known.next().is_none()
}
