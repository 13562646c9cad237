//! A cluster at one moment: what the engine knows and how the sessions stand.
//!
//! Owns the words for a route that a session cannot carry. Reads and asks nothing.

use std::collections::BTreeMap;

use bgp_core::AfiSafi;
use bgp_core::rib::{Unsendable, UnsendableRoute};
use ipnet::IpNet;

use crate::engine::Engine;

/// A cluster at one moment.
#[derive(Debug)]
pub struct Cluster {
    /// What is known, and what is made of it.
    pub engine: Engine,
    /// How the session of a node with a peer, `address:port`, stands; only of those of which it is
    /// known.
    pub sessions: BTreeMap<(String, String), SessionState>,
}

/// How a session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionState {
    /// Whether it is up.
    pub up: bool,
    /// Why it is not, if that is known.
    pub reason: Option<String>,
    /// What keeps the router's BFD session from coming up, if that is known.
    pub bfd_problem: Option<String>,
    /// The families that it carries, as `ipv4-unicast`, if they are known.
    pub families: Option<Vec<String>>,
    /// The routes that it cannot carry, as far as they are known one by one.
    pub unsendable: BTreeMap<IpNet, Unsent>,
    /// How many more it cannot carry.
    pub unlisted: usize,
}

/// The fate of a route on a session that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session carries a route, or not, or it is unknown")]
pub enum Sent {
    /// The router has it, or gets it as soon as it reads.
    Yes,
    /// The session cannot carry it.
    No(Unsent),
    /// It may be one of so many that the session cannot carry.
    Unknown(usize),
}

/// Why a session cannot carry a route, in the words of every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// The reason.
    pub reason: String,
    /// What would help, where that can be said.
    pub mend: Option<String>,
}

impl SessionState {
    /// Whether it is up, and why it is not.
    pub fn new(up: bool, reason: Option<String>) -> Self {
        Self { up, reason, ..Self::default() }
    }

    /// Returns the fate of the route to this prefix, while the session is up.
    pub fn sends(&self, prefix: IpNet) -> Sent {
        if let Some(unsent) = self.unsendable.get(&prefix) {
            return Sent::No(unsent.clone());
        }
        let family = family_of(prefix);
        let carried = self.families.as_ref().is_none_or(|them| them.contains(&family.to_string()));
        if !carried {
            // Another route of the family may say more about the reason.
            let known = self.unsendable.iter().find(|(other, _)| family_of(**other) == family);
            let known = known.map(|(_, unsent)| unsent.clone());
            let not_offered = || Unsent::of(&Unsendable::FamilyNotOffered { family });
            return Sent::No(known.unwrap_or_else(not_offered));
        }
        match self.unlisted {
            0 => Sent::Yes,
            unlisted => Sent::Unknown(unlisted),
        }
    }

    /// Adds these routes to those that the session cannot carry.
    #[must_use]
    pub fn without(mut self, routes: &[UnsendableRoute]) -> Self {
        let unsent = routes.iter().map(|route| (route.prefix, Unsent::of(&route.why)));
        self.unsendable.extend(unsent);
        self
    }
}

impl Unsent {
    /// Takes the reason from a status, which does not say what would help.
    pub fn told(reason: &str) -> Self {
        Self { reason: reason.to_owned(), mend: None }
    }

    /// Puts what the session says into words.
    pub fn of(why: &Unsendable) -> Self {
        let mend = match why {
            Unsendable::FamilyNotOffered { family } => {
                Some(format!("activate {family} for this peer on the router"))
            }
            Unsendable::FamilyLeftOut { family } => Some(format!("offer {family} to this peer")),
            Unsendable::NextHopFamily { family, .. } if *family == AfiSafi::IPV4_UNICAST => {
                Some("give the Node an IPv4 address of type InternalIP, or let the router take IPv6 next hops of IPv4 routes (RFC 8950)".to_owned())
            }
            Unsendable::NextHopFamily { .. } => {
                Some("give the Node an IPv6 address of type InternalIP".to_owned())
            }
            Unsendable::TooLong { .. } => Some(
                "use fewer communities, or let the router take extended messages (RFC 8654)".to_owned(),
            ),
            _ => None,
        };
        Self { reason: why.to_string(), mend }
    }
}

fn family_of(prefix: IpNet) -> AfiSafi {
    match prefix {
        IpNet::V4(_) => AfiSafi::IPV4_UNICAST,
        IpNet::V6(_) => AfiSafi::IPV6_UNICAST,
    }
}
