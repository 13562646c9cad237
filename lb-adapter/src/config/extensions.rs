//! The settings of pools and peers that only FerroLB has: keys in the ConfigMap, and annotations `ferrolb.io/...` of the same
//! names on an IPAddressPool or a BGPPeer.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::duration;
use super::field::{Field, Mapping, alternatives};
use super::report::Report;
use super::tree::Content;
use crate::model::{
    CommunityPattern, DataplaneGate, DisabledCapability, IpFamily, LinkBandwidth, NextHopPolicy,
    Peer, Pool, WhenUnhealthy,
};
use crate::spelling::nearest;

/// The prefix of the names of annotations.
pub(crate) const PREFIX: &str = "ferrolb.io/";

/// Reads the keys of a pool, each with this prefix.
pub(crate) fn read_pool(
    mapping: &Mapping<'_>,
    prefix: &str,
    pool: &mut Pool,
    report: &mut Report<'_>,
) {
    let names = POOL_KEYS.map(|key| format!("{prefix}{key}"));
    let settings = PrefixedSettings { mapping, names: &names };

    let allow = &mut pool.permissions;
    if let Some(field) = settings.get("allow-communities") {
        allow.communities = community_patterns(field, report);
    }
    allow.local_pref = settings.read("allow-local-pref", report, range);
    allow.med = settings.read("allow-med", report, range);
    allow.prepend = settings
        .read("allow-prepend", report, |field, report| number(field, report, 0..=MAX_PREPEND))
        .unwrap_or(0);
    allow.health = settings.read("allow-health", report, boolean).unwrap_or(false);

    pool.health.min_ready = settings.read("min-ready", report, parsed);
    pool.health.probe = settings.read("probe", report, parsed);
    read_probe_times(&settings, pool, report);
    pool.health.hold_down = settings.read("hold-down", report, time).unwrap_or_default();
    let words =
        [("withdraw", WhenUnhealthy::Withdraw), ("depreference", WhenUnhealthy::Depreference)];
    pool.health.when_unhealthy = settings
        .read("when-unhealthy", report, |field, report| field.choice(report, &words))
        .unwrap_or_default();
    read_link_bandwidth(&settings, pool, report);

    pool.dataplane_gate = settings.read("dataplane-gate", report, |field, report| {
        field.choice(report, &DataplaneGate::NAMED)
    });
}

fn read_probe_times(settings: &PrefixedSettings<'_>, pool: &mut Pool, report: &mut Report<'_>) {
    let Some(probe) = &mut pool.health.probe else {
        for key in ["probe-interval", "probe-timeout", "probe-rise", "probe-fall"] {
            if let Some(field) = settings.get(key) {
                field.warning(report, "no effect without probe");
            }
        }
        return;
    };

    if let Some(interval) = settings.read("probe-interval", report, probe_time) {
        probe.interval = interval;
    }
    if let Some(timeout) = settings.read("probe-timeout", report, probe_time) {
        probe.timeout = timeout;
    }
    if let Some(rise) = settings.read("probe-rise", report, probe_count) {
        probe.rise = rise;
    }
    if let Some(fall) = settings.read("probe-fall", report, probe_count) {
        probe.fall = fall;
    }
}

fn probe_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let time = time(field, report)?;
    if !(MIN_PROBE..=MAX_PROBE).contains(&time) {
        field.expected(report, "a time from 100ms to 1h");
        return None;
    }
    Some(time)
}

fn probe_count(field: Field<'_>, report: &mut Report<'_>) -> Option<NonZeroU32> {
    NonZeroU32::new(number(field, report, 1..=100_u32)?)
}

fn read_link_bandwidth(settings: &PrefixedSettings<'_>, pool: &mut Pool, report: &mut Report<'_>) {
    let bandwidth = settings
        .read("link-bandwidth", report, |field, report| number(field, report, 1..=u64::MAX));
    pool.health.link_bandwidth = bandwidth.map(LinkBandwidth::new);

    let Some(field) = settings.get("link-bandwidth-hysteresis") else { return };
    let percent = number(field, report, 0..=100);
    let Some(bandwidth) = &mut pool.health.link_bandwidth else {
        field.warning(report, "no effect without link-bandwidth");
        return;
    };
    if let Some(percent) = percent {
        bandwidth.hysteresis = percent;
    }
}

/// Reads the keys of a peer, each with this prefix.
pub(crate) fn read_peer(
    mapping: &Mapping<'_>,
    prefix: &str,
    peer: &mut Peer,
    report: &mut Report<'_>,
) {
    if let Some(field) = mapping.get(&format!("{prefix}{NEXT_HOP}")) {
        peer.next_hop = next_hop(field, report);
    }
    if let Some(field) = mapping.get(&format!("{prefix}{WITHOUT_CAPABILITIES}")) {
        peer.without_capabilities = left_out_capabilities(field, report).unwrap_or_default();
    }
}

