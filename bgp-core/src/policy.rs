//! Routing policies as plain data: they select routes and change their attributes (RFC 4271, section 9.1).
//!
//! A policy is applied to each received route before the Adj-RIB-In, and to each of our routes before the Adj-RIB-Out. It
//! knows nothing of sessions. The attribute changes of every session, such as our AS in the path, are in
//! [`ImportRules`](crate::rib::ImportRules) and [`ExportRules`](crate::rib::ExportRules).
//!
//! RFC 8212 requires an explicit policy before any route passes an external session. For received routes that is
//! [`Import`](crate::peer::Import), which keeps nothing by default. For sent routes it is the set of routes that a peer is
//! given: routes of one peer are never passed on to another without it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::Asn;
use crate::wire::{Community, LargeCommunity, NextHop, PathAttributes};

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

/// A list of rules. They are applied in order, and the first that accepts or rejects a route decides.
///
/// ```
/// use bgp_core::policy::{Action, Match, Policy, PrefixMatch, Rule};
/// use bgp_core::wire::{Community, PathAttributes};
///
/// let ours = PrefixMatch::or_longer("172.22.35.64/26".parse()?);
/// let marked = Action::AddCommunity(Community::new(64635, 100));
/// let policy = Policy::reject_all().rule(Rule::accept(Match::prefixes([ours])).action(marked));
///
/// let attributes = PathAttributes::default().into();
/// let passed = policy.apply("172.22.35.70/32".parse()?, &attributes).expect("accepted");
/// assert_eq!(passed.communities, [Community::new(64635, 100)]);
/// assert!(policy.apply("10.0.0.0/8".parse()?, &attributes).is_none());
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

/// A condition for routes. All its parts must hold. An empty part holds for every route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Match {
    /// The prefix matches one of these.
    pub prefixes: Vec<PrefixMatch>,
    /// The route has one of these communities.
    pub communities: Vec<Community>,
    /// The route has one of these large communities.
    pub large_communities: Vec<LargeCommunity>,
    /// The AS_PATH contains one of these.
    pub asns: Vec<Asn>,
}

/// The prefixes inside another one, limited by length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PrefixMatch {
    /// The containing prefix.
    pub within: IpNet,
    /// The shortest length.
    pub shortest: u8,
    /// The longest length.
    pub longest: u8,
}

/// A change of a route's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Action {
    /// Adds a community, unless it is present.
    AddCommunity(Community),
    /// Removes a community.
    RemoveCommunity(Community),
    /// Removes all communities.
    ClearCommunities,
    /// Adds a large community, unless it is present.
    AddLargeCommunity(LargeCommunity),
    /// Removes a large community.
    RemoveLargeCommunity(LargeCommunity),
    /// Prepends an AS number to the AS_PATH this many times, in addition to what an external session prepends.
    Prepend(Asn, usize),
    /// Sets MULTI_EXIT_DISC, or removes it.
    Med(Option<u32>),
    /// Sets LOCAL_PREF, or removes it.
    LocalPref(Option<u32>),
    /// Sets the next hop. `None` in an export policy: the session's own (next hop self).
    NextHop(Option<NextHop>),
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
    ) -> Option<Arc<PathAttributes>> {
        let mut passing = Arc::clone(attributes);
        for rule in &self.rules {
            if !rule.matches.applies(prefix, &passing) {
                continue;
            }
            if rule.verdict == Some(Verdict::Reject) {
                return None;
            }

            for action in &rule.actions {
                action.apply(&mut passing);
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

impl Match {
    /// Matches every route.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Matches routes to these prefixes.
    #[must_use]
    pub fn prefixes(prefixes: impl IntoIterator<Item = PrefixMatch>) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), ..Self::default() }
    }

    /// Matches routes with one of these communities.
    #[must_use]
    pub fn communities(communities: impl IntoIterator<Item = Community>) -> Self {
        Self { communities: communities.into_iter().collect(), ..Self::default() }
    }

    /// Returns true if the condition holds for a route.
    #[must_use]
    pub fn applies(&self, prefix: IpNet, attributes: &PathAttributes) -> bool {
        let PathAttributes { communities, large_communities, as_path, .. } = attributes;

        any_or_empty(&self.prefixes, |wanted| wanted.contains(prefix))
            && any_or_empty(&self.communities, |wanted| communities.contains(wanted))
            && any_or_empty(&self.large_communities, |wanted| large_communities.contains(wanted))
            && any_or_empty(&self.asns, |wanted| as_path.contains(*wanted))
    }
}

/// Returns true if the list is empty or if one of its values is present.
fn any_or_empty<T>(wanted: &[T], is_present: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is_present)
}

impl PrefixMatch {
    /// Matches only this prefix.
    #[must_use]
    pub fn exactly(prefix: IpNet) -> Self {
        Self { within: prefix, shortest: prefix.prefix_len(), longest: prefix.prefix_len() }
    }

