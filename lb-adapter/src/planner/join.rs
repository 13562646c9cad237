//! Makes one route of all that is announced for one prefix to one peer.
//!
//! Owns the rule between contradicting attributes, which looks only at pools and advertisements:
//! which Services there are changes no attribute that another one's route already has.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;

use crate::model::{Peer, PeerAsn, ServiceKey};

use super::PlannedRoute;
use super::service::{Announcement, Source};

/// The announcements for one peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Joined {
    by_prefix: BTreeMap<IpNet, Contributions>,
}

/// What there is for one prefix.
#[derive(Clone, Debug, Default)]
struct Contributions {
    /// One of each source: announcements of one source for one prefix differ in nothing else.
    by_source: BTreeMap<Source, Announcement>,
    services: BTreeSet<ServiceKey>,
}

impl Joined {
    pub(super) fn add(&mut self, service: &ServiceKey, announcement: Announcement) {
        let contributions = self.by_prefix.entry(announcement.prefix).or_default();
        contributions.services.insert(service.clone());
        if let Entry::Vacant(vacant) = contributions.by_source.entry(announcement.source.clone()) {
            vacant.insert(announcement);
        }
    }

    /// The routes for this peer, and what there is to say about them.
    pub(super) fn routes(&self, peer: &Peer) -> (BTreeMap<IpNet, PlannedRoute>, BTreeSet<Note>) {
        let mut notes = BTreeSet::new();
        let route = |(prefix, contributions): (&IpNet, &Contributions)| {
            let communities =
                contributions.by_source.values().flat_map(|it| it.communities.iter().copied());
            let large = contributions
                .by_source
                .values()
                .flat_map(|it| it.large_communities.iter().copied());
            let route = PlannedRoute {
                prefix: *prefix,
                next_hop: contributions.by_source.values().find_map(|it| it.next_hop),
                local_pref: contributions.local_pref(*prefix, peer, &mut notes),
                communities: communities.collect(),
                large_communities: large.collect(),
                services: contributions.services.clone(),
            };
            (*prefix, route)
        };
        (self.by_prefix.iter().map(route).collect(), notes)
    }
}

impl Contributions {
    /// The LOCAL_PREF to send: that of the first source that has one.
    fn local_pref(&self, prefix: IpNet, peer: &Peer, notes: &mut BTreeSet<Note>) -> Option<u32> {
        let mut configured = self.by_source.values().filter_map(|it| {
            Some(Preferred { source: it.source.clone(), local_pref: it.local_pref? })
        });
        if !peer.is_internal() {
            let peer_asn = peer.peer_asn;
            notes.extend(configured.map(|unsent| Note::LocalPrefNotSent { unsent, peer_asn }));
            return None;
        }
        let Some(kept) = configured.next() else { return Some(0) };
        let conflicts = configured.filter(|other| other.local_pref != kept.local_pref);
        notes.extend(conflicts.map(|ignored| Note::LocalPrefConflict {
            prefix,
            kept: kept.clone(),
            ignored,
        }));
        Some(kept.local_pref)
    }
}

/// A LOCAL_PREF and the advertisement that it is configured in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Preferred {
    /// The advertisement.
    pub source: Source,
    /// Its value.
    pub local_pref: u32,
}

impl fmt::Display for Preferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Source { pool, advertisement } = &self.source;
        write!(f, "localpref {} of advertisement {advertisement} of pool {pool:?}", self.local_pref)
    }
}

/// What the configuration says that has no effect on a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Note {
    /// Two advertisements want different values for one prefix.
    LocalPrefConflict {
        /// The prefix.
        prefix: IpNet,
        /// What is sent: the first by pool and position.
        kept: Preferred,
        /// What is not.
        ignored: Preferred,
    },
    /// LOCAL_PREF is not for external peers (RFC 4271 section 5.1.5).
    LocalPrefNotSent {
        /// What is configured.
        unsent: Preferred,
        /// The AS of the peer.
        peer_asn: PeerAsn,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalPrefConflict { prefix, kept, ignored } => {
                write!(f, "conflict for {prefix}: {kept} is sent, {ignored} is not")
            }
            Self::LocalPrefNotSent { unsent, peer_asn } => {
                write!(f, "{unsent} is not sent, since the peer is in another AS, {peer_asn}")
            }
        }
    }
}
