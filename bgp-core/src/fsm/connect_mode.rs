//! The choice of the end that opens the TCP connection.

/// The end that opens the TCP connection (PassiveTcpEstablishment of RFC 4271, section 8.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum ConnectMode {
    /// Either end. If both open one, collision detection keeps one of them (RFC 4271, section 6.8).
    #[default]
    Both,
    /// We do. Connections that the peer opens are refused.
    Active,
    /// The peer does. We only listen.
    Passive,
}

impl ConnectMode {
    /// Returns true if we open connections.
    #[must_use]
    pub const fn dials(self) -> bool {
        matches!(self, Self::Both | Self::Active)
    }

    /// Returns true if the peer may open connections.
    #[must_use]
    pub const fn listens(self) -> bool {
        matches!(self, Self::Both | Self::Passive)
    }
}
