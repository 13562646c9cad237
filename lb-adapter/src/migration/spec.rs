//! Specs of the resources for peers, BFD profiles and advertisements.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::resource_names::ResourceNames;
use crate::config::draft::BgpAdvertisementDraft;
use crate::model::{
    BfdProfile, BgpAdvertisement, LabelSelector, MatchExpression, Peer, PeerAddress, PeerAsn,
    PoolSelection, SelectorOperator,
};

/// Returns the spec of a BGPPeer, without its password.
pub(super) fn bgp_peer(peer: &Peer, profiles: &ResourceNames) -> Map<String, Value> {
    let mut spec = Map::new();
    set(&mut spec, "myASN", peer.my_asn.0);
    match peer.peer_asn {
        PeerAsn::Number(asn) => set(&mut spec, "peerASN", asn.0),
        PeerAsn::Internal | PeerAsn::External => {
            set(&mut spec, "dynamicASN", peer.peer_asn.to_string());
        }
    }
    match &peer.address {
        PeerAddress::Ip(address) => set(&mut spec, "peerAddress", address.to_string()),
        PeerAddress::Interface(interface) => set(&mut spec, "interface", interface.as_str()),
    }

    // The hold time is written even if it is MetalLB's default, because FRR has another default.
    set(&mut spec, "holdTime", go_duration(peer.hold_time));
    if let Some(time) = peer.keepalive_time {
        set(&mut spec, "keepaliveTime", go_duration(time));
    }
    if let Some(time) = peer.connect_time {
        set(&mut spec, "connectTime", go_duration(time));
    }

    if peer.port != Peer::DEFAULT_PORT {
        set(&mut spec, "peerPort", peer.port);
    }
    if let Some(asn) = peer.local_asn {
        set(&mut spec, "localASN", asn.0);
    }
    if let Some(address) = peer.source_address {
        set(&mut spec, "sourceAddress", address.to_string());
    }
    if let Some(identifier) = peer.router_id {
        set(&mut spec, "routerID", identifier.to_string());
    }
    if !peer.node_selectors.is_empty() {
        set(&mut spec, "nodeSelectors", label_selectors(&peer.node_selectors));
    }
    if let Some(profile) = &peer.bfd_profile {
        set(&mut spec, "bfdProfile", profiles.get(profile).unwrap_or(profile));
    }

    let switches = [
        ("ebgpMultiHop", peer.ebgp_multihop),
        ("enableGracefulRestart", peer.graceful_restart),
        ("dualStackAddressFamily", peer.dual_stack),
    ];
    for (key, is_on) in switches {
        if is_on {
            set(&mut spec, key, true);
        }
    }
    spec
}

/// Returns the annotations of a BGPPeer, for settings that only FerroLB has.
pub(super) fn peer_annotations(peer: &Peer) -> Option<Value> {
    let mut annotations = Map::new();
    if let Some(next_hop) = &peer.next_hop {
        set(&mut annotations, "ferrolb.io/next-hop", next_hop.to_string());
    }
    if !peer.without_capabilities.is_empty() {
        let disabled: Vec<_> = peer.without_capabilities.iter().map(ToString::to_string).collect();
        set(&mut annotations, "ferrolb.io/without-capabilities", disabled.join(","));
    }
    (!annotations.is_empty()).then_some(Value::Object(annotations))
}

/// Returns the spec of a BFDProfile.
pub(super) fn bfd_profile(profile: &BfdProfile) -> Value {
    json!({
        "receiveInterval": milliseconds(profile.receive_interval),
        "transmitInterval": milliseconds(profile.transmit_interval),
        "detectMultiplier": profile.detect_multiplier,
        "echoInterval": milliseconds(profile.echo_interval),
        "echoMode": profile.echo_mode,
        "passiveMode": profile.passive_mode,
        "minimumTtl": profile.minimum_ttl,
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the spec of a BGPAdvertisement. The draft has the lengths that are written, and the names of communities.
pub(super) fn bgp_advertisement(
    advertisement: &BgpAdvertisement,
    draft: &BgpAdvertisementDraft,
    pools: &ResourceNames,
    peers: &ResourceNames,
) -> Value {
    let mut spec = Map::new();
    set(&mut spec, "ipAddressPools", pool_names(&advertisement.pools, pools));
    if draft.length.is_some() {
        set(&mut spec, "aggregationLength", advertisement.aggregation_length);
    }
    if draft.length_v6.is_some() {
        set(&mut spec, "aggregationLengthV6", advertisement.aggregation_length_v6);
    }
    if let Some(preference) = advertisement.local_pref {
        set(&mut spec, "localPref", preference);
    }

    // A resource must not list a community twice.
    let mut communities: Vec<&str> = Vec::new();
    for reference in &draft.communities {
        if !communities.contains(&reference.name.as_str()) {
            communities.push(&reference.name);
        }
    }
    if !communities.is_empty() {
        set(&mut spec, "communities", communities);
    }

    if !advertisement.peers.is_empty() {
        let new = advertisement.peers.iter().map(|old| peers.get(old).unwrap_or(old));
        set(&mut spec, "peers", new.collect::<Value>());
    }
    if !advertisement.node_selectors.is_empty() {
        set(&mut spec, "nodeSelectors", label_selectors(&advertisement.node_selectors));
    }
    if !advertisement.service_selectors.is_empty() {
        set(&mut spec, "serviceSelectors", label_selectors(&advertisement.service_selectors));
    }
    Value::Object(spec)
}

/// Returns the new names of the selected pools.
pub(super) fn pool_names(selection: &PoolSelection, pools: &ResourceNames) -> Value {
    selection.names.iter().map(|old| pools.get(old).unwrap_or(old)).collect()
}

pub(super) fn label_selectors(selectors: &[LabelSelector]) -> Value {
    selectors.iter().map(label_selector).collect()
}

fn label_selector(selector: &LabelSelector) -> Value {
    let mut fields = Map::new();
    if !selector.match_labels.is_empty() {
        fields.insert("matchLabels".to_owned(), json!(selector.match_labels));
    }
    if !selector.match_expressions.is_empty() {
        let expressions = selector.match_expressions.iter().map(match_expression);
        fields.insert("matchExpressions".to_owned(), expressions.collect());
    }
    Value::Object(fields)
}

fn match_expression(expression: &MatchExpression) -> Value {
    let operator = match expression.operator {
        SelectorOperator::In => "In",
        SelectorOperator::NotIn => "NotIn",
        SelectorOperator::Exists => "Exists",
        SelectorOperator::DoesNotExist => "DoesNotExist",
    };

    let mut fields = json!({ "key": expression.key, "operator": operator });
    if !expression.values.is_empty() {
        fields["values"] = json!(expression.values);
    }
    fields
}

/// Returns a duration in Go's notation.
pub(super) fn go_duration(time: Duration) -> String {
    let nanoseconds = time.as_nanos();
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else if nanoseconds.is_multiple_of(1_000_000) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{nanoseconds}ns")
    }
}

fn set(fields: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    fields.insert(key.to_owned(), value.into());
}
