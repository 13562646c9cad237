//! The sessions before a change of the configuration paired with those after it, and what each change takes.
//!
//! Owns this decision, for the process that carries it out and for the commands that predict it. Touches no session.

use std::collections::BTreeMap;

use bgp_session::{ConfigChange, TakesEffect};

use super::terms::{SessionKey, Terms};

/// The effect of new terms on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session goes on, or it does not")]
pub enum Course {
    /// It goes on. These values change, each at once or with the next session.
    GoesOn(Vec<ConfigChange>),
    /// It is closed, and opened again: these values cannot change within a session.
    Resets(Vec<&'static str>),
}

impl Terms {
    /// Returns the effect on the session when `after` replaces these terms.
    pub fn course(&self, after: &Self) -> Course {
        if self == after {
            return Course::GoesOn(Vec::new());
        }
        let (before, after) = (self.whole(), after.whole());
        if !before.is_same(&after) {
            return Course::Resets(vec!["address"]);
        }

        let changes = before.terms().changes(after.terms());
        let resets = changes.iter().filter(|it| it.takes_effect == TakesEffect::Reset);
        let resets: Vec<_> = resets.map(|it| it.field).collect();
        if resets.is_empty() { Course::GoesOn(changes) } else { Course::Resets(resets) }
    }
}

/// Maps each session that goes on, or is reset, to its key before; sessions that are not in the map are new. Since a peer
/// may be renamed, sessions are paired by equal terms first, then by name, then by router.
pub fn pair<'a>(
    before: impl IntoIterator<Item = (&'a SessionKey, &'a Terms)>,
    after: impl IntoIterator<Item = (&'a SessionKey, &'a Terms)>,
) -> BTreeMap<SessionKey, SessionKey> {
    let mut before: BTreeMap<_, _> = before.into_iter().collect();
    let mut after: Vec<_> = after.into_iter().collect();
    let mut pairs = BTreeMap::new();

    let by_name_and_terms =
        |key: &SessionKey, terms: &Terms, (other, was): (&SessionKey, &Terms)| {
            key == other && terms == was
        };
    let by_terms = |key: &SessionKey, terms: &Terms, (other, was): (&SessionKey, &Terms)| {
        key.node == other.node && terms == was
    };
    let by_name = |key: &SessionKey, _: &Terms, (other, _): (&SessionKey, &Terms)| key == other;
    let by_router = |key: &SessionKey, terms: &Terms, (other, was): (&SessionKey, &Terms)| {
        key.node == other.node && terms.remote.is_same(&was.remote)
    };
    pair_by(&mut before, &mut after, &mut pairs, by_name_and_terms);
    pair_by(&mut before, &mut after, &mut pairs, by_terms);
    pair_by(&mut before, &mut after, &mut pairs, by_name);
    pair_by(&mut before, &mut after, &mut pairs, by_router);
    pairs
}

fn pair_by<'a>(
    before: &mut BTreeMap<&'a SessionKey, &'a Terms>,
    after: &mut Vec<(&'a SessionKey, &'a Terms)>,
    pairs: &mut BTreeMap<SessionKey, SessionKey>,
    same: impl Fn(&SessionKey, &Terms, (&SessionKey, &Terms)) -> bool,
) {
    after.retain(|(key, terms)| {
        // Most sessions stay what they were.
        let is_same = |was: &(&&SessionKey, &&Terms)| same(key, terms, (was.0, was.1));
        let own = before.get_key_value(key).filter(is_same);
        let Some(found) = own.or_else(|| before.iter().find(is_same)).map(|(other, _)| *other)
        else {
            return true;
        };
        before.remove(found);
        pairs.insert((*key).clone(), found.clone());
        false
    });
}
