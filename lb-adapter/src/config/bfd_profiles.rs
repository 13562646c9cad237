//! BFD profiles: entries of `bfd-profiles` in the ConfigMap, BFDProfile resources.

use std::time::Duration;

use super::draft::{Format, Key};
use super::field::Mapping;
use super::report::Report;
use crate::model::BfdProfile;

/// Reads one, without its name.
pub(crate) fn read(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> BfdProfile {
    let mut profile = BfdProfile::new("");
    let interval = |key: Key, report: &mut Report<'_>| {
        let field = mapping.get(key.of(format))?;
        let milliseconds = field.integer(report, 10..=60_000_u16)?;
        Some(Duration::from_millis(milliseconds.into()))
    };
    let or = |default: Duration, read: Option<Duration>| read.unwrap_or(default);
    profile.receive_interval = or(profile.receive_interval, interval(RECEIVE_INTERVAL, report));
    profile.transmit_interval = or(profile.transmit_interval, interval(TRANSMIT_INTERVAL, report));
    profile.echo_interval = or(profile.echo_interval, interval(ECHO_INTERVAL, report));
    if let Some(field) = mapping.get(DETECT_MULTIPLIER.of(format)) {
        profile.detect_multiplier =
            field.integer(report, 2..=u8::MAX).unwrap_or(profile.detect_multiplier);
    }
    if let Some(field) = mapping.get(MINIMUM_TTL.of(format)) {
        profile.minimum_ttl = field.integer(report, 1..=254).unwrap_or(profile.minimum_ttl);
    }
    let boolean = |key: Key, report: &mut Report<'_>| {
        mapping.get(key.of(format)).and_then(|field| field.boolean(report)).unwrap_or(false)
    };
    profile.passive_mode = boolean(PASSIVE_MODE, report);
    profile.echo_mode = boolean(ECHO_MODE, report);
    if let Some(field) = mapping.get(ECHO_MODE.of(format))
        && profile.echo_mode
    {
        field
            .warning(report, "without effect: FerroLB sends no echo packets, only control packets");
    }
    if let Some(field) = mapping.get(ECHO_INTERVAL.of(format))
        && !profile.echo_mode
        && profile.echo_interval != BfdProfile::new("").echo_interval
    {
        field.warning(report, "without effect where there is no echo mode");
    }
    profile
}

const RECEIVE_INTERVAL: Key = Key("receive-interval", "receiveInterval");
const TRANSMIT_INTERVAL: Key = Key("transmit-interval", "transmitInterval");
const DETECT_MULTIPLIER: Key = Key("detect-multiplier", "detectMultiplier");
const ECHO_INTERVAL: Key = Key("echo-interval", "echoInterval");
const ECHO_MODE: Key = Key("echo-mode", "echoMode");
const PASSIVE_MODE: Key = Key("passive-mode", "passiveMode");
const MINIMUM_TTL: Key = Key("minimum-ttl", "minimumTtl");

/// What [`read`] reads.
pub(crate) const KEYS: [Key; 7] = [
    RECEIVE_INTERVAL,
    TRANSMIT_INTERVAL,
    DETECT_MULTIPLIER,
    ECHO_INTERVAL,
    ECHO_MODE,
    PASSIVE_MODE,
    MINIMUM_TTL,
];
