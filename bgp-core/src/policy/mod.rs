//! Routing policies as plain data: they select routes and change their attributes (RFC 4271, section 9.1).
//!
//! A policy is applied to each received route before the Adj-RIB-In, and to each of our routes before the Adj-RIB-Out. It
//! knows nothing of sessions. The attribute changes of every session, such as our AS in the path, are in
//! [`ImportRules`](crate::rib::ImportRules) and [`ExportRules`](crate::rib::ExportRules).
//!
//! RFC 8212 requires an explicit policy before any route passes an external session. For received routes that is
//! [`Import`](crate::peer::Import), which keeps nothing by default. For sent routes it is the set of routes that a peer is
//! given: routes of one peer are never passed on to another without it.

mod action;
mod as_path_pattern;
mod asn_set;
mod community_match;
mod condition;
mod prefix_set;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::rpki::VrpTable;
use crate::wire::PathAttributes;
use crate::{Asn, PeerType};

pub use self::action::Action;
pub use self::as_path_pattern::{AsPathPattern, ParseAsPathPatternError};
pub use self::asn_set::AsnSet;
pub use self::community_match::{CommunityMatch, LargeCommunityMatch, ParseCommunityMatchError};
pub use self::condition::Match;
pub use self::prefix_set::{ParsePrefixMatchError, PrefixMatch, PrefixSet};

use self::condition::Subject;

/// The policies of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Policies {
    /// The policy for routes that the peer sends. `None`: all pass unchanged.
    pub import: Option<Arc<Policy>>,
    /// The policy for routes that we send to the peer. `None`: all pass unchanged.
    pub export: Option<Arc<Policy>>,
}

/// The next hops of routes that have none of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "next hops are of IPv4 or of IPv6")]
pub struct NextHops {
    /// The next hop of IPv4 routes. `None`: the session's local address, if it is an IPv4 address, or an IPv6 address and
    /// RFC 8950 was negotiated.
    pub ipv4: Option<Ipv4Addr>,
    /// The next hop of IPv6 routes. On a link-local session it is the global address beside the link-local one (RFC 2545).
    /// `None`: the session's local address, if it is an IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

/// The facts about a route that policies use and that are not among its attributes.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RouteContext<'a> {
    /// The peer that sent the route. `None`: the route is our own.
    pub learned_from: Option<LearnedFrom>,
    /// Our AS, which is the origin of routes with an empty path (RFC 6811, section 2).
    pub local_asn: Asn,
    /// The VRPs for origin validation. `None`: all routes are [`Validity::NotFound`](crate::rpki::Validity::NotFound).
    pub vrps: Option<&'a VrpTable>,
}

/// The peer that sent a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "what policies match of a peer")]
pub struct LearnedFrom {
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's AS.
    pub asn: Asn,
    /// The type of the session.
    pub peer_type: PeerType,
}

/// A list of rules. They are applied in order, and the first that accepts or rejects a route decides.
///
/// ```
/// use bgp_core::policy::{Action, Match, Policy, PrefixMatch, RouteContext, Rule};
/// use bgp_core::wire::{Community, PathAttributes};
///
/// let ours = PrefixMatch::or_longer("172.22.35.64/26".parse()?);
/// let marked = Action::AddCommunity(Community::new(64635, 100));
/// let policy = Policy::reject_all().rule(Rule::accept(Match::prefixes([ours])).action(marked));
///
/// let attributes = PathAttributes::default().into();
/// let own = RouteContext::default();
/// let passed = policy.apply("172.22.35.70/32".parse()?, &attributes, &own).expect("accepted");
/// assert_eq!(passed.communities, [Community::new(64635, 100)]);
/// assert!(policy.apply("10.0.0.0/8".parse()?, &attributes, &own).is_none());
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The verdict on a route that no rule accepts or rejects.
    pub otherwise: Verdict,
}

/// The decision about a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a route passes or it does not")]
pub enum Verdict {
    /// The route passes.
    Accept,
    /// The route does not pass.
    Reject,
}

/// The treatment of matching routes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rule {
    /// The routes that the rule applies to.
    pub matches: Match,
    /// The changes to their attributes, in this order.
    pub actions: Vec<Action>,
    /// The decision about them. `None`: the following rules decide.
    pub verdict: Option<Verdict>,
}

impl<'a> RouteContext<'a> {
    /// The context of our own routes in this AS.
    #[must_use]
    pub fn own(local_asn: Asn) -> Self {
        Self { local_asn, ..Self::default() }
    }

    /// Adds the peer that sent the route.
    #[must_use]
    pub fn learned_from(mut self, peer: LearnedFrom) -> Self {
        self.learned_from = Some(peer);
        self
    }

    /// Adds the VRPs for origin validation.
    #[must_use]
    pub fn vrps(mut self, vrps: &'a VrpTable) -> Self {
        self.vrps = Some(vrps);
        self
    }
}

impl Policy {
    /// A policy without rules that accepts every route.
    #[must_use]
    pub fn accept_all() -> Self {
        Self { rules: Vec::new(), otherwise: Verdict::Accept }
    }

    /// A policy without rules that rejects every route.
    #[must_use]
    pub fn reject_all() -> Self {
        Self { rules: Vec::new(), otherwise: Verdict::Reject }
    }

    /// Adds a rule after the others.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Returns the attributes with which a route passes, or `None` if it does not pass. The `Arc` is the same if nothing
    /// changes.
    #[must_use]
    pub fn apply(
        &self,
        prefix: IpNet,
        attributes: &Arc<PathAttributes>,
        context: &RouteContext<'_>,
    ) -> Option<Arc<PathAttributes>> {
        let mut passing = Arc::clone(attributes);
        let mut subject = Subject::new(prefix, context);
        for rule in &self.rules {
            if !rule.matches.holds(&passing, &subject) {
                continue;
            }
            if rule.verdict == Some(Verdict::Reject) {
                return None;
            }

            for action in &rule.actions {
                action.apply(&mut passing);
            }
            if !rule.actions.is_empty() {
                subject.attributes_changed();
            }
            if rule.verdict == Some(Verdict::Accept) {
                return Some(passing);
            }
        }

        match self.otherwise {
            Verdict::Accept => Some(passing),
            Verdict::Reject => None,
        }
    }

    /// Returns true if a rule depends on the validity of routes, so that other VRPs can change what passes.
    #[must_use]
    pub fn uses_validity(&self) -> bool {
        self.rules.iter().any(|rule| rule.matches.uses_validity())
    }
}

impl Rule {
    /// A rule that accepts matching routes.
    #[must_use]
    pub fn accept(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: Some(Verdict::Accept) }
    }

    /// A rule that rejects matching routes.
    #[must_use]
    pub fn reject(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: Some(Verdict::Reject) }
    }

    /// A rule that changes matching routes, and leaves the decision to the following rules.
    #[must_use]
    pub fn change(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: None }
    }

    /// Adds an action after the others.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }
}
