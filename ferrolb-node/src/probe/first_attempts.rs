//! The first attempts of the probes that exist when a process starts, and the time that sessions wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use lb_adapter::engine::ProbeTarget;
use lb_adapter::model::ServiceKey;

/// The first attempts that sessions wait for.
#[derive(Debug, Default)]
pub(super) struct FirstAttempts {
    /// The Services whose first attempt has not finished.
    pending: BTreeSet<ServiceKey>,
    /// The end of the wait. None before the targets are known.
    deadline: Option<Instant>,
}

/// The time allowed in addition to that of the longest attempt.
const SLACK: Duration = Duration::from_millis(500);
/// The longest wait: much less than the 120 s for which routers keep routes over a restart.
const LONGEST: Duration = Duration::from_secs(5);

impl FirstAttempts {
    /// Takes the targets of all probes. The first call sets the attempts to wait for; later ones drop those of targets
    /// that are gone.
    pub(super) fn set_targets(&mut self, targets: &BTreeMap<ServiceKey, ProbeTarget>) {
        if self.deadline.is_some() {
            self.pending.retain(|service| targets.contains_key(service));
            return;
        }

        let longest = targets.values().map(ProbeTarget::longest_attempt).max().unwrap_or_default();
        let wait = longest.saturating_add(SLACK).min(LONGEST);
        self.deadline = Some(Instant::now() + wait);
        self.pending = targets.keys().cloned().collect();
        if !self.pending.is_empty() {
            tracing::info!("sessions wait for the first attempts of {} probes", self.pending.len());
        }
    }

    /// Returns true if an attempt to wait for has not finished.
    pub(super) fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Notes that the attempt of this Service has finished, or that it is not probed any more.
    pub(super) fn finish(&mut self, service: &ServiceKey) {
        self.pending.remove(service);
    }

    /// Waits for the deadline if attempts are pending, and never returns otherwise.
    pub(super) async fn timed_out(&self) {
        match self.deadline {
            Some(deadline) if self.are_pending() => sleep_until(deadline).await,
            _ => std::future::pending().await,
        }
    }

    /// Stops waiting for the attempts that are pending.
    pub(super) fn give_up(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(service) = pending.first() {
            tracing::warn!(
                %service,
                "sessions start without {} Services whose first probe has not finished, including this one",
                pending.len()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the targets of Services, each given by its name, the timeout of its probe and the number of its endpoints.
    fn targets(services: &[(&str, u64, usize)]) -> BTreeMap<ServiceKey, ProbeTarget> {
        let mut targets = BTreeMap::new();
        for (name, timeout, endpoints) in services {
            let mut probe: lb_adapter::model::Probe = "tcp:80".parse().unwrap();
            probe.timeout = Duration::from_secs(*timeout);
            let addresses = vec![[192, 0, 2, 1].into(); *endpoints];
            let target =
                ProbeTarget { probe, hold_down: Duration::ZERO, addresses, announced: false };
            targets.insert(key(name), target);
        }
        targets
    }

    fn key(name: &str) -> ServiceKey {
        ServiceKey::new("default", name)
    }

    /// Returns the time that sessions wait for these Services, in milliseconds.
    async fn wait(services: &[(&str, u64, usize)]) -> u128 {
        let mut first = FirstAttempts::default();
        first.set_targets(&targets(services));
        let begin = Instant::now();
        first.timed_out().await;
        first.give_up();
        assert!(!first.are_pending());
        begin.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_wait_for_the_longest_attempt_but_only_a_few_seconds() {
        assert_eq!(wait(&[("a", 1, 1)]).await, 1500);
        assert_eq!(wait(&[("a", 1, 2), ("b", 1, 1), ("c", 2, 0)]).await, 2500);
        assert_eq!(wait(&[("a", 3600, 8)]).await, 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_for_good_when_the_last_attempt_has_finished_or_its_target_is_gone() {
        let mut first = FirstAttempts::default();
        assert!(!first.are_pending());
        first.set_targets(&targets(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]));
        first.finish(&key("a"));
        // Targets that are added later are not waited for.
        first.set_targets(&targets(&[("a", 1, 1), ("b", 1, 1), ("d", 1, 1)]));
        assert!(first.are_pending());
        first.finish(&key("b"));
        first.set_targets(&targets(&[("e", 1, 1)]));
        assert!(!first.are_pending());
        let never = tokio::time::timeout(Duration::from_secs(3600), first.timed_out());
        never.await.unwrap_err();
    }

    #[test]
    fn without_probes_at_the_start_there_is_nothing_to_wait_for() {
        let mut first = FirstAttempts::default();
        first.set_targets(&BTreeMap::new());
        assert!(!first.are_pending());
        first.set_targets(&targets(&[("late", 1, 1)]));
        assert!(!first.are_pending());
    }
}
