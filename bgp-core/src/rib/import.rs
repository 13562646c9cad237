//! The rules that accept or reject a received route (RFC 4271, sections 6.3 and 9.1.2).

use std::fmt;
use std::net::IpAddr;

use crate::fsm::{Negotiated, ReceivedPath};
use crate::policy::NextHops;
use crate::wire::{Community, NextHop, PathAttributes, Role};
use crate::{Asn, PeerType};

/// The changes that one session makes to the attributes of the peer's routes, before any policy.
#[derive(Clone, Debug)]
pub struct ImportRules<'a> {
    negotiated: &'a Negotiated,
    local_address: IpAddr,
    next_hops: NextHops,
    allow_as_sets: bool,
    allow_martian_next_hops: bool,
    any_first_as: bool,
}

/// The reason why a received route is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The path of an external peer does not begin with its AS (RFC 4271, section 6.3).
    FirstAs,
    /// The path contains our AS.
    Loop,
    /// The next hop is our own address.
    OwnNextHop,
    /// The next hop is not the address of a host, but unspecified, loopback, multicast or reserved (RFC 4271, section 6.3).
    MartianNextHop,
    /// The path has an AS_SET or AS_CONFED_SET (RFC 9774).
    AsSet,
    /// The route is for customers only, and came from a peer that must not send it (RFC 9234, section 5).
    Leak,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstAs => "the path does not begin with the AS of the peer",
            Self::Loop => "the path contains our own AS",
            Self::OwnNextHop => "the next hop is our own address",
            Self::MartianNextHop => "the next hop is not the address of a host",
            Self::AsSet => "the path has an AS_SET or AS_CONFED_SET (RFC 9774)",
            Self::Leak => {
                "the route is for customers only (RFC 9234), and the peer must not send it"
            }
        })
    }
}

impl std::error::Error for Rejected {}

impl<'a> ImportRules<'a> {
    /// The rules of a session with these parameters whose local end is `local_address`.
    #[must_use]
    pub fn new(negotiated: &'a Negotiated, local_address: IpAddr) -> Self {
        Self {
            negotiated,
            local_address,
            next_hops: NextHops::default(),
            allow_as_sets: false,
            allow_martian_next_hops: false,
            any_first_as: false,
        }
    }

    /// Names the next hops that we announce, which are our own addresses too: a route must not lead back to them.
    #[must_use]
    pub fn next_hops(mut self, ours: NextHops) -> Self {
        self.next_hops = ours;
        self
    }

    /// Accepts next hops that are not the address of a host, for labs in which loopback or reserved addresses are used. By
    /// default they are rejected. Our own address always is.
    #[must_use]
    pub fn allow_martian_next_hops(mut self, allow: bool) -> Self {
        self.allow_martian_next_hops = allow;
        self
    }

    /// Accepts paths of an external peer that do not begin with its AS, as those of a route server (RFC 7947, section 2.2.2.1). By
    /// default they are rejected, unless our role is that of a route server's client.
    #[must_use]
    pub fn allow_any_first_as(mut self, allow: bool) -> Self {
        self.any_first_as = allow;
        self
    }

    /// Accepts paths that have an AS_SET or AS_CONFED_SET. By default they are rejected.
    #[must_use]
    pub fn allow_as_sets(mut self, allow: bool) -> Self {
        self.allow_as_sets = allow;
        self
    }

