//! Errors and warnings about files before they are applied, including warnings about objects without effect.
//!
//! Owns the checks of Services and of their routes. [`crate::config`] and [`crate::manifest`] find the errors of single
//! objects, as they do when the files are applied.

mod routes;
mod services;

use crate::config::Diagnostic;
use crate::manifest::{self, Manifests, Options, Source};
use crate::planner::PlannerOptions;

/// Returns all errors and warnings about these files, in order of file and line. `name` stands for all files together.
pub fn problems(options: &Options, name: &str, sources: &[Source]) -> Vec<Diagnostic> {
    examine(options, name, sources, &PlannerOptions::default()).0
}

/// Returns the [`problems`] that a cluster with these options would have, and the manifests if they have no error.
pub fn examine(
    options: &Options,
    name: &str,
    sources: &[Source],
    planner_options: &PlannerOptions,
) -> (Vec<Diagnostic>, Option<Manifests>) {
    let manifest::Examination { manifests, draft, services, mut problems } =
        manifest::examine(options, name, sources, Vec::new());

    if let Some(manifests) = &manifests {
        let class = planner_options.class.as_deref();
        let outcome = services::check(manifests, &services, class, &mut problems);
        routes::check(manifests, &services, &outcome, planner_options, &mut problems);
        if let Some(draft) = &draft {
            routes::check_aggregates(manifests, draft, &outcome, &mut problems);
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    }
    (problems, manifests)
}
