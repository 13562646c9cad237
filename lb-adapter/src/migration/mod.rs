//! A ConfigMap of MetalLB up to 0.12 as the resources of today.
//!
//! Owns the resources and their names, which are those of MetalLB's own converter. Reads and prints nothing.

mod names;
mod resources;

use crate::manifest::Examination;

pub use resources::Migrated;

/// Returns the resources that say what these files say, for this namespace; `None` if the files have errors.
pub fn migrate(examined: &Examination, namespace: &str) -> Option<Migrated> {
    let (manifests, draft) = (examined.manifests.as_ref()?, examined.draft.as_ref()?);
    Some(resources::of(&manifests.config, draft, namespace))
}

#[cfg(test)]
mod tests;
