//! Errors and warnings of files before they are applied, those about what has no effect included.
//!
//! Owns the judgement of Services, and of routes to peers. Errors of single objects are found by [`crate::config`] and
//! [`crate::manifest`], as they are when the files are put to work.

mod reach;
mod services;

use crate::config::Diagnostic;
use crate::manifest::{self, Manifests, Options, Source};
use crate::planner;

/// All errors and warnings of these files, also about what has no effect, in order of file and line.
/// `name` is what all of them together are called.
pub fn problems(options: &Options, name: &str, sources: &[Source]) -> Vec<Diagnostic> {
    examine(options, name, sources, &planner::PlannerOptions::default()).0
}

/// [`problems`], and the manifests if they have no error, judged as a cluster with these options would.
pub fn examine(
    options: &Options,
    name: &str,
    sources: &[Source],
    serving: &planner::PlannerOptions,
) -> (Vec<Diagnostic>, Option<Manifests>) {
    let manifest::Examination { manifests, draft, services, mut problems } =
        manifest::examine(options, name, sources, Vec::new());
    if let Some(manifests) = &manifests {
        let outcome =
            services::judge(manifests, &services, serving.class.as_deref(), &mut problems);
        reach::judge(manifests, &services, &outcome, serving, &mut problems);
        if let Some(draft) = &draft {
            reach::aggregates(manifests, draft, &outcome, &mut problems);
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    }
    (problems, manifests)
}
