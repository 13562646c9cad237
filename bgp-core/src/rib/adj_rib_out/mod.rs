//! Adj-RIB-Out: the routes that one peer should have, those that were advertised to it, and the difference to send next
//! (RFC 4271, section 3.2).
//!
//! It contains no queue of messages and no copy of the routes. The desired routes are a table that is shared with all
//! peers that should have the same routes, and the advertised routes are a difference to that table. A change only moves
//! a prefix into the set of those to announce, grouped by attributes, or of those to withdraw. A second change to the same
//! prefix moves it again. So memory is bounded by the number of routes, however often they change, and a flap that the
//! peer never saw costs nothing.
//!
//! Many routes at once, as for a new session or a route refresh, are a [`Replay`](replay::Replay): a walk over a table that
//! does not change, so that its progress is the only record of each route.

mod family;
mod listing;
mod replay;
mod times;
mod withheld;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::{Route, RouteSet, Unsendable, UnsendableRoute};
use crate::wire::PathAttributes;

use self::family::Family;

pub use self::listing::{OutPage, OutRoute, OutRouteState};

/// The Adj-RIB-Out of one peer.
#[derive(Debug, Default)]
pub struct AdjRibOut {
    v4: Family<Key4>,
    v6: Family<Key6>,
    /// Families of the session that have no routes here, and whose End-of-RIB has to be sent.
    others: BTreeSet<AfiSafi>,
    /// The first time that the RIB was told. Ages are counted from here.
    epoch: Option<Instant>,
    /// True if End-of-RIB must not be sent yet, see [`AdjRibOut::hold_end_of_rib`].
    end_of_rib_held: bool,
}

/// The next thing to send. Withdrawals come first, because traffic is being lost until the peer gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Withdraw prefixes of this family. Take them by [`AdjRibOut::take_unreach`].
    Unreach(AfiSafi),
    /// Announce prefixes of this family with these attributes. Take them by [`AdjRibOut::take_reach`].
    Reach(AfiSafi, Arc<PathAttributes>),
    /// All routes of this family are announced. Send an End-of-RIB (RFC 4724, section 2) and confirm it by
    /// [`AdjRibOut::marker_sent`].
    EndOfRib(AfiSafi),
    /// A route refresh begins. Send a BoRR (RFC 7313, section 4) and confirm it by [`AdjRibOut::marker_sent`].
    BeginningOfRefresh(AfiSafi),
    /// A route refresh is complete. Send an EoRR (RFC 7313, section 4) and confirm it by
    /// [`AdjRibOut::marker_sent`].
    EndOfRefresh(AfiSafi),
}

/// Evaluates `$call` for the half of the RIB that has the family.
macro_rules! of_family {
    ($rib:ident, $family:expr, $half:ident => $call:expr, $none:expr) => {
        match $family {
            AfiSafi::IPV4_UNICAST => {
                let Self { v4: $half, .. } = $rib;
                $call
            }
            AfiSafi::IPV6_UNICAST => {
                let Self { v6: $half, .. } = $rib;
                $call
            }
            _ => $none,
        }
    };
}

impl AdjRibOut {
    /// An empty RIB without a session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a session: all desired routes have to be announced, then an End-of-RIB for each family. The peer gets every path
    /// to a prefix of the families in `several_paths` (RFC 7911), and the first path of the others.
    pub fn session_up(&mut self, families: &[AfiSafi], several_paths: &[AfiSafi]) {
        self.session_down();
        for family in families {
            let several = several_paths.contains(family);
            of_family!(self, *family, half => half.session_up(several), {
                self.others.insert(*family);
            });
        }
    }

    /// Ends the session: the peer has none of our routes any more.
    pub fn session_down(&mut self) {
        self.v4.session_down();
        self.v6.session_down();
        self.others.clear();
    }

    /// Announces all routes of `family` again, because the peer asked for a route refresh (RFC 2918). If `bracketed`, BoRR and
    /// EoRR stand around them (RFC 7313). A request during another refresh, or during the first announcement, is served
    /// after it.
    pub fn refresh(&mut self, family: AfiSafi, bracketed: bool) {
        of_family!(self, family, half => half.refresh(bracketed), ());
    }

    /// Announces all routes again, because the same routes are now sent with other attributes.
    pub fn repeat(&mut self) {
        self.v4.repeat();
        self.v6.repeat();
    }

    /// Holds End-of-RIB back or allows it again. A speaker that restarts holds it back until it knows its routes (RFC 4724,
    /// section 4.1).
    pub fn hold_end_of_rib(&mut self, held: bool) {
        self.end_of_rib_held = held;
    }

    /// Replaces all routes that the peer should have.
    pub fn set(&mut self, routes: &RouteSet) {
        self.v4.set(&routes.v4);
        self.v6.set(&routes.v6);
    }

