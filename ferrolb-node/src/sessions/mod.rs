//! Keeps the sessions of nodes in line with what is wanted.
//!
//! ```text
//! wanted: (node, peer) -> terms, routes  --->  Sessions::apply  --->  a peer of the node's speaker
//! ```
//!
//! A session that has not changed is not touched: a session is closed only when it is no longer wanted, and begun again
//! only when it cannot go on with its new terms. It gets all its routes at once. This module owns the speakers of nodes;
//! it decides neither whom to speak to nor what to announce.

mod open;
mod pairing;
mod speakers;
mod terms;

pub mod desired;
mod source_address;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_session::{GracefulShutdown, IpNet, RouteSet, SpeakerError, UnsendableRoute};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use open::Open;
pub use open::{SessionStatus, ring_at_events};
pub use pairing::{Course, pair};
pub use source_address::SourceAddresses;
use speakers::Speakers;
pub use terms::{Remote, SessionKey, Terms, Wanted, agreed, remote};

/// The sessions that there are.
#[derive(Debug)]
pub struct Sessions {
    open: BTreeMap<SessionKey, Open>,
    /// Why others could not be opened.
    refused: BTreeMap<SessionKey, String>,
    speakers: Speakers,
    /// The routes that they could not carry at the last look; sessions that carry everything are left out.
    unsendable: BTreeMap<SessionKey, Arc<[UnsendableRoute]>>,
    bell: Arc<Notify>,
}

/// The sessions that cannot stay as they are.
#[derive(Default)]
struct Others {
    /// Those whose terms have changed.
    changing: BTreeMap<SessionKey, Open>,
    /// Those that are no longer wanted.
    gone: Vec<(SessionKey, Open)>,
}

impl Sessions {
    /// None yet. The bell rings whenever something happens at a session.
    pub fn new(bell: Arc<Notify>) -> Self {
        let speakers = Speakers::new(Arc::clone(&bell));
        let (open, refused, unsendable) = Default::default();
        Self { open, refused, speakers, unsendable, bell }
    }

    /// Brings the sessions in line. Returns those that could not be opened; they are tried again
    /// at the next call.
    pub async fn apply(
        &mut self,
        wanted: &BTreeMap<SessionKey, Wanted>,
    ) -> Vec<(SessionKey, SpeakerError)> {
        // A drain that was called off too late has ended them.
        self.open.retain(|_, open| !open.has_ended());
        let mut others = self.keep(wanted);
        self.set_routes(wanted).await;
        self.change_in_place(wanted, &mut others.changing).await;

        let changed = "the session cannot go on with its new terms";
        let changed = others.changing.into_iter().map(|(key, open)| (key, open, changed));
        let gone = "peer removed from the configuration";
        let gone = others.gone.into_iter().map(|(key, open)| (key, open, gone));
        let closing = changed.chain(gone).map(|(key, open, why)| {
            tracing::info!(node = key.node, peer = key.peer, "closing the session: {why}");
            open.close()
        });
        join_all(closing).await;
        self.speakers.retain(|node| wanted.keys().any(|key| key.node == node));

        self.refused.clear();
        let mut failed = Vec::new();
        for (key, wanted) in wanted {
            if self.open.contains_key(key) {
                continue;
            }
            match self.open(key, wanted).await {
                Ok(open) => drop(self.open.insert(key.clone(), open)),
                Err(error) => {
                    self.refused.insert(key.clone(), error.to_string());
                    failed.push((key.clone(), error));
                }
            }
        }
        failed
    }

    /// Opens a session at the first of its node's speakers that has no session with the same router.
    async fn open(&mut self, key: &SessionKey, wanted: &Wanted) -> Result<Open, SpeakerError> {
        let of_node = self.open.iter().filter(|(other, _)| other.node == key.node);
        let excluding = of_node.filter(|(_, open)| open.terms.remote.is_same(&wanted.terms.remote));
        let taken: BTreeSet<usize> = excluding.map(|(_, open)| open.number).collect();
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();

        let speaker = self.speakers.get(&key.node, number, &wanted.terms).await?;
        match Open::new(wanted, (number, speaker), &self.bell).await {
            Err(SpeakerError::SpeakerShutDown) => {
                let speaker = self.speakers.replace(&key.node, number, &wanted.terms).await?;
                Open::new(wanted, (number, speaker), &self.bell).await
            }
            opened => opened,
        }
    }

    /// Hands one session its routes; those that it has already cost next to nothing.
    pub async fn announce(&mut self, key: &SessionKey, routes: &RouteSet) {
        let Some(open) = self.open.get_mut(key) else { return };
        set_routes(key, open, routes).await;
    }

    /// Takes all of them out of service without loss (RFC 8326), and ends them. If the future is dropped before it is
    /// done, everything is announced again as it should be.
    pub fn drain(&self, how: &GracefulShutdown) -> impl Future<Output = ()> + Send + use<> {
        let speakers = self.speakers.all().map(|speaker| (speaker.clone(), how.clone()));
        let drains = speakers.map(async |(speaker, how)| speaker.drain(how).await);
        let mut drains: FuturesUnordered<_> = drains.collect();
        async move { while drains.next().await.is_some() {} }
    }

