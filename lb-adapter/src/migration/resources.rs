//! The resources that say what a configuration says.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::names::Names;
use crate::config::draft::{AnyCommunity, BgpAdvertisementDraft, Draft};
use crate::model::{
    BfdProfile, BgpAdvertisement, Config, Health, LabelSelector, Peer, PeerAddress, PeerAsn,
    Permissions, Pool, PoolSelection, SelectorOperator, ServiceAllocation, WhenUnhealthy,
};

/// What came of a configuration.
#[derive(Debug, Default)]
pub struct Migrated {
    /// The resources, those first that others name.
    pub objects: Vec<Value>,
    /// What is to be done besides.
    pub notes: Vec<String>,
}

/// Makes the resources.
pub(super) fn of(config: &Config, draft: &Draft, namespace: &str) -> Migrated {
    let mut maker = Maker { namespace, migrated: Migrated::default() };
    let mut profiles = Names::default();
    for profile in &config.bfd_profiles {
        let name = profiles.give(&profile.name, &profile.name);
        maker.add("v1beta1", "BFDProfile", &name, None, bfd_profile(profile));
    }
    maker.communities(draft);
    let mut peers = Names::default();
    for (number, peer) in (1..).zip(&config.peers) {
        // A peer that the ConfigMap gives no name is known by its address.
        let named = !peer.name.starts_with(&peer.endpoint());
        let wanted = if named { peer.name.clone() } else { format!("peer{number}") };
        let name = peers.give(&peer.name, &wanted);
        maker.peer(&name, peer, &profiles);
    }
    let mut pools = Names::default();
    for pool in &config.pools {
        let name = pools.give(&pool.name, &pool.name);
        if name != pool.name {
            maker.migrated.notes.push(format!(
                "pool {:?} becomes {name:?}: Services that name it in an annotation must be changed",
                pool.name
            ));
        }
        maker.add("v1beta1", "IPAddressPool", &name, annotations(pool), pool_spec(pool));
    }
    let mut before: Vec<BgpAdvertisement> = Vec::new();
    for (advertised, advertisement) in
        draft.bgp_advertisements.iter().zip(&config.bgp_advertisements)
    {
        let same = BgpAdvertisement { name: String::new(), ..advertisement.clone() };
        if before.contains(&same) {
            let name = &advertisement.name;
            maker
                .migrated
                .notes
                .push(format!("{name} says what another one does, and is left out"));
            continue;
        }
        before.push(same);
        let spec = bgp_advertisement(advertisement, advertised, &pools, &peers);
        maker.add("v1beta1", "BGPAdvertisement", &advertisement.name, None, spec);
    }
    for advertisement in &config.l2_advertisements {
        let spec = json!({"ipAddressPools": named(&advertisement.pools, &pools)});
        maker.add("v1beta1", "L2Advertisement", &advertisement.name, None, spec);
    }
    maker.migrated
}

struct Maker<'a> {
    namespace: &'a str,
    migrated: Migrated,
}