    /// Adds a route that the peer should have.
    pub fn announce(&mut self, route: &Route) {
        let (prefix, path_id) = (route.prefix(), route.path_id());
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.change(key, Some(route.attributes()));
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.change(key, Some(route.attributes()));
        }
    }

    /// Removes every route to `prefix` from those that the peer should have.
    pub fn withdraw(&mut self, prefix: IpNet) {
        if let Some(key) = Key4::new(prefix, 0) {
            self.v4.withdraw(key);
        } else if let Some(key) = Key6::new(prefix, 0) {
            self.v6.withdraw(key);
        }
    }

    /// Removes the path with this identifier to `prefix` from the routes that the peer should have.
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: u32) {
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.change(key, None);
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.change(key, None);
        }
    }

    /// The next thing to send. With `hold_reach`, no announcement is offered and nothing that has to follow one, because the
    /// MinRouteAdvertisementIntervalTimer runs.
    #[must_use]
    pub fn pending(&self, hold_reach: bool) -> Option<Pending> {
        let (v4, v6) = (&self.v4, &self.v6);
        if v4.has_unreach() || v6.has_unreach() {
            let family = if v4.has_unreach() { Key4::FAMILY } else { Key6::FAMILY };
            return Some(Pending::Unreach(family));
        }

        if self.has_reach() && hold_reach {
            return None;
        }
        if let Some(pending) = v4.opening().or_else(|| v6.opening()) {
            return Some(pending);
        }
        if let Some(attributes) = v4.next_reach() {
            return Some(Pending::Reach(Key4::FAMILY, Arc::clone(attributes)));
        }
        if let Some(attributes) = v6.next_reach() {
            return Some(Pending::Reach(Key6::FAMILY, Arc::clone(attributes)));
        }

        let held = self.end_of_rib_held;
        if let Some(pending) = v4.closing(held).or_else(|| v6.closing(held)) {
            return Some(pending);
        }
        if held {
            return None;
        }
        self.others.first().copied().map(Pending::EndOfRib)
    }

    /// Returns true if there are routes to announce.
    #[must_use]
    pub fn has_reach(&self) -> bool {
        self.v4.next_reach().is_some() || self.v6.next_reach().is_some()
    }

    /// Passes the prefixes of [`Pending::Reach`] with their path identifiers to `push`, until it returns false because no more
    /// fit. The taken prefixes count as advertised. Returns their number.
    pub fn take_reach(&mut self, family: AfiSafi, push: impl FnMut(IpNet, u32) -> bool) -> usize {
        of_family!(self, family, half => half.take_reach(push), 0)
    }

    /// Skips all routes of [`Pending::Reach`], which cannot be sent on this session for this reason. They are not offered again
    /// before they change, and older routes to these prefixes are withdrawn. Returns the number of prefixes.
    pub fn skip_reach(&mut self, family: AfiSafi, why: Unsendable) -> usize {
        of_family!(self, family, half => half.skip_reach(why), 0)
    }

    /// The routes that were [skipped](Self::skip_reach) on this session, IPv4 before IPv6, each with the reason.
    pub fn withheld(&self) -> impl Iterator<Item = UnsendableRoute> {
        let v4 = self.v4.withheld().iter().map(|(key, why)| unsendable(key, why));
        let v6 = self.v6.withheld().iter().map(|(key, why)| unsendable(key, why));
        v4.chain(v6)
    }

    /// The number of routes that were [skipped](Self::skip_reach) on this session.
    #[must_use]
    pub fn withheld_len(&self) -> usize {
        self.v4.withheld().len() + self.v6.withheld().len()
    }

    /// The number of changes of the set of skipped routes, so that a reader knows when to read it again.
    #[must_use]
    pub fn withheld_changes(&self) -> u64 {
        self.v4.withheld().changes() + self.v6.withheld().changes()
    }

    /// The number of routes that the peer should have.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.desired().len() + self.v6.desired().len()
    }

    /// Returns true if the peer should have no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if routes wait to be announced or withdrawn.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.has_reach() || self.v4.has_unreach() || self.v6.has_unreach()
    }

    /// The number of routes of this family that the peer should have.
    #[must_use]
    pub fn desired_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.desired().len(), 0)
    }

    /// The largest number of prefixes that [`take_reach`](Self::take_reach) can pass on.
    #[must_use]
    pub fn reach_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.reach_len(), 0)
    }

    /// The largest number of prefixes that [`take_unreach`](Self::take_unreach) can pass on.
    #[must_use]
    pub fn unreach_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.unreach_len(), 0)
    }

    /// Passes the prefixes to withdraw with their path identifiers to `push`, until it returns false because no more fit.
    /// Returns their number.
    pub fn take_unreach(&mut self, family: AfiSafi, push: impl FnMut(IpNet, u32) -> bool) -> usize {
        of_family!(self, family, half => half.take_unreach(push), 0)
    }

    /// Confirms that the offered End-of-RIB, BoRR or EoRR was sent.
    pub fn marker_sent(&mut self, marker: &Pending) {
        match marker {
            Pending::EndOfRib(family)
            | Pending::BeginningOfRefresh(family)
            | Pending::EndOfRefresh(family) => {
                of_family!(self, *family, half => half.marker_sent(marker), {
                    self.others.remove(family);
                });
            }
            Pending::Reach(..) | Pending::Unreach(_) => {}
        }
    }

    /// The routes that were advertised to the peer, with their attributes before the export rules. Each call makes a pass over
    /// all routes.
    #[must_use]
    pub fn advertised(&self) -> RouteSet {
        RouteSet { v4: self.v4.advertised(), v6: self.v6.advertised() }
    }

    /// The routes that the peer should have.
    #[must_use]
    pub fn desired(&self) -> RouteSet {
        RouteSet { v4: self.v4.desired().clone(), v6: self.v6.desired().clone() }
    }
}

fn unsendable<K: Key>(key: K, why: Unsendable) -> UnsendableRoute {
    UnsendableRoute { prefix: key.prefix(), path_id: key.path_id(), why }
}