    /// Matches this prefix and all prefixes inside it.
    #[must_use]
    pub fn or_longer(prefix: IpNet) -> Self {
        Self { longest: prefix.max_prefix_len(), ..Self::exactly(prefix) }
    }

    /// Matches prefixes inside this one whose lengths are between these two, inclusive.
    #[must_use]
    pub fn lengths(prefix: IpNet, shortest: u8, longest: u8) -> Self {
        Self { within: prefix, shortest, longest }
    }

    /// Returns true if the prefix matches.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        (self.shortest..=self.longest).contains(&prefix.prefix_len())
            && self.within.contains(&prefix)
    }
}

impl Action {
    fn apply(&self, attributes: &mut Arc<PathAttributes>) {
        // Shared attributes are copied only if something changes.
        if !self.would_change(attributes) {
            return;
        }

        let attributes = Arc::make_mut(attributes);
        match self {
            Self::AddCommunity(community) => attributes.communities.push(*community),
            Self::RemoveCommunity(community) => attributes.communities.retain(|it| it != community),
            Self::ClearCommunities => attributes.communities.clear(),
            Self::AddLargeCommunity(community) => attributes.large_communities.push(*community),
            Self::RemoveLargeCommunity(community) => {
                attributes.large_communities.retain(|it| it != community);
            }
            Self::Prepend(asn, times) => attributes.as_path.prepend(*asn, *times),
            Self::Med(med) => attributes.med = *med,
            Self::LocalPref(preference) => attributes.local_pref = *preference,
            Self::NextHop(next_hop) => attributes.next_hop = *next_hop,
        }
    }

    fn would_change(&self, attributes: &PathAttributes) -> bool {
        match self {
            Self::AddCommunity(community) => !attributes.communities.contains(community),
            Self::RemoveCommunity(community) => attributes.communities.contains(community),
            Self::ClearCommunities => !attributes.communities.is_empty(),
            Self::AddLargeCommunity(community) => !attributes.large_communities.contains(community),
            Self::RemoveLargeCommunity(community) => {
                attributes.large_communities.contains(community)
            }
            Self::Prepend(_, times) => *times > 0,
            Self::Med(med) => attributes.med != *med,
            Self::LocalPref(preference) => attributes.local_pref != *preference,
            Self::NextHop(next_hop) => attributes.next_hop != *next_hop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn the_first_decisive_rule_decides_and_earlier_rules_change_the_route() {
        let pool = PrefixMatch::lengths(prefix("10.0.0.0/8"), 24, 32);
        let policy = Policy::reject_all()
            .rule(Rule::reject(Match::prefixes([PrefixMatch::exactly(prefix("10.1.0.0/24"))])))
            .rule(Rule::change(Match::all()).action(Action::Med(Some(5))))
            .rule(Rule::accept(Match::prefixes([pool])).action(Action::LocalPref(Some(7))))
            .rule(Rule::accept(Match::all()).action(Action::Med(None)));
        let attributes = Arc::new(PathAttributes::default());
        let apply = |text| policy.apply(prefix(text), &attributes);
        let med_and_preference = |text| apply(text).map(|it| (it.med, it.local_pref));
        assert_eq!(med_and_preference("10.1.0.0/24"), None);
        assert_eq!(med_and_preference("10.2.0.0/24"), Some((Some(5), Some(7))));
        assert_eq!(med_and_preference("10.2.0.0/23"), Some((None, None)));
        assert_eq!(med_and_preference("2001:db8::/32"), Some((None, None)));
    }

    #[test]
    fn policies_match_and_change_communities_and_paths() {
        let (red, blue) = (Community::new(1, 1), Community::new(1, 2));
        let mut path = PathAttributes { communities: vec![red], ..PathAttributes::default() };
        path.as_path.prepend(Asn(65001), 1);
        let path = Arc::new(path);
        let through = Match { asns: vec![Asn(65001)], ..Match::communities([red, blue]) };
        let policy = Policy::reject_all().rule(
            Rule::accept(through)
                .action(Action::RemoveCommunity(red))
                .action(Action::AddCommunity(blue))
                .action(Action::Prepend(Asn(65002), 2)),
        );
        let passed = policy.apply(prefix("10.0.0.0/8"), &path).expect("accepted");
        assert_eq!(passed.communities, [blue]);
        assert_eq!(passed.as_path.to_string(), "65002 65002 65001");
        assert!(policy.apply(prefix("10.0.0.0/8"), &Arc::default()).is_none());
    }

    #[test]
    fn unchanged_attributes_stay_shared() {
        let policy =
            Policy::accept_all().rule(Rule::change(Match::all()).action(Action::Med(None)));
        let attributes = Arc::new(PathAttributes::default());
        let passed = policy.apply(prefix("10.0.0.0/8"), &attributes).expect("accepted");
        assert!(Arc::ptr_eq(&passed, &attributes));
    }
}
