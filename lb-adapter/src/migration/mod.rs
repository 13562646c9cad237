//! A ConfigMap of MetalLB up to 0.12 as the resources of today.
//!
//! Owns the resources and their names, which are those of MetalLB's own converter. Reads and prints nothing.

mod names;
mod objects;

use crate::manifest::Examination;

pub use objects::Migrated;

/// Returns the resources that say what these files say, for this namespace; `None` if the files have errors.
pub fn migrate(examined: &Examination, namespace: &str) -> Option<Migrated> {
    let (manifests, draft) = (examined.manifests.as_ref()?, examined.draft.as_ref()?);
    Some(objects::of(&manifests.config, draft, namespace))
}

#[cfg(test)]
mod tests;
