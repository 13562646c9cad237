//! [`VrpChange`]: the step from a table of VRPs to the next, compared once for all peers.

use std::sync::{Arc, Weak};

use ipnet::IpNet;

use super::VrpTable;
use super::vrp_table::Families;

/// A table of VRPs that replaces another, with what differs.
///
/// Comparing two tables takes time in proportion to their sizes, so that a speaker does it once. Clones share the result.
#[derive(Clone, Debug, Default)]
pub struct VrpChange {
    /// Identifies the table before, and keeps none of its VRPs.
    before: Weak<Families>,
    after: VrpTable,
    prefixes: Arc<[IpNet]>,
}

impl VrpChange {
    /// Compares two tables.
    #[must_use]
    pub fn between(before: &VrpTable, after: &VrpTable) -> Self {
        Self {
            before: Arc::downgrade(&before.families),
            after: after.clone(),
            prefixes: before.changed_prefixes(after).into(),
        }
    }

    /// The new table.
    #[must_use]
    pub fn after(&self) -> &VrpTable {
        &self.after
    }

    /// Returns true if both tables have the same VRPs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The [changed prefixes](VrpTable::changed_prefixes) for who has this table so far. `None` if it is not the one that the
    /// change begins with: anything may differ.
    pub(crate) fn prefixes_since(&self, table: &VrpTable) -> Option<&[IpNet]> {
        let has_it = Arc::ptr_eq(&table.families, &self.after.families);
        if has_it || (table.is_empty() && self.after.is_empty()) {
            return Some(&[]);
        }
        let is_before = std::ptr::eq(Arc::as_ptr(&table.families), self.before.as_ptr());
        is_before.then_some(&*self.prefixes)
    }
}
