//! The state of a session, and the routes that it cannot carry.
//!
//! Owns the words for the reason why a session cannot carry a route.

use std::collections::BTreeMap;

use bgp_core::AfiSafi;
use bgp_core::rib::{Unsendable, UnsendableRoute};
use ipnet::IpNet;

/// The states of sessions, by node and peer (`address:port`).
pub type SessionStates = BTreeMap<(String, String), SessionState>;

/// The state of the session between a node and a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionState {
    /// True if the session is up.
    pub up: bool,
    /// The reason why it is down, if known.
    pub reason: Option<String>,
    /// The problem that keeps the router's BFD session from coming up, if known.
    pub bfd_problem: Option<String>,
    /// The families that the session carries, such as `ipv4-unicast`, if known.
    pub families: Option<Vec<String>>,
    /// The routes that the session cannot carry, with the reasons.
    pub unsendable: BTreeMap<IpNet, UnsendableReason>,
    /// The number of further routes that the session cannot carry.
    pub unlisted: usize,
}

/// The delivery of a route by a session that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session carries a route, or not, or it is unknown")]
pub enum RouteDelivery {
    /// The router has the route, or gets it as soon as it reads from the connection.
    Sent,
    /// The session cannot carry the route.
    Unsendable(UnsendableReason),
    /// The route may be one of this many unlisted ones that the session cannot carry.
    Unknown(usize),
}

/// The reason why a session cannot carry a route, in the same words for every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsendableReason {
    /// The reason.
    pub reason: String,
    /// The way to fix it, if known.
    pub hint: Option<String>,
}

impl SessionState {
    /// Creates the state of a session that is up, or down for this reason.
    pub fn new(up: bool, reason: Option<String>) -> Self {
        Self { up, reason, ..Self::default() }
    }

    /// Returns the delivery of the route to this prefix. The session must be up.
    pub fn delivery_of(&self, prefix: IpNet) -> RouteDelivery {
        if let Some(reason) = self.unsendable.get(&prefix) {
            return RouteDelivery::Unsendable(reason.clone());
        }

        let family = family_of(prefix);
        if !self.carries(family) {
            // The reason of another route of the family may be more precise.
            let reported = self.unsendable.iter().find(|(other, _)| family_of(**other) == family);
            let reason = match reported {
                Some((_, reason)) => reason.clone(),
                None => UnsendableReason::of(&Unsendable::FamilyNotOffered { family }),
            };
            return RouteDelivery::Unsendable(reason);
        }

        match self.unlisted {
            0 => RouteDelivery::Sent,
            unlisted => RouteDelivery::Unknown(unlisted),
        }
    }

    /// Adds routes that the session cannot carry.
    #[must_use]
    pub fn with_unsendable(mut self, routes: &[UnsendableRoute]) -> Self {
        for route in routes {
            self.unsendable.insert(route.prefix, UnsendableReason::of(&route.why));
        }
        self
    }

    fn carries(&self, family: AfiSafi) -> bool {
        match &self.families {
            Some(families) => families.contains(&family.to_string()),
            None => true,
        }
    }
}

impl UnsendableReason {
    /// Takes the reason from a reported status, which has no hint.
    pub fn reported(reason: &str) -> Self {
        Self { reason: reason.to_owned(), hint: None }
    }

    /// Describes the reason that the session gives.
    pub fn of(why: &Unsendable) -> Self {
        Self { reason: why.to_string(), hint: hint_for(why) }
    }
}

fn hint_for(why: &Unsendable) -> Option<String> {
    Some(match why {
        Unsendable::FamilyNotOffered { family } => {
            format!("activate {family} for this peer on the router")
        }
        Unsendable::FamilyLeftOut { family } => format!("offer {family} to this peer"),
        Unsendable::NextHopFamily { family, .. } if *family == AfiSafi::IPV4_UNICAST => {
            "give the Node an IPv4 address of type InternalIP, or let the router take IPv6 next \
             hops of IPv4 routes (RFC 8950)"
                .to_owned()
        }
        Unsendable::NextHopFamily { .. } => {
            "give the Node an IPv6 address of type InternalIP".to_owned()
        }
        Unsendable::TooLong { .. } => {
            "use fewer communities, or let the router take extended messages (RFC 8654)".to_owned()
        }
        _ => return None,
    })
}

fn family_of(prefix: IpNet) -> AfiSafi {
    match prefix {
        IpNet::V4(_) => AfiSafi::IPV4_UNICAST,
        IpNet::V6(_) => AfiSafi::IPV6_UNICAST,
    }
}
