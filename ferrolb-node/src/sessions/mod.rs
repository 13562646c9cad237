//! Keeps the sessions of nodes in line with the desired ones.
//!
//! ```text
//! (node, peer) -> configuration, routes  --->  Sessions::apply  --->  a peer of the node's speaker
//! ```
//!
//! A session whose configuration has not changed is not touched. A session is closed only if it is not desired any more,
//! and reset only if it cannot continue with its new configuration. It gets all of its routes at once. This module owns
//! the speakers of nodes; it decides neither which peers there are nor which routes to announce.

mod config;
mod desired;
mod key;
mod node_speakers;
mod open_session;
mod operator;
mod pairing;
mod peer_config;
mod peer_names;
mod source_address;
mod status;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bgp_session::{
    Connector, GracefulShutdown, IpNet, PeerHandle, RouteSet, SpeakerError, UnsendableRoute,
};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

pub use config::{ConfigEffect, RemotePeer, SessionConfig};
pub use desired::{DesiredSession, desired_sessions, session_config};
pub use key::SessionKey;
use node_speakers::NodeSpeakers;
use open_session::OpenSession;
pub use operator::{PeerControl, PeerControlError};
pub use pairing::pair_sessions;
pub use peer_config::with_session_parameters;
use peer_names::PeerNames;
pub use source_address::SourceAddresses;
pub use status::SessionStatus;
pub use wake::wake_on_events;

use crate::events::EventLog;

/// The open sessions.
#[derive(Debug)]
pub struct Sessions {
    open: BTreeMap<SessionKey, OpenSession>,
    /// The desired sessions that could not be opened: the error of each, and the time of its first failure.
    failed: BTreeMap<SessionKey, (String, Instant)>,
    speakers: NodeSpeakers,
    /// The routes that sessions could not carry at the last refresh; sessions without such routes are left out.
    unsendable: BTreeMap<SessionKey, Arc<[UnsendableRoute]>>,
    /// The peers that an operator has disabled, each with the text for the operator of the router. They stay so if their
    /// session is opened again.
    disabled: BTreeMap<SessionKey, String>,
    names: PeerNames,
    wake: Arc<Notify>,
}

/// The open sessions that are changed or closed.
#[derive(Default)]
struct AffectedSessions {
    /// The sessions whose configuration has changed.
    changed: BTreeMap<SessionKey, OpenSession>,
    /// The sessions that are not desired any more.
    removed: BTreeMap<SessionKey, OpenSession>,
}

impl Sessions {
    /// Returns an empty set of sessions. Every event of a session notifies `wake`, and is recorded in `log`.
    pub fn new(wake: Arc<Notify>, log: EventLog) -> Self {
        let names = PeerNames::default();
        Self {
            open: BTreeMap::new(),
            failed: BTreeMap::new(),
            speakers: NodeSpeakers::new(Arc::clone(&wake), log, names.clone()),
            unsendable: BTreeMap::new(),
            disabled: BTreeMap::new(),
            names,
            wake,
        }
    }

