//! [`AoKey`]: a Master Key Tuple of TCP-AO (RFC 5925 section 3.1).

use crate::Password;

/// One key of TCP-AO, with the names by which the two ends speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AoKey {
    pub(crate) send_id: u8,
    pub(crate) receive_id: u8,
    pub(crate) algorithm: AoAlgorithm,
    pub(crate) secret: Password,
}

/// How segments are authenticated: the two algorithms that RFC 5926 has every implementation know.
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
    /// TCP_AO_MAXKEYLEN of Linux.
    pub const LONGEST: usize = Password::LONGEST;

    /// A secret with the identifier that is both its SendID and its RecvID, for HMAC-SHA-1-96.
    pub fn new(id: u8, secret: impl Into<Password>) -> Self {
        Self {
            send_id: id,
            receive_id: id,
            algorithm: AoAlgorithm::default(),
            secret: secret.into(),
        }
    }

    /// The identifier that the peer sends with this key, where it isn't ours.
    #[must_use]
    pub fn receive_id(mut self, id: u8) -> Self {
        self.receive_id = id;
        self
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(mut self, algorithm: AoAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}

impl AoAlgorithm {
    /// As Linux's crypto interface calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac(sha1)",
            Self::Aes128Cmac => "cmac(aes128)",
        }
    }

    /// The octets of the message authentication code that are sent, of RFC 5926 for both.
    pub(crate) fn code_length(self) -> u8 {
        12
    }
}
