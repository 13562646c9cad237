//! The times of a peer's session.

use std::time::Duration;

use super::duration;
use super::field::{Field, Mapping};
use super::report::Report;
use crate::model::Peer;

/// Reads the hold time and the keepalive time. As in MetalLB, a keepalive time alone also determines the hold time, which is
/// three times as long.
pub(super) fn hold_and_keepalive_time(
    mapping: &Mapping<'_>,
    hold_key: &str,
    keepalive_key: &str,
    report: &mut Report<'_>,
) -> (Duration, Option<Duration>) {
    let keepalive_field = mapping.get_filled(keepalive_key);
    let keepalive_time = keepalive_field
        .and_then(|field| whole_seconds(field, report))
        .filter(|time| !time.is_zero());
    let hold_field = mapping.get_filled(hold_key);
    let hold_time = hold_field.and_then(|field| hold_time(field, report));

    let (Some(field), Some(keepalive)) = (keepalive_field, keepalive_time) else {
        return (hold_time.unwrap_or(Peer::DEFAULT_HOLD_TIME), keepalive_time);
    };
    if hold_field.is_none() {
        let implied = keepalive * 3;
        if implied.as_secs() > MAX_HOLD_TIME {
            field.expected(report, "at most 21845s, because the hold time is three times as long");
        }
        return (implied, keepalive_time);
    }

    // A hold time that could not be read has been reported already.
    if let Some(hold) = hold_time
        && keepalive > hold
    {
        field.expected(report, &format!("at most the hold time of {}s", hold.as_secs()));
    }
    (hold_time.unwrap_or(Peer::DEFAULT_HOLD_TIME), keepalive_time)
}

/// Reads a time of whole seconds in Go's notation. Fractions of a second are cut off with a warning.
fn whole_seconds(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let written = match duration::parse(field.text(report)?) {
        Ok(written) => written,
        Err(error) => {
            let expected = "expected a duration such as 90s or 1m30s";
            let message = format!("{} {error}, {expected}", field.shown());
            field.error(report, field.hinted(message));
            return None;
        }
    };

    let whole = Duration::from_secs(written.as_secs());
    if whole != written {
        let seconds = whole.as_secs();
        let effect = if seconds == 0 { ", which disables keepalives" } else { "" };
        field.warning(report, format!("{} is rounded down to {seconds}s{effect}", field.shown()));
    }
    Some(whole)
}

fn hold_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let time = whole_seconds(field, report)?;
    if !matches!(time.as_secs(), 0 | 3..=MAX_HOLD_TIME) {
        field.expected(report, "0s or a time from 3s to 65535s");
        return None;
    }
    Some(time)
}

/// Reads the time between attempts to connect.
pub(super) fn connect_time(field: Field<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let time = duration::parse(field.text(report)?).ok();
    let time =
        time.filter(|time| time.subsec_nanos() == 0 && (1..=65_535).contains(&time.as_secs()));
    if time.is_none() {
        field.expected(report, "whole seconds from 1s to 65535s");
    }
    time
}

/// The longest hold time that an OPEN message can carry (RFC 4271 section 4.2).
const MAX_HOLD_TIME: u64 = 65_535;
