//! The rules that turn a route of ours into the one that is sent on a session (RFC 4271, sections 5 and 9.1.3).

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::fsm::{LocalAs, Negotiated, SentPath};
use crate::policy::NextHops;
use crate::rib::Relay;
use crate::wire::{Community, NextHop, PathAttributes, Role};
use crate::{Afi, AfiSafi, Asn, PeerType};

/// The LOCAL_PREF of a route without one, as in every implementation.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// The changes that one session makes to the attributes of our routes.
#[derive(Clone, Debug)]
pub struct ExportRules<'a> {
    negotiated: &'a Negotiated,
    local_address: IpAddr,
    next_hops: NextHops,
    draining: bool,
    relay: Option<Relay>,
    remote_address: Option<IpAddr>,
    /// The networks that we share with the peer, if the routes are still as their peers sent them.
    shared_networks: Option<&'a [IpNet]>,
}

/// The reason why a route cannot be sent on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Unsendable {
    /// The next hop is of another family than the prefix, and the peer does not support that.
    NextHopFamily {
        /// The family of the prefix.
        family: AfiSafi,
        /// The next hop: the route's own, or the session's local address.
        next_hop: IpAddr,
    },
    /// The route has ONLY_TO_CUSTOMER, and the peer is not a customer (RFC 9234, section 5).
    OnlyToCustomer,
    /// The peer's OPEN does not offer the family (RFC 4760, section 8).
    FamilyNotOffered {
        /// The family of the prefix.
        family: AfiSafi,
    },
    /// Our OPEN does not offer the family.
    FamilyLeftOut {
        /// The family of the prefix.
        family: AfiSafi,
    },
    /// The attributes leave no room for a prefix in the longest message that the peer accepts (RFC 8654).
    TooLong {
        /// The largest number of octets of a message.
        limit: usize,
    },
}

impl Unsendable {
    /// Returns true if the other reason is of the same kind and family.
    #[must_use]
    pub fn is_alike(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.family() == other.family()
    }

    /// The family of the reason, if it has one.
    #[must_use]
    pub fn family(&self) -> Option<AfiSafi> {
        match self {
            Self::NextHopFamily { family, .. }
            | Self::FamilyNotOffered { family }
            | Self::FamilyLeftOut { family } => Some(*family),
            Self::OnlyToCustomer | Self::TooLong { .. } => None,
        }
    }
}

/// A route that the peer should have but the session cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnsendableRoute {
    /// The prefix.
    pub prefix: IpNet,
    /// The identifier of the path (RFC 7911). It is 0 if the session carries one path to each prefix of the family, and the
    /// route's own if it does not carry the family.
    pub path_id: u32,
    /// The reason.
    pub why: Unsendable,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextHopFamily { family, next_hop } => write!(
                f,
                "the next hop {next_hop} does not fit {family}"
            ),
            Self::OnlyToCustomer => f.write_str(
                "the route is for customers only (ONLY_TO_CUSTOMER of RFC 9234), and the peer is not one",
            ),
            Self::FamilyNotOffered { family } => write!(f, "the router did not offer {family}"),
            Self::FamilyLeftOut { family } => {
                write!(f, "{family} is left out of what we offer the router")
            }
            Self::TooLong { limit } => {
                write!(f, "the attributes do not fit a message of {limit} octets")
            }
        }
    }
}

impl std::error::Error for Unsendable {}

impl<'a> ExportRules<'a> {
    /// The rules of a session with these parameters whose local end is `local_address`.
    #[must_use]
    pub fn new(negotiated: &'a Negotiated, local_address: IpAddr) -> Self {
        Self {
            negotiated,
            local_address,
            next_hops: NextHops::default(),
            draining: false,
            relay: None,
            remote_address: None,
            shared_networks: None,
        }
    }

    /// Sets the next hops of routes that have none of their own.
    #[must_use]
    pub fn next_hops(mut self, next_hops: NextHops) -> Self {
        self.next_hops = next_hops;
        self
    }

    /// Adds GRACEFUL_SHUTDOWN to routes, and LOCAL_PREF 0 towards an internal peer, so that traffic moves elsewhere before the
    /// session ends (RFC 8326, section 4.1).
    #[must_use]
    pub fn draining(mut self, draining: bool) -> Self {
        self.draining = draining;
        self
    }

