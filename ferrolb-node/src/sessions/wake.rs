//! Wakes the main loop when a session changes.

use std::sync::Arc;

use bgp_session::{InterfaceHandle, PeerHandle, Speaker};
use tokio::sync::Notify;

use super::peer_names::SpeakerPeerNames;

/// Wakes the loop at every event of the speaker, for as long as the speaker lives.
pub fn wake_on_events(speaker: &Speaker, wake: &Arc<Notify>) {
    let (mut events, wake) = (speaker.events(), Arc::clone(wake));
    tokio::spawn(async move {
        // Missed events count as an event, too.
        while events.next().await.is_some() {
            wake.notify_one();
        }
    });
}

/// Wakes the loop when the router on an interface changes, or the BFD state of that router. Names each router that is found.
pub(super) fn wake_on_interface_changes(
    handle: &InterfaceHandle,
    speaker: &Speaker,
    names: SpeakerPeerNames,
    wake: &Arc<Notify>,
) {
    let (mut changes, speaker, wake) = (handle.status_changes(), speaker.clone(), Arc::clone(wake));
    let interface = handle.interface().to_owned();
    tokio::spawn(async move {
        let mut watched = None;
        while changes.changed().await.is_ok() {
            let found = changes.borrow_and_update().peer;
            if found != watched
                && let Some(peer) = found.and_then(|id| speaker.peer(id))
            {
                names.found(&interface, peer.id());
                wake_on_bfd_changes(&peer, &wake);
            }

            watched = found;
            wake.notify_one();
        }
    });
}

/// Wakes the loop when BFD changes its state, or finds a problem that keeps it from coming up: neither is an event of the
/// speaker.
pub(super) fn wake_on_bfd_changes(peer: &PeerHandle, wake: &Arc<Notify>) {
    let (mut changes, wake) = (peer.bfd_changes(), Arc::clone(wake));
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            wake.notify_one();
        }
    });
}
