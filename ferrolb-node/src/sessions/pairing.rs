//! Pairs the sessions before a change of the configuration with those after it.
//!
//! Both the process that applies a change and the commands that predict it use this. It touches no session.

use std::collections::BTreeMap;

use super::config::SessionConfig;
use super::key::SessionKey;

/// A session's key and its configuration.
type KeyedConfig<'a> = (&'a SessionKey, &'a SessionConfig);

/// Returns the old key of each session that continues or is reset, by its new key. Sessions that are not in the map are
/// new. Since a peer may have been renamed, equal configurations are paired first, then names, then routers.
pub fn pair_sessions<'a>(
    before: impl IntoIterator<Item = (&'a SessionKey, &'a SessionConfig)>,
    after: impl IntoIterator<Item = (&'a SessionKey, &'a SessionConfig)>,
) -> BTreeMap<SessionKey, SessionKey> {
    let mut pairing = Pairing {
        before: before.into_iter().collect(),
        after: after.into_iter().collect(),
        pairs: BTreeMap::new(),
    };

    pairing.pair_by(|before, after| before == after);
    pairing.pair_by(|(old_key, old), (key, config)| old_key.node == key.node && old == config);
    pairing.pair_by(|(old_key, _), (key, _)| old_key == key);
    pairing.pair_by(|(old_key, old), (key, config)| {
        old_key.node == key.node && old.remote.is_same_router(&config.remote)
    });
    pairing.pairs
}

/// The pairs found so far, and the sessions that are in none.
struct Pairing<'a> {
    before: BTreeMap<&'a SessionKey, &'a SessionConfig>,
    after: Vec<KeyedConfig<'a>>,
    /// Old keys by new keys.
    pairs: BTreeMap<SessionKey, SessionKey>,
}

impl<'a> Pairing<'a> {
    /// Pairs each remaining new session with a remaining old one that is the same by this rule.
    fn pair_by(&mut self, is_same: impl Fn(KeyedConfig<'_>, KeyedConfig<'_>) -> bool) {
        for session in std::mem::take(&mut self.after) {
            let Some(old_key) = self.find(session, &is_same) else {
                self.after.push(session);
                continue;
            };
            self.before.remove(old_key);
            self.pairs.insert(session.0.clone(), old_key.clone());
        }
    }

    fn find(
        &self,
        session: KeyedConfig<'a>,
        is_same: impl Fn(KeyedConfig<'_>, KeyedConfig<'_>) -> bool,
    ) -> Option<&'a SessionKey> {
        // Most sessions keep their key, so look there first.
        let key = session.0;
        if let Some(old) = self.before.get(key)
            && is_same((key, old), session)
        {
            return Some(key);
        }

        let mut old = self.before.iter().map(|(old_key, old)| (*old_key, *old));
        old.find(|old| is_same(*old, session)).map(|(old_key, _)| old_key)
    }
}