    /// Treats the routes as those of other peers, which are passed on in this way. So an external client of a route server does not
    /// get our AS in the path. Default: the routes are our own.
    #[must_use]
    pub fn relay(mut self, relay: Option<Relay>) -> Self {
        self.relay = relay;
        self
    }

    /// Sets the peer's end of the session, which is not sent to it as the next hop of a relayed route: our own is sent instead
    /// (RFC 4271, section 5.1.3). The client of a route server gets what the other client has sent.
    #[must_use]
    pub fn remote_address(mut self, address: IpAddr) -> Self {
        self.remote_address = Some(address);
        self
    }

    /// Also removes what [`Relay::prepare`] removes, before everything else. `shared_networks` are the networks that we share with
    /// the peer. Without this call, that has been done before an export policy.
    #[must_use]
    pub fn prepare_relayed(mut self, shared_networks: &'a [IpNet]) -> Self {
        self.shared_networks = Some(shared_networks);
        self
    }

    /// The attributes to send for a route with `attributes` to a prefix of `family`.
    ///
    /// An external peer gets our AS before the path, unless it is the client of a route server, and neither LOCAL_PREF nor the
    /// attributes of route reflection. With a role it gets ONLY_TO_CUSTOMER by RFC 9234, section 5. An internal peer always
    /// gets LOCAL_PREF, which is 100 if the route has none.
    ///
    /// # Errors
    ///
    /// The next hop is of the wrong family, or the route would leak.
    pub fn apply(
        &self,
        attributes: &PathAttributes,
        family: AfiSafi,
    ) -> Result<PathAttributes, Unsendable> {
        let mut sent = attributes.clone();
        if let (Some(relay), Some(shared)) = (self.relay, self.shared_networks) {
            relay.prepare(&mut sent, self.negotiated.peer_type, shared);
        }

        if self.relay.is_some_and(|relay| !relay.is_transparent(self.negotiated.peer_type)) {
            sent.next_hop.take_if(|next_hop| Some(next_hop.address()) == self.remote_address);
        }
        let next_hop = sent.next_hop.unwrap_or_else(|| self.next_hop(family));
        let fits = match next_hop {
            NextHop::V4(_) => family.afi == Afi::IPV4,
            NextHop::V6 { .. } => {
                family.afi == Afi::IPV6 || self.negotiated.extensions.extended_next_hop
            }
        };
        if !fits {
            return Err(Unsendable::NextHopFamily { family, next_hop: next_hop.address() });
        }
        sent.only_to_customer = self.only_to_customer(attributes)?;
        sent.next_hop = Some(next_hop);
        if self.draining {
            sent.local_pref = Some(0);
            if !sent.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                sent.communities.push(Community::GRACEFUL_SHUTDOWN);
            }
        }

        match self.negotiated.peer_type {
            PeerType::External => self.prepare_external(&mut sent),
            PeerType::Internal => {
                sent.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
            }
        }
        Ok(sent)
    }

    /// Applies the rules for external peers.
    fn prepare_external(&self, sent: &mut PathAttributes) {
        if !self.relay.is_some_and(|relay| relay.is_transparent(PeerType::External)) {
            self.prepend_local_as(sent);
        }
        sent.local_pref = None;
        sent.originator_id = None;
        sent.cluster_list.clear();
    }

    fn prepend_local_as(&self, sent: &mut PathAttributes) {
        if let Some(LocalAs { speaker_asn, sent: SentPath::BothAses, .. }) =
            self.negotiated.local_as
        {
            sent.as_path.prepend(speaker_asn, 1);
        }
        sent.as_path.prepend(self.negotiated.local_asn, 1);
    }

    /// The next hop of a route that has none of its own: the configured one, or our end of the session.
    fn next_hop(&self, family: AfiSafi) -> NextHop {
        match (family.afi, self.local_address) {
            (Afi::IPV4, local) => {
                self.next_hops.ipv4.map_or_else(|| local_next_hop(local), NextHop::V4)
            }
            (_, IpAddr::V6(local)) if local.is_unicast_link_local() => NextHop::V6 {
                global: self.next_hops.ipv6.unwrap_or(local),
                link_local: Some(local),
            },
            (_, local) => self.next_hops.ipv6.map_or_else(|| local_next_hop(local), NextHop::from),
        }
    }

    /// The ONLY_TO_CUSTOMER to send (RFC 9234, section 5). A route with it is sent only to customers, and a route gets it when it
    /// is sent to a customer or to a peer.
    fn only_to_customer(&self, attributes: &PathAttributes) -> Result<Option<Asn>, Unsendable> {
        let has = attributes.only_to_customer;
        match self.negotiated.local_role {
            Some(Role::CUSTOMER | Role::PEER | Role::ROUTE_SERVER_CLIENT) if has.is_some() => {
                Err(Unsendable::OnlyToCustomer)
            }
            Some(Role::PROVIDER | Role::PEER | Role::ROUTE_SERVER) => {
                Ok(has.or(Some(self.negotiated.local_asn)))
            }
            _ => Ok(has),
        }
    }
}

