//! The configuration of a session: both ends, and the parameters to negotiate.
//!
//! Owns the types and how two configurations compare. Opens nothing.

use bgp_session::{Asn, BgpIdentifier, ConfigChange, InterfacePeer, PeerConfig, TakesEffect};

/// The router at the other end of a session, and the parameters of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a peer has an address or is at the end of a link")]
pub enum RemotePeer {
    /// The router at an address.
    Address(PeerConfig),
    /// The router at the other end of an interface, whatever its address.
    Interface(InterfacePeer),
}

impl RemotePeer {
    /// Returns the same router with changed parameters.
    #[must_use]
    pub fn map_config(self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        match self {
            Self::Address(config) => Self::Address(change(config)),
            Self::Interface(peer) => Self::Interface(peer.config(change)),
        }
    }

    /// Returns the parameters. For the peer of an interface, the address in them has no meaning.
    pub fn peer_config(&self) -> &PeerConfig {
        match self {
            Self::Address(config) => config,
            Self::Interface(peer) => peer.peer_config(),
        }
    }

    /// Returns true if `other` is the same router, even if its parameters differ.
    pub fn is_same_router(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(config), Self::Address(other)) => config.id() == other.id(),
            (Self::Interface(peer), Self::Interface(other)) => {
                peer.interface() == other.interface()
            }
            _ => false,
        }
    }
}

/// The configuration of a session. Some of it can change while the session is up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The node's AS.
    pub asn: Asn,
    /// The node's BGP Identifier.
    pub identifier: BgpIdentifier,
    /// The router and the parameters of the session.
    pub remote: RemotePeer,
}

/// The effect of a new configuration on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session continues, or it does not")]
pub enum ConfigEffect {
    /// The session continues. These values change, each at once or with the next session.
    Continues(Vec<ConfigChange>),
    /// The session is closed and opened again, because these values cannot change within a session.
    Resets(Vec<&'static str>),
}

impl SessionConfig {
    /// Returns the configuration of a session between these two ends.
    pub fn new(asn: Asn, identifier: BgpIdentifier, remote: RemotePeer) -> Self {
        Self { asn, identifier, remote }
    }

    /// Returns the peer with the node's AS and BGP Identifier among its parameters, so that they can change with the
    /// rest.
    pub(super) fn with_local_identity(&self) -> RemotePeer {
        let (asn, identifier) = (self.asn, self.identifier);
        self.remote.clone().map_config(|config| config.local_asn(asn).identifier(identifier))
    }

    /// Returns the effect on the session when `after` replaces this configuration.
    pub fn effect_of(&self, after: &Self) -> ConfigEffect {
        if self == after {
            return ConfigEffect::Continues(Vec::new());
        }
        let (before, after) = (self.with_local_identity(), after.with_local_identity());
        if !before.is_same_router(&after) {
            return ConfigEffect::Resets(vec!["address"]);
        }

        let changes = before.peer_config().changes(after.peer_config());
        let resets = changes.iter().filter(|change| change.takes_effect == TakesEffect::Reset);
        let resets: Vec<_> = resets.map(|change| change.field).collect();
        if resets.is_empty() {
            return ConfigEffect::Continues(changes);
        }
        ConfigEffect::Resets(resets)
    }
}