    /// Returns how a wanted session stands, also one that could not be opened.
    pub fn status(&self, key: &SessionKey) -> Option<SessionStatus> {
        let refused = || Some(SessionStatus::refused(self.refused.get(key)?.clone()));
        self.open.get(key).map(Open::status).or_else(refused)
    }

    /// Looks again at the routes that sessions cannot carry: of all sessions, or of those that say they have some.
    /// Returns for each session the prefixes for which this has changed.
    pub async fn look(&mut self, all: bool) -> BTreeMap<SessionKey, BTreeSet<IpNet>> {
        let looks = |key: &SessionKey, open: &Open| {
            all || self.unsendable.contains_key(key) || open.status().unsendable() > 0
        };
        let asked = self.open.iter().filter(|(key, open)| looks(key, open));
        let asked: FuturesUnordered<_> =
            asked.map(async |(key, open)| (key.clone(), open.unsendable().await)).collect();
        let found: Vec<_> = asked.collect().await;

        let mut changed = BTreeMap::new();
        for (key, routes) in found {
            let before = self.unsendable.remove(&key).unwrap_or_default();
            let [was, is] = [&before[..], &routes[..]].map(prefixes);
            let differing: BTreeSet<_> = was.symmetric_difference(&is).copied().collect();
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

    /// Returns the routes that a session could not carry at the last [look](Self::look).
    pub fn unsendable(&self, key: &SessionKey) -> Arc<[UnsendableRoute]> {
        self.unsendable.get(key).cloned().unwrap_or_default()
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
        self.speakers.shutdown(message).await;
        self.open.clear();
    }

    /// Ends all of them so that routers keep the routes until this process is back: without a word where graceful
    /// restart was agreed on (RFC 4724), since a Cease would be a Hard Reset there (RFC 8538); as [`shutdown`](Self::shutdown)
    /// does elsewhere.
    pub async fn leave_for_restart(&mut self, message: &str) {
        let open = std::mem::take(&mut self.open).into_values();
        let (kept, others): (Vec<_>, Vec<_>) =
            open.partition(|open| open.status().restarts_gracefully());
        join_all(kept.into_iter().map(Open::abandon)).await;
        self.speakers.shutdown(message).await;
        drop(others);
    }

    /// Keeps the sessions whose terms have not changed, under their new names, and returns the others.
    fn keep(&mut self, wanted: &BTreeMap<SessionKey, Wanted>) -> Others {
        let mut open = std::mem::take(&mut self.open);
        let terms = open.iter().map(|(key, open)| (key, &open.terms));
        let pairs = pair(terms, wanted.iter().map(|(key, wanted)| (key, &wanted.terms)));

        let mut others = Others::default();
        for (key, before) in pairs {
            let (Some(session), Some(wanted)) = (open.remove(&before), wanted.get(&key)) else {
                continue;
            };
            if key != before {
                let (node, was, is) = (&key.node, &before.peer, &key.peer);
                tracing::info!(node, "the session with {was} goes on as that with {is}");
                let unsendable = self.unsendable.remove(&before);
                self.unsendable.extend(unsendable.map(|routes| (key.clone(), routes)));
            }
            if session.terms == wanted.terms {
                self.open.insert(key, session);
            } else {
                others.changing.insert(key, session);
            }
        }
        others.gone = open.into_iter().collect();
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
            set_routes(key, open, &wanted.routes).await;
        }
    }

    /// Gives sessions their new terms. Those that cannot go on with them stay in `others`.
    async fn change_in_place(
        &mut self,
        wanted: &BTreeMap<SessionKey, Wanted>,
        others: &mut BTreeMap<SessionKey, Open>,
    ) {
        for (key, wanted) in wanted {
            let Some(mut open) = others.remove(key) else { continue };
            let Some(updated) = open.change(&wanted.terms).await else {
                others.insert(key.clone(), open);
                continue;
            };
            let changes: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
            let (node, peer, changes) = (&key.node, &key.peer, changes.join(", "));
            if updated.reset {
                tracing::info!(node, peer, "reset the session for its new terms: {changes}");
            } else {
                tracing::info!(node, peer, "changed the session in place: {changes}");
            }

            set_routes(key, &mut open, &wanted.routes).await;
            self.open.insert(key.clone(), open);
        }
    }
}

fn prefixes(routes: &[UnsendableRoute]) -> BTreeSet<IpNet> {
    routes.iter().map(|route| route.prefix).collect()
}

async fn set_routes(key: &SessionKey, open: &mut Open, routes: &RouteSet) {
    if let Err(error) = open.set_routes(routes).await {
        tracing::error!(session = %key, %error, "cannot set the routes");
    }
}

#[cfg(test)]
mod reset_tests;
#[cfg(test)]
mod tests;
