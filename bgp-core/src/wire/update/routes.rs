//! The routes of an UPDATE for a RIB: reachable and unreachable prefixes from all fields of the message.

use ipnet::IpNet;

use crate::types::AfiSafi;
use crate::wire::nlri::{Prefixes, WithPathIds};

use super::Update;

/// An iterator over the prefixes of several fields of one UPDATE.
#[derive(Clone, Debug)]
pub struct RoutePrefixes<'a> {
    fields: [Prefixes<'a>; 4],
    at: usize,
    /// Skip prefixes that are not unicast.
    unicast_only: bool,
}

impl RoutePrefixes<'_> {
    /// The same prefixes with their path identifiers (RFC 7911), `None` if the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    fn step(&mut self) -> Option<(Option<u32>, IpNet)> {
        loop {
            match self.fields.get_mut(self.at)?.step() {
                Some((_, prefix)) if self.unicast_only && !is_unicast(&prefix) => {}
                Some(route) => return Some(route),
                None => self.at += 1,
            }
        }
    }
}

impl Iterator for RoutePrefixes<'_> {
    type Item = IpNet;

    #[inline]
    fn next(&mut self) -> Option<IpNet> {
        self.step().map(|(_, prefix)| prefix)
    }
}

impl Iterator for WithPathIds<RoutePrefixes<'_>> {
    type Item = (Option<u32>, IpNet);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()
    }
}

impl<'a> Update<'a> {
    /// The unicast prefixes that the message announces, from the NLRI field and an MP_REACH_NLRI.
    ///
    /// Only negotiated families are included, and prefixes that are not unicast addresses are skipped (RFC 4271 section
    /// 6.3). Empty if the message is treated as a withdrawal. The two fields may have different next hops: see
    /// [`to_attributes_for`](Self::to_attributes_for).
    #[must_use]
    pub fn reachable(&self) -> RoutePrefixes<'a> {
        let none = Prefixes::default;
        let fields = if self.metadata.withdraw {
            [none(), none(), none(), none()]
        } else {
            [self.ipv4_unicast(self.nlri_field()), self.mp_reach_routes(), none(), none()]
        };
        RoutePrefixes { fields, at: 0, unicast_only: true }
    }

    /// The unicast prefixes that the message withdraws, from the withdrawn routes field and an MP_UNREACH_NLRI.
    ///
    /// Only negotiated families are included. If the message is treated as a withdrawal, the announced prefixes follow.
    /// Apply these before [`reachable`](Self::reachable): a prefix in both is announced (RFC 4271 section 4.3).
    #[must_use]
    pub fn unreachable(&self) -> RoutePrefixes<'a> {
        let (mut nlri, mut mp_reach) = (Prefixes::default(), Prefixes::default());
        if self.metadata.withdraw {
            (nlri, mp_reach) = (self.ipv4_unicast(self.nlri_field()), self.mp_reach_routes());
        }

        let withdrawn = self.ipv4_unicast(self.withdrawn_field());
        let fields = [withdrawn, self.mp_unreach_routes(), nlri, mp_reach];
        RoutePrefixes { fields, at: 0, unicast_only: false }
    }

    /// The prefixes of the withdrawn routes or NLRI field.
    fn ipv4_unicast(&self, octets: &'a [u8]) -> Prefixes<'a> {
        let family = AfiSafi::IPV4_UNICAST;
        if !self.metadata.cx.has_family(family) {
            return Prefixes::default();
        }
        Prefixes::new(family, octets, self.metadata.cx.has_add_path(family))
    }

    fn mp_reach_routes(&self) -> Prefixes<'a> {
        match self.mp_reach() {
            Some(reach) if self.is_route_family(reach.family()) => reach.nlri(),
            _ => Prefixes::default(),
        }
    }

    fn mp_unreach_routes(&self) -> Prefixes<'a> {
        match self.mp_unreach() {
            Some(unreach) if self.is_route_family(unreach.family()) => unreach.nlri(),
            _ => Prefixes::default(),
        }
    }

    fn is_route_family(&self, family: AfiSafi) -> bool {
        matches!(family, AfiSafi::IPV4_UNICAST | AfiSafi::IPV6_UNICAST)
            && self.metadata.cx.has_family(family)
    }
}

/// Returns true unless the prefix is within 224.0.0.0/3 or ff00::/8. A shorter prefix that covers other addresses as well
/// is accepted.
#[inline]
fn is_unicast(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => prefix.addr().octets()[0] < 224,
        IpNet::V6(prefix) => !prefix.addr().is_multicast(),
    }
}
