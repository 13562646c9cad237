//! Who opens the TCP connection.

/// Who opens the TCP connection (PassiveTcpEstablishment of RFC 4271, section 8.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum ConnectMode {
    /// Either end, whoever is first; of two connections one is kept (RFC 4271, section 6.8).
    #[default]
    Both,
    /// We do: connections that the peer makes are refused.
    Active,
    /// The peer does: we wait.
    Passive,
}

impl ConnectMode {
    /// Whether we open connections.
    #[must_use]
    pub const fn dials(self) -> bool {
        matches!(self, Self::Both | Self::Active)
    }

    /// Whether the peer may open connections.
    #[must_use]
    pub const fn listens(self) -> bool {
        matches!(self, Self::Both | Self::Passive)
    }
}