impl Maker<'_> {
    fn add(&mut self, version: &str, kind: &str, name: &str, notes: Option<Value>, spec: Value) {
        let mut metadata = json!({"name": name, "namespace": self.namespace});
        if let (Some(notes), Value::Object(metadata)) = (notes, &mut metadata) {
            metadata.insert("annotations".to_owned(), notes);
        }
        self.migrated.objects.push(json!({
            "apiVersion": format!("metallb.io/{version}"),
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }));
    }

    fn communities(&mut self, draft: &Draft) {
        let value = |community: Option<AnyCommunity>| match community {
            Some(AnyCommunity::Standard(it)) => format!("{}:{}", it.0 >> 16, it.0 & 0xffff),
            Some(AnyCommunity::Large(it)) => it.to_string(),
            None => String::new(),
        };
        let aliases: Vec<_> = draft
            .aliases
            .iter()
            .map(|alias| json!({"name": alias.name, "value": value(alias.value)}))
            .collect();
        if !aliases.is_empty() {
            self.add("v1beta1", "Community", "communities", None, json!({"communities": aliases}));
        }
    }

    fn peer(&mut self, name: &str, peer: &Peer, profiles: &Names) {
        let mut spec = Map::new();
        let mut set = |key: &str, value: Value| drop(spec.insert(key.to_owned(), value));
        set("myASN", peer.my_asn.0.into());
        match peer.peer_asn {
            PeerAsn::Number(asn) => set("peerASN", asn.0.into()),
            PeerAsn::Internal | PeerAsn::External => {
                set("dynamicASN", peer.peer_asn.to_string().into());
            }
        }
        match &peer.address {
            PeerAddress::Ip(address) => set("peerAddress", address.to_string().into()),
            PeerAddress::Interface(interface) => set("interface", interface.as_str().into()),
        }
        // Said even where it is MetalLB's default: FRR has another one.
        set("holdTime", time(peer.hold_time).into());
        let times = [("keepaliveTime", peer.keepalive_time), ("connectTime", peer.connect_time)];
        for (key, value) in times {
            if let Some(value) = value {
                set(key, time(value).into());
            }
        }
        if peer.port != Peer::DEFAULT_PORT {
            set("peerPort", peer.port.into());
        }
        if let Some(asn) = peer.local_asn {
            set("localASN", asn.0.into());
        }
        if let Some(address) = peer.source_address {
            set("sourceAddress", address.to_string().into());
        }
        if let Some(identifier) = peer.router_id {
            set("routerID", identifier.to_string().into());
        }
        if !peer.node_selectors.is_empty() {
            set("nodeSelectors", selectors(&peer.node_selectors));
        }
        if let Some(profile) = &peer.bfd_profile {
            set("bfdProfile", profiles.of(profile).unwrap_or(profile).into());
        }
        let switches = [
            ("ebgpMultiHop", peer.ebgp_multihop),
            ("enableGracefulRestart", peer.graceful_restart),
            ("dualStackAddressFamily", peer.dual_stack),
        ];
        for (key, _) in switches.into_iter().filter(|(_, on)| *on) {
            set(key, true.into());
        }
        let secret = match (&peer.password_secret, &peer.password) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(password)) => {
                let secret = format!("{name}-password");
                self.migrated.objects.push(json!({
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": secret, "namespace": self.namespace},
                    "type": "kubernetes.io/basic-auth",
                    "data": {"password": BASE64.encode(password.reveal())},
                }));
                Some(secret)
            }
            (None, None) => None,
        };
        if let Some(secret) = secret {
            set("passwordSecret", json!({"name": secret}));
        }

        let mut notes = Map::new();
        if let Some(next_hop) = &peer.next_hop {
            notes.insert("ferrolb.io/next-hop".to_owned(), next_hop.to_string().into());
        }
        if !peer.without_capabilities.is_empty() {
            let left_out: Vec<_> =
                peer.without_capabilities.iter().map(ToString::to_string).collect();
            notes.insert("ferrolb.io/without-capabilities".to_owned(), left_out.join(",").into());
        }
        let notes = (!notes.is_empty()).then_some(Value::Object(notes));
        self.add("v1beta2", "BGPPeer", name, notes, Value::Object(spec));
    }
}

