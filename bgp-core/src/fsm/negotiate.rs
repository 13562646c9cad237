//! The comparison of both OPENs: it yields the parameters of the session, or the reason to refuse the peer's OPEN.
//!
//! [`wire::open`](crate::wire) checks the octets of an OPEN. Only checks that depend on our side are here.

use std::time::Duration;

use crate::fsm::{FsmConfig, LocalAs, NegotiatedExtensions, Refusal, RoleConfig};
use crate::wire::{Capability, Open, Role, WireContext};
use crate::{AfiSafi, Asn, BgpIdentifier, PeerType};

/// The shortest time allowed between KEEPALIVEs (RFC 4271, section 4.4).
const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(1);

/// The parameters of one session, negotiated by both OPENs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Negotiated {
    /// Internal or external (RFC 4271, section 1.1).
    pub peer_type: PeerType,
    /// Our AS number, as our OPEN gave it.
    pub local_asn: Asn,
    /// Our BGP Identifier.
    pub local_identifier: BgpIdentifier,
    /// The peer's AS number.
    pub remote_asn: Asn,
    /// The peer's BGP Identifier.
    pub remote_identifier: BgpIdentifier,
    /// The smaller of both proposals. Zero if either end wants no KEEPALIVEs.
    pub hold_time: Duration,
    /// The time between our KEEPALIVEs, before jitter. Zero if there are none.
    pub keepalive_time: Duration,
    /// The longest time for which the peer may read nothing (RFC 9687). Zero: no limit.
    pub send_hold_time: Duration,
    /// The address families that both ends have, in our order.
    pub families: Vec<AfiSafi>,
    /// True if both ends understand ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// True if both ends use four-octet AS numbers (RFC 6793).
    pub four_octet_as: bool,
    /// Our role towards the peer, if we have one (RFC 9234). It applies even if the peer names none.
    pub local_role: Option<Role>,
    /// The peer's role towards us, if it named one and we have one.
    pub remote_role: Option<Role>,
    /// The place of the speaker's own AS in paths, if `local_asn` is not that AS.
    pub local_as: Option<LocalAs>,
    /// The extensions that both ends have.
    pub extensions: NegotiatedExtensions,
    /// Every capability of our OPEN.
    pub local_capabilities: Vec<Capability>,
    /// Every capability of the peer's OPEN, unknown ones included.
    pub remote_capabilities: Vec<Capability>,
}

impl Negotiated {
    /// The context for reading messages of the peer.
    #[must_use]
    pub fn wire_context(&self) -> WireContext {
        self.context(&self.extensions.add_path_receive)
    }

    /// The context for writing messages to the peer.
    #[must_use]
    pub fn send_context(&self) -> WireContext {
        self.context(&self.extensions.add_path_send)
    }

    fn context(&self, add_path: &[AfiSafi]) -> WireContext {
        let mut cx = WireContext::new(self.peer_type)
            .four_octet_as(self.four_octet_as)
            .extended_messages(self.extensions.extended_messages)
            .extended_next_hop(self.extensions.extended_next_hop)
            .multiprotocol(AfiSafi::IPV4_UNICAST, false);

        for family in &self.families {
            cx = cx.multiprotocol(*family, true);
        }
        for family in add_path {
            cx = cx.add_path(*family, true);
        }
        cx
    }

    /// Returns true if routes of `family` may be exchanged.
    #[must_use]
    pub fn has_family(&self, family: AfiSafi) -> bool {
        self.families.contains(&family)
    }

    /// Returns true if the peer's OPEN offers `family`. An OPEN that names no family offers IPv4 unicast, because its sender
    /// may be older than RFC 4760.
    #[must_use]
    pub fn remote_offers(&self, family: AfiSafi) -> bool {
        offered(&self.remote_capabilities).contains(&family)
    }
}

/// The capabilities that our OPEN carries.
pub(super) fn local_capabilities(config: &FsmConfig, restarting: bool) -> Vec<Capability> {
    if !config.capabilities {
        return Vec::new();
    }

    let mut capabilities: Vec<_> =
        config.families.iter().map(|&family| Capability::Multiprotocol(family)).collect();
    if config.route_refresh {
        capabilities.push(Capability::RouteRefresh);
    }
    if config.four_octet_as {
        capabilities.push(Capability::FourOctetAs(config.local_asn));
    }
    if let Some(role) = local_role(config, config.peer_type()) {
        capabilities.push(Capability::Role(role.role));
    }
    capabilities.extend(config.extensions.capabilities(&config.families, restarting));
    capabilities
}

/// Our role towards a peer of this type. Roles are for external peers only (RFC 9234, section 4.1).
fn local_role(config: &FsmConfig, peer_type: PeerType) -> Option<RoleConfig> {
    config.role.filter(|_| peer_type == PeerType::External)
}

