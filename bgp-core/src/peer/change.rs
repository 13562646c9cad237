//! The time at which a changed setting of a peer takes effect.
//!
//! Every field of [`PeerSettings`], [`FsmConfig`] and [`Extensions`] has an entry here. The structs are destructured
//! without a rest pattern, so a new field does not compile before it has an entry.

use std::fmt;

use crate::fsm::{Extensions, FsmConfig};
use crate::peer::{Import, PeerSettings};

/// The time at which a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "in this session or in the next")]
pub enum TakesEffect {
    /// At once, in the current session.
    AtOnce,
    /// With the next session. The current one stays correct without it.
    NextSession,
    /// With the next session. Until then the current one does not match the configuration, so it has to be reset.
    Reset,
}

impl fmt::Display for TakesEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AtOnce => "at once",
            Self::NextSession => "with the next session",
            Self::Reset => "with a reset of the session",
        })
    }
}

/// A value that differs between two configurations of a peer. It prints as `hold_time (with the next session)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(clippy::exhaustive_structs, reason = "a field, and the time when its change takes effect")]
pub struct ConfigChange {
    /// The name of the field.
    pub field: &'static str,
    /// The time at which the new value takes effect.
    pub takes_effect: TakesEffect,
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.field, self.takes_effect)
    }
}

/// Appends a [`ConfigChange`] to `$changes` for each field in which `$new` differs from `$old`. `$type` must have exactly
/// these fields.
macro_rules! compare {
    ($changes:ident, $old:expr, $new:expr, $type:ident { $($field:ident: $takes_effect:expr),* $(,)? }) => {
        let $type { $($field),* } = $old;
        $(if *$field != $new.$field {
            $changes.push(ConfigChange { field: stringify!($field), takes_effect: $takes_effect });
        })*
    };
}

impl PeerSettings {
    /// Returns the values in which `new` differs from these settings, each with the time when it takes effect. Fields of
    /// the state machine and extensions are listed by their own names.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        use TakesEffect::{AtOnce, Reset};

        let mut changes = Vec::new();
        compare!(
            changes,
            self,
            new,
            PeerSettings {
                fsm: Reset,
                collision_detect_established_state: AtOnce,
                next_hops: AtOnce,
                policies: AtOnce,
                // The peer does not repeat the routes that we have dropped.
                import: if new.import == Import::Keep { Reset } else { AtOnce },
                relay: AtOnce,
                shared_networks: AtOnce,
                // As with a policy, the peer is asked for its routes again.
                allow_any_first_as: AtOnce,
                allow_as_sets: AtOnce,
                allow_martian_next_hops: AtOnce,
                maximum_prefixes: AtOnce,
                min_route_advertisement_interval: AtOnce,
            }
        );

        replace(&mut changes, "fsm", fsm_changes(&self.fsm, &new.fsm));
        changes
    }
}

/// Returns the session attributes that differ.
fn fsm_changes(old: &FsmConfig, new: &FsmConfig) -> Vec<ConfigChange> {
    use TakesEffect::{NextSession, Reset};

    let mut changes = Vec::new();
    compare!(
        changes,
        old,
        new,
        FsmConfig {
            local_asn: Reset,
            local_identifier: Reset,
            remote_as: Reset,
            local_as: Reset,
            role: Reset,
            hold_time: NextSession,
            keepalive_time: NextSession,
            send_hold_time: NextSession,
            open_hold_time: NextSession,
            connect_retry_time: NextSession,
            delay_open_time: NextSession,
            idle_hold_time: NextSession,
            idle_hold_max: NextSession,
            connect_mode: NextSession,
            families: Reset,
            four_octet_as: Reset,
            capabilities: Reset,
            route_refresh: Reset,
            extensions: Reset,
            jitter_seed: NextSession,
        }
    );

    replace(&mut changes, "extensions", extension_changes(&old.extensions, &new.extensions));
    changes
}

/// Returns the extensions that differ.
fn extension_changes(old: &Extensions, new: &Extensions) -> Vec<ConfigChange> {
    use TakesEffect::Reset;

    let mut changes = Vec::new();
    compare!(
        changes,
        old,
        new,
        Extensions {
            extended_messages: Reset,
            extended_next_hop: Reset,
            enhanced_refresh: Reset,
            add_path: Reset,
            graceful_restart: Reset,
        }
    );
    changes
}

/// Replaces the change of a whole struct, if it is listed, by the changes of its fields.
fn replace(changes: &mut Vec<ConfigChange>, field: &str, parts: Vec<ConfigChange>) {
    if let Some(at) = changes.iter().position(|change| change.field == field) {
        changes.splice(at..=at, parts);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::peer::PrefixLimits;
    use crate::{Asn, BgpIdentifier};

    #[test]
    fn only_changed_fields_are_listed_with_the_time_they_take_effect() {
        let before = PeerSettings::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635));
        assert!(before.changes(&before.clone()).is_empty());

        let mut after = before.clone();
        after.fsm.hold_time = Duration::from_secs(30);
        after.maximum_prefixes = PrefixLimits::each(10);
        after.fsm.families.pop();

        let changes: Vec<_> =
            before.changes(&after).iter().map(|it| (it.field, it.takes_effect)).collect();
        assert_eq!(
            changes,
            [
                ("hold_time", TakesEffect::NextSession),
                ("families", TakesEffect::Reset),
                ("maximum_prefixes", TakesEffect::AtOnce),
            ]
        );
    }

    #[test]
    fn extensions_are_named_one_by_one() {
        let before = PeerSettings::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635));
        let mut after = before.clone();
        after.fsm.extensions.enhanced_refresh = false;
        after.import = Import::Keep;
        let texts: Vec<_> = before.changes(&after).iter().map(ToString::to_string).collect();
        assert_eq!(texts[1], "import (with a reset of the session)");

        let changes: Vec<_> = before.changes(&after).iter().map(|it| it.field).collect();
        assert_eq!(changes, ["enhanced_refresh", "import"]);
    }
}
