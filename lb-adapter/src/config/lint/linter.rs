//! The configuration that is checked, and the warnings about it.

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::draft::Draft;
use super::super::place::Place;
use super::super::report;
use crate::model::{Config, Namespace, Node, Service};

/// The objects in the files besides the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClusterObjects<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) services: &'a [Service],
    pub(crate) namespaces: &'a [Namespace],
}

/// The configuration that is checked, and the warnings so far.
pub(super) struct Linter<'a> {
    pub(super) draft: &'a Draft,
    pub(super) config: &'a Config,
    pub(super) cluster: ClusterObjects<'a>,
    /// True if everything that was written could be read.
    pub(super) is_complete: bool,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Linter<'a> {
    /// A linter of a configuration with these diagnostics so far.
    pub(super) fn new(
        draft: &'a Draft,
        config: &'a Config,
        cluster: ClusterObjects<'a>,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let is_complete = diagnostics.iter().all(|it| it.severity != Severity::Error);
        Self { draft, config, cluster, is_complete, diagnostics }
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, at: &Place, message: impl Into<String>) {
        report::warning(self.diagnostics, at, message);
    }
}
