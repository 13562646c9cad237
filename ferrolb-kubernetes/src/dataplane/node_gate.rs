//! The gates of all Services of a node, and the facts that they share.
//!
//! Owns the order of checks, the state of kube-proxy and of the cluster's health ports, and the list of changes. It does no
//! I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::ops::Bound;
use std::time::Duration;

use lb_adapter::engine::DataplaneTarget;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::DataplaneStatus;

use super::cluster_view::ClusterView;
use super::proxy_health::ProxyHealth;
use super::service_gate::{Check, HealthPorts, NodeFacts, Observation, ServiceGate};
use super::timing::{Moment, Timing};

/// The gates of one node.
#[derive(Debug)]
pub(super) struct NodeGate {
    timing: Timing,
    facts: NodeFacts,
    services: BTreeMap<ServiceKey, ServiceGate>,
    /// The moments at which a gate has something to do. A moment may be out of date.
    wakes: BTreeSet<(Moment, ServiceKey)>,
    /// The Services whose status has changed since it was taken.
    changed: BTreeSet<ServiceKey>,
    /// The Services that are held back, depreferenced or withdrawn.
    troubled: BTreeSet<ServiceKey>,
    /// The moment at which the last of them was added.
    last_trouble: Moment,
    /// The times for which Services were held back, since they were taken.
    hold_times: Vec<(ServiceKey, Duration)>,
    /// The last Service that was checked although nothing was wrong, and the time for the next one.
    swept: Option<ServiceKey>,
    next_sweep: Moment,
    proxy: ProxyRecord,
    /// The last request for a view of the cluster.
    last_view: Option<Moment>,
    /// True if that request asks whether the cluster has health ports.
    asks_for_ports: bool,
}

/// The record of kube-proxy's answers.
#[derive(Debug, Default)]
struct ProxyRecord {
    failures: u32,
    /// True if other nodes report that kube-proxy answers there.
    is_expected: bool,
}

/// The number of Services by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) held: usize,
    pub(super) depreferenced: usize,
    pub(super) withdrawn: usize,
}

/// The longest time between two checks of a Service that is announced, if there are few.
const SWEEP: Duration = Duration::from_secs(5);
/// The least time between the checks of two Services that are announced.
const SWEEP_SPACING: Duration = Duration::from_millis(500);
/// The time between two views of the cluster.
const VIEW_SPACING: Duration = Duration::from_secs(2);
/// The time between two views of the cluster whose only question is whether other nodes have a kube-proxy.
const PROXY_VIEW_SPACING: Duration = Duration::from_secs(60);
/// The number of Services that are looked up in one view of the cluster.
const VIEWED_SERVICES: usize = 16;
/// The time for which a Service with a problem is worth frequent requests to kube-proxy.
const RECENT: Duration = Duration::from_secs(5);
/// The difference by which two times of one sync may differ.
const SAME_SYNC: Duration = Duration::from_millis(20);
/// The number of failed requests in a row after which kube-proxy counts as failing.
const PROXY_FAILURES: u32 = 2;

impl NodeGate {
    pub(super) fn new(timing: Timing) -> Self {
        Self {
            timing,
            facts: NodeFacts::default(),
            services: BTreeMap::new(),
            wakes: BTreeSet::new(),
            changed: BTreeSet::new(),
            troubled: BTreeSet::new(),
            last_trouble: Moment::default(),
            hold_times: Vec::new(),
            swept: None,
            next_sweep: Moment::default(),
            proxy: ProxyRecord::default(),
            last_view: None,
            asks_for_ports: false,
        }
    }

    /// Sets or removes the target of one Service. `is_initial` is true for the Services that exist when the process starts.
    pub(super) fn set_target(
        &mut self,
        key: &ServiceKey,
        target: Option<&DataplaneTarget>,
        is_initial: bool,
        now: Moment,
    ) {
        let Some(target) = target else {
            if self.services.remove(key).is_some_and(|gate| !gate.is_idle()) {
                self.changed.insert(key.clone());
            }
            self.troubled.remove(key);
            return;
        };

        let addresses = hash(&target.addresses);
        let timing = self.timing;
        if self.services.contains_key(key) {
            self.update(key, now, |gate, facts| {
                gate.set_target(target, addresses, now, &timing);
                if facts.health_ports != HealthPorts::Answering {
                    gate.forget_former_port();
                }
            });
            return;
        }

        let mut gate = ServiceGate::new(target, addresses, now, &timing);
        if is_initial {
            gate = gate.initial();
        }
        self.services.insert(key.clone(), gate);
        self.note(key, now, None, None);
    }

