//! [`ProtocolConfig`]: the part of a peer's configuration that is for the protocol.

use std::time::Duration;

use bgp_core::{
    Asn, BgpIdentifier,
    fsm::{LocalAs, ReceivedPath, RemoteAs, SentPath},
    peer::{Import, PeerSettings},
    rib::Relay,
};

/// The configuration of the core's peer, as far as it is known before there is a speaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolConfig {
    /// The AS that we show to this peer; `None`: the speaker's.
    pub(super) local_asn: Option<Asn>,
    /// The BGP Identifier that we show to this peer; `None`: the speaker's.
    pub(super) identifier: Option<BgpIdentifier>,
    /// The way in which paths name the speaker's own AS, if we show a different one.
    pub(super) local_as: Option<(SentPath, ReceivedPath)>,
    /// The seed of the timers' jitter; `None`: a different one for each peer.
    pub(super) jitter_seed: Option<u64>,
    /// True if this process has just been started again.
    pub(super) restarted: bool,
    /// Everything else. The fields that correspond to the values above have no meaning here.
    pub(super) settings: PeerSettings,
}

impl ProtocolConfig {
    pub(super) fn new(remote_as: RemoteAs) -> Self {
        Self {
            local_asn: None,
            identifier: None,
            local_as: None,
            jitter_seed: None,
            restarted: false,
            settings: PeerSettings::new(Asn::ZERO, BgpIdentifier::new(0, 0, 0, 0), remote_as),
        }
    }

    /// The core's configuration, completed with the speaker's values where the peer has none of its own.
    pub(super) fn for_speaker(
        &self,
        asn: Asn,
        identifier: BgpIdentifier,
        jitter_seed: u64,
    ) -> PeerSettings {
        let mut settings = self.settings.clone();
        settings.fsm.local_asn = self.local_asn_of(asn);
        settings.fsm.local_identifier = self.identifier.unwrap_or(identifier);
        settings.fsm.jitter_seed = self.jitter_seed.unwrap_or(jitter_seed);

        // If both are the same AS, paths have no second one to name.
        if settings.fsm.local_asn != asn {
            settings.fsm.local_as =
                self.local_as.map(|(sent, received)| LocalAs { speaker_asn: asn, sent, received });
        }
        settings
    }

    /// The AS that a speaker with this AS shows to the peer.
    pub(crate) fn local_asn_of(&self, speaker: Asn) -> Asn {
        self.local_asn.unwrap_or(speaker)
    }

    pub(crate) fn import(&self) -> Import {
        self.settings.import
    }

    pub(crate) fn relay(&self) -> Option<Relay> {
        self.settings.relay
    }

    pub(crate) fn remote_as(&self) -> RemoteAs {
        self.settings.fsm.remote_as
    }

    /// The time for which the peer keeps our routes, if this process has just been started again.
    pub(crate) fn restart_time(&self) -> Option<Duration> {
        let restart = self.settings.fsm.extensions.graceful_restart.as_ref()?;
        self.restarted.then_some(restart.restart_time)
    }
}
