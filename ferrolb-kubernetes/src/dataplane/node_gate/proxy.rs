//! The answers of kube-proxy's health check.
//!
//! Owns when kube-proxy counts as failing, and the end of its last sync.

use std::time::Duration;

use super::super::proxy_health::ProxyHealth;
use super::super::timing::Moment;
use super::{NodeGate, PROXY_FAILURES};

/// The time between two looks at all Services while kube-proxy fails, and at those in trouble while it does not.
const TICK: Duration = Duration::from_secs(1);
/// The difference by which two times of one sync may differ.
const SAME_SYNC: Duration = Duration::from_millis(20);

impl NodeGate {
    /// Takes the answer of kube-proxy's health check to a request made at a moment, or the failure to get one.
    pub(in crate::dataplane) fn set_proxy_health(
        &mut self,
        health: Result<ProxyHealth, String>,
        asked: Moment,
        now: Moment,
    ) {
        let (was_ok, was_failing) = (self.facts.proxy_since.is_some(), self.facts.proxy_failing);
        let synced_before = self.facts.synced;
        match health {
            Ok(ProxyHealth { is_healthy: true, since_sync }) => {
                if self.facts.proxy_failing.take().is_some() {
                    tracing::info!("kube-proxy is healthy again");
                }
                self.proxy.failures = 0;
                self.facts.proxy_ok = Some(now);
                self.facts.proxy_since.get_or_insert(now);
                // The answer is at least as old as the request.
                let synced = |age: Option<Duration>| age.map(|age| asked.before(age));
                note_sync(&mut self.facts.synced.ipv4, synced(since_sync.ipv4));
                note_sync(&mut self.facts.synced.ipv6, synced(since_sync.ipv6));
            }
            Ok(ProxyHealth { is_healthy: false, .. }) => {
                self.note_proxy_failure("it reports that it is not healthy", now);
            }
            Err(error) => self.note_proxy_failure(&error, now),
        }

        let has_turned =
            (was_ok, was_failing) != (self.facts.proxy_since.is_some(), self.facts.proxy_failing);
        let is_down = self.facts.proxy_failing.is_some();
        if has_turned || (is_down && now >= self.next_tick) {
            self.next_tick = now.after(TICK);
            self.tick_all(now);
        } else if synced_before != self.facts.synced || now >= self.next_tick {
            self.next_tick = now.after(TICK);
            let timing = self.timing;
            let troubled: Vec<_> = self.troubled.keys().cloned().collect();
            for key in troubled {
                let has_synced = synced_before != self.facts.synced;
                self.update(&key, now, |gate, facts| {
                    if has_synced {
                        gate.note_sync(now);
                    }
                    gate.tick(now, facts, &timing);
                });
            }
        }
    }

    fn note_proxy_failure(&mut self, problem: &str, now: Moment) {
        self.proxy.failures = self.proxy.failures.saturating_add(1);
        if self.proxy.failures >= PROXY_FAILURES {
            self.facts.proxy_since = None;
        }
        let is_expected = self.facts.proxy_ok.is_some() || self.proxy.is_expected;
        if is_expected
            && self.proxy.failures >= PROXY_FAILURES
            && self.facts.proxy_failing.is_none()
        {
            self.facts.proxy_failing = Some(now);
            tracing::warn!("kube-proxy has failed on this node: {problem}");
        }
    }
}

/// Notes the end of kube-proxy's last sync. The same end differs by a few milliseconds from one answer to the next, and the
/// earliest is the closest.
fn note_sync(known: &mut Option<Moment>, synced: Option<Moment>) {
    let is_same = match (*known, synced) {
        (Some(known), Some(synced)) => known <= synced && synced.since(known) <= SAME_SYNC,
        _ => false,
    };
    if !is_same {
        *known = synced;
    }
}
