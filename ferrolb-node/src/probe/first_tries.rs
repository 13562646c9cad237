//! The first tries of what is to be probed when a process begins, and the time that they have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use lb_adapter::engine::ProbeTarget;
use lb_adapter::model::ServiceKey;

/// The first tries that are waited for.
#[derive(Debug, Default)]
pub(super) struct FirstTries {
    /// Those that have not ended.
    of: BTreeSet<ServiceKey>,
    /// When they have had their time. There is none before it is known what to probe.
    until: Option<Instant>,
}

/// Besides the time that a try may take.
const SLACK: Duration = Duration::from_millis(500);
/// So long at most: much less than routers keep routes over a restart, which is 120 s.
const LONGEST: Duration = Duration::from_secs(5);

impl FirstTries {
    /// This is to be probed: the first time, all of it is waited for; later, what has gone is not any more.
    pub(super) fn follow(&mut self, targets: &BTreeMap<ServiceKey, ProbeTarget>) {
        if self.until.is_some() {
            self.of.retain(|service| targets.contains_key(service));
            return;
        }
        let longest = targets.values().map(ProbeTarget::longest_try).max().unwrap_or_default();
        let time = longest.saturating_add(SLACK).min(LONGEST);
        self.until = Some(Instant::now() + time);
        self.of = targets.keys().cloned().collect();
        if !self.of.is_empty() {
            tracing::info!("sessions wait for the first tries of {} probes", self.of.len());
        }
    }

    pub(super) fn are_under_way(&self) -> bool {
        !self.of.is_empty()
    }

    /// That of this Service has ended, or is not waited for any more.
    pub(super) fn end(&mut self, service: &ServiceKey) {
        self.of.remove(service);
    }

    /// Waits until they have had their time, if any are under way.
    pub(super) async fn out_of_time(&self) {
        match self.until.filter(|_| self.are_under_way()) {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Whatever has not ended is not waited for any more.
    pub(super) fn give_up(&mut self) {
        let left = std::mem::take(&mut self.of);
        if let Some(service) = left.first() {
            tracing::warn!(
                %service,
                "sessions begin without {} Services that are not known yet to answer, of which this is one",
                left.len()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Services by name, each with the timeout of its probe and the number of its endpoints.
    fn targets(of: &[(&str, u64, usize)]) -> BTreeMap<ServiceKey, ProbeTarget> {
        let target = |(name, timeout, endpoints): &(&str, u64, usize)| {
            let mut probe: lb_adapter::model::Probe = "tcp:80".parse().unwrap();
            probe.timeout = Duration::from_secs(*timeout);
            let addresses = vec![[192, 0, 2, 1].into(); *endpoints];
            let target =
                ProbeTarget { probe, hold_down: Duration::ZERO, addresses, announced: false };
            (key(name), target)
        };
        of.iter().map(target).collect()
    }

    fn key(name: &str) -> ServiceKey {
        ServiceKey::new("default", name)
    }

    /// How long they have, in milliseconds.
    async fn time(of: &[(&str, u64, usize)]) -> u128 {
        let mut first = FirstTries::default();
        first.follow(&targets(of));
        let begin = Instant::now();
        first.out_of_time().await;
        first.give_up();
        assert!(!first.are_under_way());
        begin.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn they_have_the_time_of_the_longest_but_seconds_at_most() {
        assert_eq!(time(&[("a", 1, 1)]).await, 1500);
        assert_eq!(time(&[("a", 1, 2), ("b", 1, 1), ("c", 2, 0)]).await, 2500);
        assert_eq!(time(&[("a", 3600, 8)]).await, 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_over_when_the_last_has_ended_or_gone_and_for_good() {
        let mut first = FirstTries::default();
        assert!(!first.are_under_way());
        first.follow(&targets(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]));
        first.end(&key("a"));
        // What comes meanwhile is not waited for.
        first.follow(&targets(&[("a", 1, 1), ("b", 1, 1), ("d", 1, 1)]));
        assert!(first.are_under_way());
        first.end(&key("b"));
        first.follow(&targets(&[("e", 1, 1)]));
        assert!(!first.are_under_way());
        let for_ever = tokio::time::timeout(Duration::from_secs(3600), first.out_of_time());
        for_ever.await.unwrap_err();
    }

    #[test]
    fn nothing_to_try_is_nothing_to_wait_for() {
        let mut first = FirstTries::default();
        first.follow(&BTreeMap::new());
        assert!(!first.are_under_way());
        first.follow(&targets(&[("late", 1, 1)]));
        assert!(!first.are_under_way());
    }
}
