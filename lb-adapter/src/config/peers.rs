//! Peers: entries of `peers` in the ConfigMap, BGPPeer resources.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::draft::{Format, Key, PeerDraft, Reference};
use super::field::{Field, Mapping};
use super::report::Report;
use super::schema::Schema;
use super::unfinished::unfinished;
use super::yaml::Kind;
use super::{duration, labels};
use crate::model::{Asn, BgpIdentifier, IpFamily, Password, Peer, PeerAddress, PeerAsn};

/// Reads one peer, named by its address. Also returns true if it is whole. If it is not, placeholders stand in for
/// unreadable values, so that every error in it is reported.
pub(crate) fn read(
    mapping: &Mapping<'_>,
    at: &Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (PeerDraft, bool) {
    let my_asn = required(mapping, MY_ASN.of(format), report);
    let local_asn = mapping.get(LOCAL_ASN.of(format)).and_then(|field| number_of_as(field, report));
    let peer_asn = peer_asn(mapping, format, report);
    let address = address(mapping, format, report);
    let (hold_time, keepalive_time) = times(mapping, format, report);

    let is_whole = my_asn.is_some() && peer_asn.is_some() && address.is_some();
    let mut peer = Peer::new(
        my_asn.unwrap_or(Asn(1)),
        peer_asn.unwrap_or(PeerAsn::External),
        address.clone().unwrap_or_else(|| PeerAddress::Ip(Ipv4Addr::LOCALHOST.into())),
    );

    peer.local_asn = local_asn;
    if let Some(field) = mapping.get(PORT.of(format)) {
        // As in MetalLB, 0 is the default port.
        let port = field.integer(report, 0..=u16::MAX).filter(|port| *port != 0);
        peer.port = port.unwrap_or(Peer::DEFAULT_PORT);
    }
    peer.name = peer.endpoint();
    (peer.hold_time, peer.keepalive_time) = (hold_time, keepalive_time);
    peer.connect_time =
        mapping.get(CONNECT_TIME.of(format)).and_then(|field| connect_time(field, report));
    peer.router_id = mapping.get(ROUTER_ID.of(format)).and_then(|field| router_id(field, report));
    peer.source_address = source_address(mapping, address.as_ref(), format, report);
    peer.node_selectors = labels::selectors(mapping, NODE_SELECTORS.of(format), format, report);

    let password_secret = password(mapping, &mut peer, format, report);
    let bfd_profile = mapping
        .get(BFD_PROFILE.of(format))
        .filter(|field| !field.is_empty_text())
        .and_then(|field| reference(field, format, report));

    let boolean = |key: Key, report: &mut Report<'_>| {
        mapping.get(key.of(format)).and_then(|field| field.boolean(report)).unwrap_or(false)
    };
    peer.graceful_restart = boolean(GRACEFUL_RESTART, report);
    peer.dual_stack = boolean(DUAL_STACK, report);
    peer.ebgp_multihop = boolean(EBGP_MULTIHOP, report);
    if let Some(field) = mapping.get(EBGP_MULTIHOP.of(format))
        && peer.ebgp_multihop
        && is_whole
        && peer.is_internal()
    {
        field.error(report, "an internal peer may always be some hops away, expected false");
    }

    unsupported(mapping, format, report);
    (PeerDraft { peer, place: report.place_of(at), bfd_profile, password_secret }, is_whole)
}

