//! Policy as plain data: which routes pass, and with which attributes (RFC 4271, section 9.1).
//!
//! A policy is asked of each received route before the Adj-RIB-In, and of each route of ours before the Adj-RIB-Out.
//! It knows nothing of sessions: what every session does to attributes, as our AS in the path, is done elsewhere.
//!
//! RFC 8212 wants an explicit policy before any route passes an external session. Inwards that is
//! [`Import`](crate::peer::Import), whose default takes nothing; outwards a peer gets the routes that it was given, and
//! nothing else: routes of one peer never go to another by themselves.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::Asn;
use crate::wire::{Community, LargeCommunity, NextHop, PathAttributes};

/// The policies of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policies {
    /// For routes that the peer sends. `None`: all pass as they are.
    pub import: Option<Arc<Policy>>,
    /// For routes that are sent to the peer. `None`: all pass as they are.
    pub export: Option<Arc<Policy>>,
}

/// The next hops of routes that have none of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "next hops are of IPv4 or of IPv6")]
pub struct NextHops {
    /// For IPv4 routes. `None`: the session's local address, if it is of IPv4, or where RFC 8950 was agreed on of IPv6.
    pub ipv4: Option<Ipv4Addr>,
    /// For IPv6 routes; beside a link-local session, the global address (RFC 2545). `None`: the session's local address,
    /// if it is of IPv6.
    pub ipv6: Option<Ipv6Addr>,
}

/// Rules in the order in which they are asked; the first that accepts or rejects decides.
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
#[non_exhaustive]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What becomes of a route that no rule decided on.
    pub otherwise: Verdict,
}

/// Whether a route passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a route passes or it does not")]
pub enum Verdict {
    /// It does.
    Accept,
    /// It does not.
    Reject,
}

/// What is done to the routes that match.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Which ones.
    pub matches: Match,
    /// What changes, in this order.
    pub actions: Vec<Action>,
    /// Whether they pass; `None`: the rules behind this one are asked.
    pub verdict: Option<Verdict>,
}

/// Which routes: those to which every part applies. A part that is empty applies to all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match {
    /// The prefix is of one of these.
    pub prefixes: Vec<PrefixMatch>,
    /// The route has one of these communities.
    pub communities: Vec<Community>,
    /// The route has one of these large communities.
    pub large_communities: Vec<LargeCommunity>,
    /// The AS_PATH contains one of these.
    pub asns: Vec<Asn>,
}

/// Prefixes within another, of some lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrefixMatch {
    /// The prefix around them.
    pub within: IpNet,
    /// The shortest length.
    pub shortest: u8,
    /// The longest length.
    pub longest: u8,
}

/// A change of a route's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Adds a community, unless it is there.
    AddCommunity(Community),
    /// Removes a community.
    RemoveCommunity(Community),
    /// Removes all communities.
    ClearCommunities,
    /// Adds a large community, unless it is there.
    AddLargeCommunity(LargeCommunity),
    /// Removes a large community.
    RemoveLargeCommunity(LargeCommunity),
    /// Prepends an AS number so many times to the AS_PATH, beside what an external session prepends.
    Prepend(Asn, usize),
    /// Sets MULTI_EXIT_DISC, or removes it.
    Med(Option<u32>),
    /// Sets LOCAL_PREF, or removes it.
    LocalPref(Option<u32>),
    /// Sets the next hop. `None`: on the way out the session's own (next hop self).
    NextHop(Option<NextHop>),
}

impl Policy {
    /// Every route passes that no rule rejects.
    #[must_use]
    pub fn accept_all() -> Self {
        Self { rules: Vec::new(), otherwise: Verdict::Accept }
    }

    /// No route passes that no rule accepts.
    #[must_use]
    pub fn reject_all() -> Self {
        Self { rules: Vec::new(), otherwise: Verdict::Reject }
    }

    /// Adds a rule behind the others.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The attributes with which a route passes; `None` where it does not. The same `Arc` where nothing changes.
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
            rule.actions.iter().for_each(|action| action.apply(&mut passing));
            if rule.verdict == Some(Verdict::Accept) {
                return Some(passing);
            }
        }
        (self.otherwise == Verdict::Accept).then_some(passing)
    }
}

