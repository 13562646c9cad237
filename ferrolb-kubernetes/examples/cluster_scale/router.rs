//! The router: it keeps the routes of the speaker, and counts the messages that bring them.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, PeerHandle, Speaker};
use tokio::time::Instant;

use crate::objects::NODE;

/// A router with a session to the speaker's node.
pub(crate) struct Router {
    speaker: Speaker,
    peer: PeerHandle,
}

/// What the router has received from the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) updates: u64,
    pub(crate) announced: u64,
    pub(crate) withdrawn: u64,
}

impl Received {
    /// Returns what came after an earlier moment.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            updates: self.updates - before.updates,
            announced: self.announced - before.announced,
            withdrawn: self.withdrawn - before.withdrawn,
        }
    }
}

/// The autonomous systems of the router and of the nodes.
pub(crate) const ROUTER_ASN: u32 = 64_635;
pub(crate) const NODE_ASN: u32 = 64_636;

impl Router {
    /// Starts the router on a free port.
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let speaker = Speaker::builder(Asn(ROUTER_ASN), BgpIdentifier::new(172, 22, 35, 1));
        let speaker = speaker.listen(SocketAddr::from(([127, 0, 0, 1], 0))).start().await?;
        let peer =
            PeerConfig::new(IpAddr::from(NODE), Asn(NODE_ASN)).passive().import(Import::Keep);
        let peer = speaker.add_peer(peer).await?;
        Ok(Self { speaker, peer })
    }

    /// Returns the port of the router.
    pub(crate) fn port(&self) -> Result<u16, Box<dyn Error>> {
        Ok(self.speaker.listen_addr().ok_or("a router that listens")?.port())
    }

    /// Returns the number of prefixes with a route.
    pub(crate) fn prefixes(&self) -> usize {
        self.speaker.loc_rib().len()
    }

    /// Returns what has been received so far.
    pub(crate) fn received(&self) -> Received {
        let status = self.peer.status();
        let stats = &status.stats;
        Received {
            updates: stats.received.update,
            announced: stats.prefixes_announced_in,
            withdrawn: stats.prefixes_withdrawn_in,
        }
    }

    /// Waits until the number of prefixes is right.
    pub(crate) async fn wait_for(&self, prefixes: usize) -> Result<(), Box<dyn Error>> {
        let mut changed = self.speaker.loc_rib_changed();
        let held = async {
            while self.prefixes() != prefixes {
                changed.changed().await?;
            }
            Ok::<_, tokio::sync::watch::error::RecvError>(())
        };
        let waited = tokio::time::timeout(Duration::from_secs(300), held).await;
        waited.map_err(|_| format!("{} prefixes instead of {prefixes}", self.prefixes()))??;
        Ok(())
    }

    /// Waits until nothing has been received for a second. Returns the time of the last UPDATE, to a few milliseconds.
    pub(crate) async fn settled(&self) -> Instant {
        let (mut last, mut at) = (self.received(), Instant::now());
        while at.elapsed() < Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let now = self.received();
            if now != last {
                (last, at) = (now, Instant::now());
            }
        }
        at
    }
}
