//! What FerroLB understands of pools and peers beyond MetalLB: keys of them in the ConfigMap,
//! annotations `ferrolb.io/...` of an IPAddressPool or a BGPPeer, named alike.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::duration;
use super::field::{Field, Mapping, listed};
use super::report::Report;
use super::yaml::Kind;
use crate::model::{
    CommunityPattern, DisabledCapability, IpFamily, LinkBandwidth, NextHopPolicy, Peer, Pool,
    WhenUnhealthy,
};
use crate::spelling::nearest;

/// Before the names of annotations.
pub(crate) const PREFIX: &str = "ferrolb.io/";

/// Reads the keys, before each of which the prefix stands, into the pool.
pub(crate) fn read(mapping: &Mapping<'_>, prefix: &str, pool: &mut Pool, report: &mut Report<'_>) {
    let names = KEYS.map(|key| format!("{prefix}{key}"));
    let own = Own { mapping, names: &names };
    let allow = &mut pool.permissions;
    if let Some(field) = own.get("allow-communities") {
        allow.communities = patterns(field, report);
    }
    allow.local_pref = own.read("allow-local-pref", report, range);
    allow.med = own.read("allow-med", report, range);
    allow.prepend = own
        .read("allow-prepend", report, |field, report| number(field, report, 0..=MAX_PREPEND))
        .unwrap_or(0);
    allow.health = own.read("allow-health", report, boolean).unwrap_or(false);
    let health = &mut pool.health;
    health.min_ready = own.read("min-ready", report, parsed);
    health.probe = own.read("probe", report, parsed);
    probe_details(&own, pool, report);
    let health = &mut pool.health;
    health.hold_down = own.read("hold-down", report, time).unwrap_or_default();
    let words =
        [("withdraw", WhenUnhealthy::Withdraw), ("depreference", WhenUnhealthy::Depreference)];
    health.when_unhealthy = own
        .read("when-unhealthy", report, |field, report| field.choice(report, &words))
        .unwrap_or_default();
    health.link_bandwidth = own
        .read("link-bandwidth", report, |field, report| number(field, report, 1..=u64::MAX))
        .map(LinkBandwidth::new);
    if let Some(field) = own.get("link-bandwidth-hysteresis") {
        let percent = number(field, report, 0..=100);
        match (&mut health.link_bandwidth, percent) {
            (Some(bandwidth), Some(percent)) => bandwidth.hysteresis = percent,
            (None, _) => field.warning(report, "without effect where there is no link-bandwidth"),
            (Some(_), None) => {}
        }
    }
}

fn probe_details(own: &Own<'_>, pool: &mut Pool, report: &mut Report<'_>) {
    let Some(probe) = &mut pool.health.probe else {
        for key in ["probe-interval", "probe-timeout", "probe-rise", "probe-fall"] {
            if let Some(field) = own.get(key) {
                field.warning(report, "without effect where there is no probe");
            }
        }
        return;
    };
    let some_time = |field: Field<'_>, report: &mut Report<'_>| {
        let time = time(field, report)?;
        if !(MIN_PROBE..=MAX_PROBE).contains(&time) {
            field.expected(report, "a time from 100ms to 1h");
            return None;
        }
        Some(time)
    };
    let times = |field: Field<'_>, report: &mut Report<'_>| {
        NonZeroU32::new(number(field, report, 1..=100_u32)?)
    };
    probe.interval = own.read("probe-interval", report, some_time).unwrap_or(probe.interval);
    probe.timeout = own.read("probe-timeout", report, some_time).unwrap_or(probe.timeout);
    probe.rise = own.read("probe-rise", report, times).unwrap_or(probe.rise);
    probe.fall = own.read("probe-fall", report, times).unwrap_or(probe.fall);
}

/// Reads the keys of a peer, before each of which the prefix stands.
pub(crate) fn read_peer(
    mapping: &Mapping<'_>,
    prefix: &str,
    peer: &mut Peer,
    report: &mut Report<'_>,
) {
    let key = format!("{prefix}{NEXT_HOP}");
    peer.next_hop = mapping.get(&key).and_then(|field| next_hop(field, report));
    let key = format!("{prefix}{WITHOUT_CAPABILITIES}");
    let left_out = mapping.get(&key).and_then(|field| left_out(field, report));
    peer.without_capabilities = left_out.unwrap_or_default();
}

/// Reads a list of capabilities, or a text of them with commas.
fn left_out(field: Field<'_>, report: &mut Report<'_>) -> Option<Vec<DisabledCapability>> {
    let names = DisabledCapability::names().collect::<Vec<_>>().join(", ");
    let expected = format!("some of {names}");
    let mut all = Vec::new();
    for text in texts(&field, report) {
        let Ok(one) = text.parse() else {
            let message = format!("{text:?} is no capability, expected {expected}");
            field.error(report, message);
            return None;
        };
        all.push(one);
    }
    all.sort_unstable();
    all.dedup();
    if all.contains(&DisabledCapability::Ipv4Unicast)
        && all.contains(&DisabledCapability::Ipv6Unicast)
    {
        let message = "both address families are left out, expected one that is offered";
        field.error(report, message.to_owned());
        return None;
    }
    Some(all)
}

