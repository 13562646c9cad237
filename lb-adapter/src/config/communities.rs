//! `bgp-communities`, and the texts that name a community.

use std::collections::BTreeMap;

use super::field::Field;
use super::nearest::nearest;
use super::report::Report;
use crate::model::Community;

/// Communities by the names that the configuration gives them.
///
/// A name whose value was wrong is there without a value, so that its uses are not errors too.
pub(crate) type Aliases = BTreeMap<String, Option<Community>>;

/// Reads `bgp-communities`. A wrong value is an error whether or not anything uses it.
pub(crate) fn read(field: Field<'_>, report: &mut Report<'_>) -> Aliases {
    let Some(mapping) = field.mapping(report) else { return Aliases::new() };
    let mut aliases = Aliases::new();
    for (name, field) in mapping.fields() {
        let community = field.text(report).and_then(|text| {
            let community = numeric(text);
            if community.is_none() {
                field.expected(report, NUMERIC);
            }
            community
        });
        aliases.entry(name.to_owned()).or_insert(community);
    }
    aliases
}

/// Reads one community: an alias, or else two numbers.
pub(crate) fn resolve(
    field: Field<'_>,
    aliases: &Aliases,
    report: &mut Report<'_>,
) -> Option<Community> {
    let text = field.text(report)?;
    if let Some(community) = aliases.get(text) {
        return *community;
    }
    if let Some(community) = numeric(text) {
        return Some(community);
    }
    let hint = match WELL_KNOWN.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => format!("write {value}, no name is built in"),
        None => match nearest(text, aliases.keys().map(String::as_str)) {
            Some(alias) => format!("did you mean {alias:?}?"),
            None => format!("expected a name of bgp-communities or {NUMERIC}"),
        },
    };
    field.error(report, format!("{} is no community, {hint}", field.shown()));
    None
}

/// Two numbers of 16 bits, no names.
fn numeric(text: &str) -> Option<Community> {
    let half = |text: &str| {
        let digits = text.bytes().all(|octet| octet.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (high, low) = text.split_once(':')?;
    Some(Community::new(half(high)?, half(low)?))
}

const NUMERIC: &str = "two numbers up to 65535 such as 64512:100";

/// What routers call communities of RFC 1997, 3765, 7999 and 8326. MetalLB knows no such names.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("no-export", "65535:65281"),
    ("no-advertise", "65535:65282"),
    ("no-export-subconfed", "65535:65283"),
    ("no-peer", "65535:65284"),
    ("blackhole", "65535:666"),
    ("graceful-shutdown", "65535:0"),
];