    /// Changes the attributes to those with which the route takes part in the decision process: ONLY_TO_CUSTOMER by our role
    /// (RFC 9234, section 5), LOCAL_PREF 0 for routes that an external peer is about to withdraw (GRACEFUL_SHUTDOWN, RFC 8326,
    /// section 4.2), and our local AS in the path, if it is configured.
    ///
    /// # Errors
    ///
    /// The route must not be used.
    pub fn apply(&self, attributes: &mut PathAttributes) -> Result<(), Rejected> {
        let Negotiated { local_asn, remote_asn, local_as, .. } = *self.negotiated;
        let external = self.negotiated.peer_type == PeerType::External;
        let path = &attributes.as_path;

        let any_first_as =
            self.any_first_as || self.negotiated.local_role == Some(Role::ROUTE_SERVER_CLIENT);
        if external && !any_first_as && path.first_as() != Some(remote_asn) {
            return Err(Rejected::FirstAs);
        }
        let has_speaker = local_as.is_some_and(|local_as| path.contains(local_as.speaker_asn));
        if path.contains(local_asn) || has_speaker {
            return Err(Rejected::Loop);
        }
        if let Some(next_hop) = attributes.next_hop {
            self.check_next_hop(next_hop)?;
        }
        if path.has_set() && !self.allow_as_sets {
            return Err(Rejected::AsSet);
        }

        attributes.only_to_customer = self.only_to_customer(attributes.only_to_customer)?;
        if external && attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
            attributes.local_pref = Some(0);
        }
        if local_as.is_some_and(|local_as| local_as.received == ReceivedPath::WithLocalAs) {
            attributes.as_path.prepend(local_asn, 1);
        }
        Ok(())
    }

    /// Rejects a next hop that is our own or that no host can have (RFC 4271, sections 5.1.3 and 6.3).
    fn check_next_hop(&self, next_hop: NextHop) -> Result<(), Rejected> {
        let address = next_hop.address();
        let link_local = next_hop.link_local().map(IpAddr::V6);
        if self.is_own(address) || link_local.is_some_and(|it| self.is_own(it)) {
            return Err(Rejected::OwnNextHop);
        }
        if self.is_martian(address) && !self.allow_martian_next_hops {
            return Err(Rejected::MartianNextHop);
        }
        Ok(())
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let NextHops { ipv4, ipv6 } = self.next_hops;
        let ours = [Some(self.local_address), ipv4.map(IpAddr::V4), ipv6.map(IpAddr::V6)];
        ours.into_iter().flatten().any(|ours| ours.to_canonical() == address.to_canonical())
    }

    /// Returns true for an address that no host can have. A loopback address is a next hop only between speakers on one host.
    fn is_martian(&self, next_hop: IpAddr) -> bool {
        let next_hop = next_hop.to_canonical();
        if next_hop.is_loopback() {
            return !self.local_address.to_canonical().is_loopback();
        }
        match next_hop {
            IpAddr::V4(address) => matches!(address.octets(), [0 | 224.., ..]),
            IpAddr::V6(address) => address.is_unspecified() || address.is_multicast(),
        }
    }

    /// The ONLY_TO_CUSTOMER of an accepted route.
    fn only_to_customer(&self, has: Option<Asn>) -> Result<Option<Asn>, Rejected> {
        let remote_asn = self.negotiated.remote_asn;
        match (self.negotiated.local_role, has) {
            (Some(Role::PROVIDER | Role::ROUTE_SERVER), Some(_)) => Err(Rejected::Leak),
            (Some(Role::PEER), Some(asn)) if asn != remote_asn => Err(Rejected::Leak),
            (Some(Role::CUSTOMER | Role::PEER | Role::ROUTE_SERVER_CLIENT), None) => {
                Ok(Some(remote_asn))
            }
            _ => Ok(has),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BgpIdentifier;
    use crate::fsm::{Fsm, FsmConfig};
    use crate::wire::AsPath;

    const PEER: Asn = Asn(64635);

    fn import(
        change: impl FnOnce(&mut Negotiated),
        mut attributes: PathAttributes,
    ) -> Result<PathAttributes, Rejected> {
        let config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), PEER);
        let mut negotiated = Fsm::negotiated_for_tests(&config, PEER);
        change(&mut negotiated);
        let local = "10.0.0.1".parse().expect("an address");
        ImportRules::new(&negotiated, local).apply(&mut attributes).map(|()| attributes)
    }

    fn path(asns: &[u32]) -> PathAttributes {
        let as_path = AsPath::sequence(asns.iter().map(|asn| Asn(*asn)));
        PathAttributes { as_path, ..PathAttributes::default() }
    }

    #[test]
    fn a_route_that_loops_or_omits_the_peers_as_is_rejected() {
        assert!(import(|_| (), path(&[64635, 1])).is_ok());
        assert_eq!(import(|_| (), path(&[1, 64635])), Err(Rejected::FirstAs));
        assert_eq!(import(|_| (), path(&[])), Err(Rejected::FirstAs));
        assert_eq!(import(|_| (), path(&[64635, 64636])), Err(Rejected::Loop));
        let next_hop = Some("10.0.0.1".parse::<IpAddr>().expect("an address").into());
        let own = PathAttributes { next_hop, ..path(&[64635]) };
        assert_eq!(import(|_| (), own), Err(Rejected::OwnNextHop));
    }

    #[test]
    fn a_client_of_a_route_server_accepts_any_first_as() {
        let config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), PEER);
        let negotiated = Fsm::negotiated_for_tests(&config, PEER);
        let local = "10.0.0.1".parse().expect("an address");
        let apply = |allow| {
            let import = ImportRules::new(&negotiated, local).allow_any_first_as(allow);
            import.apply(&mut path(&[1, 2]))
        };
        assert_eq!((apply(false), apply(true)), (Err(Rejected::FirstAs), Ok(())));
        let client = |it: &mut Negotiated| it.local_role = Some(Role::ROUTE_SERVER_CLIENT);
        assert!(import(client, path(&[1, 2])).is_ok());
        assert_eq!(import(client, path(&[1, 64636])), Err(Rejected::Loop));
    }

    #[test]
    fn a_next_hop_that_is_not_a_host_is_rejected() {
        let with = |next_hop: &str| {
            let next_hop = Some(next_hop.parse::<IpAddr>().expect("an address").into());
            import(|_| (), PathAttributes { next_hop, ..path(&[64635]) }).map(|_| ())
        };
        for martian in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "224.0.0.5",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "ff0e::1",
            "::ffff:127.0.0.1",
            "::ffff:224.0.0.1",
        ] {
            assert_eq!(with(martian), Err(Rejected::MartianNextHop), "{martian}");
        }

        for host in [
            "1.0.0.1",
            "10.0.0.2",
            "126.0.0.1",
            "128.0.0.1",
            "223.255.255.1",
            "fe80::1",
            "2001:db8::1",
            "::ffff:10.0.0.2",
        ] {
            assert_eq!(with(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_lab_can_use_martian_next_hops_and_our_own_addresses_stay_refused() {
        let config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), PEER);
        let negotiated = Fsm::negotiated_for_tests(&config, PEER);
        let ours = NextHops { ipv4: "10.9.9.9".parse().ok(), ipv6: "2001:db8::9".parse().ok() };
        let import = ImportRules::new(&negotiated, "fe80::1".parse().expect("an address"))
            .next_hops(ours)
            .allow_martian_next_hops(true);
        for (next_hop, expected) in [
            ("127.0.0.1", Ok(())),
            ("240.0.0.1", Ok(())),
            ("10.9.9.8", Ok(())),
            ("2001:db8::8 (fe80::2)", Ok(())),
            ("10.9.9.9", Err(Rejected::OwnNextHop)),
            ("::ffff:10.9.9.9", Err(Rejected::OwnNextHop)),
            ("2001:db8::9", Err(Rejected::OwnNextHop)),
            ("2001:db8::8 (fe80::1)", Err(Rejected::OwnNextHop)),
        ] {
            let mut attributes =
                PathAttributes { next_hop: next_hop.parse().ok(), ..path(&[64635]) };
            assert_eq!(import.apply(&mut attributes), expected, "{next_hop}");
        }
    }

    #[test]
    fn between_speakers_on_one_host_a_loopback_address_is_a_valid_next_hop() {
        let config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), PEER);
        let negotiated = Fsm::negotiated_for_tests(&config, PEER);
        let local = "127.0.0.1".parse().expect("an address");
        let next_hop = Some("127.0.0.2".parse::<IpAddr>().expect("an address").into());
        let mut attributes = PathAttributes { next_hop, ..path(&[64635]) };
        assert_eq!(ImportRules::new(&negotiated, local).apply(&mut attributes), Ok(()));
    }

    #[test]
    fn rfc_9774_a_path_with_a_set_is_used_only_if_it_is_allowed() {
        let config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), PEER);
        let negotiated = Fsm::negotiated_for_tests(&config, PEER);
        let local = "10.0.0.1".parse().expect("an address");
        for (text, has_set) in
            [("64635 {65001 65002}", true), ("64635 [65001]", true), ("64635 65001", false)]
        {
            let as_path: AsPath = text.parse().expect("a path");
            let with = || PathAttributes { as_path: as_path.clone(), ..PathAttributes::default() };
            let import = ImportRules::new(&negotiated, local);
            let refused = if has_set { Err(Rejected::AsSet) } else { Ok(()) };
            assert_eq!(import.apply(&mut with()), refused, "{text}");
            assert_eq!(import.allow_as_sets(true).apply(&mut with()), Ok(()), "{text}");
        }
    }

    #[test]
    fn rfc_9234_section_5_marks_routes_from_above_and_rejects_leaked_ones() {
        let with =
            |otc: Option<u32>| PathAttributes { only_to_customer: otc.map(Asn), ..path(&[64635]) };
        let leak = Err(Rejected::Leak);
        for (role, of_none, of_peer, of_other) in [
            (None, None, Ok(Some(PEER)), Ok(Some(Asn(1)))),
            (Some(Role::PROVIDER), None, leak, leak),
            (Some(Role::ROUTE_SERVER), None, leak, leak),
            (Some(Role::PEER), Some(PEER), Ok(Some(PEER)), leak),
            (Some(Role::CUSTOMER), Some(PEER), Ok(Some(PEER)), Ok(Some(Asn(1)))),
            (Some(Role::ROUTE_SERVER_CLIENT), Some(PEER), Ok(Some(PEER)), Ok(Some(Asn(1)))),
        ] {
            let got =
                |otc| import(|it| it.local_role = role, with(otc)).map(|it| it.only_to_customer);
            assert_eq!(got(None), Ok(of_none), "{role:?}");
            assert_eq!(got(Some(PEER.0)), of_peer, "{role:?}");
            assert_eq!(got(Some(1)), of_other, "{role:?}");
        }
    }

    #[test]
    fn a_route_that_an_external_peer_is_about_to_withdraw_has_the_lowest_preference() {
        let draining = PathAttributes {
            communities: vec![Community::GRACEFUL_SHUTDOWN],
            local_pref: Some(200),
            ..path(&[64635])
        };
        let imported = import(|_| (), draining.clone()).expect("used");
        assert_eq!(imported.local_pref, Some(0));
        let internal = |it: &mut Negotiated| it.peer_type = PeerType::Internal;
        assert_eq!(import(internal, draining).expect("used").local_pref, Some(200));
    }
}
