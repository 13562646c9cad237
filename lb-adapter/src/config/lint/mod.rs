//! Warnings about settings without effect, or with an effect that is probably not intended. A configuration with warnings
//! still takes effect.

mod advertisements;
mod linter;
mod peers;
mod pools;
mod selectors;
mod unused;

pub(crate) use linter::ClusterObjects;
use linter::Linter;

use super::diagnostic::Diagnostic;
use super::draft::Draft;
use crate::model::Config;

/// Adds the warnings about a configuration.
///
/// If there are errors, there are no warnings about missing or unused objects: they may only be misspelt.
pub(crate) fn lint(
    draft: &Draft,
    config: &Config,
    cluster: ClusterObjects<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut linter = Linter::new(draft, config, cluster, diagnostics);
    peers::check(&mut linter);
    pools::check(&mut linter);
    advertisements::check(&mut linter);
    selectors::check(&mut linter);
    unused::check_bfd_profiles(&mut linter);
    unused::check_communities(&mut linter);
}
