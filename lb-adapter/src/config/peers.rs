//! Peers: entries of `peers` in the ConfigMap, BGPPeer resources.

use std::net::{IpAddr, Ipv4Addr};

use super::draft::{PeerDraft, Reference};
use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::report::Report;
use super::{passwords, selectors, timers};
use crate::model::{Asn, BgpIdentifier, IpFamily, Peer, PeerAddress, PeerAsn};

/// Reads a peer, named by its address. Also returns true if it is complete. If it is not, placeholders stand in for unreadable
/// values, so that every error in it is reported.
pub(crate) fn read(
    mapping: &Mapping<'_>,
    at: &Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (PeerDraft, bool) {
    let my_asn = required_asn(mapping, MY_ASN.of(format), report);
    let local_asn = mapping.get(LOCAL_ASN.of(format)).and_then(|field| asn(field, report));
    let peer_asn = peer_asn(mapping, format, report);
    let address = address(mapping, format, report);
    let (hold_time, keepalive_time) = timers::hold_and_keepalive_time(
        mapping,
        HOLD_TIME.of(format),
        KEEPALIVE_TIME.of(format),
        report,
    );

    let is_complete = my_asn.is_some() && peer_asn.is_some() && address.is_some();
    let mut peer = Peer::new(
        my_asn.unwrap_or(Asn(1)),
        peer_asn.unwrap_or(PeerAsn::External),
        address.clone().unwrap_or_else(|| PeerAddress::Ip(Ipv4Addr::LOCALHOST.into())),
    );
    peer.local_asn = local_asn;
    (peer.hold_time, peer.keepalive_time) = (hold_time, keepalive_time);

    if let Some(field) = mapping.get(PORT.of(format)) {
        // As in MetalLB, 0 means the default port.
        let port = field.integer(report, 0..=u16::MAX).filter(|port| *port != 0);
        peer.port = port.unwrap_or(Peer::DEFAULT_PORT);
    }
    peer.name = peer.endpoint();

    if let Some(field) = mapping.get(CONNECT_TIME.of(format)) {
        peer.connect_time = timers::connect_time(field, report);
    }
    peer.router_id = router_id(mapping, format, report);
    peer.source_address = source_address(mapping, address.as_ref(), format, report);
    peer.node_selectors = selectors::selectors(mapping, NODE_SELECTORS.of(format), format, report);

    let (password, password_secret) = passwords::of_peer(
        mapping,
        PASSWORD.of(format),
        PASSWORD_SECRET.of(format),
        format,
        report,
    );
    peer.password = password;
    peer.password_secret = password_secret.as_ref().map(|secret| secret.name.clone());
    let bfd_profile = mapping
        .get_filled(BFD_PROFILE.of(format))
        .and_then(|field| Reference::read(field, format, report));

    peer.graceful_restart = mapping.boolean(GRACEFUL_RESTART.of(format), report).unwrap_or(false);
    peer.dual_stack = mapping.boolean(DUAL_STACK.of(format), report).unwrap_or(false);
    peer.ebgp_multihop = mapping.boolean(EBGP_MULTIHOP.of(format), report).unwrap_or(false);
    if let Some(field) = mapping.get(EBGP_MULTIHOP.of(format))
        && peer.ebgp_multihop
        && is_complete
        && peer.is_internal()
    {
        field.error(report, "only for external peers, expected false for an internal peer");
    }

    report_unsupported(mapping, format, report);
    (PeerDraft { peer, place: at.place(report), bfd_profile, password_secret }, is_complete)
}

fn required_asn(mapping: &Mapping<'_>, key: &str, report: &mut Report<'_>) -> Option<Asn> {
    asn(mapping.required(key, "an AS number", report)?, report)
}

fn asn(field: Field<'_>, report: &mut Report<'_>) -> Option<Asn> {
    if let Some((high, low)) = as_dot(&field) {
        let number = high * 65_536 + low;
        field.error(report, format!("{high}.{low} is in AS-dot notation, write {number}"));
        return None;
    }
    field.integer(report, 1..=u32::MAX).map(Asn)
}

/// Returns the halves of a number such as `1.10`, which YAML takes for one and a tenth (RFC 5396).
fn as_dot(field: &Field<'_>) -> Option<(u32, u32)> {
    let (high, low) = field.value.text()?.split_once('.')?;
    Some((high.parse::<u16>().ok()?.into(), low.parse::<u16>().ok()?.into()))
}

/// Reads the peer's AS number, or `internal` or `external` under another key.
fn peer_asn(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> Option<PeerAsn> {
    let Some(dynamic) = mapping.get_filled(DYNAMIC_ASN.of(format)) else {
        return required_asn(mapping, PEER_ASN.of(format), report).map(PeerAsn::Number);
    };

    // A resource that was written by a program may have the zero value of the field that is not used.
    if mapping.get(PEER_ASN.of(format)).is_some_and(|number| !number.is_zero()) {
        let (this, other) = (DYNAMIC_ASN.of(format), PEER_ASN.of(format));
        dynamic.error(report, format!("expected {this} or {other}, found both"));
        return None;
    }
    let words = [("internal", PeerAsn::Internal), ("external", PeerAsn::External)];
    dynamic.choice(report, &words)
}

fn address(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> Option<PeerAddress> {
    let (interface_key, address_key) = (INTERFACE.of(format), ADDRESS.of(format));

    let Some(interface) = mapping.get_filled(interface_key) else {
        let field = mapping.required(address_key, "the router's address", report)?;
        let expected = "the address of a router, such as 192.0.2.1";
        return unicast_address(field, format, expected, report).map(PeerAddress::Ip);
    };
    if mapping.get_filled(address_key).is_some() {
        interface.error(report, format!("expected {interface_key} or {address_key}, found both"));
        return None;
    }

    let name = interface.word(format, report)?;
    if !is_interface_name(name) {
        interface.expected(report, "the name of an interface, such as eth1");
        return None;
    }
    Some(PeerAddress::Interface(name.to_owned()))
}

/// Returns true if Linux accepts the name for an interface (IFNAMSIZ). Such a name is never an address.
fn is_interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':'))
}

