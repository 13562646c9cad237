//! From a route of ours to what goes on the wire of one session (RFC 4271, sections 5 and 9.1.3).

use std::fmt;
use std::net::IpAddr;

use crate::fsm::{LocalAs, Negotiated, SentPath};
use crate::wire::{Community, NextHop, PathAttributes};
use crate::{AfiSafi, PeerType};

/// LOCAL_PREF where the route has none of its own, as every implementation has it.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// What one session does to the attributes of our routes.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    negotiated: &'a Negotiated,
    local_address: IpAddr,
    draining: bool,
}

/// Why a route cannot be sent on this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsendable {
    /// The next hop is of another family than the prefix, and the peer does not take that.
    NextHopFamily {
        /// The family of the prefix.
        family: AfiSafi,
        /// The next hop: the route's own, or the session's local address.
        next_hop: IpAddr,
    },
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextHopFamily { family, next_hop } => write!(
                f,
                "the next hop {next_hop} does not fit {family}: give the route a next hop of that family"
            ),
        }
    }
}

impl std::error::Error for Unsendable {}

impl<'a> Export<'a> {
    /// For a session with these parameters whose own end has `local_address`.
    #[must_use]
    pub fn new(negotiated: &'a Negotiated, local_address: IpAddr) -> Self {
        Self { negotiated, local_address, draining: false }
    }

    /// Whether routes carry GRACEFUL_SHUTDOWN, and towards an internal peer the LOCAL_PREF 0, so that traffic goes another
    /// way before the session ends (RFC 8326, section 4.1).
    #[must_use]
    pub fn draining(mut self, draining: bool) -> Self {
        self.draining = draining;
        self
    }

    /// The attributes to send, for a route with `attributes` to a prefix of `family`.
    ///
    /// To an external peer: our AS before the path, and neither LOCAL_PREF nor what route reflection adds. To
    /// an internal one: LOCAL_PREF always, 100 where the route has none.
    ///
    /// # Errors
    ///
    /// Where the next hop is of the wrong family.
    pub fn apply(
        &self,
        attributes: &PathAttributes,
        family: AfiSafi,
    ) -> Result<PathAttributes, Unsendable> {
        let next_hop = attributes.next_hop.unwrap_or_else(|| NextHop::from(self.local_address));
        let fits = match next_hop {
            NextHop::V4(_) => family.afi == AfiSafi::IPV4_UNICAST.afi,
            NextHop::V6 { .. } => family.afi == AfiSafi::IPV6_UNICAST.afi,
        };
        if !fits {
            return Err(Unsendable::NextHopFamily { family, next_hop: next_hop.address() });
        }
        let mut sent = attributes.clone();
        sent.next_hop = Some(next_hop);
        if self.draining {
            sent.local_pref = Some(0);
            if !sent.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                sent.communities.push(Community::GRACEFUL_SHUTDOWN);
            }
        }
        match self.negotiated.peer_type {
            PeerType::External => {
                if let Some(LocalAs { speaker_asn, sent: SentPath::BothAses, .. }) =
                    self.negotiated.local_as
                {
                    sent.as_path.prepend(speaker_asn, 1);
                }
                sent.as_path.prepend(self.negotiated.local_asn, 1);
                sent.local_pref = None;
                sent.originator_id = None;
                sent.cluster_list.clear();
            }
            PeerType::Internal => {
                sent.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
            }
        }
        Ok(sent)
    }
}