/// The local address as a next hop. A link-local one takes the place of the global one too (RFC 2545, section 3).
fn local_next_hop(local: IpAddr) -> NextHop {
    match local {
        IpAddr::V6(local) if local.is_unicast_link_local() => {
            NextHop::V6 { global: local, link_local: Some(local) }
        }
        local => NextHop::from(local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BgpIdentifier;
    use crate::fsm::{Fsm, FsmConfig};
    use crate::wire::AsPath;

    fn negotiated(change: impl FnOnce(&mut Negotiated)) -> Negotiated {
        let mut negotiated = Fsm::negotiated_for_tests(
            &FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635)),
            Asn(64635),
        );
        change(&mut negotiated);
        negotiated
    }

    fn next_hop(negotiated: &Negotiated, local: &str, family: AfiSafi) -> Option<String> {
        let export = ExportRules::new(negotiated, local.parse().expect("an address"));
        let sent = export.apply(&PathAttributes::default(), family).ok()?;
        Some(sent.next_hop.expect("one is always sent").to_string())
    }

    #[test]
    fn the_next_hop_is_our_end_of_the_session_if_the_family_allows_it() {
        let plain = negotiated(|it| it.extensions.extended_next_hop = false);
        let extended = negotiated(|it| it.extensions.extended_next_hop = true);
        let (v4, v6) = (AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST);
        assert_eq!(next_hop(&plain, "10.0.0.1", v4).as_deref(), Some("10.0.0.1"));
        assert_eq!(next_hop(&plain, "10.0.0.1", v6), None);
        assert_eq!(next_hop(&plain, "2001:db8::1", v4), None);
        assert_eq!(next_hop(&extended, "2001:db8::1", v4).as_deref(), Some("2001:db8::1"));
        assert_eq!(next_hop(&plain, "2001:db8::1", v6).as_deref(), Some("2001:db8::1"));
        // RFC 2545, section 3: the link-local address beside the global one, or in its place.
        assert_eq!(next_hop(&plain, "fe80::1", v6).as_deref(), Some("fe80::1 (fe80::1)"));
        assert_eq!(next_hop(&extended, "fe80::1", v4).as_deref(), Some("fe80::1 (fe80::1)"));
        let global = NextHops { ipv6: Some("2001:db8::1".parse().expect("it")), ipv4: None };
        let export = ExportRules::new(&plain, "fe80::1".parse().expect("it")).next_hops(global);
        let sent = export.apply(&PathAttributes::default(), v6).expect("it fits");
        assert_eq!(sent.next_hop.expect("one").to_string(), "2001:db8::1 (fe80::1)");
    }

    #[test]
    fn rfc_9234_section_5_marks_routes_sent_down_and_stops_leaks() {
        let marked = PathAttributes { only_to_customer: Some(Asn(1)), ..PathAttributes::default() };
        let send = |role, attributes: &PathAttributes| {
            let negotiated = negotiated(|it| it.local_role = role);
            let export = ExportRules::new(&negotiated, "10.0.0.1".parse().expect("an address"));
            export.apply(attributes, AfiSafi::IPV4_UNICAST).map(|sent| sent.only_to_customer)
        };
        let plain = PathAttributes::default();
        let leak = Err(Unsendable::OnlyToCustomer);
        for (role, of_plain, of_marked) in [
            (None, None, Ok(Some(Asn(1)))),
            (Some(Role::PROVIDER), Some(Asn(64636)), Ok(Some(Asn(1)))),
            (Some(Role::ROUTE_SERVER), Some(Asn(64636)), Ok(Some(Asn(1)))),
            (Some(Role::PEER), Some(Asn(64636)), leak),
            (Some(Role::CUSTOMER), None, leak),
            (Some(Role::ROUTE_SERVER_CLIENT), None, leak),
        ] {
            assert_eq!(send(role, &plain), Ok(of_plain), "{role:?}");
            assert_eq!(send(role, &marked), of_marked, "{role:?}");
        }
    }

    #[test]
    fn a_relayed_route_is_changed_by_a_router_and_not_by_a_route_server() {
        let received = PathAttributes {
            as_path: AsPath::sequence([Asn(1), Asn(2)]),
            next_hop: Some("10.0.0.9".parse::<IpAddr>().expect("an address").into()),
            med: Some(5),
            local_pref: Some(200),
            ..PathAttributes::default()
        };
        let send_to = |remote: &str, relay, peer_type, shared: &[IpNet]| {
            let remote = remote.parse().expect("an address");
            let negotiated = negotiated(|it| it.peer_type = peer_type);
            let export = ExportRules::new(&negotiated, "10.0.0.1".parse().expect("an address"));
            let export = export.relay(Some(relay)).prepare_relayed(shared).remote_address(remote);
            let sent = export.apply(&received, AfiSafi::IPV4_UNICAST).expect("it fits");
            let next_hop = sent.next_hop.expect("one is always sent").to_string();
            (sent.as_path.to_string(), next_hop, sent.med, sent.local_pref)
        };
        let send =
            |relay, peer_type, shared: &[IpNet]| send_to("10.0.0.2", relay, peer_type, shared);
        let expect = |path: &str, next_hop: &str, med, local_pref| {
            (path.to_owned(), next_hop.to_owned(), med, local_pref)
        };
        let (router, server) = (Relay::Router, Relay::RouteServer);
        let (external, internal) = (PeerType::External, PeerType::Internal);
        let link = ["10.0.0.0/24".parse().expect("a prefix")];

        let by_router = expect("64636 1 2", "10.0.0.1", None, None);
        assert_eq!(send(router, external, &[]), by_router);
        let third_party = expect("64636 1 2", "10.0.0.9", None, None);
        assert_eq!(send(router, external, &link), third_party);
        // The peer's own address is no next hop for it.
        assert_eq!(send_to("10.0.0.9", router, external, &link), by_router);
        let to_own_as = expect("1 2", "10.0.0.1", Some(5), Some(200));
        assert_eq!(send_to("10.0.0.9", router, internal, &[]), to_own_as);
        assert_eq!(send(server, external, &[]), expect("1 2", "10.0.0.9", Some(5), None));
        // To the own AS: RFC 4271, section 5.1.3.
        let to_own_as = expect("1 2", "10.0.0.9", Some(5), Some(200));
        assert_eq!(send(router, internal, &[]), to_own_as);
        assert_eq!(send(server, internal, &[]), to_own_as);
    }

    #[test]
    fn a_drain_marks_routes_and_lowers_their_preference_within_the_as() {
        for (peer_type, local_pref) in [(PeerType::External, None), (PeerType::Internal, Some(0))] {
            let negotiated = negotiated(|it| it.peer_type = peer_type);
            let export = ExportRules::new(&negotiated, "10.0.0.1".parse().expect("an address"));
            let sent = export.draining(true).apply(
                &PathAttributes { local_pref: Some(200), ..PathAttributes::default() },
                AfiSafi::IPV4_UNICAST,
            );
            let sent = sent.expect("it fits");
            assert_eq!(sent.local_pref, local_pref);
            assert_eq!(sent.communities, [Community::GRACEFUL_SHUTDOWN]);
        }
    }
}