    /// Opens connections with this connector instead of TCP. It counts for the speakers of nodes that have no session yet.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.speakers.set_connector(connector);
        self
    }

    /// Forgets all sessions after a drain has ended them. Disabled peers stay disabled.
    pub fn forget_ended(&mut self) {
        self.open.clear();
        self.failed.clear();
        self.unsendable.clear();
        self.speakers.retain(|_| false);
    }

    /// Brings the sessions in line. Returns the errors of those that could not be opened, which the next call tries again.
    pub async fn apply(
        &mut self,
        desired: &BTreeMap<SessionKey, DesiredSession>,
    ) -> Vec<(SessionKey, SpeakerError)> {
        // A drain that was cancelled too late has ended some sessions.
        self.open.retain(|_, session| !session.has_ended());
        self.name_peers();

        let mut affected = self.keep_unchanged(desired).await;
        self.update_routes(desired).await;
        self.change_in_place(desired, &mut affected.changed).await;
        affected.close().await;
        self.speakers.retain(|node| desired.keys().any(|key| key.node == node));

        self.open_missing(desired).await
    }

    /// Takes the sessions out of `open` whose configuration has changed or that are not desired. The others stay, under
    /// their new keys.
    async fn keep_unchanged(
        &mut self,
        desired: &BTreeMap<SessionKey, DesiredSession>,
    ) -> AffectedSessions {
        let mut open = std::mem::take(&mut self.open);
        let before = open.iter().map(|(key, session)| (key, &session.config));
        let after = desired.iter().map(|(key, session)| (key, &session.config));
        let pairs = pair_sessions(before, after);

        self.keep_disabled(&pairs, |key| desired.contains_key(key));
        let mut affected = AffectedSessions::default();
        for (key, old_key) in pairs {
            let (Some(mut session), Some(desired)) = (open.remove(&old_key), desired.get(&key))
            else {
                continue;
            };
            if key != old_key {
                self.rename(&old_key, &key);
                self.name_peer(&key, &session);
                if session.config == desired.config {
                    session.rename(&key.peer).await;
                }
            }
            if session.config == desired.config {
                self.open.insert(key, session);
            } else {
                affected.changed.insert(key, session);
            }
        }
        affected.removed = open;
        affected
    }

    fn rename(&mut self, old_key: &SessionKey, key: &SessionKey) {
        let (node, before, after) = (&key.node, &old_key.peer, &key.peer);
        tracing::info!(node, "the peer {before} is now named {after}: its session continues");
        if let Some(routes) = self.unsendable.remove(old_key) {
            self.unsendable.insert(key.clone(), routes);
        }
    }

    /// Names the peers of the open sessions, and forgets the names of all others.
    fn name_peers(&self) {
        self.names.clear();
        for (key, session) in &self.open {
            self.name_peer(key, session);
        }
    }

    fn name_peer(&self, key: &SessionKey, session: &OpenSession) {
        let names = self.names.of(&key.node, session.speaker_number);
        names.set(&session.config.remote, &key.peer);
        if let (RemotePeer::Interface(peer), Some(found)) = (&session.config.remote, session.peer())
        {
            names.found(peer.interface(), found.id());
        }
    }

    /// Gives the unchanged sessions their routes. This happens before any other session is closed, since a change of
    /// routes alone need not wait for that.
    async fn update_routes(&mut self, desired: &BTreeMap<SessionKey, DesiredSession>) {
        for (key, session) in &mut self.open {
            let Some(desired) = desired.get(key) else { continue };
            if *session.routes != desired.routes {
                set_routes(key, session, &desired.routes).await;
            }
        }
    }

    /// Gives sessions their new configuration. Those that cannot be changed stay in `changed`.
    async fn change_in_place(
        &mut self,
        desired: &BTreeMap<SessionKey, DesiredSession>,
        changed: &mut BTreeMap<SessionKey, OpenSession>,
    ) {
        for (key, desired) in desired {
            let Some(mut session) = changed.remove(key) else { continue };
            let Some(updated) = session.change_config(&key.peer, &desired.config).await else {
                changed.insert(key.clone(), session);
                continue;
            };

            let fields: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
            let (node, peer, fields) = (&key.node, &key.peer, fields.join(", "));
            if updated.reset {
                tracing::info!(node, peer, "reset the session to change it: {fields}");
            } else {
                tracing::info!(node, peer, "changed the session in place: {fields}");
            }

            set_routes(key, &mut session, &desired.routes).await;
            self.open.insert(key.clone(), session);
        }
    }

    async fn open_missing(
        &mut self,
        desired: &BTreeMap<SessionKey, DesiredSession>,
    ) -> Vec<(SessionKey, SpeakerError)> {
        let before = std::mem::take(&mut self.failed);
        let now = tokio::time::Instant::now().into_std();
        let mut failed = Vec::new();
        for (key, desired) in desired {
            if self.open.contains_key(key) {
                continue;
            }

            match self.open(key, desired).await {
                Ok(session) => {
                    self.open.insert(key.clone(), session);
                }
                Err(error) => {
                    let since = before.get(key).map_or(now, |(_, since)| *since);
                    self.failed.insert(key.clone(), (format!("{error:#}"), since));
                    failed.push((key.clone(), error));
                }
            }
        }
        failed
    }

    /// Opens a session at the first of its node's speakers that has no session with the same router.
    async fn open(
        &mut self,
        key: &SessionKey,
        desired: &DesiredSession,
    ) -> Result<OpenSession, SpeakerError> {
        let mut taken = BTreeSet::new();
        for (other, session) in &self.open {
            if other.node == key.node
                && session.config.remote.is_same_router(&desired.config.remote)
            {
                taken.insert(session.speaker_number);
            }
        }
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();

        let names = self.names.of(&key.node, number);
        names.set(&desired.config.remote, &key.peer);
        let speaker = self.speakers.get_or_start(&key.node, number, &desired.config).await?;
        let mut opened =
            OpenSession::open(&key.peer, desired, (number, speaker), names.clone(), &self.wake)
                .await;
        if matches!(opened, Err(SpeakerError::SpeakerShutDown)) {
            let speaker = self.speakers.start(&key.node, number, &desired.config).await?;
            opened =
                OpenSession::open(&key.peer, desired, (number, speaker), names, &self.wake).await;
        }

        let session = opened?;
        if let Some(message) = self.disabled.get(key) {
            session.disable(message).await?;
        }
        Ok(session)
    }

    /// Sets the routes of one session. Unchanged routes cost next to nothing.
    pub async fn announce(&mut self, key: &SessionKey, routes: &RouteSet) {
        let Some(session) = self.open.get_mut(key) else { return };
        set_routes(key, session, routes).await;
    }

    /// Waits until the system has accepted all routes of all Established sessions. Returns false if there is no such session. The
    /// wait ends with the sessions at the latest, and may be dropped at any time.
    pub fn routes_sent(&self) -> impl Future<Output = bool> + Send + use<> {
        let waits = join_all(self.open.values().map(OpenSession::routes_sent));
        async move { waits.await.contains(&true) }
    }

    /// Takes all sessions out of service without loss of traffic (RFC 8326), and ends them. If the future is dropped before it
    /// completes, all desired routes are announced again.
    pub fn drain(&self, shutdown: &GracefulShutdown) -> impl Future<Output = ()> + Send + use<> {
        let speakers = self.speakers.all().map(|speaker| (speaker.clone(), shutdown.clone()));
        let drains = speakers.map(async |(speaker, shutdown)| speaker.drain(shutdown).await);
        let mut drains: FuturesUnordered<_> = drains.collect();
        async move { while drains.next().await.is_some() {} }
    }

    /// Returns the status of a desired session, even of one that could not be opened.
    pub fn status(&self, key: &SessionKey) -> Option<SessionStatus> {
        let status = match self.open.get(key) {
            Some(session) => session.status(),
            None => {
                let (error, since) = self.failed.get(key)?;
                SessionStatus::not_opened(error.clone(), *since)
            }
        };
        Some(SessionStatus { disabled: self.disabled.get(key).cloned(), ..status })
    }

    /// Returns a handle on the peer of an open session; `None` while there is no router on its interface. Do not keep it: the
    /// session ends only when all handles are gone.
    pub fn handle(&self, key: &SessionKey) -> Option<PeerHandle> {
        self.open.get(key)?.peer()
    }

    /// Asks the sessions which routes they cannot carry: all sessions, or only those that have such routes by their
    /// status. Returns the prefixes whose answer has changed, for each session that has any.
    pub async fn refresh_unsendable(&mut self, all: bool) -> BTreeMap<SessionKey, BTreeSet<IpNet>> {
        let queried = self.open.iter().filter(|(key, session)| {
            all || self.unsendable.contains_key(*key) || session.status().unsendable() > 0
        });
        let answers: FuturesUnordered<_> =
            queried.map(async |(key, session)| (key.clone(), session.unsendable().await)).collect();
        let answers: Vec<_> = answers.collect().await;

        let mut changed = BTreeMap::new();
        for (key, routes) in answers {
            let before = self.unsendable.remove(&key).unwrap_or_default();
            let differing = &prefixes(&before) ^ &prefixes(&routes);
            if !differing.is_empty() {
                changed.insert(key.clone(), differing);
            }
            if !routes.is_empty() {
                self.unsendable.insert(key, routes.into());
            }
        }

        self.unsendable.retain(|key, _| self.open.contains_key(key));
        changed
    }

    /// Returns the routes that a session could not carry at the last [refresh](Self::refresh_unsendable).
    pub fn unsendable(&self, key: &SessionKey) -> Arc<[UnsendableRoute]> {
        self.unsendable.get(key).cloned().unwrap_or_default()
    }

    /// Returns the number of open sessions, Established or not.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns true if no session is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Ends all sessions with Cease / Administrative Shutdown and this text for the operators of the routers. Takes a few
    /// seconds at most.
    pub async fn shutdown(&mut self, message: &str) {
        self.speakers.shutdown(message).await;
        self.open.clear();
    }

    /// Ends all sessions so that routers keep the routes until this process is back. Where graceful restart was negotiated
    /// (RFC 4724), no NOTIFICATION is sent, since a Cease would be a Hard Reset there (RFC 8538). The other sessions end as
    /// with [`shutdown`](Self::shutdown).
    pub async fn close_for_restart(&mut self, message: &str) {
        let open = std::mem::take(&mut self.open).into_values();
        let (graceful, others): (Vec<_>, Vec<_>) =
            open.partition(|session| session.status().restarts_gracefully());

        join_all(graceful.into_iter().map(OpenSession::abandon)).await;
        self.speakers.shutdown(message).await;
        // Their handles are no longer needed: the speakers have ended these sessions.
        drop(others);
    }
}

impl AffectedSessions {
    async fn close(self) {
        let mut closing = Vec::new();
        for (key, session) in self.changed {
            log_closing(&key, "the new configuration needs a new session");
            closing.push(session.close());
        }
        for (key, session) in self.removed {
            log_closing(&key, "the peer was removed from the configuration");
            closing.push(session.close());
        }
        join_all(closing).await;
    }
}

fn log_closing(key: &SessionKey, reason: &str) {
    tracing::info!(node = key.node, peer = key.peer, "closing the session: {reason}");
}

fn prefixes(routes: &[UnsendableRoute]) -> BTreeSet<IpNet> {
    routes.iter().map(|route| route.prefix).collect()
}

async fn set_routes(key: &SessionKey, session: &mut OpenSession, routes: &RouteSet) {
    if let Err(error) = session.set_routes(routes).await {
        tracing::error!(session = %key, %error, "cannot set the routes");
    }
}

#[cfg(test)]
mod operator_tests;
#[cfg(test)]
mod reset_tests;
#[cfg(test)]
mod tests;