fn unicast_address(
    field: Field<'_>,
    format: Format,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<IpAddr> {
    let address = field.word(format, report)?.parse::<IpAddr>().ok();
    let address = address.filter(|address| !address.is_unspecified() && !address.is_multicast());
    if address.is_none() {
        field.expected(report, expected);
    }
    address
}

fn source_address(
    mapping: &Mapping<'_>,
    router: Option<&PeerAddress>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<IpAddr> {
    let field = mapping.get_filled(SOURCE_ADDRESS.of(format))?;
    let expected = "an address of the node, such as 192.0.2.7";
    let address = unicast_address(field, format, expected, report)?;

    match router? {
        PeerAddress::Ip(router) if IpFamily::of(*router) != IpFamily::of(address) => {
            let family = IpFamily::of(*router);
            field.expected(report, &format!("an {family} address, like that of the router"));
            None
        }
        PeerAddress::Interface(_) => {
            let message = "not possible with an interface, whose session uses link-local addresses";
            field.error(report, message);
            None
        }
        PeerAddress::Ip(_) => Some(address),
    }
}

fn router_id(
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<BgpIdentifier> {
    let field = mapping.get_filled(ROUTER_ID.of(format))?;
    let address = field.text(report)?.parse::<Ipv4Addr>().ok();
    let address = address.filter(|address| !address.is_unspecified());
    if address.is_none() {
        field.expected(report, "an IPv4 address other than 0.0.0.0");
    }
    address.map(BgpIdentifier)
}

/// Reports keys that MetalLB supports and FerroLB does not.
fn report_unsupported(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) {
    if let Some(vrf) = mapping.get_filled(VRF.of(format)) {
        let message = "VRFs are not supported, remove the key or run a speaker inside the VRF";
        vrf.error(report, message);
    }
    if let Some(field) = mapping.get(DISABLE_MP.of(format))
        && field.boolean(report) == Some(true)
    {
        field.warning(report, "no effect: FerroLB always offers multiprotocol capabilities");
    }
}

const MY_ASN: Key = Key("my-asn", "myASN");
const PEER_ASN: Key = Key("peer-asn", "peerASN");
const DYNAMIC_ASN: Key = Key("dynamic-asn", "dynamicASN");
const LOCAL_ASN: Key = Key("local-asn", "localASN");
const ADDRESS: Key = Key("peer-address", "peerAddress");
const INTERFACE: Key = Key("interface", "interface");
const PORT: Key = Key("peer-port", "peerPort");
const SOURCE_ADDRESS: Key = Key("source-address", "sourceAddress");
pub(super) const HOLD_TIME: Key = Key("hold-time", "holdTime");
pub(super) const KEEPALIVE_TIME: Key = Key("keepalive-time", "keepaliveTime");
pub(super) const CONNECT_TIME: Key = Key("connect-time", "connectTime");
const ROUTER_ID: Key = Key("router-id", "routerID");
const NODE_SELECTORS: Key = Key("node-selectors", "nodeSelectors");
pub(super) const PASSWORD: Key = Key("password", "password");
pub(super) const PASSWORD_SECRET: Key = Key("password-secret", "passwordSecret");
const BFD_PROFILE: Key = Key("bfd-profile", "bfdProfile");
const EBGP_MULTIHOP: Key = Key("ebgp-multihop", "ebgpMultiHop");
const GRACEFUL_RESTART: Key = Key("enable-graceful-restart", "enableGracefulRestart");
const DUAL_STACK: Key = Key("dual-stack-address-family", "dualStackAddressFamily");
const VRF: Key = Key("vrf", "vrf");
const DISABLE_MP: Key = Key("disable-mp", "disableMP");

/// The keys that [`read`] reads. The first twelve are those of MetalLB's ConfigMap and of BGPPeer v1beta1.
pub(crate) const KEYS: [Key; 21] = [
    MY_ASN,
    PEER_ASN,
    ADDRESS,
    PORT,
    SOURCE_ADDRESS,
    HOLD_TIME,
    KEEPALIVE_TIME,
    ROUTER_ID,
    NODE_SELECTORS,
    PASSWORD,
    BFD_PROFILE,
    EBGP_MULTIHOP,
    DYNAMIC_ASN,
    LOCAL_ASN,
    INTERFACE,
    CONNECT_TIME,
    PASSWORD_SECRET,
    GRACEFUL_RESTART,
    DUAL_STACK,
    VRF,
    DISABLE_MP,
];

/// The number of [`KEYS`] that MetalLB's ConfigMap and BGPPeer v1beta1 have.
pub(crate) const OLD_KEYS: usize = 12;
