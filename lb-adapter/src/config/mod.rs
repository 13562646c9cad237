//! Configuration texts, read into a [`Config`] with every problem reported at its place.
//!
//! There are two formats: the YAML that MetalLB's ConfigMap holds under `data.config` (0.7.3, and the keys added up to 0.12), and
//! the `metallb.io` resources of current MetalLB. Both are read strictly: an unknown key is an error.
//!
//! ```text
//! text ─► yaml ┐
//!              ├─► tree ─► field ─► peers, pools, advertisements ... ─► draft ─► resolve ─► Config
//! text ─► json ┘                    (called by configmap or resources)       └─► lint
//! ```
//!
//! This module owns texts and messages. It reads no file and decides nothing about Services. [`crate::manifest`] reads other
//! objects with its trees and fields.

pub(crate) mod advertisements;
pub(crate) mod bfd_profiles;
pub(crate) mod draft;
pub(crate) mod duration;
pub(crate) mod extensions;
pub(crate) mod field;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod passwords;
pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod pools;
pub(crate) mod report;
pub(crate) mod resources;
pub(crate) mod tree;
pub(crate) mod yaml;

mod address_ranges;
mod advertised;
mod advertisement_conflicts;
mod aggregation;
mod communities;
mod configmap;
mod diagnostic;
mod lint;
mod managed_fields;
mod range_overlaps;
mod resolve;
mod schema;
mod selectors;
mod text_hints;
mod timers;

use std::collections::BTreeMap;

pub(crate) use configmap::{looks_like, read as read_root};
pub(crate) use diagnostic::settle;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub(crate) use lint::{ClusterObjects, lint};
pub(crate) use resolve::{MissingSecret, Secrets, resolve};
pub use resources::selects_node;
pub use tree::Value;

use crate::model::Config;
pub use crate::spelling::resembles;
use draft::Draft;
use field::{Field, FieldPath};
use report::Report;

/// A configuration that takes effect, and warnings about it.
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
/// The text has an error. All errors and warnings are listed.
pub fn parse(file: &str, text: &str) -> Result<Parsed, Diagnostics> {
    let mut diagnostics = Vec::new();
    let draft = read(text, &mut Report::new(file, &mut diagnostics));

    let secrets = Secrets { known: &BTreeMap::new(), if_missing: MissingSecret::Error };
    let config = resolve(&draft, secrets, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(Parsed { config, warnings })
}

/// Reads a text in the format of the ConfigMap.
pub(crate) fn read(text: &str, report: &mut Report<'_>) -> Draft {
    let (documents, errors) = yaml::documents(text);
    for error in errors {
        report.error(FieldPath::ROOT, error.position, error.message);
    }
    if let Some(second) = documents.get(1) {
        let message = "expected one YAML document, found another";
        report.error(FieldPath::ROOT, second.position, message);
    }

    let Some(document) = documents.first() else { return Draft::default() };
    let root = Field::root(document);
    field::report_repeated_keys(root, report);
    read_root(root, report)
}

#[cfg(test)]
mod tests;
