//! Adj-RIB-In: what one peer has told us (RFC 4271, section 3.2).

use std::sync::Arc;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::table::Table;
use crate::rib::{Iter, Nlri};
use crate::wire::PathAttributes;

/// The routes received from one peer and still valid.
///
/// Some of them may be stale: the peer has to announce them again, or they go, since it restarts (RFC 4724) or
/// repeats all its routes (RFC 7313).
#[derive(Clone, Debug, Default)]
pub struct AdjRibIn {
    v4: Held<Key4>,
    v6: Held<Key6>,
}

/// The routes of one family.
#[derive(Clone, Debug)]
struct Held<K> {
    routes: Table<K>,
    /// Those of them that are stale.
    stale: Table<K>,
}

/// Routes with their new attributes, and routes that are gone.
type Changed = (Vec<(Nlri, Arc<PathAttributes>)>, Vec<Nlri>);

impl AdjRibIn {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an announcement, and says whether it changed anything. The route is not stale any more.
    pub fn announce(&mut self, nlri: Nlri, attributes: &Arc<PathAttributes>) -> bool {
        let Nlri { prefix, path_id } = nlri;
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.announce(key, attributes)
        } else {
            Key6::new(prefix, path_id).is_some_and(|key| self.v6.announce(key, attributes))
        }
    }

    /// Takes a withdrawal, and says whether there was a route.
    pub fn withdraw(&mut self, nlri: &Nlri) -> bool {
        let Nlri { prefix, path_id } = *nlri;
        let v4 = Key4::new(prefix, path_id).is_some_and(|key| self.v4.withdraw(key));
        v4 || Key6::new(prefix, path_id).is_some_and(|key| self.v6.withdraw(key))
    }

    /// Forgets everything. What was there is returned.
    pub fn clear(&mut self) -> Vec<Nlri> {
        let Self { v4, v6 } = std::mem::take(self);
        v4.routes.iter().map(nlri).chain(v6.routes.iter().map(nlri)).collect()
    }

    /// Forgets all routes of a family. What was there is returned.
    pub fn clear_family(&mut self, family: AfiSafi) -> Vec<Nlri> {
        fn taken<K: Key>(held: &mut Held<K>) -> Vec<Nlri> {
            std::mem::take(held).routes.iter().map(nlri).collect()
        }
        match family {
            AfiSafi::IPV4_UNICAST => taken(&mut self.v4),
            AfiSafi::IPV6_UNICAST => taken(&mut self.v6),
            _ => Vec::new(),
        }
    }

    /// From now on every route of the family is stale.
    pub fn mark_stale(&mut self, family: AfiSafi) {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.stale = self.v4.routes.clone(),
            AfiSafi::IPV6_UNICAST => self.v6.stale = self.v6.routes.clone(),
            _ => {}
        }
    }

    /// Forgets the routes of the family that are still stale, which are returned.
    pub fn remove_stale(&mut self, family: AfiSafi) -> Vec<Nlri> {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.remove_stale(),
            AfiSafi::IPV6_UNICAST => self.v6.remove_stale(),
            _ => Vec::new(),
        }
    }

    /// Gives stale routes of the family other attributes, or forgets them where `change` answers `None`. They stay stale. Returns
    /// what changed, and what is gone.
    pub(crate) fn change_stale(
        &mut self,
        family: AfiSafi,
        change: impl FnMut(&Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Changed {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.change_stale(change),
            AfiSafi::IPV6_UNICAST => self.v6.change_stale(change),
            _ => Default::default(),
        }
    }

    /// How many routes of the family are stale.
    #[must_use]
    pub fn stale(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.stale.len(),
            AfiSafi::IPV6_UNICAST => self.v6.stale.len(),
            _ => 0,
        }
    }

    /// The attributes of the route to `prefix`; of several, of that with the lowest path identifier.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Arc<PathAttributes>> {
        let v4 = Key4::new(*prefix, 0).and_then(|key| self.v4.routes.first_of(key));
        v4.map(|(_, attributes)| attributes)
            .or_else(|| Some(self.v6.routes.first_of(Key6::new(*prefix, 0)?)?.1))
    }

    /// The routes, in the order of prefixes; a prefix comes as often as there are paths to it.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(&self.v4.routes, &self.v6.routes)
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.routes.len() + self.v6.routes.len()
    }

    /// How many routes of `family` there are.
    #[must_use]
    pub fn len_of(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.routes.len(),
            AfiSafi::IPV6_UNICAST => self.v6.routes.len(),
            _ => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &'a AdjRibIn {
    type Item = (IpNet, &'a Arc<PathAttributes>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K> Default for Held<K> {
    fn default() -> Self {
        Self { routes: Table::default(), stale: Table::default() }
    }
}

impl<K: Key> Held<K> {
    fn announce(&mut self, key: K, attributes: &Arc<PathAttributes>) -> bool {
        if !self.stale.is_empty() {
            self.stale.remove(key);
        }
        let before = self.routes.insert(key, Arc::clone(attributes));
        before.is_none_or(|before| before != *attributes)
    }

    fn withdraw(&mut self, key: K) -> bool {
        if !self.stale.is_empty() {
            self.stale.remove(key);
        }
        self.routes.remove(key).is_some()
    }

    fn remove_stale(&mut self) -> Vec<Nlri> {
        let stale = std::mem::take(&mut self.stale);
        for (key, _) in stale.iter() {
            self.routes.remove(key);
        }
        stale.iter().map(nlri).collect()
    }

    fn change_stale(
        &mut self,
        mut change: impl FnMut(&Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Changed {
        let (mut announced, mut withdrawn) = Changed::default();
        let before = std::mem::take(&mut self.stale);
        for (key, attributes) in before.iter() {
            match change(attributes) {
                Some(new) => {
                    if new != *attributes {
                        announced.push((nlri((key, ())), Arc::clone(&new)));
                        self.routes.insert(key, Arc::clone(&new));
                    }
                    self.stale.insert(key, new);
                }
                None => {
                    self.routes.remove(key);
                    withdrawn.push(nlri((key, ())));
                }
            }
        }
        (announced, withdrawn)
    }
}

fn nlri<K: Key, T>((key, _): (K, T)) -> Nlri {
    Nlri { prefix: key.prefix(), path_id: key.path_id() }
}
