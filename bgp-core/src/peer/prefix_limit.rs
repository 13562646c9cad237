//! The number of prefixes that a peer may send, and the reaction when it sends more (RFC 4486, section 4).
//!
//! Owns the limits as configured, and compares them with the Adj-RIB-In after each UPDATE.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::fsm::Event;
use crate::peer::{Output, Peer};
use crate::wire::Notification;
use crate::{AfiSafi, Direction};

/// The largest number of prefixes of one address family that a peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "a limit, a warning before it, and the reaction beyond it"
)]
pub struct PrefixLimit {
    /// The number of prefixes that are accepted. One more exceeds the limit.
    pub limit: u32,
    /// The share of the limit, in per cent, at which the operator is warned. 100 or more: at the limit itself.
    pub warning_percent: u8,
    /// The reaction when the limit is exceeded.
    pub exceeded: Exceeded,
}

/// The reaction to a peer that sends too many prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a session goes on, comes back or ends")]
pub enum Exceeded {
    /// Warns the operator and accepts the prefixes.
    Warn,
    /// Ends the session with Cease/1, and neither opens nor accepts a connection for this time.
    Restart(Duration),
    /// Ends the session with Cease/1. The operator has to start the peer again.
    Stop,
}

impl PrefixLimit {
    /// A limit with a warning at 75 %, and a pause of 5 minutes after a session that exceeded it.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        let exceeded = Exceeded::Restart(Duration::from_secs(300));
        Self { limit, warning_percent: 75, exceeded }
    }

    /// The number of prefixes at which the operator is warned.
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

/// The limits of all address families. Each family is counted on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

    /// Sets the limit of one family, in place of the common one.
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

impl Peer {
    /// Compares the number of prefixes held of each family with its limit, after an UPDATE.
    pub(super) fn enforce_limits(&mut self, now: Instant, direction: Direction) {
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            let Some(limit) = self.settings.maximum_prefixes.of(family).copied() else { continue };
            if !self.enforce_limit(now, direction, family, limit) {
                return;
            }
        }
    }

    /// Compares the number of prefixes held of one family with its limit. Returns false if that ended the session.
    fn enforce_limit(
        &mut self,
        now: Instant,
        direction: Direction,
        family: AfiSafi,
        prefix_limit: PrefixLimit,
    ) -> bool {
        let limit = prefix_limit.limit;
        let held = self.held(family, prefix_limit);
        if held < prefix_limit.warning() {
            self.warned.remove(&family);
            return true;
        }

        // One warning, until the number has fallen below the threshold again.
        if self.warned.insert(family) {
            self.outputs.push_back(Output::PrefixWarning { family, held, limit });
        }

        let pause = match prefix_limit.exceeded {
            Exceeded::Restart(time) => Some(time),
            Exceeded::Stop => None,
            Exceeded::Warn => return true,
        };
        if held <= limit {
            return true;
        }

        debug!(%family, held, limit, "too many prefixes");
        self.pause_for(now, pause);
        // A second connection of the peer would bring up a session during the pause, so both are closed.
        let cease = Notification::maximum_prefixes(family, limit);
        for direction in [direction, direction.opposite()] {
            self.handle(now, direction, Event::AutomaticStop(cease.clone()));
        }
        false
    }

    /// The number of prefixes held of one family, with the gathered changes. If these may lead past a threshold, they are
    /// made first. Otherwise it is the least number that they may lead to.
    fn held(&mut self, family: AfiSafi, limit: PrefixLimit) -> u32 {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let known = self.adj_rib_in.len_of(family);
        let gathered = self.adj_rib_in.gathered().len_of(family);
        let (least, most) =
            (count(known.saturating_sub(gathered)), count(known.saturating_add(gathered)));

        let passed = |held: u32| (held >= limit.warning(), held > limit.limit);
        let is_first_warning = most >= limit.warning() && !self.warned.contains(&family);
        if passed(least) != passed(most) || is_first_warning {
            self.apply_gathered(usize::MAX);
            return count(self.adj_rib_in.len_of(family));
        }
        least
    }
}
