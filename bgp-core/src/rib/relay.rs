//! [`Relay`]: the rules by which a route of one peer is passed on to another (RFC 4271, sections 5 and 9.1.3; RFC 7947).
//!
//! Owns which routes may be passed on, and the attributes that must not leave with them. What every sent route gets, such as
//! our AS in the path, is in [`ExportRules`](crate::rib::ExportRules).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::PeerType;
use crate::wire::{Community, PathAttributes};

/// The way in which the routes of other peers are passed on to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Relay {
    /// As a router does (RFC 4271): the best path to each prefix. An external peer gets our AS in the path, our address as the
    /// next hop, and no MULTI_EXIT_DISC of another AS. An internal peer gets the routes of external peers, unchanged; there is
    /// no route reflection.
    Router,
    /// As a route server at an Internet exchange does (RFC 7947): AS_PATH, NEXT_HOP, MULTI_EXIT_DISC and communities stay as
    /// they are. If the best path to a prefix is the client's own, or its policy rejects that path, the client gets the best of the
    /// others. So no path hides another (RFC 7947, section 2.3). The clients are external peers; towards an internal one this is
    /// the same as [`Relay::Router`].
    RouteServer,
}

impl Relay {
    /// Returns true if a route of a peer of one type may be passed on to a peer of another.
    ///
    /// Routes of internal peers are not passed on to internal ones (RFC 4271, section 9.2). A router honours NO_ADVERTISE,
    /// NO_EXPORT and NO_EXPORT_SUBCONFED (RFC 1997). A route server does not, since they are meant for its clients (RFC 7947,
    /// section 2.2.4).
    #[must_use]
    pub fn permits(self, from: PeerType, to: PeerType, attributes: &PathAttributes) -> bool {
        if to == PeerType::Internal && from == PeerType::Internal {
            return false;
        }
        if self.is_transparent(to) {
            return true;
        }

        let is_kept_here = |community: &Community| match *community {
            Community::NO_ADVERTISE => true,
            Community::NO_EXPORT | Community::NO_EXPORT_SUBCONFED => to == PeerType::External,
            _ => false,
        };
        !attributes.communities.iter().any(is_kept_here)
    }

    /// Removes what a router does not pass on to a peer of this type. Towards an external peer: MULTI_EXIT_DISC (RFC 4271,
    /// section 5.1.4), extended communities that are not transitive (RFC 4360, section 6), and the next hop, in whose place the
    /// session's own is sent. A next hop in one of the networks that we share with the peer is kept, since the peer reaches it
    /// without us (RFC 4271, section 5.1.3).
    pub fn prepare(self, attributes: &mut PathAttributes, to: PeerType, shared_networks: &[IpNet]) {
        if to == PeerType::Internal || self.is_transparent(to) {
            return;
        }

        attributes.med = None;
        attributes.extended_communities.retain(|community| community.is_transitive());
        let is_shared = |address: IpAddr| shared_networks.iter().any(|it| it.contains(&address));
        attributes.next_hop.take_if(|next_hop| !is_shared(next_hop.address()));
    }

    /// Returns true if the path to a peer of this type does not get our AS, and nothing else is changed.
    pub(super) fn is_transparent(self, to: PeerType) -> bool {
        self == Self::RouteServer && to == PeerType::External
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PeerType::{External, Internal};
    use crate::wire::ExtendedCommunity;

    #[test]
    fn routes_of_internal_peers_are_passed_on_to_external_ones_only() {
        let plain = PathAttributes::default();
        for relay in [Relay::Router, Relay::RouteServer] {
            for (source, to, permitted) in [
                (External, External, true),
                (External, Internal, true),
                (Internal, External, true),
                (Internal, Internal, false),
            ] {
                assert_eq!(relay.permits(source, to, &plain), permitted, "{relay:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_router_honours_the_well_known_communities_and_a_route_server_passes_them_on() {
        for (community, external, internal) in [
            (Community::NO_ADVERTISE, false, false),
            (Community::NO_EXPORT, false, true),
            (Community::NO_EXPORT_SUBCONFED, false, true),
            (Community::BLACKHOLE, true, true),
        ] {
            let attributes =
                PathAttributes { communities: vec![community], ..PathAttributes::default() };
            let permits = |relay: Relay, to| relay.permits(External, to, &attributes);
            assert_eq!(permits(Relay::Router, External), external, "{community}");
            assert_eq!(permits(Relay::Router, Internal), internal, "{community}");
            assert!(permits(Relay::RouteServer, External), "{community}");
        }
    }

    #[test]
    fn a_router_removes_what_is_not_for_another_as_and_a_route_server_nothing() {
        let next_hop = |text: &str| Some(text.parse::<IpAddr>().expect("an address").into());
        let received = PathAttributes {
            med: Some(7),
            next_hop: next_hop("192.0.2.9"),
            extended_communities: vec![ExtendedCommunity::link_bandwidth(1, 1.0)],
            ..PathAttributes::default()
        };
        let prepared = |relay: Relay, to, shared: &[&str]| {
            let shared: Vec<_> = shared.iter().map(|it| it.parse().expect("a prefix")).collect();
            let mut attributes = received.clone();
            relay.prepare(&mut attributes, to, &shared);
            attributes
        };

        let external = prepared(Relay::Router, External, &["198.51.100.0/24"]);
        assert_eq!(external, PathAttributes::default());
        let third_party = prepared(Relay::Router, External, &["198.51.100.0/24", "192.0.2.0/28"]);
        assert_eq!(third_party.next_hop, received.next_hop);
        assert_eq!(prepared(Relay::Router, Internal, &[]), received);
        assert_eq!(prepared(Relay::RouteServer, External, &[]), received);
    }
}