/// Our OPEN. `restarting`: we have just restarted, and the peer may have kept our routes (RFC 4724).
pub(super) fn local_open(config: &FsmConfig, restarting: bool) -> Open {
    Open::new(
        config.local_asn,
        wire_hold_time(config.hold_time),
        config.local_identifier,
        local_capabilities(config, restarting),
    )
}

impl FsmConfig {
    /// Checks that a peer with this OPEN is the configured one and has an address family in common with us.
    ///
    /// # Errors
    ///
    /// The reason to refuse the OPEN.
    pub fn judge(&self, open: &Open) -> Result<(), Refusal> {
        negotiate(self, open).map(|_| ())
    }
}

/// Combines the peer's OPEN with our side.
///
/// # Errors
///
/// The reason to refuse the peer's OPEN.
pub(super) fn negotiate(config: &FsmConfig, open: &Open) -> Result<Negotiated, Refusal> {
    let config = &*config.offered();
    if !config.remote_as.accepts(config.local_asn, open.asn) {
        let (expected, local) = (config.remote_as, config.local_asn);
        return Err(Refusal::WrongAs { expected, local, received: open.asn });
    }
    let peer_type =
        if open.asn == config.local_asn { PeerType::Internal } else { PeerType::External };
    if peer_type == PeerType::Internal && open.identifier == config.local_identifier {
        return Err(Refusal::OwnIdentifier(open.identifier));
    }

    let role = local_role(config, peer_type);
    let remote_role = role.map_or(Ok(None), |role| role.judge(open))?;
    let remote_families = offered(&open.capabilities);
    let families: Vec<_> =
        config.families.iter().copied().filter(|family| remote_families.contains(family)).collect();
    if families.is_empty() {
        let ours = config.families.clone();
        return Err(Refusal::NoCommonFamily { ours, theirs: remote_families });
    }

    let hold_time = open.hold_time.min(wire_hold_time(config.hold_time));
    let hold_time = Duration::from_secs(hold_time.into());
    let extensions = config.extensions.agree(&families, open);
    let theirs = &open.capabilities;
    let four_octet_as = theirs.iter().any(|it| matches!(it, Capability::FourOctetAs(_)));

    Ok(Negotiated {
        peer_type,
        local_asn: config.local_asn,
        local_identifier: config.local_identifier,
        remote_asn: open.asn,
        remote_identifier: open.identifier,
        hold_time,
        keepalive_time: keepalive_time(config, hold_time),
        send_hold_time: config.send_hold_time_for(hold_time),
        families,
        route_refresh: config.route_refresh && theirs.contains(&Capability::RouteRefresh),
        four_octet_as: config.four_octet_as && four_octet_as,
        local_role: role.map(|role| role.role),
        remote_role,
        local_as: config.local_as.filter(|_| peer_type == PeerType::External),
        extensions,
        local_capabilities: local_capabilities(config, false),
        remote_capabilities: theirs.clone(),
    })
}

/// The time between our KEEPALIVEs: the configured one within its bounds, or a third of the HoldTime.
fn keepalive_time(config: &FsmConfig, hold_time: Duration) -> Duration {
    let third = hold_time / 3;
    match config.keepalive_time {
        Some(time) => time.max(SHORTEST_KEEPALIVE).min(third),
        None => third,
    }
}

/// The HoldTime in seconds for the OPEN: 0, or 3 and more (RFC 4271, section 4.2).
fn wire_hold_time(hold_time: Duration) -> u16 {
    match hold_time.as_secs() {
        0 if hold_time.is_zero() => 0,
        seconds => u16::try_from(seconds.max(3)).unwrap_or(u16::MAX),
    }
}

/// The families that an OPEN with these capabilities offers.
fn offered(capabilities: &[Capability]) -> Vec<AfiSafi> {
    let named: Vec<_> = capabilities
        .iter()
        .filter_map(|capability| match capability {
            Capability::Multiprotocol(family) => Some(*family),
            _ => None,
        })
        .collect();
    if named.is_empty() { vec![AfiSafi::IPV4_UNICAST] } else { named }
}

