//! Adj-RIB-In: what one peer has told us (RFC 4271, section 3.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::wire::PathAttributes;

/// The routes received from one peer and still valid.
#[derive(Clone, Debug, Default)]
pub struct AdjRibIn {
    routes: BTreeMap<IpNet, Arc<PathAttributes>>,
}

impl AdjRibIn {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an announcement, and says whether it changed anything.
    pub fn announce(&mut self, prefix: IpNet, attributes: &Arc<PathAttributes>) -> bool {
        match self.routes.insert(prefix, Arc::clone(attributes)) {
            Some(before) => before != *attributes,
            None => true,
        }
    }

    /// Takes a withdrawal, and says whether there was a route.
    pub fn withdraw(&mut self, prefix: &IpNet) -> bool {
        self.routes.remove(prefix).is_some()
    }

    /// Forgets everything: the session is over. What was there is returned.
    pub fn clear(&mut self) -> Vec<IpNet> {
        std::mem::take(&mut self.routes).into_keys().collect()
    }

    /// The attributes of the route to `prefix`.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Arc<PathAttributes>> {
        self.routes.get(prefix)
    }

    /// The routes, in the order of prefixes.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &Arc<PathAttributes>)> {
        self.routes.iter()
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}
