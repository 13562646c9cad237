//! Adj-RIB-Out: what one peer should have, what it has been told, and hence what to tell it next
//! (RFC 4271, section 3.2).
//!
//! Nothing here is a queue of messages, and nothing is a copy of the routes: what the peer should have is a table
//! shared with all who should have the same, and what it has been told is a difference to that. A change only
//! moves a prefix into the set of those still to be announced, grouped by attributes, or to be withdrawn; a second
//! change to the same prefix moves it again. Memory is bounded by the number of routes, however often they change,
//! and a flap that the peer never saw costs nothing.
//!
//! Many routes at once, as for a new session or a route refresh, are a [`Replay`](replay::Replay): a walk over a
//! table that does not change meanwhile, so that how far it has come is all there is to know of each route.

mod family;
mod replay;
mod withheld;

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::{Route, RouteSet, Unsendable, UnsendableRoute};
use crate::wire::PathAttributes;

use self::family::Family;

/// The Adj-RIB-Out of one peer.
#[derive(Debug, Default)]
pub struct AdjRibOut {
    v4: Family<Key4>,
    v6: Family<Key6>,
    /// Families of the session of which no routes are held, and whose End-of-RIB is still to be sent.
    others: BTreeSet<AfiSafi>,
    /// End-of-RIB is not to be sent yet, see [`AdjRibOut::hold_end_of_rib`].
    end_of_rib_held: bool,
}

/// What to send next; withdrawals first, since they say that traffic is being lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Withdraw prefixes of this family: take them by [`AdjRibOut::take_unreach`].
    Unreach(AfiSafi),
    /// Announce prefixes of this family with these attributes: take them by [`AdjRibOut::take_reach`].
    Reach(AfiSafi, Arc<PathAttributes>),
    /// Everything of this family has been announced: send an End-of-RIB (RFC 4724, section 2) and confirm it by
    /// [`AdjRibOut::marker_sent`].
    EndOfRib(AfiSafi),
    /// A route refresh begins: send a BoRR (RFC 7313, section 4) and confirm it by [`AdjRibOut::marker_sent`].
    BeginningOfRefresh(AfiSafi),
    /// A route refresh is complete: send an EoRR (RFC 7313, section 4) and confirm it by
    /// [`AdjRibOut::marker_sent`].
    EndOfRefresh(AfiSafi),
}

/// Calls the same on the family's half.
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
    /// Empty, without a session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A session begins: everything desired is to be announced, then an End-of-RIB for each family. Of the families
    /// in `several_paths` the peer gets every path to a prefix (RFC 7911), of the others the first.
    pub fn session_up(&mut self, families: &[AfiSafi], several_paths: &[AfiSafi]) {
        self.session_down();
        for family in families {
            let several = several_paths.contains(family);
            of_family!(self, *family, half => half.session_up(several), {
                self.others.insert(*family);
            });
        }
    }

    /// The session is over: the peer has forgotten all it was told.
    pub fn session_down(&mut self) {
        self.v4.session_down();
        self.v6.session_down();
        self.others.clear();
    }

    /// Announces everything of `family` again: the peer asked for a route refresh (RFC 2918). Where `bracketed`, BoRR
    /// and EoRR stand around it (RFC 7313). One that is asked for while another, or the first announcement, is under
    /// way follows that.
    pub fn refresh(&mut self, family: AfiSafi, bracketed: bool) {
        of_family!(self, family, half => half.refresh(bracketed), ());
    }

    /// Announces everything again, since the same routes are now sent with other attributes.
    pub fn repeat(&mut self) {
        self.v4.repeat();
        self.v6.repeat();
    }

    /// While held, no End-of-RIB is offered: the speaker restarts, and does not know yet what it has to announce
    /// (RFC 4724, section 4.1).
    pub fn hold_end_of_rib(&mut self, held: bool) {
        self.end_of_rib_held = held;
    }

    /// Makes `routes` the whole of what the peer should have.
    pub fn set(&mut self, routes: &RouteSet) {
        self.v4.set(&routes.v4);
        self.v6.set(&routes.v6);
    }

    /// The peer should have this route.
    pub fn announce(&mut self, route: &Route) {
        let (prefix, path_id) = (route.prefix(), route.path_id());
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.change(key, Some(route.attributes()));
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.change(key, Some(route.attributes()));
        }
    }

    /// The peer should not have any route to `prefix`.
    pub fn withdraw(&mut self, prefix: IpNet) {
        fn all<K: Key>(family: &mut Family<K>, key: K) {
            while let Some((key, _)) = family.desired().first_of(key) {
                family.change(key, None);
            }
        }
        if let Some(key) = Key4::new(prefix, 0) {
            all(&mut self.v4, key);
        } else if let Some(key) = Key6::new(prefix, 0) {
            all(&mut self.v6, key);
        }
    }

    /// The peer should not have the path with this identifier to `prefix`.
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: u32) {
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.change(key, None);
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.change(key, None);
        }
    }

    /// What to send next. While `hold_reach`, no announcement is offered, nor anything that is to follow one: the
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
        let other = || self.others.first().filter(|_| !held).copied().map(Pending::EndOfRib);
        v4.closing(held).or_else(|| v6.closing(held)).or_else(other)
    }

    /// Whether an announcement is still to be made.
    #[must_use]
    pub fn has_reach(&self) -> bool {
        self.v4.next_reach().is_some() || self.v6.next_reach().is_some()
    }

    /// Gives the prefixes that [`Pending::Reach`] means, with their path identifiers, to `push`, until it answers that
    /// no more fit; those taken count as advertised. Returns how many.
    pub fn take_reach(&mut self, family: AfiSafi, push: impl FnMut(IpNet, u32) -> bool) -> usize {
        of_family!(self, family, half => half.take_reach(push), 0)
    }

    /// Drops all that [`Pending::Reach`] means, which cannot be sent on this session for this reason; it is not offered
    /// again before it changes, and what the peer was told before of these prefixes is withdrawn. Returns the number of
    /// prefixes.
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

    /// The number of changes of the set of skipped routes, so that a reader knows when to look at it again.
    #[must_use]
    pub fn withheld_changes(&self) -> u64 {
        self.v4.withheld().changes() + self.v6.withheld().changes()
    }

    /// The number of routes of this family that the peer should have.
    #[must_use]
    pub fn desired_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.desired().len(), 0)
    }

    /// How many prefixes [`take_reach`](Self::take_reach) has to give, at most.
    #[must_use]
    pub fn reach_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.reach_len(), 0)
    }

    /// How many prefixes [`take_unreach`](Self::take_unreach) has to give, at most.
    #[must_use]
    pub fn unreach_len(&self, family: AfiSafi) -> usize {
        of_family!(self, family, half => half.unreach_len(), 0)
    }

    /// Gives prefixes to withdraw, with their path identifiers, to `push`, until it answers that no more fit. Returns
    /// how many.
    pub fn take_unreach(&mut self, family: AfiSafi, push: impl FnMut(IpNet, u32) -> bool) -> usize {
        of_family!(self, family, half => half.take_unreach(push), 0)
    }

    /// The End-of-RIB, BoRR or EoRR that was offered was sent.
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

    /// The routes that the peer has been told of, with the attributes as they were originated. Made for the asking: it
    /// costs a pass over all routes.
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