impl Rule {
    /// Accepts what matches.
    #[must_use]
    pub fn accept(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: Some(Verdict::Accept) }
    }

    /// Rejects what matches.
    #[must_use]
    pub fn reject(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: Some(Verdict::Reject) }
    }

    /// Changes what matches, and leaves the decision to the rules behind.
    #[must_use]
    pub fn change(matches: Match) -> Self {
        Self { matches, actions: Vec::new(), verdict: None }
    }

    /// Adds a change behind the others.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }
}

impl Match {
    /// Every route.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Routes to these prefixes.
    #[must_use]
    pub fn prefixes(prefixes: impl IntoIterator<Item = PrefixMatch>) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), ..Self::default() }
    }

    /// Routes with one of these communities.
    #[must_use]
    pub fn communities(communities: impl IntoIterator<Item = Community>) -> Self {
        Self { communities: communities.into_iter().collect(), ..Self::default() }
    }

    /// Whether it applies to a route.
    #[must_use]
    pub fn applies(&self, prefix: IpNet, attributes: &PathAttributes) -> bool {
        fn any<T>(wanted: &[T], has: impl Fn(&T) -> bool) -> bool {
            wanted.is_empty() || wanted.iter().any(has)
        }
        any(&self.prefixes, |it| it.contains(prefix))
            && any(&self.communities, |it| attributes.communities.contains(it))
            && any(&self.large_communities, |it| attributes.large_communities.contains(it))
            && any(&self.asns, |it| attributes.as_path.contains(*it))
    }
}

impl PrefixMatch {
    /// This prefix and no other.
    #[must_use]
    pub fn exactly(prefix: IpNet) -> Self {
        Self { within: prefix, shortest: prefix.prefix_len(), longest: prefix.prefix_len() }
    }

    /// This prefix and all within it.
    #[must_use]
    pub fn or_longer(prefix: IpNet) -> Self {
        Self { longest: prefix.max_prefix_len(), ..Self::exactly(prefix) }
    }

    /// Prefixes within this one of such lengths, both included.
    #[must_use]
    pub fn lengths(prefix: IpNet, shortest: u8, longest: u8) -> Self {
        Self { within: prefix, shortest, longest }
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        (self.shortest..=self.longest).contains(&prefix.prefix_len())
            && self.within.contains(&prefix)
    }
}

impl Action {
    fn apply(&self, attributes: &mut Arc<PathAttributes>) {
        // What changes nothing makes no copy.
        let changes = match self {
            Self::AddCommunity(it) => !attributes.communities.contains(it),
            Self::RemoveCommunity(it) => attributes.communities.contains(it),
            Self::ClearCommunities => !attributes.communities.is_empty(),
            Self::AddLargeCommunity(it) => !attributes.large_communities.contains(it),
            Self::RemoveLargeCommunity(it) => attributes.large_communities.contains(it),
            Self::Prepend(_, times) => *times > 0,
            Self::Med(med) => attributes.med != *med,
            Self::LocalPref(preference) => attributes.local_pref != *preference,
            Self::NextHop(next_hop) => attributes.next_hop != *next_hop,
        };
        if !changes {
            return;
        }
        let attributes = Arc::make_mut(attributes);
        match self {
            Self::AddCommunity(it) => attributes.communities.push(*it),
            Self::RemoveCommunity(it) => attributes.communities.retain(|other| other != it),
            Self::ClearCommunities => attributes.communities.clear(),
            Self::AddLargeCommunity(it) => attributes.large_communities.push(*it),
            Self::RemoveLargeCommunity(it) => {
                attributes.large_communities.retain(|other| other != it);
            }
            Self::Prepend(asn, times) => attributes.as_path.prepend(*asn, *times),
            Self::Med(med) => attributes.med = *med,
            Self::LocalPref(preference) => attributes.local_pref = *preference,
            Self::NextHop(next_hop) => attributes.next_hop = *next_hop,
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
    fn the_first_rule_that_decides_decides_and_those_before_it_have_changed_the_route() {
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
    fn communities_and_paths_are_matched_and_changed() {
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
    fn what_nothing_changes_stays_shared() {
        let policy =
            Policy::accept_all().rule(Rule::change(Match::all()).action(Action::Med(None)));
        let attributes = Arc::new(PathAttributes::default());
        let passed = policy.apply(prefix("10.0.0.0/8"), &attributes).expect("accepted");
        assert!(Arc::ptr_eq(&passed, &attributes));
    }
}
