//! The methods of a [`Route`] that set its path attributes, one for each attribute.
//!
//! Owns no rule about an attribute: what is sent to a peer is decided by [`ExportRules`](super::ExportRules) and the encoder.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::rib::Route;
use crate::wire::{
    Aggregator, AsPath, Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity,
    NextHop, Origin, PathAttributes, RawAttribute,
};
use crate::{Asn, BgpIdentifier};

/// In the order of the attributes' type codes.
impl Route {
    /// Sets ORIGIN (RFC 4271, section 5.1.1).
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.edit().origin = origin;
        self
    }

    /// Sets AS_PATH (RFC 4271, section 5.1.2): the ASes behind ours. A session with an external peer prepends the local AS.
    #[must_use]
    pub fn as_path(mut self, as_path: impl Into<AsPath>) -> Self {
        self.edit().as_path = as_path.into();
        self
    }

    /// Prepends an AS number to AS_PATH this many times, in addition to what an external session prepends.
    #[must_use]
    pub fn prepend(mut self, asn: Asn, times: usize) -> Self {
        self.edit().as_path.prepend(asn, times);
        self
    }

    /// Sets the next hop, in place of the session's local address.
    #[must_use]
    pub fn next_hop(mut self, next_hop: IpAddr) -> Self {
        self.edit().next_hop = Some(NextHop::from(next_hop));
        self
    }

    /// Sets a next hop with a global and a link-local address, for a peer on the same link (RFC 2545, section 3).
    #[must_use]
    pub fn next_hop_with_link_local(mut self, global: Ipv6Addr, link_local: Ipv6Addr) -> Self {
        self.edit().next_hop = Some(NextHop::V6 { global, link_local: Some(link_local) });
        self
    }

    /// Sets MULTI_EXIT_DISC (RFC 4271, section 5.1.4).
    #[must_use]
    pub fn med(mut self, med: u32) -> Self {
        self.edit().med = Some(med);
        self
    }

    /// Sets LOCAL_PREF (RFC 4271, section 5.1.5), which is sent only to internal peers.
    #[must_use]
    pub fn local_pref(mut self, local_pref: u32) -> Self {
        self.edit().local_pref = Some(local_pref);
        self
    }

    /// Adds ATOMIC_AGGREGATE (RFC 4271, section 5.1.6): the path lacks ASes of routes that were aggregated into this one.
    #[must_use]
    pub fn atomic_aggregate(mut self) -> Self {
        self.edit().atomic_aggregate = true;
        self
    }

    /// Sets AGGREGATOR (RFC 4271, section 5.1.7): the speaker that formed this route from others.
    #[must_use]
    pub fn aggregator(mut self, aggregator: Aggregator) -> Self {
        self.edit().aggregator = Some(aggregator);
        self
    }

    /// Adds a community (RFC 1997), unless it is present.
    #[must_use]
    pub fn community(mut self, community: Community) -> Self {
        push_new(&mut self.edit().communities, community);
        self
    }

    /// Sets ORIGINATOR_ID (RFC 4456, section 8): the speaker in our AS that a route reflector has the route from. It is sent
    /// only to internal peers.
    #[must_use]
    pub fn originator_id(mut self, originator: BgpIdentifier) -> Self {
        self.edit().originator_id = Some(originator);
        self
    }

    /// Sets CLUSTER_LIST (RFC 4456, section 8): the clusters of route reflectors that the route passed, the most recent first.
    /// It is sent only to internal peers.
    #[must_use]
    pub fn cluster_list(mut self, clusters: impl IntoIterator<Item = BgpIdentifier>) -> Self {
        self.edit().cluster_list = clusters.into_iter().collect();
        self
    }

    /// Adds an extended community (RFC 4360), unless it is present.
    #[must_use]
    pub fn extended_community(mut self, community: ExtendedCommunity) -> Self {
        push_new(&mut self.edit().extended_communities, community);
        self
    }

    /// Adds an IPv6 extended community (RFC 5701), unless it is present.
    #[must_use]
    pub fn ipv6_extended_community(mut self, community: Ipv6ExtendedCommunity) -> Self {
        push_new(&mut self.edit().ipv6_extended_communities, community);
        self
    }

    /// Sets the metric of AIGP (RFC 7311), which is not sent to external peers.
    #[must_use]
    pub fn aigp(mut self, metric: u64) -> Self {
        self.edit().set_aigp(Some(metric));
        self
    }

    /// Adds a large community (RFC 8092), unless it is present.
    #[must_use]
    pub fn large_community(mut self, community: LargeCommunity) -> Self {
        push_new(&mut self.edit().large_communities, community);
        self
    }

    /// Sets ONLY_TO_CUSTOMER (RFC 9234): the AS that sent the route to a customer or to a peer. A session with a role sets it by
    /// itself.
    #[must_use]
    pub fn only_to_customer(mut self, asn: Asn) -> Self {
        self.edit().only_to_customer = Some(asn);
        self
    }

    /// Sets an attribute as octets. It replaces one with the same code.
    ///
    /// An attribute that has a method of its own, such as COMMUNITIES, is not sent. External peers get it only if its flags
    /// say that it is transitive.
    #[must_use]
    pub fn raw_attribute(mut self, attribute: RawAttribute) -> Self {
        let unknown = &mut self.edit().unknown;
        unknown.retain(|other| other.code != attribute.code);
        // They are encoded in this order.
        let at = unknown.partition_point(|other| other.code < attribute.code);
        unknown.insert(at, attribute);
        self
    }

    /// The attributes to change, a copy of their own if others share them.
    fn edit(&mut self) -> &mut PathAttributes {
        Arc::make_mut(&mut self.attributes)
    }
}