    /// Removes the Services that are not among these.
    pub(super) fn retain(&mut self, keys: &BTreeSet<ServiceKey>) {
        let gone: Vec<_> =
            self.services.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in gone {
            self.set_target(&key, None, false, Moment::default());
        }
    }

    /// Changes the gate of one Service, and notes the effects.
    fn update(
        &mut self,
        key: &ServiceKey,
        now: Moment,
        change: impl FnOnce(&mut ServiceGate, &NodeFacts),
    ) {
        let Some(gate) = self.services.get_mut(key) else { return };
        let (before, held) = (gate.status(), gate.held_since());
        change(gate, &self.facts);
        self.note(key, now, before, held);
    }

    fn note(
        &mut self,
        key: &ServiceKey,
        now: Moment,
        before: Option<DataplaneStatus>,
        held: Option<Moment>,
    ) {
        let Some(gate) = self.services.get(key) else { return };
        let status = gate.status();
        if let Some(wake) = gate.next_wake(now, &self.timing) {
            self.wakes.insert((wake, key.clone()));
        }
        if let Some(since) = held
            && gate.held_since().is_none()
            && !gate.is_idle()
        {
            self.hold_times.push((key.clone(), now.since(since)));
        }

        match &status {
            Some(
                DataplaneStatus::Held(_)
                | DataplaneStatus::Depreferenced(_)
                | DataplaneStatus::Withdrawn(_),
            ) => {
                if self.troubled.insert(key.clone()) {
                    self.last_trouble = now;
                }
            }
            Some(DataplaneStatus::Ready | DataplaneStatus::Leaving) | None => {
                self.troubled.remove(key);
            }
        }
        if before != status {
            self.changed.insert(key.clone());
        }
    }

    /// Returns the checks to start now, at most this many.
    pub(super) fn due(&mut self, now: Moment, most: usize) -> Vec<(ServiceKey, Check)> {
        let mut checks = Vec::new();
        while checks.len() < most
            && let Some((moment, key)) = self.wakes.first().cloned()
            && moment <= now
        {
            self.wakes.pop_first();
            let timing = self.timing;
            self.update(&key, now, |gate, facts| gate.tick(now, facts, &timing));
            let Some(gate) = self.services.get_mut(&key) else { continue };
            if gate.next_check().is_some_and(|at| at <= now)
                && let Some(check) = gate.check()
            {
                gate.note_check();
                checks.push((key, check));
            }
        }

        if checks.len() < most && self.next_sweep <= now {
            checks.extend(self.sweep(now));
        }
        checks
    }

    /// Returns the check of the next Service that is announced and has a health port. Until it is known whether the dataplane
    /// serves such ports, also of one that is not announced: kube-proxy answers 503 for it.
    fn sweep(&mut self, now: Moment) -> Option<(ServiceKey, Check)> {
        let from = match &self.swept {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Unbounded,
        };
        let after = self.services.range((from, Bound::Unbounded));
        let all = after.chain(self.services.iter());

        let is_unknown = self.facts.health_ports == HealthPorts::Unknown;
        let mut seen = 0_u32;
        let mut next = None;
        for (key, gate) in all.take(self.services.len()) {
            if (gate.is_announced() || (is_unknown && gate.is_idle()))
                && gate.next_check().is_none()
                && let Some(check @ Check::HealthPort(_)) = gate.check()
            {
                seen += 1;
                if next.is_none() {
                    next = Some((key.clone(), check));
                }
                if SWEEP / seen < SWEEP_SPACING {
                    break;
                }
            }
        }

        self.next_sweep = now.after((SWEEP / seen.max(1)).max(SWEEP_SPACING));
        let (key, check) = next?;
        self.swept = Some(key.clone());
        Some((key, check))
    }

