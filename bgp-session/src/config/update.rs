//! A change of a peer's configuration in place: what it takes, and what came of it.

use bgp_core::peer::{ConfigChange, PeerSettings, TakesEffect};

use crate::PeerConfig;

/// What a change of a peer's configuration came to; see [`PeerHandle::update`](crate::PeerHandle::update).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// The values that changed, each with what it takes to come into force. The names are those of
    /// [`PeerSettings`]'s fields and those of its `fsm`, and of the methods of [`PeerConfig`](crate::PeerConfig) where a value is of the
    /// transport.
    pub changes: Vec<ConfigChange>,
    /// Whether a session that was up has been ended for it, by Cease / Other Configuration Change (RFC 4486).
    pub reset: bool,
}

impl Updated {
    /// The values that come into force with a new session only, and without which this session is not what was
    /// asked for.
    pub fn needs_reset(&self) -> impl Iterator<Item = &'static str> {
        let reset = self.changes.iter().filter(|it| it.takes_effect == TakesEffect::Reset);
        reset.map(|change| change.field)
    }
}

/// Whether a session that is up may be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resets {
    /// Where a change needs it.
    WhereNeeded,
    /// Not for this.
    Never,
}

/// All differences between two configurations of one peer, each given with the core's share of it.
pub(crate) fn changes(
    (old, old_settings): (&PeerConfig, &PeerSettings),
    (new, new_settings): (&PeerConfig, &PeerSettings),
) -> Vec<ConfigChange> {
    let mut changes = old_settings.changes(new_settings);
    if old.address().port() != new.address().port() {
        changes.push(ConfigChange { field: "port", takes_effect: TakesEffect::Reset });
    }
    changes.extend(old.transport.changes(&new.transport));
    if old.bfd != new.bfd {
        changes.push(ConfigChange { field: "bfd", takes_effect: TakesEffect::AtOnce });
    }
    changes
}