fn push_new<T: PartialEq>(values: &mut Vec<T>, value: T) {
    if !values.contains(&value) {
        values.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{AttributeCode, AttributeFlags};
    use bytes::Bytes;

    #[test]
    fn a_community_added_twice_occurs_once() {
        let community = Community::new(64635, 100);
        let route =
            Route::new("10.0.0.0/24".parse().unwrap()).community(community).community(community);
        assert_eq!(route.attributes().communities, [community]);
    }

    #[test]
    fn changing_a_clone_leaves_the_shared_attributes_alone() {
        let route = Route::new("10.0.0.0/24".parse().unwrap());
        let other = route.clone().local_pref(7);
        assert_eq!(route.attributes().local_pref, None);
        assert_eq!(other.attributes().local_pref, Some(7));
    }

    #[test]
    fn every_attribute_has_a_method_that_sets_it() {
        let asn = Asn(64_500);
        let identifier = BgpIdentifier::new(10, 0, 0, 1);
        let aggregator = Aggregator { asn, address: [10, 0, 0, 1].into() };
        let (global, link_local) = ("2001:db8::1".parse().unwrap(), "fe80::1".parse().unwrap());
        let target = ExtendedCommunity::route_target(asn, 1).unwrap();
        let raw = |code| RawAttribute {
            code: AttributeCode(code),
            flags: AttributeFlags::OPTIONAL,
            value: Bytes::from_static(&[1]),
        };

        let route = Route::new("2001:db8::/32".parse().unwrap())
            .origin(Origin::Incomplete)
            .as_path([asn])
            .prepend(Asn(64_512), 2)
            .next_hop_with_link_local(global, link_local)
            .med(1)
            .local_pref(2)
            .atomic_aggregate()
            .aggregator(aggregator)
            .community(Community::NO_EXPORT)
            .originator_id(identifier)
            .cluster_list([identifier])
            .extended_community(target)
            .ipv6_extended_community(Ipv6ExtendedCommunity([7; 20]))
            .aigp(3)
            .large_community((1, 2, 3).into())
            .only_to_customer(asn)
            .raw_attribute(raw(40))
            .raw_attribute(raw(23))
            .raw_attribute(raw(40));

        // All fields are named, so that a new one fails to compile until it has a method.
        let PathAttributes {
            origin,
            as_path,
            next_hop,
            med,
            local_pref,
            atomic_aggregate,
            aggregator: set_aggregator,
            communities,
            extended_communities,
            ipv6_extended_communities,
            large_communities,
            originator_id,
            cluster_list,
            only_to_customer,
            unknown,
        } = &**route.attributes();
        assert_eq!(
            (*origin, as_path.to_string().as_str()),
            (Origin::Incomplete, "64512 64512 64500")
        );
        assert_eq!(*next_hop, Some(NextHop::V6 { global, link_local: Some(link_local) }));
        assert_eq!((*med, *local_pref, *atomic_aggregate), (Some(1), Some(2), true));
        assert_eq!((*set_aggregator, *originator_id), (Some(aggregator), Some(identifier)));
        assert_eq!((communities, cluster_list), (&vec![Community::NO_EXPORT], &vec![identifier]));
        assert_eq!(extended_communities, &[target]);
        assert_eq!(ipv6_extended_communities, &[Ipv6ExtendedCommunity([7; 20])]);
        assert_eq!(large_communities, &[LargeCommunity::new(1, 2, 3)]);
        assert_eq!(*only_to_customer, Some(asn));
        let codes: Vec<_> = unknown.iter().map(|raw| raw.code.0).collect();
        assert_eq!((codes, route.attributes().aigp()), (vec![23, 26, 40], Some(3)));
    }
}