/// A name of something else.
pub(crate) fn reference(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<Reference> {
    let name = field.word(format, report)?.to_owned();
    Some(Reference { name, place: report.place_of(&field) })
}

fn required(mapping: &Mapping<'_>, key: &str, report: &mut Report<'_>) -> Option<Asn> {
    number_of_as(mapping.required(key, "an AS number", report)?, report)
}

fn number_of_as(field: Field<'_>, report: &mut Report<'_>) -> Option<Asn> {
    if let Some((high, low)) = as_dot(&field) {
        let number = high * 65_536 + low;
        field.error(report, format!("{high}.{low} is in AS-dot notation, write {number}"));
        return None;
    }
    field.integer(report, 1..=u32::MAX).map(Asn)
}

/// The halves of a number such as `1.10`, which YAML takes for one and a tenth (RFC 5396).
fn as_dot(field: &Field<'_>) -> Option<(u32, u32)> {
    let Kind::Scalar(scalar) = &field.value.kind else { return None };
    let (high, low) = scalar.text.split_once('.')?;
    Some((high.parse::<u16>().ok()?.into(), low.parse::<u16>().ok()?.into()))
}

/// The number, or a word in its place.
fn peer_asn(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> Option<PeerAsn> {
    let dynamic = mapping.get(DYNAMIC_ASN.of(format)).filter(|field| !field.is_empty_text());
    let Some(dynamic) = dynamic else {
        return required(mapping, PEER_ASN.of(format), report).map(PeerAsn::Number);
    };
    // A resource that was written by a program may have the zero of the field that is not meant.
    if mapping.get(PEER_ASN.of(format)).is_some_and(|number| !number.is_zero()) {
        let (own, other) = (DYNAMIC_ASN.of(format), PEER_ASN.of(format));
        dynamic.error(report, format!("expected {own} or {other}, found both"));
        return None;
    }
    let words = [("internal", PeerAsn::Internal), ("external", PeerAsn::External)];
    dynamic.choice(report, &words)
}

fn address(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> Option<PeerAddress> {
    let interface = mapping.get(INTERFACE.of(format)).filter(|field| !field.is_empty_text());
    let address = mapping.get(ADDRESS.of(format));
    match (interface, address) {
        (Some(interface), Some(address)) if !address.is_empty_text() => {
            let (own, other) = (INTERFACE.of(format), ADDRESS.of(format));
            interface.error(report, format!("expected {own} or {other}, found both"));
            None
        }
        (Some(interface), _) => {
            let name = interface.word(format, report)?;
            // What Linux takes for a name (IFNAMSIZ), which is also no address.
            let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':');
            if !(1..=15).contains(&name.len()) || !name.chars().all(plain) {
                interface.expected(report, "the name of an interface, such as eth1");
                return None;
            }
            Some(PeerAddress::Interface(name.to_owned()))
        }
        (None, _) => {
            let field = mapping.required(ADDRESS.of(format), "the router's address", report)?;
            unicast(field, format, "the address of a router, such as 192.0.2.1", report)
                .map(PeerAddress::Ip)
        }
    }
}

fn unicast(
    field: Field<'_>,
    format: Format,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<IpAddr> {
    let address = field.word(format, report)?.parse::<IpAddr>().ok();
    let address = address.filter(|it| !it.is_unspecified() && !it.is_multicast());
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
    let field = mapping.get(SOURCE_ADDRESS.of(format)).filter(|field| !field.is_empty_text())?;
    let address = unicast(field, format, "an address of the node, such as 192.0.2.7", report)?;
    match router? {
        PeerAddress::Ip(router) if IpFamily::of(*router) != IpFamily::of(address) => {
            let family = IpFamily::of(*router);
            field.expected(report, &format!("an {family} address, as the router's is"));
            None
        }
        PeerAddress::Interface(_) => {
            field.error(report, "sessions of an interface run between link-local addresses");
            None
        }
        PeerAddress::Ip(_) => Some(address),
    }
}

/// Hold time and keepalive time, where each may follow from the other.
fn times(
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (Duration, Option<Duration>) {
    let keepalive_field =
        mapping.get(KEEPALIVE_TIME.of(format)).filter(|field| !field.is_empty_text());
    let keepalive_time =
        keepalive_field.and_then(|field| seconds(field, report)).filter(|time| !time.is_zero());
    let hold_field = mapping.get(HOLD_TIME.of(format)).filter(|field| !field.is_empty_text());
    let hold_time = hold_field.and_then(|field| hold_time(field, report));
    // As in MetalLB, a keepalive time alone says the hold time too.
    let implied = keepalive_time.map(|time| time * 3).filter(|_| hold_field.is_none());
    if implied.is_some_and(|time| time.as_secs() > MAX_HOLD_TIME)
        && let Some(field) = keepalive_field
    {
        field.expected(report, "a time of which three are at most 65535s");
    }
    let hold = hold_time.or(implied).unwrap_or(Peer::DEFAULT_HOLD_TIME);
    if let (Some(field), Some(keepalive)) = (keepalive_field, keepalive_time)
        && keepalive > hold
        && hold_field.is_none() == hold_time.is_none()
    {
        field.expected(report, &format!("at most the hold time, {}s", hold.as_secs()));
    }
    (hold, keepalive_time)
}

/// A time in Go's notation; what is below a second is cut off with a warning.
fn seconds(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let written = match duration::parse(field.text(report)?) {
        Ok(written) => written,
        Err(error) => {
            let message = format!("{} {error}, expected one such as 90s or 1m30s", field.shown());
            field.error(report, field.hinted(message));
            return None;
        }
    };
    let whole = Duration::from_secs(written.as_secs());
    if whole != written {
        let seconds = whole.as_secs();
        let effect = if seconds == 0 { ", a session without keepalives" } else { "" };
        field.warning(report, format!("{} is cut to {seconds}s{effect}", field.shown()));
    }
    Some(whole)
}

fn hold_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let time = seconds(field, report)?;
    if !matches!(time.as_secs(), 0 | 3..=MAX_HOLD_TIME) {
        field.expected(report, "0s or a time from 3s to 65535s");
        return None;
    }
    Some(time)
}

fn connect_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let time = duration::parse(field.text(report)?).ok();
    let time = time.filter(|it| it.subsec_nanos() == 0 && (1..=65_535).contains(&it.as_secs()));
    if time.is_none() {
        field.expected(report, "whole seconds from 1s to 65535s");
    }
    time
}

fn router_id(field: Field<'_>, report: &mut Report<'_>) -> Option<BgpIdentifier> {
    if field.is_empty_text() {
        return None;
    }
    let address = field.text(report)?.parse::<Ipv4Addr>().ok().filter(|it| !it.is_unspecified());
    if address.is_none() {
        field.expected(report, "an IPv4 address other than 0.0.0.0");
    }
    address.map(BgpIdentifier)
}

/// Takes the password, or says in which Secret it is. Whatever is wrong with one, it is not shown.
fn password(
    mapping: &Mapping<'_>,
    peer: &mut Peer,
    format: Format,
    report: &mut Report<'_>,
) -> Option<Reference> {
    let key = PASSWORD.of(format);
    if mapping.is_null(key) {
        let (path, position) = (mapping.path.key(key), mapping.position_of(key));
        // Perhaps it began with # or &, which mean something else in YAML.
        report.warning(path, position, "empty, a session without password; quote a password");
    }
    let field = mapping.get(key);
    peer.password = field.and_then(|field| checked_password(field, format, report));
    let secret = mapping.get(PASSWORD_SECRET.of(format))?;
    let reference = match format {
        Format::ConfigMap => reference(secret, format, report),
        Format::Resources => {
            let secret = secret.mapping(report)?;
            secret.only(&["name", "namespace"], report);
            let name = secret.get("name").filter(|field| !field.is_empty_text())?;
            reference(name, format, report)
        }
    }?;
    if field.is_some_and(|field| !field.is_empty_text()) {
        let both = format!("expected {key} or {}, found both", PASSWORD_SECRET.of(format));
        secret.error(report, both);
        return None;
    }
    peer.password_secret = Some(reference.name.clone());
    Some(reference)
}

fn checked_password(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<Password> {
    let text = match &field.value.kind {
        Kind::Scalar(scalar)
            if format == Format::Resources && !matches!(scalar.schema, Schema::Text) =>
        {
            field.error(report, "expected a string, write it in quotes");
            return None;
        }
        _ => field.text(report).filter(|text| !text.is_empty())?,
    };
    if text.len() > LONGEST_PASSWORD {
        let message = format!("expected at most {LONGEST_PASSWORD} octets, found {}", text.len());
        field.error(report, message);
        return None;
    }
    if let Some(hint) = unfinished(text) {
        field.warning(report, format!("the password is hardly this text: {hint}"));
    }
    Some(Password::new(text))
}

/// Keys that mean something to MetalLB which cannot be had here.
fn unsupported(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) {
    if let Some(vrf) = mapping.get(VRF.of(format)).filter(|field| !field.is_empty_text()) {
        vrf.error(report, "VRFs are not supported, run a speaker in the VRF or leave it out");
    }
    if let Some(field) = mapping.get(DISABLE_MP.of(format))
        && field.boolean(report) == Some(true)
    {
        field.warning(report, "without effect: FerroLB always offers multiprotocol capabilities");
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
const HOLD_TIME: Key = Key("hold-time", "holdTime");
const KEEPALIVE_TIME: Key = Key("keepalive-time", "keepaliveTime");
const CONNECT_TIME: Key = Key("connect-time", "connectTime");
const ROUTER_ID: Key = Key("router-id", "routerID");
const NODE_SELECTORS: Key = Key("node-selectors", "nodeSelectors");
const PASSWORD: Key = Key("password", "password");
const PASSWORD_SECRET: Key = Key("password-secret", "passwordSecret");
const BFD_PROFILE: Key = Key("bfd-profile", "bfdProfile");
const EBGP_MULTIHOP: Key = Key("ebgp-multihop", "ebgpMultiHop");
const GRACEFUL_RESTART: Key = Key("enable-graceful-restart", "enableGracefulRestart");
const DUAL_STACK: Key = Key("dual-stack-address-family", "dualStackAddressFamily");
const VRF: Key = Key("vrf", "vrf");
const DISABLE_MP: Key = Key("disable-mp", "disableMP");

/// All of them. The first twelve are those of MetalLB's ConfigMap and of BGPPeer v1beta1.
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

/// How many of [`KEYS`] MetalLB's ConfigMap and BGPPeer v1beta1 have.
pub(crate) const OLD_KEYS: usize = 12;

/// What the OPEN message can carry (RFC 4271 section 4.2).
const MAX_HOLD_TIME: u64 = 65_535;
/// What Linux takes for a key of TCP MD5 signatures.
pub(crate) const LONGEST_PASSWORD: usize = 80;
