//! Configuration text to [`Config`], with every problem named.
//!
//! The format is the one of MetalLB 0.7.3: the YAML that its ConfigMap holds under `data.config`.
//! Reading is strict as there: an unknown key is an error. It is stricter where MetalLB lets a
//! slip pass that cannot be meant: repeated keys, and ranges that are reversed or mix families.
//!
//! This module owns texts and messages. It reads no file and decides nothing about Services. Its
//! tree of located values also serves [`crate::manifest`].

mod communities;
mod diagnostic;
pub(crate) mod duration;
mod labels;
mod nearest;
mod peers;
mod pools;
mod schema;

pub(crate) mod field;
pub(crate) mod report;
pub(crate) mod yaml;

pub(crate) use diagnostic::settle;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};

use crate::model::Config;
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
    let config = read(text, &mut Report::new(file, &mut diagnostics));
    let warnings = settle(diagnostics)?;
    Ok(Parsed { config, warnings })
}

/// Reads a configuration; it means something only if no error was reported.
pub(crate) fn read(text: &str, report: &mut Report<'_>) -> Config {
    let (documents, errors) = yaml::documents(text);
    for error in errors {
        report.error(Path::ROOT, error.position, error.message);
    }
    if let Some(second) = documents.get(1) {
        report.error(Path::ROOT, second.position, "expected one YAML document, found another");
    }
    documents.first().map_or_else(Config::default, |document| {
        let root = Field::root(document);
        field::repeated_keys(root, report);
        root_mapping(root, report)
    })
}

fn root_mapping(root: Field<'_>, report: &mut Report<'_>) -> Config {
    let Some(root) = root.mapping(report) else { return Config::default() };
    root.only(&["peers", "bgp-communities", "address-pools"], report);
    let peers = root.get("peers").map(|list| peers::read(list, report)).unwrap_or_default();
    let communities =
        root.get("bgp-communities").map(|map| communities::read(map, report)).unwrap_or_default();
    let pools = root
        .get("address-pools")
        .map(|list| pools::read(list, &communities, report))
        .unwrap_or_default();
    Config {
        peers,
        pools: pools.pools,
        bgp_advertisements: pools.bgp_advertisements,
        l2_advertisements: pools.l2_advertisements,
        ..Config::default()
    }
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
