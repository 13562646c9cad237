//! How many prefixes a peer may send, and what happens beyond (RFC 4486, section 4).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::AfiSafi;

/// The most prefixes of one address family that are taken from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a limit, a warning before it, and what comes after it"
)]
pub struct PrefixLimit {
    /// So many are taken; with one more the limit is exceeded.
    pub limit: u32,
    /// The operator is warned from this share of the limit on, in per cent; 100 and more: not before the limit.
    pub warning_percent: u8,
    /// What happens beyond the limit.
    pub exceeded: Exceeded,
}

/// What happens to a session whose peer sends too many prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a session goes on, comes back or ends")]
pub enum Exceeded {
    /// The operator is told, and the prefixes are taken.
    Warn,
    /// The session is ended by Cease/1, and no other is made or accepted for so long.
    Restart(Duration),
    /// The session is ended by Cease/1, and the operator has to start the peer again.
    Stop,
}

impl PrefixLimit {
    /// This limit, a warning at three quarters of it, and a pause of 5 minutes after a session that exceeded it.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        let exceeded = Exceeded::Restart(Duration::from_secs(300));
        Self { limit, warning_percent: 75, exceeded }
    }

    /// The number of prefixes from which on the operator is warned.
    #[must_use]
    pub fn warning(&self) -> u32 {
        let share = u64::from(self.limit) * u64::from(self.warning_percent.min(100)) / 100;
        u32::try_from(share).unwrap_or(self.limit).max(1)
    }
}

impl From<u32> for PrefixLimit {
    fn from(limit: u32) -> Self {
        Self::new(limit)
    }
}

/// The limits of each address family; each is counted by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixLimits {
    others: Option<PrefixLimit>,
    by_family: BTreeMap<AfiSafi, PrefixLimit>,
}

impl PrefixLimits {
    /// No limit.
    #[must_use]
    pub const fn none() -> Self {
        Self { others: None, by_family: BTreeMap::new() }
    }

    /// The same limit for each family.
    #[must_use]
    pub fn each(limit: impl Into<PrefixLimit>) -> Self {
        Self { others: Some(limit.into()), by_family: BTreeMap::new() }
    }

    /// Another limit for one family.
    #[must_use]
    pub fn family(mut self, family: AfiSafi, limit: impl Into<PrefixLimit>) -> Self {
        self.by_family.insert(family, limit.into());
        self
    }

    /// The limit of a family, if it has one.
    #[must_use]
    pub fn of(&self, family: AfiSafi) -> Option<&PrefixLimit> {
        self.by_family.get(&family).or(self.others.as_ref())
    }
}
