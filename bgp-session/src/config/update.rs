//! [`Updated`]: the changes between two configurations of a peer, and the time when each of them takes effect.

use std::fmt;

use bgp_core::peer::{ConfigChange, PeerSettings, TakesEffect};

use super::TransportConfig;
use crate::{PeerConfig, event::separated};

/// The outcome of a change of a peer's configuration; see [`PeerHandle::update`](crate::PeerHandle::update). It prints as a
/// short sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Updated {
    /// The values that changed, each with the time when it takes effect. The names are those of
    /// the fields of [`PeerSettings`] and of its `fsm`, and those of [`PeerConfig`]'s methods for values of the transport.
    pub changes: Vec<ConfigChange>,
    /// True if a session that was up has been ended for the change, by Cease / Other Configuration Change (RFC 4486).
    pub reset: bool,
}

impl Updated {
    /// The values that take effect only with a new session. Until then the current session does not match the configuration.
    pub fn needs_reset(&self) -> impl Iterator<Item = &'static str> {
        let reset = self.changes.iter().filter(|change| change.takes_effect == TakesEffect::Reset);
        reset.map(|change| change.field)
    }
}

impl fmt::Display for Updated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing has changed");
        }
        f.write_str(match self.reset {
            true => "the session was reset to change it",
            false => "the session was changed in place",
        })?;
        separated(f, ": ", self.changes.iter().map(|change| change.field))
    }
}

/// The permission to end a session that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetPolicy {
    /// If a change needs it.
    IfNeeded,
    /// Not for this change.
    Never,
}

/// All differences between two configurations of one peer, each given with the core's part of it.
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
    if old.name != new.name {
        changes.push(ConfigChange { field: "name", takes_effect: TakesEffect::AtOnce });
    }
    changes
}

impl TransportConfig {
    /// The values in which `new` differs. Most need a new connection.
    fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        use TakesEffect::{NextSession, Reset};

        let mut changes = Vec::new();
        // Without a rest pattern, so that each new field needs a decision here.
        macro_rules! compare {
            ($($field:ident: $takes_effect:expr),* $(,)?) => {
                let Self { $($field),* } = self;
                $(if *$field != new.$field {
                    changes.push(ConfigChange { field: stringify!($field), takes_effect: $takes_effect });
                })*
            };
        }
        compare! {
            local_address: Reset,
            source_ports: NextSession,
            device: Reset,
            password: Reset,
            ao_keys: Reset,
            reach: Reset,
            dscp: NextSession,
            user_timeout: NextSession,
            connect_timeout: NextSession,
        }
        changes
    }
}