/// `session`, `node`, or an address of each family at most.
fn next_hop(field: Field<'_>, report: &mut Report<'_>) -> Option<NextHopPolicy> {
    let text = field.text(report)?.trim();
    match text {
        "session" => return Some(NextHopPolicy::SessionAddress),
        "node" => return Some(NextHopPolicy::NodeAddress),
        _ => {}
    }
    let unicast = |address: &IpAddr| {
        let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        !address.is_unspecified() && !address.is_multicast() && !link_local
    };
    let parsed = text.split(',').map(|text| text.trim().parse().ok().filter(unicast));
    let addresses: Option<Vec<IpAddr>> = parsed.collect();
    match addresses.as_deref() {
        Some([a, b]) if IpFamily::of(*a) == IpFamily::of(*b) => {}
        Some([_] | [_, _]) => return addresses.map(NextHopPolicy::Addresses),
        _ => {}
    }
    let expected = "session, node, or an address of each family such as 192.0.2.1,2001:db8::1";
    field.expected(report, expected);
    None
}

/// Reports annotations of ours other than those with these keys.
pub(crate) fn only(annotations: &Mapping<'_>, keys: &[&str], report: &mut Report<'_>) {
    for (name, field) in annotations.fields() {
        let Some(key) = name.strip_prefix(PREFIX).filter(|key| !keys.contains(key)) else {
            continue;
        };
        let hint = match (nearest(key, keys.iter().copied()), keys) {
            (Some(nearest), _) => format!("did you mean {PREFIX}{nearest}?"),
            (None, []) => format!("expected none of {PREFIX} on an object of this kind"),
            (None, _) => format!("expected {PREFIX} and {}", listed(keys.iter().copied())),
        };
        field.error(report, format!("unknown annotation, {hint}"));
    }
}

struct Own<'a> {
    mapping: &'a Mapping<'a>,
    names: &'a [String],
}

impl Own<'_> {
    fn get(&self, key: &str) -> Option<Field<'_>> {
        let name = KEYS.iter().position(|it| *it == key).and_then(|at| self.names.get(at))?;
        self.mapping.get(name)
    }

    fn read<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        read: impl FnOnce(Field<'_>, &mut Report<'_>) -> Option<T>,
    ) -> Option<T> {
        read(self.get(key)?, report)
    }
}

/// Returns the items of a list, or the parts of a text between commas.
fn texts(field: &Field<'_>, report: &mut Report<'_>) -> Vec<String> {
    if matches!(field.value.kind, Kind::Sequence(_)) {
        let items: Vec<_> = field.list(report).collect();
        let texts = items.iter().filter_map(|item| Some(item.text(report)?.trim().to_owned()));
        return texts.collect();
    }
    let text = field.text(report).unwrap_or_default();
    text.split(',').map(|text| text.trim().to_owned()).collect()
}

/// A list, or a text with commas.
fn patterns(field: Field<'_>, report: &mut Report<'_>) -> Vec<CommunityPattern> {
    let one = |field: &Field<'_>, text: &str, report: &mut Report<'_>| match text.trim().parse() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            field.error(report, format!("{:?} is no pattern, {error}", text.trim()));
            None
        }
    };
    if matches!(field.value.kind, Kind::Sequence(_)) {
        let items: Vec<_> = field.list(report).collect();
        let texts = items.iter().filter_map(|item| one(item, item.text(report)?, report));
        return texts.collect();
    }
    let Some(text) = field.text(report) else { return Vec::new() };
    text.split(',').filter_map(|text| one(&field, text, report)).collect()
}

/// `100`, or `50-100`.
fn range(field: Field<'_>, report: &mut Report<'_>) -> Option<RangeInclusive<u32>> {
    let text = field.text(report)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let bounds = digits::<u32>(first).zip(digits(last)).filter(|(first, last)| first <= last);
    if bounds.is_none() {
        field.expected(report, "a number such as 100 or a range such as 50-100");
    }
    bounds.map(|(first, last)| first..=last)
}

fn number<T>(field: Field<'_>, report: &mut Report<'_>, bounds: RangeInclusive<T>) -> Option<T>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let number = digits(field.text(report)?).filter(|number| bounds.contains(number));
    if number.is_none() {
        let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
        field.expected(report, &expected);
    }
    number
}

fn digits<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Annotations are texts, so that `"true"` is as good as `true`.
fn boolean(field: Field<'_>, report: &mut Report<'_>) -> Option<bool> {
    match field.text(report)? {
        "true" => Some(true),
        "false" => Some(false),
        _ => field.boolean(report),
    }
}

fn time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    match duration::parse(field.text(report)?) {
        Ok(time) => Some(time),
        Err(error) => {
            let message = format!("{} {error}, expected one such as 5s or 500ms", field.shown());
            field.error(report, message);
            None
        }
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(
    field: Field<'_>,
    report: &mut Report<'_>,
) -> Option<T> {
    match field.text(report)?.trim().parse() {
        Ok(value) => Some(value),
        Err(error) => {
            field.error(report, format!("{error}, found {}", field.shown()));
            None
        }
    }
}

const NEXT_HOP: &str = "next-hop";
const WITHOUT_CAPABILITIES: &str = "without-capabilities";
/// All of a peer.
pub(crate) const PEER_KEYS: [&str; 2] = [NEXT_HOP, WITHOUT_CAPABILITIES];

/// All of a pool.
pub(crate) const KEYS: [&str; 15] = [
    "allow-communities",
    "allow-local-pref",
    "allow-med",
    "allow-prepend",
    "allow-health",
    "min-ready",
    "probe",
    "probe-interval",
    "probe-timeout",
    "probe-rise",
    "probe-fall",
    "hold-down",
    "when-unhealthy",
    "link-bandwidth",
    "link-bandwidth-hysteresis",
];

/// Longer AS_PATHs are dropped by some networks.
const MAX_PREPEND: u8 = 10;
const MIN_PROBE: Duration = Duration::from_millis(100);
const MAX_PROBE: Duration = Duration::from_secs(3600);

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
