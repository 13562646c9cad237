//! The migration of a ConfigMap of MetalLB up to 0.12 to today's resources.
//!
//! Owns the resources and their names, which are those of MetalLB's own converter. Reads no file and prints nothing.

mod pool;
mod resource_names;
mod resources;
mod spec;

use crate::manifest::Examination;

pub use resources::Migration;

/// Returns the resources that mean the same as these files, for this namespace. Returns `None` if the files have errors.
pub fn migrate(examined: &Examination, namespace: &str) -> Option<Migration> {
    let (manifests, draft) = (examined.manifests.as_ref()?, examined.draft.as_ref()?);
    Some(resources::of(&manifests.config, draft, namespace))
}

#[cfg(test)]
mod tests;