    /// Returns the moment at which [`due`](Self::due) has to be called again.
    pub(super) fn next_wake(&self) -> Moment {
        let wake = self.wakes.first().map(|(moment, _)| *moment);
        wake.map_or(self.next_sweep, |wake| wake.min(self.next_sweep))
    }

    /// Takes the result of a check. `has_answered` is true if the health port belongs to a dataplane.
    pub(super) fn observe(
        &mut self,
        key: &ServiceKey,
        found: Observation,
        has_answered: bool,
        now: Moment,
    ) {
        if has_answered && self.facts.health_ports != HealthPorts::Answering {
            self.facts.health_ports = HealthPorts::Answering;
            tracing::info!("the dataplane serves the health ports of Services");
        }

        let crowd = u32::try_from(self.troubled.len()).unwrap_or(u32::MAX);
        let timing = self.timing;
        self.update(key, now, |gate, facts| gate.observe(found, now, facts, &timing, crowd));
    }

    /// Takes an answer of kube-proxy's health check, or the failure to get one.
    pub(super) fn set_proxy_health(&mut self, health: Result<ProxyHealth, String>, now: Moment) {
        let before = (self.facts.proxy_ok.is_some(), self.facts.proxy_failing, self.facts.synced);
        match health {
            Ok(ProxyHealth { is_healthy: true, since_sync }) => {
                if self.facts.proxy_failing.take().is_some() {
                    tracing::info!("kube-proxy is healthy again");
                }
                self.proxy.failures = 0;
                self.facts.proxy_ok = Some(now);
                let synced = |age: Option<Duration>| age.map(|age| now.before(age));
                note_sync(&mut self.facts.synced.ipv4, synced(since_sync.ipv4));
                note_sync(&mut self.facts.synced.ipv6, synced(since_sync.ipv6));
            }
            Ok(ProxyHealth { is_healthy: false, .. }) => {
                self.note_proxy_failure("it reports that it is not healthy", now);
            }
            Err(error) => self.note_proxy_failure(&error, now),
        }

        let after = (self.facts.proxy_ok.is_some(), self.facts.proxy_failing, self.facts.synced);
        if before.2 != after.2 {
            let timing = self.timing;
            for key in self.troubled.clone() {
                self.update(&key, now, |gate, facts| {
                    gate.note_sync(now);
                    gate.tick(now, facts, &timing);
                });
            }
        }
        if (before.0, before.1) != (after.0, after.1) || self.facts.proxy_failing.is_some() {
            self.tick_all(now);
        }
    }

    fn note_proxy_failure(&mut self, problem: &str, now: Moment) {
        self.proxy.failures = self.proxy.failures.saturating_add(1);
        let is_expected = self.facts.proxy_ok.is_some() || self.proxy.is_expected;
        if is_expected
            && self.proxy.failures >= PROXY_FAILURES
            && self.facts.proxy_failing.is_none()
        {
            self.facts.proxy_failing = Some(now);
            tracing::warn!("kube-proxy has failed on this node: {problem}");
        }
    }

    fn tick_all(&mut self, now: Moment) {
        let keys: Vec<_> = self.services.keys().cloned().collect();
        let timing = self.timing;
        for key in keys {
            self.update(&key, now, |gate, facts| gate.tick(now, facts, &timing));
        }
    }

    /// Sets the moment of the last report about this node that has been written.
    pub(super) fn set_reported(&mut self, reported: Option<Moment>) {
        self.facts.reported = reported;
    }

