//! [`ReceivedRib`]: the routes of the peer before and after the import policy.
//!
//! Those before are only kept while the policy depends on origin validity: they are judged again when VRPs change, without a
//! route refresh (RFC 8481, RFC 9324). Attributes are shared with those after.

use std::sync::Arc;

use crate::AfiSafi;
use crate::rib::{AdjRibIn, InPage, Interner, Nlri};
use crate::wire::PathAttributes;

/// The routes of the peer.
#[derive(Debug, Default)]
pub(super) struct ReceivedRib {
    /// The routes that passed the policy, as it left them: the Adj-RIB-In.
    passed: AdjRibIn,
    /// All routes as they came, or nothing.
    unfiltered: AdjRibIn,
    /// The attributes of the routes. Those that were read from messages depend on the session and on the settings.
    pub(super) interner: Interner,
}

/// Routes with their new attributes, and removed routes.
type Changed = (Vec<(Nlri, Arc<PathAttributes>)>, Vec<Nlri>);

impl ReceivedRib {
    /// The routes that passed the policy.
    pub(super) fn passed(&self) -> &AdjRibIn {
        &self.passed
    }

    /// Adds or replaces a route that passed the policy. Returns true if that changed anything.
    pub(super) fn announce(&mut self, nlri: Nlri, attributes: &Arc<PathAttributes>) -> bool {
        self.passed.announce(nlri, attributes)
    }

    /// Removes a route that the policy rejects. Returns true if there was one.
    pub(super) fn reject(&mut self, nlri: &Nlri) -> bool {
        self.passed.withdraw(nlri)
    }

    /// Removes a route that the peer has withdrawn. Returns true if it had passed.
    pub(super) fn withdraw(&mut self, nlri: &Nlri) -> bool {
        self.unfiltered.withdraw(nlri);
        let had_passed = self.passed.withdraw(nlri);
        self.forget_attributes();
        had_passed
    }

    /// Keeps a route as it came. `None`: no policy can make it usable.
    pub(super) fn keep_unfiltered(&mut self, nlri: Nlri, received: Option<&Arc<PathAttributes>>) {
        match received {
            Some(attributes) => self.unfiltered.announce(nlri, attributes),
            None => self.unfiltered.withdraw(&nlri),
        };
    }

    /// The number of routes as they came.
    pub(super) fn unfiltered_len(&self) -> usize {
        self.unfiltered.len()
    }

    /// Some of the routes as they came.
    pub(super) fn unfiltered_page(&self, from: Nlri, most: usize) -> InPage {
        self.unfiltered.page(Some(from), most)
    }

    pub(super) fn forget_unfiltered(&mut self) {
        self.unfiltered = AdjRibIn::new();
    }

    /// Stores the result of another look at a route as it came, which stays stale if it was. Returns true if that changed
    /// anything.
    pub(super) fn judge_again(
        &mut self,
        nlri: Nlri,
        is_stale: bool,
        passed: Option<&Arc<PathAttributes>>,
    ) -> bool {
        match passed {
            None => self.passed.withdraw(&nlri),
            Some(attributes) if is_stale => self.passed.announce_stale(nlri, attributes),
            Some(attributes) => self.passed.announce(nlri, attributes),
        }
    }

    /// The number of routes of a family that the peer has announced.
    pub(super) fn len_of(&self, family: AfiSafi) -> usize {
        self.passed.len_of(family).max(self.unfiltered.len_of(family))
    }

    /// Removes all routes, and returns those that had passed.
    pub(super) fn clear(&mut self) -> Vec<Nlri> {
        self.forget_unfiltered();
        self.interner.clear();
        self.passed.clear()
    }

    /// Does the same with the routes of a family.
    pub(super) fn clear_family(&mut self, family: AfiSafi) -> Vec<Nlri> {
        self.unfiltered.clear_family(family);
        let withdrawn = self.passed.clear_family(family);
        self.forget_attributes();
        withdrawn
    }

    /// Marks every route of the family as stale.
    pub(super) fn mark_stale(&mut self, family: AfiSafi) {
        self.unfiltered.mark_stale(family);
        self.passed.mark_stale(family);
    }

    /// Removes the routes of the family that are still stale, and returns those that had passed.
    pub(super) fn remove_stale(&mut self, family: AfiSafi) -> Vec<Nlri> {
        self.unfiltered.remove_stale(family);
        let withdrawn = self.passed.remove_stale(family);
        self.forget_attributes();
        withdrawn
    }

    /// Changes or removes the stale routes of the family; see [`AdjRibIn::change_stale`].
    pub(super) fn change_stale(
        &mut self,
        family: AfiSafi,
        change: impl Fn(&Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Changed {
        let interner = &mut self.interner;
        let mut change = |attributes: &_| change(attributes).map(|it| interner.share(it));
        self.unfiltered.change_stale(family, &mut change);
        self.passed.change_stale(family, change)
    }

    /// Forgets the attributes if there are no routes left.
    fn forget_attributes(&mut self) {
        if self.passed.is_empty() && self.unfiltered.is_empty() {
            self.interner.clear();
        }
    }

    /// The number of stale routes of the family.
    pub(super) fn stale(&self, family: AfiSafi) -> usize {
        self.passed.stale(family).max(self.unfiltered.stale(family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_forgotten_with_the_last_route() {
        let mut rib = ReceivedRib::default();
        let nlri: [Nlri; 2] = ["192.0.2.0/24", "2001:db8::/32"]
            .map(|prefix| prefix.parse::<ipnet::IpNet>().expect("a prefix").into());
        let attributes = rib.interner.share(Arc::new(PathAttributes::default()));
        for nlri in nlri {
            rib.announce(nlri, &attributes);
        }

        rib.withdraw(&nlri[0]);
        let again = rib.interner.share(Arc::new(PathAttributes::default()));
        assert!(Arc::ptr_eq(&again, &attributes));
        drop(again);
        rib.withdraw(&nlri[1]);
        assert_eq!(Arc::strong_count(&attributes), 1);
    }
}
