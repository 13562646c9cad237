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
use std::net::SocketAddr;
use std::sync::Arc;

use bgp_session::bfd::BfdProfile;
use bgp_session::{
    Asn, BgpIdentifier, GracefulShutdown, PeerConfig, PeerHandle, PeerStatus, RemoteAs, RouteSet,
    Speaker, SpeakerError,
};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::model::{self, Peer, PeerAsn};

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

    /// With AS and BGP Identifier as the peer's own, so that they can be changed with the rest.
    fn of_the_peer(&self) -> PeerConfig {
        self.peer.clone().local_asn(self.asn).identifier(self.identifier)
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
        let mut others = self.keep(wanted);
        self.set_routes(wanted).await;
        self.change_in_place(wanted, &mut others).await;
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

    /// Hands one session its routes; those that it has already cost next to nothing.
    pub async fn announce(&mut self, key: &SessionKey, routes: &RouteSet) {
        let Some(open) = self.open.get_mut(key) else { return };
        open.routes = Arc::new(routes.clone());
        if let Err(error) = open.handle.set_routes(Arc::clone(&open.routes)).await {
            tracing::error!(session = %key, %error, "cannot set the routes");
        }
    }

    /// Takes all of them out of service without loss (RFC 8326), and ends them. Dropped before it is done,
    /// everything is announced again as it should be.
    pub async fn drain(&self, how: &GracefulShutdown) {
        let drains = self.open.values().map(|open| open.speaker.drain(how.clone()));
        let mut drains: FuturesUnordered<_> = drains.collect();
        while drains.next().await.is_some() {}
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

    /// Ends all of them so that routers keep the routes until this process is back: without a word where graceful
    /// restart was agreed on (RFC 4724), since a Cease would be a Hard Reset there (RFC 8538); as [`shutdown`](Self::shutdown)
    /// does elsewhere.
    pub async fn leave_for_restart(&mut self, message: &str) {
        let (kept, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_values().partition(|open| {
                let negotiated = open.handle.status().negotiated;
                negotiated.is_some_and(|it| it.extensions.graceful_restart.is_some())
            });
        for open in &kept {
            open.speaker.abandon().await;
        }
        close(others.into_iter().map(|open| (open, message)).collect()).await;
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

    /// Gives sessions whose terms are others the new ones, where these come into force without another
    /// session; what is left over is closed and opened anew.
    async fn change_in_place(
        &mut self,
        wanted: &BTreeMap<SessionKey, Wanted>,
        others: &mut BTreeMap<SessionKey, Open>,
    ) {
        for (key, wanted) in wanted {
            let Some(mut open) = others.remove(key) else { continue };
            if open.terms.peer.id() == wanted.terms.peer.id()
                && let terms = wanted.terms.of_the_peer()
                && let Ok(updated) = open.handle.update_without_reset(terms).await
                && updated.needs_reset().next().is_none()
            {
                let changes: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
                let (node, peer, changes) = (&key.node, &key.peer, changes.join(", "));
                tracing::info!(node, peer, "changed the session in place: {changes}");
                open.terms = wanted.terms.clone();
                open.routes = Arc::new(wanted.routes.clone());
                if let Err(error) = open.handle.set_routes(Arc::clone(&open.routes)).await {
                    tracing::error!(session = %key, %error, "cannot set the routes");
                }
                self.open.insert(key.clone(), open);
            } else {
                others.insert(key.clone(), open);
            }
        }
    }

    async fn open_one(&self, wanted: &Wanted) -> Result<Open, SpeakerError> {
        let Terms { asn, identifier, .. } = wanted.terms;
        let speaker = Speaker::builder(asn, identifier).start().await?;
        ring_at_events(&speaker, &self.bell);
        let handle = speaker.add_peer(wanted.terms.of_the_peer()).await?;
        let routes = Arc::new(wanted.routes.clone());
        handle.set_routes(Arc::clone(&routes)).await?;
        Ok(Open { terms: wanted.terms.clone(), routes, speaker, handle })
    }
}

/// How to reach a peer at this address, and what to agree with it, as it is configured; where to
/// dial from is left to the caller unless the configuration says it.
pub fn peer_config(
    address: SocketAddr,
    peer: &Peer,
    bfd: Option<&model::BfdProfile>,
) -> PeerConfig {
    let remote_as = match peer.peer_asn {
        PeerAsn::Number(asn) => RemoteAs::Number(asn),
        PeerAsn::Internal => RemoteAs::Internal,
        PeerAsn::External => RemoteAs::External,
    };
    let mut config = PeerConfig::new(address, remote_as).hold_time(peer.hold_time);
    if let Some(time) = peer.keepalive_time {
        config = config.keepalive_time(time);
    }
    if let Some(time) = peer.connect_time {
        config = config.connect_retry(time);
    }
    if let Some(source) = peer.source_address {
        config = config.local_address(source);
    }
    if let Some(password) = &peer.password {
        config = config.password(password.reveal());
    }
    if peer.graceful_restart {
        // At every start: whether this process has been here before is not known for sure, and a router that never
        // heard of it learns no more than not to wait for our End-of-RIB (RFC 4724, section 4.2).
        config = config.graceful_restart().restarted();
    }
    if peer.ebgp_multihop {
        config = config.multihop(u8::MAX);
    }
    match bfd {
        Some(profile) => config.bfd(bfd_profile(profile)),
        None => config,
    }
}

fn bfd_profile(profile: &model::BfdProfile) -> BfdProfile {
    let bfd = BfdProfile::new()
        .receive_interval(profile.receive_interval)
        .transmit_interval(profile.transmit_interval)
        .multiplier(profile.detect_multiplier)
        .minimum_ttl(profile.minimum_ttl);
    if profile.passive_mode { bfd.passive() } else { bfd }
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