fn bfd_profile(profile: &BfdProfile) -> Value {
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

fn pool_spec(pool: &Pool) -> Value {
    let addresses: Vec<_> = pool.ranges.iter().map(ToString::to_string).collect();
    let mut spec = Map::from_iter([("addresses".to_owned(), json!(addresses))]);
    if !pool.auto_assign {
        spec.insert("autoAssign".to_owned(), false.into());
    }
    if pool.avoid_buggy_ips {
        spec.insert("avoidBuggyIPs".to_owned(), true.into());
    }
    if let Some(rule) = &pool.allocation {
        spec.insert("serviceAllocation".to_owned(), allocation(rule));
    }
    Value::Object(spec)
}

fn allocation(rule: &ServiceAllocation) -> Value {
    json!({
        "priority": rule.priority,
        "namespaces": rule.namespaces,
        "namespaceSelectors": selectors(&rule.namespace_selectors),
        "serviceSelectors": selectors(&rule.service_selectors),
    })
}

fn bgp_advertisement(
    advertisement: &BgpAdvertisement,
    draft: &BgpAdvertisementDraft,
    pools: &Names,
    peers: &Names,
) -> Value {
    let mut spec = Map::new();
    let mut set = |key: &str, value: Value| drop(spec.insert(key.to_owned(), value));
    set("ipAddressPools", named(&advertisement.pools, pools));
    if draft.length.is_some() {
        set("aggregationLength", advertisement.aggregation_length.into());
    }
    if draft.length_v6.is_some() {
        set("aggregationLengthV6", advertisement.aggregation_length_v6.into());
    }
    if let Some(preference) = advertisement.local_pref {
        set("localPref", preference.into());
    }
    let mut communities: Vec<&str> = Vec::new();
    for reference in &draft.communities {
        // What is listed twice is an error in a resource.
        if !communities.contains(&reference.name.as_str()) {
            communities.push(&reference.name);
        }
    }
    if !communities.is_empty() {
        set("communities", json!(communities));
    }
    if !advertisement.peers.is_empty() {
        let new = advertisement.peers.iter().map(|old| peers.of(old).unwrap_or(old));
        set("peers", new.collect());
    }
    for (key, list) in [
        ("nodeSelectors", &advertisement.node_selectors),
        ("serviceSelectors", &advertisement.service_selectors),
    ] {
        if !list.is_empty() {
            set(key, selectors(list));
        }
    }
    Value::Object(spec)
}

fn named(selection: &PoolSelection, pools: &Names) -> Value {
    selection.names.iter().map(|old| pools.of(old).unwrap_or(old)).collect()
}

fn selectors(selectors: &[LabelSelector]) -> Value {
    selectors.iter().map(selector).collect()
}

fn selector(selector: &LabelSelector) -> Value {
    let operator = |operator: SelectorOperator| match operator {
        SelectorOperator::In => "In",
        SelectorOperator::NotIn => "NotIn",
        SelectorOperator::Exists => "Exists",
        SelectorOperator::DoesNotExist => "DoesNotExist",
    };
    let expressions: Vec<_> = selector
        .match_expressions
        .iter()
        .map(|it| match it.values.as_slice() {
            [] => json!({"key": it.key, "operator": operator(it.operator)}),
            values => json!({"key": it.key, "operator": operator(it.operator), "values": values}),
        })
        .collect();
    let mut written = Map::new();
    if !selector.match_labels.is_empty() {
        written.insert("matchLabels".to_owned(), json!(selector.match_labels));
    }
    if !expressions.is_empty() {
        written.insert("matchExpressions".to_owned(), json!(expressions));
    }
    Value::Object(written)
}

/// What is FerroLB's own, as annotations of the pool.
fn annotations(pool: &Pool) -> Option<Value> {
    let mut written = Map::new();
    let mut set = |key: &str, value: String| {
        written.insert(format!("ferrolb.io/{key}"), Value::String(value));
    };
    let Permissions { communities, local_pref, med, prepend, health, .. } = &pool.permissions;
    if !communities.is_empty() {
        let texts: Vec<_> = communities.iter().map(ToString::to_string).collect();
        set("allow-communities", texts.join(", "));
    }
    for (key, range) in [("allow-local-pref", local_pref), ("allow-med", med)] {
        if let Some(range) = range {
            set(key, format!("{}-{}", range.start(), range.end()));
        }
    }
    if *prepend > 0 {
        set("allow-prepend", prepend.to_string());
    }
    if *health {
        set("allow-health", "true".to_owned());
    }
    let Health { min_ready, probe, hold_down, when_unhealthy, link_bandwidth, .. } = &pool.health;
    if let Some(least) = min_ready {
        set("min-ready", least.to_string());
    }
    if let Some(probe) = probe {
        set("probe", probe.to_string());
        set("probe-interval", time(probe.interval));
        set("probe-timeout", time(probe.timeout));
        set("probe-rise", probe.rise.to_string());
        set("probe-fall", probe.fall.to_string());
    }
    if !hold_down.is_zero() {
        set("hold-down", time(*hold_down));
    }
    if *when_unhealthy == WhenUnhealthy::Depreference {
        set("when-unhealthy", "depreference".to_owned());
    }
    if let Some(bandwidth) = link_bandwidth {
        set("link-bandwidth", bandwidth.per_endpoint.to_string());
        set("link-bandwidth-hysteresis", bandwidth.hysteresis.to_string());
    }
    (!written.is_empty()).then_some(Value::Object(written))
}

/// In Go's notation.
fn time(time: Duration) -> String {
    match (time.subsec_nanos(), time.as_nanos()) {
        (0, _) => format!("{}s", time.as_secs()),
        (nanos, _) if nanos % 1_000_000 == 0 => format!("{}ms", time.as_millis()),
        (_, nanos) => format!("{nanos}ns"),
    }
}
