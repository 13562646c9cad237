//! [`DecisionCache`]: the latest decisions of the API server about the readers of the HTTP port.
//!
//! Owns how long a decision holds, and how many are kept. It holds hashes of tokens, and no token. Refused requests have a part of
//! their own, so that they cannot push out readers that are allowed.

use std::collections::HashMap;
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::time::Instant;

use ferrolb_node::http::Access;

/// A token and a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestKey([u8; 32]);

impl RequestKey {
    pub(super) fn of(token: &str, path: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(token.as_bytes());
        // No header contains this octet.
        context.update(&[0]);
        context.update(path.as_bytes());
        let mut octets = [0; 32];
        octets.copy_from_slice(context.finish().as_ref());
        Self(octets)
    }
}

/// The decisions that still hold.
#[derive(Debug, Default)]
pub(super) struct DecisionCache {
    allowed: HashMap<RequestKey, Instant>,
    refused: HashMap<RequestKey, (Access, Instant)>,
}

impl DecisionCache {
    /// Returns the decision about a request, if it still holds.
    pub(super) fn get(&self, key: &RequestKey, now: Instant) -> Option<Access> {
        if self.allowed.get(key).is_some_and(|until| now < *until) {
            return Some(Access::Allowed);
        }
        let (access, until) = self.refused.get(key)?;
        (now < *until).then(|| access.clone())
    }

    /// Returns true if the request was allowed before, even if that no longer holds.
    pub(super) fn was_allowed(&self, key: &RequestKey) -> bool {
        self.allowed.contains_key(key)
    }

    /// Keeps a decision. That there is none is not kept.
    pub(super) fn insert(&mut self, key: RequestKey, access: &Access, now: Instant) {
        match access {
            Access::Allowed => {
                self.refused.remove(&key);
                make_room(&mut self.allowed, now, |until| *until);
                self.allowed.insert(key, now + ALLOWED_FOR);
            }
            Access::Unauthenticated | Access::Forbidden(_) => {
                self.allowed.remove(&key);
                make_room(&mut self.refused, now, |(_, until)| *until);
                self.refused.insert(key, (access.clone(), now + REFUSED_FOR));
            }
            Access::Undecided(_) => {}
        }
    }
}

/// Makes room for one more decision: drops those that no longer hold, or else the one that would end first.
fn make_room<V>(
    decisions: &mut HashMap<RequestKey, V>,
    now: Instant,
    until: impl Fn(&V) -> Instant,
) {
    if decisions.len() < CAPACITY {
        return;
    }
    decisions.retain(|_, decision| now < until(decision));
    if decisions.len() < CAPACITY {
        return;
    }
    let first = decisions.iter().min_by_key(|(_, decision)| until(decision)).map(|(key, _)| *key);
    if let Some(first) = first {
        decisions.remove(&first);
    }
}

/// The time for which a permission holds, even if it is taken back.
pub(super) const ALLOWED_FOR: Duration = Duration::from_secs(60);
/// The time for which a refusal holds, even if a permission is given.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(10);
/// The number of decisions of each kind.
const CAPACITY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_holds_for_a_time_and_only_for_its_token_and_path() {
        let (mut cache, now) = (DecisionCache::default(), Instant::now());
        let key = RequestKey::of("a", "/metrics");
        cache.insert(key, &Access::Allowed, now);
        assert_eq!(cache.get(&key, now), Some(Access::Allowed));
        assert_eq!(cache.get(&key, now + ALLOWED_FOR), None);
        assert_eq!(cache.get(&RequestKey::of("b", "/metrics"), now), None);
        assert_eq!(cache.get(&RequestKey::of("a", "/v1/peers"), now), None);

        let refused = Access::Forbidden("alice".to_owned());
        cache.insert(key, &refused, now);
        assert_eq!(cache.get(&key, now), Some(refused));
        assert_eq!(cache.get(&key, now + REFUSED_FOR), None);

        let other = RequestKey::of("c", "/metrics");
        cache.insert(other, &Access::Undecided("an outage".to_owned()), now);
        assert_eq!(cache.get(&other, now), None);
    }

    #[test]
    fn many_wrong_tokens_take_bounded_memory_and_push_out_no_reader() {
        let (mut cache, now) = (DecisionCache::default(), Instant::now());
        let reader = RequestKey::of("prometheus", "/metrics");
        cache.insert(reader, &Access::Allowed, now);
        for number in 0..10_000 {
            let key = RequestKey::of(&number.to_string(), "/metrics");
            cache.insert(key, &Access::Unauthenticated, now);
        }
        assert_eq!(cache.refused.len(), CAPACITY);
        assert_eq!(cache.get(&reader, now), Some(Access::Allowed));
    }
}
