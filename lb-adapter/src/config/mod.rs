//! Configuration text to [`Config`], with every problem named.
//!
//! There are two formats: the YAML that MetalLB's ConfigMap holds under `data.config` (0.7.3, and what
//! it gained up to 0.12), and the `metallb.io` resources of today. Both are read strictly: an unknown
//! key is an error. Both end in one model; what holds between their parts is judged once for both.
//!
//! This module owns texts and messages. It reads no file and decides nothing about Services. Its
//! tree of located values also serves [`crate::manifest`].

pub(crate) mod advertisements;
pub(crate) mod bfd_profiles;
mod communities;
mod configmap;
mod conflicts;
mod diagnostic;
pub(crate) mod duration;
mod index;
mod labels;
mod lint;
mod overlaps;
pub(crate) mod own;
pub(crate) mod peers;
pub(crate) mod pools;
mod ranges;
mod resolve;
mod schema;
mod selection;
mod unfinished;

pub(crate) mod draft;
pub(crate) mod field;
pub(crate) mod json;
mod managed_fields;
pub(crate) mod report;
pub(crate) mod resources;
pub(crate) mod yaml;

use std::collections::BTreeMap;

pub(crate) use configmap::looks_like;
pub(crate) use diagnostic::settle;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub(crate) use lint::Around;
pub(crate) use lint::lint;
pub(crate) use resolve::{Absence, Secrets, resolve};
pub use resources::selects_node;
pub use yaml::Value;

use crate::model::Config;
use crate::spelling::nearest;
use draft::Draft;
use field::{Field, Path};
use report::Report;
use yaml::Position;

/// A configuration that takes effect, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// Warnings, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the bare text of a configuration, as it stands under `data.config` of the ConfigMap.
///
/// An empty text is an empty configuration. The file's name is for the diagnostics only.
///
/// # Errors
///
/// The text has an error; all of them are listed, and the warnings too.
pub fn parse(file: &str, text: &str) -> Result<Parsed, Diagnostics> {
    let mut diagnostics = Vec::new();
    let draft = read(text, &mut Report::new(file, &mut diagnostics));
    let secrets = Secrets { known: &BTreeMap::new(), absence: Absence::Error };
    let config = resolve(&draft, secrets, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(Parsed { config, warnings })
}

/// Reads a text of the ConfigMap's format.
pub(crate) fn read(text: &str, report: &mut Report<'_>) -> Draft {
    let (documents, errors) = yaml::documents(text);
    for error in errors {
        report.error(Path::ROOT, error.position, error.message);
    }
    if let Some(second) = documents.get(1) {
        report.error(Path::ROOT, second.position, "expected one YAML document, found another");
    }
    documents.first().map_or_else(Draft::default, |document| {
        let root = Field::root(document);
        field::repeated_keys(root, report);
        read_root(root, report)
    })
}

/// Reads a document of the ConfigMap's format.
pub(crate) fn read_root(root: Field<'_>, report: &mut Report<'_>) -> Draft {
    configmap::read(root, report)
}

/// Whether the word is perhaps the other one, misspelt.
pub fn resembles(word: &str, other: &str) -> bool {
    nearest(word, std::iter::once(other)).is_some()
}

/// The error for a text of octets that is no UTF-8, at the first octet that is wrong.
pub(crate) fn not_utf8(error: &std::str::Utf8Error, octets: &[u8]) -> (Position, &'static str) {
    let good = octets.get(..error.valid_up_to()).unwrap_or_default();
    let good = String::from_utf8_lossy(good);
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (Position { line: narrow(line), column: narrow(column) }, "expected UTF-8 text")
}

#[cfg(test)]
mod tests;
