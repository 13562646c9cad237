//! What a change of a peer's configuration takes to come into force.

use crate::fsm::{Extensions, FsmConfig, Import};

/// When a changed value comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "in this session or in the next")]
pub enum TakesEffect {
    /// At once, in the session that is up.
    AtOnce,
    /// With the next session; the one that is up goes on rightly without it.
    NextSession,
    /// With the next session, and until then this one is not what was asked for: it has to be reset.
    Reset,
}

/// A value that differs between two configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "which value, and what its change takes")]
pub struct Change {
    /// The name of the field.
    pub field: &'static str,
    /// When it comes into force.
    pub takes_effect: TakesEffect,
}

impl FsmConfig {
    /// The values in which `new` differs from this, and what it takes for each of them to come into force.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        use TakesEffect::{AtOnce, NextSession, Reset};
        let mut changes = Vec::new();
        // Without a rest pattern, so that each new field needs a decision here.
        macro_rules! compare {
            ($($field:ident: $takes_effect:expr),* $(,)?) => {
                let Self { $($field),* } = self;
                $(if *$field != new.$field {
                    changes.push(Change { field: stringify!($field), takes_effect: $takes_effect });
                })*
            };
        }
        compare! {
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
            collision_detect_established_state: AtOnce,
            families: Reset,
            four_octet_as: Reset,
            capabilities: Reset,
            route_refresh: Reset,
            extensions: Reset,
            next_hops: AtOnce,
            policies: AtOnce,
            // What was dropped is not sent again.
            import: if new.import == Import::Keep { Reset } else { AtOnce },
            // As with a policy, the peer is asked for its routes again.
            allow_as_sets: AtOnce,
            maximum_prefixes: AtOnce,
            min_route_advertisement_interval: AtOnce,
            jitter_seed: NextSession,
        }
        self.extensions.name_changes(&new.extensions, &mut changes);
        changes
    }
}

impl Extensions {
    /// Replaces the change of all extensions together by one of each extension that differs.
    fn name_changes(&self, new: &Self, changes: &mut Vec<Change>) {
        let Some(at) = changes.iter().position(|change| change.field == "extensions") else {
            return;
        };

        let Self {
            extended_messages,
            extended_next_hop,
            enhanced_refresh,
            add_path,
            graceful_restart,
        } = self;

        let differ = [
            ("extended_messages", *extended_messages != new.extended_messages),
            ("extended_next_hop", *extended_next_hop != new.extended_next_hop),
            ("enhanced_refresh", *enhanced_refresh != new.enhanced_refresh),
            ("add_path", *add_path != new.add_path),
            ("graceful_restart", *graceful_restart != new.graceful_restart),
        ];

        let named = differ.into_iter().filter(|(_, differs)| *differs);
        let named = named.map(|(field, _)| Change { field, takes_effect: TakesEffect::Reset });
        changes.splice(at..=at, named);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fsm::PrefixLimits;
    use crate::{Asn, BgpIdentifier};

    #[test]
    fn only_what_differs_is_named_with_what_it_takes() {
        let before = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635));
        assert!(before.changes(&before.clone()).is_empty());
        let mut after = before.clone();
        after.hold_time = Duration::from_secs(30);
        after.maximum_prefixes = PrefixLimits::each(10);
        after.families.pop();
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
}
