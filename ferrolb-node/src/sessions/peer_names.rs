//! The names of peers in the configuration, for tasks that know a peer as its speaker does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp_session::PeerId;

use super::config::RemotePeer;

/// The names of the peers of all speakers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerNames {
    names: Arc<Mutex<BTreeMap<SpeakerKey, Names>>>,
}

/// A node, and the number of the speaker among those of the node.
type SpeakerKey = (String, usize);

/// The names of the peers of one speaker.
#[derive(Debug, Default)]
struct Names {
    peers: BTreeMap<PeerId, String>,
    /// The names of peers by interface, for the routers that will be found there.
    interfaces: BTreeMap<String, String>,
}

impl PeerNames {
    /// Returns the names of the peers of a node's speaker of this number.
    pub(super) fn of(&self, node: &str, number: usize) -> SpeakerPeerNames {
        SpeakerPeerNames { all: self.clone(), speaker: (node.to_owned(), number) }
    }

    /// Forgets all names.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SpeakerKey, Names>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the peers of one speaker. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct SpeakerPeerNames {
    all: PeerNames,
    speaker: SpeakerKey,
}

impl SpeakerPeerNames {
    /// Sets the name of a peer.
    pub(super) fn set(&self, peer: &RemotePeer, name: &str) {
        let mut all = self.all.lock();
        let names = all.entry(self.speaker.clone()).or_default();
        match peer {
            RemotePeer::Address(config) => names.peers.insert(config.id(), name.to_owned()),
            RemotePeer::Interface(peer) => {
                names.interfaces.insert(peer.interface().to_owned(), name.to_owned())
            }
        };
    }

    /// Notes that this is the router on an interface.
    pub(super) fn found(&self, interface: &str, peer: PeerId) {
        let mut all = self.all.lock();
        let names = all.entry(self.speaker.clone()).or_default();
        if let Some(name) = names.interfaces.get(interface) {
            names.peers.insert(peer, name.clone());
        }
    }

    /// Returns the name of a peer.
    pub(super) fn get(&self, peer: PeerId) -> Option<String> {
        self.all.lock().get(&self.speaker)?.peers.get(&peer).cloned()
    }
}