#[cfg(test)]
impl super::Fsm {
    /// The parameters of a session with a peer of this AS that offers no capabilities.
    pub(crate) fn negotiated_for_tests(config: &FsmConfig, asn: Asn) -> Negotiated {
        let open = Open::new(asn, 90, BgpIdentifier::new(10, 0, 0, 2), vec![]);
        negotiate(config, &open).expect("an OPEN that fits")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::wire::ErrorCode;

    fn identifier(last: u8) -> BgpIdentifier {
        BgpIdentifier(Ipv4Addr::new(10, 0, 0, last))
    }

    fn config() -> FsmConfig {
        FsmConfig::new(Asn(64636), identifier(1), Asn(64635))
    }

    fn open(hold_time: u16, capabilities: Vec<Capability>) -> Open {
        Open::new(Asn(64635), hold_time, identifier(2), capabilities)
    }

    #[test]
    fn the_smaller_hold_time_is_used_and_keepalives_come_three_times_as_often() {
        let agreed = negotiate(&config(), &open(9, vec![])).unwrap();
        assert_eq!(agreed.hold_time, Duration::from_secs(9));
        assert_eq!(agreed.keepalive_time, Duration::from_secs(3));
    }

    #[test]
    fn keepalives_are_sent_at_least_three_times_per_hold_time_and_at_most_once_a_second() {
        let mut ours = config();
        for (wanted, expected) in [(0, 1), (1, 1), (10, 10), (60, 30)] {
            ours.keepalive_time = Some(Duration::from_secs(wanted));
            let agreed = negotiate(&ours, &open(90, vec![])).unwrap();
            assert_eq!(agreed.keepalive_time, Duration::from_secs(expected));
            let agreed = negotiate(&ours, &open(0, vec![])).unwrap();
            assert_eq!(agreed.keepalive_time, Duration::ZERO);
        }
    }

    #[test]
    fn a_hold_time_of_zero_on_either_side_means_no_keepalives() {
        let agreed = negotiate(&config(), &open(0, vec![])).unwrap();
        assert_eq!((agreed.hold_time, agreed.keepalive_time), (Duration::ZERO, Duration::ZERO));
        let mut ours = config();
        ours.hold_time = Duration::ZERO;
        assert_eq!(negotiate(&ours, &open(90, vec![])).unwrap().hold_time, Duration::ZERO);
    }

    #[test]
    fn a_peer_without_multiprotocol_capabilities_speaks_ipv4_unicast() {
        let agreed = negotiate(&config(), &open(90, vec![])).unwrap();
        assert_eq!(agreed.families, [AfiSafi::IPV4_UNICAST]);
        assert!(!agreed.four_octet_as && !agreed.route_refresh);

        let [v4, v6] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
        assert!(agreed.has_family(v4) && !agreed.has_family(v6));
        assert!(agreed.remote_offers(v4) && !agreed.remote_offers(v6));
    }

    #[test]
    fn only_families_of_both_ends_are_used() {
        let capabilities = vec![
            Capability::Multiprotocol(AfiSafi::IPV6_UNICAST),
            Capability::FourOctetAs(Asn(64635)),
            Capability::RouteRefresh,
        ];
        let agreed = negotiate(&config(), &open(90, capabilities)).unwrap();
        assert_eq!(agreed.families, [AfiSafi::IPV6_UNICAST]);
        assert!(agreed.four_octet_as && agreed.route_refresh);
        assert!(
            agreed.has_family(AfiSafi::IPV6_UNICAST) && !agreed.has_family(AfiSafi::IPV4_UNICAST)
        );
        assert!(!agreed.remote_offers(AfiSafi::IPV4_UNICAST));
    }

    #[test]
    fn an_as_other_than_the_configured_one_is_refused() {
        let mut ours = config();
        ours.remote_as = Asn(65000).into();
        let refusal = negotiate(&ours, &open(90, vec![])).unwrap_err();
        assert_eq!(refusal.to_string(), "the peer is in AS 64635, expected AS 65000");
        let refusal = refusal.notification();
        assert_eq!((refusal.code, refusal.subcode), (ErrorCode::OPEN_MESSAGE, 2));
    }

    #[test]
    fn an_internal_peer_with_our_identifier_is_refused_and_an_external_one_is_not() {
        let mut theirs = open(90, vec![]);
        theirs.identifier = identifier(1);
        assert!(negotiate(&config(), &theirs).is_ok());
        let mut ours = config();
        ours.local_asn = Asn(64635);
        assert_eq!(negotiate(&ours, &theirs).unwrap_err().notification().subcode, 3);
    }

    #[test]
    fn a_peer_without_any_of_our_families_gets_a_list_of_them() {
        let mut ours = config();
        ours.families = vec![AfiSafi::IPV6_UNICAST];
        let refusal = negotiate(&ours, &open(90, vec![])).unwrap_err();
        assert!(refusal.to_string().contains("ipv4-unicast, expected ipv6-unicast"), "{refusal}");
        let refusal = refusal.notification();
        assert_eq!(refusal.subcode, 7);
        assert_eq!(refusal.data.as_ref(), [1, 4, 0, 2, 0, 1]);
    }

    #[test]
    fn our_hold_time_is_proposed_within_the_limits_of_the_field() {
        assert_eq!(wire_hold_time(Duration::from_millis(500)), 3);
        assert_eq!(wire_hold_time(Duration::from_secs(100_000)), u16::MAX);
        assert_eq!(wire_hold_time(Duration::ZERO), 0);
    }
}
