//! The check of a Service, the moments at which it is made, and those at which time alone changes the state.

use std::time::Duration;

use lb_adapter::model::ExternalTrafficPolicy;

use super::super::timing::{Moment, POLL, SKEW, Timing};
use super::{Check, NodeFacts, ServiceGate, State};

impl ServiceGate {
    /// Returns the check of the Service, or `None` if its dataplane cannot be observed.
    pub(in crate::dataplane) fn check(&self) -> Option<Check> {
        let connect = self.connect().cloned();
        match (self.policy, self.health_port, connect) {
            (ExternalTrafficPolicy::Local, None, _) | (ExternalTrafficPolicy::Cluster, _, None) => {
                None
            }
            (ExternalTrafficPolicy::Local, Some(port), Some(target)) if self.is_unproven => {
                Some(Check::HealthPortAndConnect(port, target))
            }
            (ExternalTrafficPolicy::Local, Some(port), _) => Some(Check::HealthPort(port)),
            (ExternalTrafficPolicy::Cluster, _, Some(target)) => match self.former_port {
                Some(port) => Some(Check::ClosedPortAndConnect(port, target)),
                None => Some(Check::Connect(target)),
            },
        }
    }

    /// Returns true if a check can show whether the dataplane forwards.
    pub(super) fn is_observable(&self) -> bool {
        match self.policy {
            ExternalTrafficPolicy::Local => self.health_port.is_some(),
            ExternalTrafficPolicy::Cluster => self.connect().is_some(),
        }
    }

    /// Returns the moment of the check after the one at this moment: soon at first, and less often later.
    pub(super) fn following_check(
        &self,
        now: Moment,
        facts: &NodeFacts,
        timing: &Timing,
        crowd: u32,
    ) -> Option<Moment> {
        let since = match self.state {
            State::Held { since } | State::Depreferenced { since } => since.max(self.changed),
            State::Withdrawn => self.changed,
            State::Idle { .. } | State::Announced { .. } | State::Leaving { .. } => return None,
        };

        let waited = now.since(since);
        let follows_syncs = self.policy == ExternalTrafficPolicy::Cluster
            && self.connect().is_some()
            && self.former_port.is_none()
            && self.last_sync(facts).is_some();
        let pause = if follows_syncs {
            // A connection is visible to pods, so it waits for a sync.
            Duration::from_secs(1).max(SLOW_SPACING * crowd)
        } else if waited <= timing.fail_open {
            POLL.max(FAST_SPACING * crowd)
        } else if waited <= Duration::from_secs(60) {
            Duration::from_secs(1).max(SLOW_SPACING * crowd)
        } else {
            Duration::from_secs(5).max(SLOW_SPACING * crowd)
        };
        Some(now.after(pause))
    }

    /// Returns true if the dataplane has followed the last change: kube-proxy has synced since, or had the time.
    pub(super) fn follows(&self, now: Moment, facts: &NodeFacts, timing: &Timing) -> bool {
        // A kube-proxy that has come back reports an end of a sync before its first one.
        let since = facts.proxy_since.map_or(self.changed, |since| since.max(self.changed));
        let after = since.after(SKEW);
        let has_synced = self.last_sync(facts).is_some_and(|synced| synced >= after);
        has_synced || now.since(since) >= timing.settle
    }

    /// Returns the end of kube-proxy's last sync of the Service's families, if kube-proxy reports it.
    pub(super) fn last_sync(&self, facts: &NodeFacts) -> Option<Moment> {
        match (self.ipv4.is_some(), self.ipv6.is_some()) {
            (true, false) => facts.synced.ipv4,
            (false, true) => facts.synced.ipv6,
            _ => Some(facts.synced.ipv4?.min(facts.synced.ipv6?)),
        }
    }

    /// Returns the moment of the next check.
    pub(in crate::dataplane) fn next_check(&self) -> Option<Moment> {
        self.trouble.as_ref()?.next_check.filter(|_| self.is_observable())
    }

    /// Notes that kube-proxy has synced: a Service that is held back and is checked by a connection is checked now.
    pub(in crate::dataplane) fn note_sync(&mut self, now: Moment) {
        if self.connect().is_some() {
            self.set_next_check(Some(now));
        }
    }

    /// Forgets the health port of the former policy, in a cluster whose dataplane is not known to serve such ports.
    pub(in crate::dataplane) fn forget_former_port(&mut self) {
        self.former_port = None;
    }

    /// Notes that a check has started, so that no other one starts before its result.
    pub(in crate::dataplane) fn note_check(&mut self) {
        self.set_next_check(None);
    }

    /// Returns the next moment at which the state may change, or at which a check is due.
    pub(in crate::dataplane) fn next_wake(&self, now: Moment, timing: &Timing) -> Option<Moment> {
        let moments = match self.state {
            State::Held { since } => [
                since.after(timing.settle),
                self.changed.after(timing.settle),
                since.after(timing.fail_open),
            ],
            State::Depreferenced { .. } => [self.changed.after(timing.settle); 3],
            State::Leaving { since } => [since.after(timing.settle); 3],
            State::Idle { .. } | State::Announced { .. } | State::Withdrawn => {
                [Moment::default(); 3]
            }
        };
        let by_time = moments.into_iter().filter(|moment| *moment > now).min();
        let check = self.next_check();
        by_time.into_iter().chain(check).min()
    }
}

/// The share of each frequently checked Service in the time between two checks of one: 4,000 checks in a second at first, and
/// 500 after a few seconds.
const FAST_SPACING: Duration = Duration::from_micros(250);
const SLOW_SPACING: Duration = Duration::from_millis(2);