    /// Returns the Services to look up in a view of the cluster, or `None` if no view is needed now.
    pub(super) fn needs_view(&mut self, now: Moment) -> Option<Vec<ServiceKey>> {
        let since_last = self.last_view.map(|last| now.since(last));
        if since_last.is_some_and(|since| since < VIEW_SPACING) {
            return None;
        }

        let mut services = Vec::new();
        let mut asks_for_ports = false;
        for key in &self.troubled {
            let Some(gate) = self.services.get(key) else { continue };
            if gate.is_withdrawn() || gate.may_withdraw(now, &self.facts, &self.timing) {
                services.push(key.clone());
            }
            asks_for_ports |=
                self.facts.health_ports == HealthPorts::Unknown && gate.needs_health_ports();
        }
        services.truncate(VIEWED_SERVICES);

        let is_proxy_unknown =
            self.facts.proxy_ok.is_none() && self.proxy.failures > PROXY_FAILURES;
        let asks_for_proxy = is_proxy_unknown
            && !self.services.is_empty()
            && since_last.is_none_or(|since| since >= PROXY_VIEW_SPACING);
        if services.is_empty() && !asks_for_ports && !asks_for_proxy {
            return None;
        }
        self.last_view = Some(now);
        self.asks_for_ports = asks_for_ports;
        Some(services)
    }

    /// Takes a view of the cluster, for the Services that were looked up.
    pub(super) fn set_view(&mut self, services: &[ServiceKey], view: &ClusterView, now: Moment) {
        self.proxy.is_expected |= view.has_proxy;
        if self.asks_for_ports && self.facts.health_ports == HealthPorts::Unknown {
            self.facts.health_ports = if view.has_health_ports {
                HealthPorts::Answering
            } else {
                tracing::warn!(
                    "no node of the cluster serves the health ports of Services: nodes announce without waiting for them"
                );
                HealthPorts::Silent
            };
        }

        for key in services {
            let is_served = view.served.contains(key);
            self.update(key, now, |gate, _| gate.set_served_elsewhere(is_served, now));
        }
        self.tick_all(now);
    }

    /// Takes the Services whose status has changed, with their present status.
    pub(super) fn take_changes(&mut self) -> Vec<(ServiceKey, Option<DataplaneStatus>)> {
        let changed = std::mem::take(&mut self.changed);
        let mut changes = Vec::new();
        for key in changed {
            let status = self.services.get(&key).and_then(ServiceGate::status);
            changes.push((key, status));
        }
        changes
    }

    /// Takes the times for which Services were held back.
    pub(super) fn take_hold_times(&mut self) -> Vec<(ServiceKey, Duration)> {
        std::mem::take(&mut self.hold_times)
    }

    /// Returns true if kube-proxy's last sync may decide about a Service now.
    pub(super) fn waits_for_sync(&self, now: Moment) -> bool {
        !self.troubled.is_empty() && now.since(self.last_trouble) < RECENT
    }

    /// Returns true if kube-proxy reports that it is healthy, or `None` if it has never answered.
    pub(super) fn proxy_is_healthy(&self) -> Option<bool> {
        match (self.facts.proxy_failing, self.facts.proxy_ok) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }

    pub(super) fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    /// Returns the Services that are held back, depreferenced or withdrawn, with their status.
    pub(super) fn troubled(&self) -> impl Iterator<Item = (&ServiceKey, DataplaneStatus)> {
        self.troubled.iter().filter_map(|key| Some((key, self.services.get(key)?.status()?)))
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, status) in self.troubled() {
            match status {
                DataplaneStatus::Held(_) => counts.held += 1,
                DataplaneStatus::Depreferenced(_) => counts.depreferenced += 1,
                DataplaneStatus::Withdrawn(_) => counts.withdrawn += 1,
                DataplaneStatus::Ready | DataplaneStatus::Leaving => {}
            }
        }
        counts
    }

    /// Returns true if a Service that existed when the process started has not been checked yet.
    pub(super) fn has_unchecked(&self) -> bool {
        self.troubled
            .iter()
            .any(|key| self.services.get(key).is_some_and(ServiceGate::is_unchecked))
    }
}

/// Notes the end of kube-proxy's last sync. The same end differs by a few milliseconds from one answer to the next.
fn note_sync(known: &mut Option<Moment>, synced: Option<Moment>) {
    let is_same = match (*known, synced) {
        (Some(known), Some(synced)) => synced.since(known) <= SAME_SYNC,
        _ => false,
    };
    if !is_same {
        *known = synced;
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "node_gate_tests.rs"]
mod tests;
