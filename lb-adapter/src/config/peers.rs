//! `peers`: the routers to speak to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::field::{Field, Mapping};
use super::report::Report;
use super::yaml::{Kind, Position};
use super::{duration, labels};
use crate::model::{Asn, BgpIdentifier, LabelSelector, Password, Peer, PeerAddress};

/// Reads the list. Of entries that are the same in everything one is kept.
pub(crate) fn read(field: Field<'_>, report: &mut Report<'_>) -> Vec<Peer> {
    let items: Vec<_> = field.list(report).collect();
    let mut peers: Vec<Peer> = Vec::new();
    let mut first_alike: BTreeMap<Alike, (usize, Position)> = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for item in &items {
        let Some(mut peer) = peer(*item, report) else { continue };
        let alike = (peer.address.clone(), peer.port, peer.node_selectors.clone());
        if let Some((index, position)) = first_alike.get(&alike) {
            let first = report.place(*position);
            if peers.get(*index).is_some_and(|other| same_but_name(other, &peer)) {
                item.warning(report, format!("the same peer as at {first}, taken once"));
                continue;
            }
            let message =
                format!("the same router and nodes as at {first}, which makes two sessions");
            item.warning(report, message);
        } else {
            first_alike.insert(alike, (peers.len(), item.position()));
        }
        let endpoint = peer.endpoint();
        let count = names.entry(endpoint.clone()).or_default();
        *count += 1;
        peer.name = match *count {
            1 => endpoint,
            count => format!("{endpoint}#{count}"),
        };
        peers.push(peer);
    }
    peers
}

/// What makes two peers one router for the same nodes.
type Alike = (PeerAddress, u16, Vec<LabelSelector>);

fn same_but_name(a: &Peer, b: &Peer) -> bool {
    a == &Peer { name: a.name.clone(), ..b.clone() }
}

fn peer(field: Field<'_>, report: &mut Report<'_>) -> Option<Peer> {
    let mapping = field.mapping(report)?;
    mapping.only(&KEYS, report);
    let my_asn = asn(&mapping, "my-asn", report);
    let peer_asn = asn(&mapping, "peer-asn", report);
    let address = mapping.required("peer-address", "the router's address", report);
    let address = address.and_then(|field| ip_address(field, report));
    let port = mapping.get("peer-port").and_then(|field| field.integer(report, 0..=u16::MAX));
    let hold_time = mapping.get("hold-time").and_then(|field| hold_time(field, report));
    let router_id = mapping.get("router-id").and_then(|field| router_id(field, report));
    let password = mapping.get("password").and_then(|field| password(field, report));
    let node_selectors = mapping.get("node-selectors").map(|list| {
        let items: Vec<_> = list.list(report).collect();
        items.iter().filter_map(|item| labels::selector(*item, report)).collect()
    });
    let mut peer = Peer::new(my_asn?, peer_asn?, address?);
    // As in MetalLB, 0 is the default port.
    peer.port = port.filter(|port| *port != 0).unwrap_or(Peer::DEFAULT_PORT);
    peer.hold_time = hold_time.unwrap_or(Peer::DEFAULT_HOLD_TIME);
    peer.router_id = router_id;
    peer.password = password;
    peer.node_selectors = node_selectors.unwrap_or_default();
    Some(peer)
}

fn asn(mapping: &Mapping<'_>, key: &str, report: &mut Report<'_>) -> Option<Asn> {
    let field = mapping.required(key, "an AS number", report)?;
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

fn ip_address(field: Field<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let address = field.text(report)?.parse::<IpAddr>().ok();
    let address = address.filter(|it| !it.is_unspecified() && !it.is_multicast());
    if address.is_none() {
        field.expected(report, "the address of a router, such as 192.0.2.1");
    }
    address
}

fn hold_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let written = match duration::parse(field.text(report)?) {
        Ok(written) => written,
        Err(error) => {
            let message = format!("{} {error}, expected one such as 90s or 1m30s", field.shown());
            field.error(report, message);
            return None;
        }
    };
    let hold_time = Duration::from_secs(written.as_secs());
    if !matches!(hold_time.as_secs(), 0 | 3..=MAX_HOLD_TIME) {
        field.expected(report, "0s or a time from 3s to 65535s");
        return None;
    }
    if hold_time != written {
        let seconds = hold_time.as_secs();
        let effect = if seconds == 0 { ", a session without keepalives" } else { "" };
        field.warning(report, format!("{} is cut to {seconds}s{effect}", field.shown()));
    }
    Some(hold_time)
}

fn router_id(field: Field<'_>, report: &mut Report<'_>) -> Option<BgpIdentifier> {
    let address = field.text(report)?.parse::<Ipv4Addr>().ok().filter(|it| !it.is_unspecified());
    if address.is_none() {
        field.expected(report, "an IPv4 address other than 0.0.0.0");
    }
    address.map(BgpIdentifier)
}

/// An empty password is none. Whatever is wrong with one, it is not shown.
fn password(field: Field<'_>, report: &mut Report<'_>) -> Option<Password> {
    Some(field.text(report)?).filter(|text| !text.is_empty()).map(Password::new)
}

const KEYS: [&str; 8] = [
    "my-asn",
    "peer-asn",
    "peer-address",
    "peer-port",
    "hold-time",
    "router-id",
    "node-selectors",
    "password",
];

/// What the OPEN message can carry (RFC 4271 section 4.2).
const MAX_HOLD_TIME: u64 = 65_535;
