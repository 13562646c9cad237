//! Keeps the sessions of nodes in line with what is wanted.
//!
//! ```text
//! wanted: (node, peer) -> terms, routes  --->  Sessions::apply  --->  one speaker for each
//! ```
//!
//! What stays as it was is not touched: a session is closed only when it is no longer wanted or its
//! terms are others, and new routes are handed to it as a whole. This module owns the speakers of
//! nodes; it decides neither whom to speak to nor what to announce.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bgp_session::{
    Asn, BgpIdentifier, PeerConfig, PeerHandle, PeerStatus, RouteSet, Speaker, SpeakerError,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Which session: a node's to a configured peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SessionKey {
    /// The node's name.
    pub node: String,
    /// The peer's name.
    pub peer: String,
}

impl SessionKey {
    /// The session of this node with this peer.
    pub fn new(node: impl Into<String>, peer: impl Into<String>) -> Self {
        Self { node: node.into(), peer: peer.into() }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.node, self.peer)
    }
}

/// What cannot change without a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// The node's AS.
    pub asn: Asn,
    /// The node's BGP Identifier.
    pub identifier: BgpIdentifier,
    /// How to reach the peer, and what to agree with it.
    pub peer: PeerConfig,
}

impl Terms {
    /// These terms.
    pub fn new(asn: Asn, identifier: BgpIdentifier, peer: PeerConfig) -> Self {
        Self { asn, identifier, peer }
    }
}

/// A session as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Its terms.
    pub terms: Terms,
    /// All that is announced over it.
    pub routes: RouteSet,
}

impl Wanted {
    /// A session of these terms that announces these routes.
    pub fn new(terms: Terms, routes: RouteSet) -> Self {
        Self { terms, routes }
    }
}

/// The sessions that there are.
#[derive(Debug)]
pub struct Sessions {
    open: BTreeMap<SessionKey, Open>,
    bell: Arc<Notify>,
}

/// One that is there, whether Established or being tried.
#[derive(Debug)]
struct Open {
    terms: Terms,
    routes: Arc<RouteSet>,
    /// One for each session: AS and BGP Identifier are the speaker's, and differ between peers.
    speaker: Speaker,
    handle: PeerHandle,
}

impl Sessions {
    /// None yet. The bell rings whenever something happens at a session.
    pub fn new(bell: Arc<Notify>) -> Self {
        Self { open: BTreeMap::new(), bell }
    }

    /// Brings the sessions in line. Returns those that could not be opened; they are tried again
    /// at the next call.
    pub async fn apply(
        &mut self,
        wanted: &BTreeMap<SessionKey, Wanted>,
    ) -> Vec<(SessionKey, SpeakerError)> {
        let others = self.keep(wanted);
        self.set_routes(wanted).await;
        let closing = others.into_iter().map(|(key, open)| {
            let why = match wanted.contains_key(&key) {
                true => "configuration changed",
                false => "peer removed from the configuration",
            };
            tracing::info!(node = key.node, peer = key.peer, "closing the session: {why}");
            (open, why)
        });
        close(closing.collect()).await;
        let mut failed = Vec::new();
        for (key, wanted) in
            wanted.iter().filter(|(key, _)| !self.open.contains_key(key)).collect::<Vec<_>>()
        {
            match self.open_one(wanted).await {
                Ok(open) => {
                    self.open.insert(key.clone(), open);
                }
                Err(error) => failed.push((key.clone(), error)),
            }
        }
        failed
    }

    /// The state of each session that is there.
    pub fn status(&self, key: &SessionKey) -> Option<PeerStatus> {
        Some(self.open.get(key)?.handle.status())
    }

    /// How many there are, Established or not.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Ends all of them with Cease / Administrative Shutdown and this text for the routers'
    /// operators. Takes a few seconds at most.
    pub async fn shutdown(&mut self, message: &str) {
        close(std::mem::take(&mut self.open).into_values().map(|open| (open, message)).collect())
            .await;
    }

    /// Keeps the sessions whose terms are wanted as they are, and gives back the others. A peer that
    /// was not named by the configuration may go by another name since its neighbours in the list
    /// have changed: that is still the same session.
    fn keep(&mut self, wanted: &BTreeMap<SessionKey, Wanted>) -> BTreeMap<SessionKey, Open> {
        let (kept, mut others) =
            std::mem::take(&mut self.open).into_iter().partition(|(key, open): &(_, Open)| {
                wanted.get(key).is_some_and(|wanted| wanted.terms == open.terms)
            });
        self.open = kept;
        for (key, wanted) in wanted {
            if self.open.contains_key(key) {
                continue;
            }
            let alike = |(other, open): &(&SessionKey, &Open)| {
                other.node == key.node && open.terms == wanted.terms
            };
            if let Some(before) = others.iter().find(alike).map(|(before, _)| before.clone()) {
                self.open.extend(others.remove(&before).map(|open| (key.clone(), open)));
            }
        }
        others
    }

    /// Hands the sessions that are kept their routes, before any other is closed: what is only a
    /// matter of routes waits for nothing.
    async fn set_routes(&mut self, wanted: &BTreeMap<SessionKey, Wanted>) {
        for (key, open) in &mut self.open {
            let Some(wanted) = wanted.get(key) else { continue };
            if *open.routes == wanted.routes {
                continue;
            }
            open.routes = Arc::new(wanted.routes.clone());
            if let Err(error) = open.handle.set_routes(Arc::clone(&open.routes)).await {
                tracing::error!(session = %key, %error, "cannot set the routes");
            }
        }
    }

    async fn open_one(&self, wanted: &Wanted) -> Result<Open, SpeakerError> {
        let Terms { asn, identifier, peer } = wanted.terms.clone();
        let speaker = Speaker::builder(asn, identifier).start().await?;
        ring_at_events(&speaker, &self.bell);
        let handle = speaker.add_peer(peer).await?;
        let routes = Arc::new(wanted.routes.clone());
        handle.set_routes(Arc::clone(&routes)).await?;
        Ok(Open { terms: wanted.terms.clone(), routes, speaker, handle })
    }
}

/// Rings the bell at every event of the speaker, for as long as it lives.
pub fn ring_at_events(speaker: &Speaker, bell: &Arc<Notify>) {
    let (mut events, bell) = (speaker.events(), Arc::clone(bell));
    tokio::spawn(async move {
        // News that were missed are news too.
        while events.next().await.is_some() {
            bell.notify_one();
        }
    });
}

async fn close(sessions: Vec<(Open, &str)>) {
    let mut closing = JoinSet::new();
    for (open, message) in sessions {
        let message = message.to_owned();
        closing.spawn(async move { open.speaker.shutdown(&message).await });
    }
    while closing.join_next().await.is_some() {}
}
