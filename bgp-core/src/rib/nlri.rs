//! [`Nlri`]: a prefix with the identifier of one of its paths.

use std::fmt;

use ipnet::IpNet;

/// A prefix and the identifier of a path to it (RFC 7911, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 7911, section 3, has these fields")]
pub struct Nlri {
    /// The prefix.
    pub prefix: IpNet,
    /// The path identifier. It is 0 if the session has none.
    pub path_id: u32,
}

impl From<IpNet> for Nlri {
    fn from(prefix: IpNet) -> Self {
        Self { prefix, path_id: 0 }
    }
}

impl From<(IpNet, u32)> for Nlri {
    fn from((prefix, path_id): (IpNet, u32)) -> Self {
        Self { prefix, path_id }
    }
}

impl fmt::Display for Nlri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path_id {
            0 => self.prefix.fmt(f),
            path_id => write!(f, "{} (path {path_id})", self.prefix),
        }
    }
}
