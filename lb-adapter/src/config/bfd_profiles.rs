//! BFD profiles: entries of `bfd-profiles` in the ConfigMap, BFDProfile resources.

use std::time::Duration;

use super::field::Mapping;
use super::key::{Format, Key};
use super::report::Report;
use crate::model::BfdProfile;

/// Reads a profile, without its name.
pub(crate) fn read(mapping: &Mapping<'_>, format: Format, report: &mut Report<'_>) -> BfdProfile {
    let mut profile = BfdProfile::new("");

    for (key, time) in [
        (RECEIVE_INTERVAL, &mut profile.receive_interval),
        (TRANSMIT_INTERVAL, &mut profile.transmit_interval),
        (ECHO_INTERVAL, &mut profile.echo_interval),
    ] {
        let Some(field) = mapping.get(key.of(format)) else { continue };
        if let Some(milliseconds) = field.integer(report, 10..=60_000_u16) {
            *time = Duration::from_millis(milliseconds.into());
        }
    }

    if let Some(field) = mapping.get(DETECT_MULTIPLIER.of(format))
        && let Some(multiplier) = field.integer(report, 2..=u8::MAX)
    {
        profile.detect_multiplier = multiplier;
    }
    if let Some(field) = mapping.get(MINIMUM_TTL.of(format))
        && let Some(ttl) = field.integer(report, 1..=254)
    {
        profile.minimum_ttl = ttl;
    }

    profile.passive_mode = mapping.boolean(PASSIVE_MODE.of(format), report).unwrap_or(false);
    profile.echo_mode = mapping.boolean(ECHO_MODE.of(format), report).unwrap_or(false);
    warn_about_echo(&profile, mapping, format, report);
    profile
}

fn warn_about_echo(
    profile: &BfdProfile,
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) {
    if profile.echo_mode
        && let Some(field) = mapping.get(ECHO_MODE.of(format))
    {
        let message = "no effect: FerroLB sends control packets only, no echo packets";
        field.warning(report, message);
    }
    if !profile.echo_mode
        && profile.echo_interval != BfdProfile::new("").echo_interval
        && let Some(field) = mapping.get(ECHO_INTERVAL.of(format))
    {
        field.warning(report, "no effect without echo mode");
    }
}

const RECEIVE_INTERVAL: Key = Key("receive-interval", "receiveInterval");
const TRANSMIT_INTERVAL: Key = Key("transmit-interval", "transmitInterval");
const DETECT_MULTIPLIER: Key = Key("detect-multiplier", "detectMultiplier");
const ECHO_INTERVAL: Key = Key("echo-interval", "echoInterval");
const ECHO_MODE: Key = Key("echo-mode", "echoMode");
const PASSIVE_MODE: Key = Key("passive-mode", "passiveMode");
const MINIMUM_TTL: Key = Key("minimum-ttl", "minimumTtl");

/// The keys that [`read`] reads.
pub(crate) const KEYS: [Key; 7] = [
    RECEIVE_INTERVAL,
    TRANSMIT_INTERVAL,
    DETECT_MULTIPLIER,
    ECHO_INTERVAL,
    ECHO_MODE,
    PASSIVE_MODE,
    MINIMUM_TTL,
];
