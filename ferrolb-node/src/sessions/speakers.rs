//! The BGP speakers of the nodes.
//!
//! A node has one speaker for all of its peers: each peer has its own AS, BGP Identifier and source address. Only two
//! sessions with one router, at two ports, take a second speaker, since a speaker has one peer for an address. Owns the
//! speakers; the peers are decided elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_session::{Speaker, SpeakerError};
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::ring_at_events;
use super::terms::Terms;

/// The speakers that are running, by node.
#[derive(Debug)]
pub(super) struct Speakers {
    by_node: BTreeMap<String, BTreeMap<usize, Speaker>>,
    bell: Arc<Notify>,
}

impl Speakers {
    /// None yet. The bell rings at every event of theirs.
    pub(super) fn new(bell: Arc<Notify>) -> Self {
        Self { by_node: BTreeMap::new(), bell }
    }

    /// Returns a node's speaker of this number, the first being 0, and starts it if it is not running.
    pub(super) async fn get(
        &mut self,
        node: &str,
        number: usize,
        terms: &Terms,
    ) -> Result<Speaker, SpeakerError> {
        let of_node = self.by_node.get(node);
        match of_node.and_then(|speakers| speakers.get(&number)) {
            Some(speaker) => Ok(speaker.clone()),
            None => self.replace(node, number, terms).await,
        }
    }

    /// Starts a speaker in place of one that has been shut down.
    pub(super) async fn replace(
        &mut self,
        node: &str,
        number: usize,
        terms: &Terms,
    ) -> Result<Speaker, SpeakerError> {
        // Each peer says its own AS and BGP Identifier.
        let speaker = Speaker::builder(terms.asn, terms.identifier).start().await?;
        ring_at_events(&speaker, &self.bell);
        let of_node = self.by_node.entry(node.to_owned()).or_default();
        of_node.insert(number, speaker.clone());
        Ok(speaker)
    }

    /// Forgets the speakers of the nodes that are not among these.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.by_node.retain(|node, _| is_wanted(node));
    }

    /// All speakers.
    pub(super) fn all(&self) -> impl Iterator<Item = &Speaker> {
        self.by_node.values().flat_map(BTreeMap::values)
    }

    /// Ends all sessions with Cease / Administrative Shutdown and this text.
    pub(super) async fn shutdown(&mut self, message: &str) {
        let speakers = std::mem::take(&mut self.by_node);
        let speakers = speakers.values().flat_map(BTreeMap::values);
        join_all(speakers.map(|speaker| speaker.shutdown(message))).await;
    }
}