/// Reads a list of capabilities, or a text of capabilities between commas.
fn left_out_capabilities(
    field: Field<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<DisabledCapability>> {
    let mut capabilities = Vec::new();
    for (_, text) in texts(&field, report) {
        let Ok(capability) = text.parse() else {
            let names = DisabledCapability::names().collect::<Vec<_>>().join(", ");
            let message = format!("{text:?} is not a capability, expected some of {names}");
            field.error(report, message);
            return None;
        };
        capabilities.push(capability);
    }
    capabilities.sort_unstable();
    capabilities.dedup();

    if capabilities.contains(&DisabledCapability::Ipv4Unicast)
        && capabilities.contains(&DisabledCapability::Ipv6Unicast)
    {
        let message = "both address families are left out, expected at least one to be offered";
        field.error(report, message);
        return None;
    }
    Some(capabilities)
}

/// Reads `session`, `node`, or at most one address of each family.
fn next_hop(field: Field<'_>, report: &mut Report<'_>) -> Option<NextHopPolicy> {
    let text = field.text(report)?.trim();
    match text {
        "session" => return Some(NextHopPolicy::SessionAddress),
        "node" => return Some(NextHopPolicy::NodeAddress),
        _ => {}
    }

    let parsed = text.split(',').map(|text| text.trim().parse().ok().filter(is_global_unicast));
    let addresses: Option<Vec<IpAddr>> = parsed.collect();
    if let Some(addresses) = addresses
        && are_of_different_families(&addresses)
    {
        return Some(NextHopPolicy::Addresses(addresses));
    }

    let expected = "session, node, or an address of each family such as 192.0.2.1,2001:db8::1";
    field.expected(report, expected);
    None
}

fn is_global_unicast(address: &IpAddr) -> bool {
    let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_unspecified() && !address.is_multicast() && !is_link_local
}

fn are_of_different_families(addresses: &[IpAddr]) -> bool {
    match addresses {
        [_] => true,
        [first, second] => IpFamily::of(*first) != IpFamily::of(*second),
        _ => false,
    }
}

/// Reports annotations with FerroLB's prefix that are not among these keys.
pub(crate) fn only(annotations: &Mapping<'_>, keys: &[&str], report: &mut Report<'_>) {
    for (name, field) in annotations.fields() {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        if keys.contains(&key) {
            continue;
        }
        let hint = match (nearest(key, keys.iter().copied()), keys) {
            (Some(nearest), _) => format!("did you mean {PREFIX}{nearest}?"),
            (None, []) => format!("objects of this kind have no {PREFIX} annotations"),
            (None, _) => {
                format!("expected {PREFIX} followed by {}", alternatives(keys.iter().copied()))
            }
        };
        field.error(report, format!("unknown annotation, {hint}"));
    }
}

/// The keys of a pool, with and without a prefix.
struct PrefixedSettings<'a> {
    mapping: &'a Mapping<'a>,
    /// The names of [`POOL_KEYS`], in the same order.
    names: &'a [String],
}

impl PrefixedSettings<'_> {
    fn get(&self, key: &str) -> Option<Field<'_>> {
        let index = POOL_KEYS.iter().position(|known| *known == key)?;
        self.mapping.get(self.names.get(index)?)
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

/// Returns the items of a list, or the parts of a text between commas, each with the path and value to report it at.
fn texts<'a>(field: &'a Field<'_>, report: &mut Report<'_>) -> Vec<(Field<'a>, String)> {
    let mut texts = Vec::new();
    if matches!(field.value.content, Content::Sequence(_)) {
        let items: Vec<_> = field.list(report).collect();
        for item in items {
            if let Some(text) = item.text(report) {
                texts.push((item, text.trim().to_owned()));
            }
        }
    } else if let Some(text) = field.text(report) {
        texts.extend(text.split(',').map(|text| (*field, text.trim().to_owned())));
    }
    texts
}

/// Reads a list of patterns, or a text of patterns between commas.
fn community_patterns(field: Field<'_>, report: &mut Report<'_>) -> Vec<CommunityPattern> {
    let mut patterns = Vec::new();
    for (item, text) in texts(&field, report) {
        match text.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                item.error(report, format!("{text:?} is not a community pattern, {error}"));
            }
        }
    }
    patterns
}

/// Reads `100` or `50-100`.
fn range(field: Field<'_>, report: &mut Report<'_>) -> Option<RangeInclusive<u32>> {
    let text = field.text(report)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));

    let bounds = digits::<u32>(first).zip(digits(last)).filter(|(first, last)| first <= last);
    let Some((first, last)) = bounds else {
        field.expected(report, "a number such as 100 or a range such as 50-100");
        return None;
    };
    Some(first..=last)
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
    // The parser of the standard library also takes a sign.
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads a boolean. Annotations are strings, so that `"true"` is as good as `true`.
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
            let expected = "expected a duration such as 5s or 500ms";
            field.error(report, format!("{} {error}, {expected}", field.shown()));
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
/// The keys of a peer.
pub(crate) const PEER_KEYS: [&str; 2] = [NEXT_HOP, WITHOUT_CAPABILITIES];

/// The keys of a pool.
pub(crate) const POOL_KEYS: [&str; 16] = [
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
    "dataplane-gate",
];

/// Some networks drop longer AS_PATHs.
const MAX_PREPEND: u8 = 10;
const MIN_PROBE: Duration = Duration::from_millis(100);
const MAX_PROBE: Duration = Duration::from_secs(3600);

#[cfg(test)]
#[path = "extensions_tests.rs"]
mod tests;
