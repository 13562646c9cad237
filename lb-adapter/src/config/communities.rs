//! Communities: `bgp-communities` in the ConfigMap, Community resources, and references to them.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::draft::{AnyCommunity, CommunityAliasDraft, Reference};
use super::field::{Field, clipped};
use super::key::Format;
use super::place::Place;
use super::report::{self, Report};
use crate::model::{Community, LargeCommunity};
use crate::spelling::did_you_mean;

/// Reads `bgp-communities`. A wrong value is an error even if nothing uses it.
pub(crate) fn mapping(field: Field<'_>, report: &mut Report<'_>) -> Vec<CommunityAliasDraft> {
    let Some(mapping) = field.mapping(report) else { return Vec::new() };

    let mut seen = BTreeSet::new();
    let mut aliases = Vec::new();
    for (name, field) in mapping.fields() {
        // A repeated key has been reported as such.
        if seen.insert(name.to_owned()) {
            aliases.push(alias(name.to_owned(), field, Format::ConfigMap, report));
        }
    }
    aliases
}

/// Reads `communities` of a Community resource.
pub(crate) fn list(field: Field<'_>, report: &mut Report<'_>) -> Vec<CommunityAliasDraft> {
    let items: Vec<_> = field.list(report).collect();

    let mut aliases = Vec::new();
    for item in items {
        let Some(entry) = item.mapping(report) else { continue };
        entry.only(&["name", "value"], report);

        let name = entry.required("name", "the community's name", report);
        let name = name.and_then(|field| Some(field.string(report)?.to_owned()));
        let value = entry.required("value", "the community", report);
        if let (Some(name), Some(value)) = (name, value) {
            aliases.push(alias(name, value, Format::Resources, report));
        }
    }
    aliases
}

fn alias(
    name: String,
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> CommunityAliasDraft {
    let text = field.word(format, report);
    let value = text.and_then(numeric);
    if text.is_some() && value.is_none() {
        field.expected(report, NUMERIC);
    }
    CommunityAliasDraft { name, value, place: field.place(report) }
}

/// The communities by the names that the configuration gives them. The value is missing if it could not be read.
#[derive(Debug, Default)]
pub(crate) struct CommunityAliases(BTreeMap<String, (Option<AnyCommunity>, Place)>);

impl CommunityAliases {
    /// The first alias of each name. Others of the name are reported.
    pub(crate) fn new(drafts: &[CommunityAliasDraft], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut aliases: BTreeMap<String, (Option<AnyCommunity>, Place)> = BTreeMap::new();
        for draft in drafts {
            if let Some((_, first)) = aliases.get(&draft.name) {
                let message = format!("another community is named {:?} at {first}", draft.name);
                report::error(diagnostics, &draft.place, message);
                continue;
            }
            aliases.insert(draft.name.clone(), (draft.value, draft.place.clone()));
        }
        Self(aliases)
    }

    /// Returns the community that a text refers to: an alias, or else numbers.
    pub(crate) fn resolve(
        &self,
        reference: &Reference,
        format: Format,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<AnyCommunity> {
        let name = &reference.name;
        if let Some((community, _)) = self.0.get(name) {
            return *community;
        }
        if let Some(community) = numeric(name) {
            return Some(community);
        }

        if !report::is_full(diagnostics) {
            let hint = self.hint(name, format);
            let message = format!("{:?} is not a community, {hint}", clipped(name));
            report::error(diagnostics, &reference.place, message);
        }
        None
    }

    fn hint(&self, name: &str, format: Format) -> String {
        if let Some((_, value)) = WELL_KNOWN.iter().find(|(known, _)| *known == name) {
            return format!("write {value}, well-known names are not built in");
        }
        if let Some(hint) = did_you_mean(name, self.0.keys().map(String::as_str)) {
            return hint;
        }
        match format {
            Format::ConfigMap => format!("expected a name from bgp-communities or {NUMERIC}"),
            Format::Resources => format!("expected a name from a Community resource or {NUMERIC}"),
        }
    }
}

/// Reads two numbers of 16 bits, or `large:` and three numbers of 32 bits; no names.
fn numeric(text: &str) -> Option<AnyCommunity> {
    if let Some(numbers) = text.strip_prefix("large:") {
        let mut parts = numbers.split(':').map(number::<u32>);
        let (global, first, second) = (parts.next()??, parts.next()??, parts.next()??);
        let large = LargeCommunity::new(global, first, second);
        return parts.next().is_none().then_some(AnyCommunity::Large(large));
    }

    let (high, low) = text.split_once(':')?;
    Some(AnyCommunity::Standard(Community::new(number(high)?, number(low)?)))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    // The parser of the standard library also takes a sign.
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

const NUMERIC: &str = "two numbers up to 65535 such as 64512:100, or large:64512:1:100";

/// The names that routers give to the communities of RFC 1997, 3765, 7999 and 8326. MetalLB has no such names.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("no-export", "65535:65281"),
    ("no-advertise", "65535:65282"),
    ("no-export-subconfed", "65535:65283"),
    ("no-peer", "65535:65284"),
    ("blackhole", "65535:666"),
    ("graceful-shutdown", "65535:0"),
];
