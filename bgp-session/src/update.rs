//! A change of a peer's configuration in place: what it takes, and what came of it.

use bgp_core::fsm::{Change, FsmConfig, TakesEffect};

use crate::{bfd::BfdProfile, transport::TransportConfig};

/// What a change of a peer's configuration came to; see [`PeerHandle::update`](crate::PeerHandle::update).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// The values that changed, each with what it takes to come into force. The names are those of
    /// [`FsmConfig`]'s fields, and of the methods of [`PeerConfig`](crate::PeerConfig) where a value is of the
    /// transport.
    pub changes: Vec<Change>,
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

/// All that differs between two configurations of one peer.
pub(crate) fn changes(
    old: (&FsmConfig, &TransportConfig, Option<BfdProfile>),
    new: (&FsmConfig, &TransportConfig, Option<BfdProfile>),
) -> Vec<Change> {
    let mut changes = old.0.changes(new.0);
    changes.extend(old.1.changes(new.1));
    if old.2 != new.2 {
        changes.push(Change { field: "bfd", takes_effect: TakesEffect::AtOnce });
    }
    changes
}
