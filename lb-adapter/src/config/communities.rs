//! Communities: their names, `bgp-communities` in the ConfigMap and Community resources, and the
//! texts that mean one.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::draft::{AliasDraft, AnyCommunity, Format, Reference};
use super::field::Field;
use super::index::meant;
use super::report::{self, Place, Report};
use crate::model::{Community, LargeCommunity};

/// Reads `bgp-communities`. A wrong value is an error whether or not anything uses it.
pub(crate) fn mapping(field: Field<'_>, report: &mut Report<'_>) -> Vec<AliasDraft> {
    let Some(mapping) = field.mapping(report) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut aliases = Vec::new();
    // A repeated key is told of as such.
    for (name, field) in mapping.fields().filter(|(name, _)| seen.insert((*name).to_owned())) {
        aliases.push(alias(name.to_owned(), field, Format::ConfigMap, report));
    }
    aliases
}

/// Reads `communities` of a Community resource.
pub(crate) fn list(field: Field<'_>, report: &mut Report<'_>) -> Vec<AliasDraft> {
    let items: Vec<_> = field.list(report).collect();
    let mut aliases = Vec::new();
    for item in items {
        let Some(entry) = item.mapping(report) else { continue };
        entry.only(&["name", "value"], report);
        let name = entry.required("name", "the community's name", report);
        let name = name.and_then(|field| Some(field.string(report)?.to_owned()));
        let Some(value) = entry.required("value", "the community", report) else { continue };
        let Some(name) = name else { continue };
        aliases.push(alias(name, value, Format::Resources, report));
    }
    aliases
}

fn alias(name: String, field: Field<'_>, format: Format, report: &mut Report<'_>) -> AliasDraft {
    let value = field.word(format, report).and_then(|text| {
        let community = numeric(text);
        if community.is_none() {
            field.expected(report, NUMERIC);
        }
        community
    });
    AliasDraft { name, value, place: report.place_of(&field) }
}

/// Communities by the names that the configuration gives them.
#[derive(Debug, Default)]
pub(crate) struct Aliases(BTreeMap<String, (Option<AnyCommunity>, Place)>);

impl Aliases {
    /// Of these the first of each name.
    pub(crate) fn new(drafts: &[AliasDraft], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut aliases = BTreeMap::new();
        for draft in drafts {
            if let Some((_, first)) = aliases.get(&draft.name) {
                let first: &Place = first;
                let message =
                    format!("another community is named {:?} at {}", draft.name, first.shown());
                report::error(diagnostics, &draft.place, message);
                continue;
            }
            aliases.insert(draft.name.clone(), (draft.value, draft.place.clone()));
        }
        Self(aliases)
    }

    /// The community of a text: an alias, or else numbers.
    pub(crate) fn resolve(
        &self,
        text: &Reference,
        format: Format,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<AnyCommunity> {
        if let Some((community, _)) = self.0.get(&text.name) {
            return *community;
        }
        if let Some(community) = numeric(&text.name) {
            return Some(community);
        }
        if report::is_full(diagnostics) {
            return None;
        }
        let hint = match WELL_KNOWN.iter().find(|(name, _)| *name == text.name) {
            Some((_, value)) => format!("write {value}, no name is built in"),
            None => match meant(&text.name, self.0.keys().map(String::as_str)) {
                Some(alias) => alias,
                None if format == Format::ConfigMap => {
                    format!("expected a name of bgp-communities or {NUMERIC}")
                }
                None => format!("expected a name of a Community resource or {NUMERIC}"),
            },
        };
        let shown = super::field::clipped(&text.name);
        report::error(diagnostics, &text.place, format!("{shown:?} is no community, {hint}"));
        None
    }
}

/// Two numbers of 16 bits, or `large:` and three of 32; no names.
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
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

const NUMERIC: &str = "two numbers up to 65535 such as 64512:100, or large:64512:1:100";

/// What routers call communities of RFC 1997, 3765, 7999 and 8326. MetalLB knows no such names.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("no-export", "65535:65281"),
    ("no-advertise", "65535:65282"),
    ("no-export-subconfed", "65535:65283"),
    ("no-peer", "65535:65284"),
    ("blackhole", "65535:666"),
    ("graceful-shutdown", "65535:0"),
];
