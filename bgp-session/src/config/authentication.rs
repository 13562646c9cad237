//! The authentication of a peer's TCP segments: [`Password`] (RFC 2385), [`AoKey`] (RFC 5925), and their setters.

use std::fmt;

use super::TransportConfig;
use crate::PeerConfig;

impl PeerConfig {
    /// Sets a TCP MD5 password (RFC 2385) of 1 to 80 octets, on the dialled connection and on the
    /// listener for this peer's address. Linux only; elsewhere adding the peer is refused.
    #[must_use]
    pub fn password(mut self, password: impl Into<Password>) -> Self {
        self.transport.password = Some(password.into());
        self
    }

    /// Sets keys of TCP-AO (RFC 5925), on the dialled connection and on the listener for this peer's address. The
    /// first one signs our segments, and each is accepted. Linux 6.7 and later, with `CONFIG_TCP_AO`; elsewhere adding the
    /// peer is refused. Cannot be combined with a password.
    #[must_use]
    pub fn ao_keys(mut self, keys: impl IntoIterator<Item = AoKey>) -> Self {
        self.transport.ao_keys = keys.into_iter().collect();
        self
    }
}

impl TransportConfig {
    /// Returns true if segments are signed.
    pub(crate) fn has_authentication(&self) -> bool {
        self.password.is_some() || !self.ao_keys.is_empty()
    }

    /// Returns true if both sign segments with the same keys.
    pub(crate) fn has_same_authentication(&self, other: &Self) -> bool {
        self.password == other.password && self.ao_keys == other.ao_keys
    }
}

/// A secret of RFC 2385 or RFC 5925. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// The largest number of octets that Linux accepts: TCP_MD5SIG_MAXKEYLEN and TCP_AO_MAXKEYLEN.
    pub const LONGEST: usize = 80;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if the system accepts a secret of this length.
    pub(super) fn has_usable_length(&self) -> bool {
        (1..=Self::LONGEST).contains(&self.0.len())
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&[u8]> for Password {
    fn from(octets: &[u8]) -> Self {
        Self(octets.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

/// One key of TCP-AO: a Master Key Tuple of RFC 5925 section 3.1, with the identifiers that the two ends use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AoKey {
    pub(crate) send_id: u8,
    pub(crate) receive_id: u8,
    pub(crate) algorithm: AoAlgorithm,
    pub(crate) secret: Password,
}

/// An algorithm that authenticates segments: one of the two that RFC 5926 requires of every implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96.
    #[default]
    HmacSha1,
    /// AES-128-CMAC-96.
    Aes128Cmac,
}

impl AoKey {
    /// The largest number of octets of a secret that Linux accepts: TCP_AO_MAXKEYLEN.
    pub const LONGEST: usize = Password::LONGEST;

    /// A secret for HMAC-SHA-1-96, with one identifier that is both its SendID and its RecvID.
    pub fn new(id: u8, secret: impl Into<Password>) -> Self {
        Self {
            send_id: id,
            receive_id: id,
            algorithm: AoAlgorithm::default(),
            secret: secret.into(),
        }
    }

    /// Sets the identifier that the peer sends with this key, if it differs from ours.
    #[must_use]
    pub fn receive_id(mut self, id: u8) -> Self {
        self.receive_id = id;
        self
    }

    /// Sets the algorithm.
    #[must_use]
    pub fn algorithm(mut self, algorithm: AoAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}

impl AoAlgorithm {
    /// The algorithm's name in Linux's crypto interface.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac(sha1)",
            Self::Aes128Cmac => "cmac(aes128)",
        }
    }

    /// The length in octets of the message authentication code as sent, the same for both algorithms (RFC 5926).
    pub(crate) fn code_length(self) -> u8 {
        12
    }
}
