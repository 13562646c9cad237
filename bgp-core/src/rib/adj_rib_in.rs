//! Adj-RIB-In: what one peer has told us (RFC 4271, section 3.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::wire::PathAttributes;

/// The routes received from one peer and still valid.
#[derive(Clone, Debug, Default)]
pub struct AdjRibIn {
    routes: BTreeMap<IpNet, Arc<PathAttributes>>,
    /// How many of them are of IPv4.
    ipv4: usize,
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
            None => {
                self.ipv4 += usize::from(is_ipv4(&prefix));
                true
            }
        }
    }

    /// Takes a withdrawal, and says whether there was a route.
    pub fn withdraw(&mut self, prefix: &IpNet) -> bool {
        let held = self.routes.remove(prefix).is_some();
        self.ipv4 -= usize::from(held && is_ipv4(prefix));
        held
    }

    /// Forgets everything: the session is over. What was there is returned.
    pub fn clear(&mut self) -> Vec<IpNet> {
        self.ipv4 = 0;
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

    /// How many routes of `family` there are.
    #[must_use]
    pub fn len_of(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.ipv4,
            AfiSafi::IPV6_UNICAST => self.routes.len() - self.ipv4,
            _ => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

fn is_ipv4(prefix: &IpNet) -> bool {
    matches!(prefix, IpNet::V4(_))
}
