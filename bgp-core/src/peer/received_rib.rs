//! [`ReceivedRib`]: the routes of the peer before and after the import policy, and the changes that are yet to be made.
//!
//! Those before are only kept while the policy depends on origin validity: they are judged again when VRPs change, without a
//! route refresh (RFC 8481, RFC 9324). Attributes are shared with those after.

use std::sync::Arc;

use crate::AfiSafi;
use crate::peer::ReceivedRoutes;
use crate::rib::{AdjRibIn, Gathered, InPage, Interner, Nlri};
use crate::wire::PathAttributes;

/// The routes of the peer.
#[derive(Debug, Default)]
pub(super) struct ReceivedRib {
    /// The routes that passed the policy, as it left them: the Adj-RIB-In.
    passed: AdjRibIn,
    /// Changes of these routes that are not made yet.
    gathered: Gathered,
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

    /// Gathers a route that passed the policy, or `None` for one that the policy rejects.
    pub(super) fn gather(&mut self, nlri: Nlri, passed: Option<Arc<PathAttributes>>) {
        self.gathered.push(nlri, passed);
    }

    /// Gathers the end of a route that the peer has withdrawn.
    pub(super) fn gather_withdrawn(&mut self, nlri: Nlri) {
        if !self.unfiltered.is_empty() {
            self.unfiltered.withdraw(&nlri);
        }
        self.gathered.push(nlri, None);
    }

    /// The changes that are not made yet.
    pub(super) fn gathered(&self) -> &Gathered {
        &self.gathered
    }

    /// Counts the octets of messages that were handled while changes are gathered.
    pub(super) fn note_gathered_octets(&mut self, octets: usize) {
        self.gathered.note_octets(octets);
    }

    /// Makes no more changes than those that are gathered already, until these are made.
    pub(super) fn end_gathering(&mut self) {
        self.gathered.sort();
    }

    /// Makes some of the gathered changes, in the order of prefixes, and returns what they changed.
    pub(super) fn apply_gathered(&mut self, most: usize) -> ReceivedRoutes {
        let (announced, withdrawn) = self.passed.apply(&mut self.gathered, most);
        self.forget_attributes();
        ReceivedRoutes { announced, withdrawn }
    }

    /// Forgets the changes that are not made yet.
    pub(super) fn forget_gathered(&mut self) {
        self.gathered.clear();
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
        if self.passed.is_empty() && self.unfiltered.is_empty() && self.gathered.is_empty() {
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
            rib.gather(nlri, Some(Arc::clone(&attributes)));
        }
        rib.apply_gathered(2);

        rib.gather_withdrawn(nlri[0]);
        rib.apply_gathered(1);
        let again = rib.interner.share(Arc::new(PathAttributes::default()));
        assert!(Arc::ptr_eq(&again, &attributes));
        drop(again);
        rib.gather_withdrawn(nlri[1]);
        rib.apply_gathered(1);
        assert_eq!(Arc::strong_count(&attributes), 1);
    }
}
