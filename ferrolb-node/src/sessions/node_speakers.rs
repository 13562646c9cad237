//! The BGP speakers of the nodes.
//!
//! A node has one speaker for all of its peers: each peer has its own AS, BGP Identifier and source address. Only two
//! sessions with one router, at two ports, need a second speaker, since a speaker has one peer for an address. Owns the
//! speakers; the peers are decided elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bgp_session::{Connecting, Connector, PeerConfig, Speaker, SpeakerError, TcpConnector};
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::config::SessionConfig;
use super::peer_names::PeerNames;
use crate::events::{EventLog, record_session_events};

/// The running speakers, by node.
#[derive(Debug)]
pub(super) struct NodeSpeakers {
    by_node: BTreeMap<String, BTreeMap<usize, Speaker>>,
    connector: SharedConnector,
    wake: Arc<Notify>,
    log: EventLog,
    names: PeerNames,
}

impl NodeSpeakers {
    /// Returns an empty set of speakers. Every event of a speaker notifies `wake`, and is recorded with the peer's name.
    pub(super) fn new(wake: Arc<Notify>, log: EventLog, names: PeerNames) -> Self {
        let connector = SharedConnector(Arc::new(TcpConnector));
        Self { by_node: BTreeMap::new(), connector, wake, log, names }
    }

    /// Opens the connections of speakers that start from now on with this connector.
    pub(super) fn set_connector(&mut self, connector: Arc<dyn Connector>) {
        self.connector = SharedConnector(connector);
    }

    /// Returns a node's speaker of this number, the first being 0. Starts it if it is not running.
    pub(super) async fn get_or_start(
        &mut self,
        node: &str,
        number: usize,
        config: &SessionConfig,
    ) -> Result<Speaker, SpeakerError> {
        let speakers = self.by_node.get(node);
        match speakers.and_then(|speakers| speakers.get(&number)) {
            Some(speaker) => Ok(speaker.clone()),
            None => self.start(node, number, config).await,
        }
    }

    /// Starts a speaker, in place of one that was shut down if there is one.
    pub(super) async fn start(
        &mut self,
        node: &str,
        number: usize,
        config: &SessionConfig,
    ) -> Result<Speaker, SpeakerError> {
        // The values of the speaker do not matter, since every peer has its own.
        let builder = Speaker::builder(config.asn, config.identifier);
        let speaker = builder.connector(self.connector.clone()).start().await?;
        self.follow_events(&speaker, node, number);

        let speakers = self.by_node.entry(node.to_owned()).or_default();
        speakers.insert(number, speaker.clone());
        Ok(speaker)
    }

    /// Records the events of a speaker for as long as it lives.
    fn follow_events(&self, speaker: &Speaker, node: &str, number: usize) {
        let (names, wake) = (self.names.of(node, number), Arc::clone(&self.wake));
        let name = move |peer| names.get(peer);
        let (log, events) = (self.log.clone(), speaker.events());
        let noticed = move || wake.notify_one();
        tokio::spawn(record_session_events(log, node.to_owned(), events, name, noticed));
    }

    /// Drops the speakers of the nodes that are not desired any more.
    pub(super) fn retain(&mut self, is_desired: impl Fn(&str) -> bool) {
        self.by_node.retain(|node, _| is_desired(node));
    }

    /// Returns all speakers.
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

/// One connector for all speakers.
#[derive(Clone)]
struct SharedConnector(Arc<dyn Connector>);

impl Connector for SharedConnector {
    fn connect(&self, peer: &PeerConfig) -> Connecting {
        self.0.connect(peer)
    }
}

impl fmt::Debug for SharedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedConnector")
    }
}
