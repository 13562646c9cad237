//! The gates of all Services of a node, and the facts that they share.
//!
//! Owns the order of checks, the state of kube-proxy and of the cluster's health ports, and the list of changes. It does no
//! I/O and reads no clock.

mod proxy;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use lb_adapter::engine::DataplaneTarget;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::DataplaneStatus;

use super::service_gate::{Check, HealthPorts, NodeFacts, Observation, ServiceGate};
use super::timing::{Moment, Timing};
use views::VIEW_SPACING;

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
    /// The number of changes since the map of Services was packed.
    unpacked: usize,
    /// The Services that are held back, depreferenced or withdrawn, each with the moment at which that began.
    troubled: BTreeMap<ServiceKey, Moment>,
    /// Those of them that existed when the process started, and have been held back since.
    unchecked: BTreeSet<ServiceKey>,
    /// The moment at which the last of them was added.
    last_trouble: Moment,
    /// The times for which Services were held back, since they were taken.
    hold_times: Vec<HoldEnd>,
    /// The last Service that was checked although nothing was wrong, and the time for the next one.
    swept: Option<ServiceKey>,
    next_sweep: Moment,
    proxy: ProxyRecord,
    last_generation: u32,
    /// The time of the next look at Services for the sake of kube-proxy alone.
    next_tick: Moment,
    /// The last request for a view of the cluster, and the time until the next.
    last_view: Option<Moment>,
    view_spacing: Duration,
    /// The time before which there is no need to look again whether a view is needed.
    next_look: Moment,
    /// True if that request asks whether the cluster has health ports.
    asks_for_ports: bool,
}

/// The end of the time for which a Service was held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HoldEnd {
    pub(super) service: ServiceKey,
    pub(super) held: Duration,
    /// True if the Service is announced normally from now on.
    pub(super) is_ready: bool,
}

/// The history of a Service that gets a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It existed when the process started.
    Initial,
    /// The node announces it already, since its pool had no gate.
    Announced,
    /// It is new.
    New,
}

impl Origin {
    /// Returns the history of a Service that gets a gate later than at the start. `is_announced` is true if the node announces it.
    pub(super) fn later(is_announced: bool) -> Self {
        if is_announced { Self::Announced } else { Self::New }
    }
}

/// A check to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DueCheck {
    pub(super) service: ServiceKey,
    pub(super) check: Check,
    /// To be returned with the result.
    pub(super) generation: u32,
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
/// The time for which a Service with a problem is worth frequent requests to kube-proxy.
const RECENT: Duration = Duration::from_secs(5);
/// The number of changes up to which packing frees too little memory to be worthwhile.
const FEW_CHANGES: usize = 256;
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
            unpacked: 0,
            troubled: BTreeMap::new(),
            unchecked: BTreeSet::new(),
            last_trouble: Moment::default(),
            hold_times: Vec::new(),
            swept: None,
            next_sweep: Moment::default(),
            proxy: ProxyRecord::default(),
            last_generation: 0,
            next_tick: Moment::default(),
            last_view: None,
            view_spacing: VIEW_SPACING,
            next_look: Moment::default(),
            asks_for_ports: false,
        }
    }

    /// Sets or removes the target of one Service.
    pub(super) fn set_target(
        &mut self,
        key: &ServiceKey,
        target: Option<&DataplaneTarget>,
        origin: Origin,
        now: Moment,
    ) {
        let Some(target) = target else {
            if self.services.remove(key).is_some_and(|gate| !gate.is_idle()) {
                self.changed.insert(key.clone());
            }
            self.troubled.remove(key);
            self.unchecked.remove(key);
            return;
        };

        let timing = self.timing;
        if self.services.contains_key(key) {
            let next = self.last_generation + 1;
            self.update(key, now, |gate, facts| {
                if gate.set_target(target, now, &timing) {
                    gate.generation = next;
                }
                if facts.health_ports != HealthPorts::Answering {
                    gate.forget_former_port();
                }
            });
            self.last_generation = next;
            return;
        }

        self.last_generation += 1;
        let gate = ServiceGate::new(target, now, &timing);
        let mut gate = match origin {
            // Nothing has to be found out, so thousands of Services need no state in between.
            Origin::Initial if self.facts.proxy_has_run(now, &timing) => {
                gate.initial().announced(now)
            }
            Origin::Initial => gate.initial(),
            Origin::Announced => gate.announced(now),
            Origin::New => gate,
        };
        gate.generation = self.last_generation;
        if gate.is_unchecked() {
            self.unchecked.insert(key.clone());
        }
        self.services.insert(key.clone(), gate);
        self.note(key, now, None, None);
    }

    /// Removes the Services that are not among these.
    pub(super) fn retain(&mut self, keys: &BTreeSet<ServiceKey>) {
        let gone: Vec<_> =
            self.services.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in gone {
            self.set_target(&key, None, Origin::New, Moment::default());
        }
    }

    /// Frees memory if many Services have changed one by one, their changes were taken, and most of them are not in trouble any
    /// more. Returns true if that is so.
    pub(super) fn pack_when_settled(&mut self) -> bool {
        let all = self.services.len();
        let is_due = self.unpacked >= all.max(FEW_CHANGES);
        if !is_due || !self.changed.is_empty() || self.troubled.len() * 2 > all {
            return false;
        }

        // The nodes of a map that has grown in the order of its keys are half empty.
        self.services = std::mem::take(&mut self.services).into_iter().collect();
        self.unpacked = 0;
        true
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
        if !gate.is_unchecked() {
            self.unchecked.remove(key);
        }
        if let Some(wake) = gate.next_wake(now, &self.timing) {
            self.wakes.insert((wake, key.clone()));
        }
        if let Some(since) = held
            && gate.held_since().is_none()
            && !gate.is_idle()
        {
            self.hold_times.push(HoldEnd {
                service: key.clone(),
                held: now.since(since),
                is_ready: gate.is_announced(),
            });
        }

        match &status {
            Some(
                DataplaneStatus::Held(_)
                | DataplaneStatus::Depreferenced(_)
                | DataplaneStatus::Withdrawn(_),
            ) => {
                if !self.troubled.contains_key(key) {
                    self.troubled.insert(key.clone(), now);
                    self.last_trouble = now;
                }
            }
            Some(DataplaneStatus::Ready | DataplaneStatus::Leaving) | None => {
                self.troubled.remove(key);
            }
        }
        if before != status {
            self.unpacked += 1;
            self.changed.insert(key.clone());
        }
    }

    /// Returns the checks to start now, at most this many.
    pub(super) fn due(&mut self, now: Moment, most: usize) -> Vec<DueCheck> {
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
                let generation = gate.generation;
                checks.push(DueCheck { service: key, check, generation });
            }
        }

        if checks.len() < most && self.next_sweep <= now {
            checks.extend(self.sweep(now));
        }
        checks
    }

    /// Returns the check of the next Service that is announced and has a health port. Until it is known whether the dataplane
    /// serves such ports, also of one that is not announced: kube-proxy answers 503 for it.
    fn sweep(&mut self, now: Moment) -> Option<DueCheck> {
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
                    let (service, generation) = (key.clone(), gate.generation);
                    next = Some(DueCheck { service, check, generation });
                }
                if SWEEP / seen < SWEEP_SPACING {
                    break;
                }
            }
        }

        // Until it is known whether there are health ports, the first Service that has one is asked soon.
        let pause = if is_unknown { SWEEP_SPACING } else { SWEEP / seen.max(1) };
        self.next_sweep = now.after(pause.max(SWEEP_SPACING));
        self.swept = Some(next.as_ref()?.service.clone());
        next
    }

    /// Returns the moment at which [`due`](Self::due) has to be called again.
    pub(super) fn next_wake(&self) -> Moment {
        let wake = self.wakes.first().map(|(moment, _)| *moment);
        wake.map_or(self.next_sweep, |wake| wake.min(self.next_sweep))
    }

    /// Takes the result of a check. `has_answered` is true if the health port belongs to a dataplane.
    pub(super) fn observe(
        &mut self,
        (key, generation): (&ServiceKey, u32),
        found: Observation,
        has_answered: bool,
        now: Moment,
    ) {
        if self.services.get(key).is_none_or(|gate| gate.generation != generation) {
            return;
        }
        if has_answered && self.facts.health_ports != HealthPorts::Answering {
            self.facts.health_ports = HealthPorts::Answering;
            tracing::info!("the dataplane serves the health ports of Services");
        }

        let crowd = u32::try_from(self.troubled.len()).unwrap_or(u32::MAX);
        let timing = self.timing;
        self.update(key, now, |gate, facts| gate.observe(found, now, facts, &timing, crowd));
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

    /// Takes Services whose status has changed, with their present status, and at most this many.
    pub(super) fn take_changes(
        &mut self,
        most: usize,
    ) -> Vec<(ServiceKey, Option<DataplaneStatus>)> {
        let mut changes = Vec::new();
        while changes.len() < most
            && let Some(key) = self.changed.pop_first()
        {
            let status = self.services.get(&key).and_then(ServiceGate::status);
            changes.push((key, status));
        }
        changes
    }

    /// Takes the times for which Services were held back.
    pub(super) fn take_hold_times(&mut self) -> Vec<HoldEnd> {
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
        self.troubled.keys().filter_map(|key| Some((key, self.services.get(key)?.status()?)))
    }

    /// Returns those of them that have been so for at least this time.
    pub(super) fn overdue(
        &self,
        now: Moment,
        time: Duration,
    ) -> impl Iterator<Item = (&ServiceKey, DataplaneStatus)> {
        self.troubled().filter(move |(key, _)| {
            self.troubled.get(*key).is_some_and(|since| since.after(time) <= now)
        })
    }

    /// Returns the next moment at which there will be another one, if nothing changes.
    pub(super) fn next_overdue(&self, now: Moment, time: Duration) -> Option<Moment> {
        self.troubled.values().map(|since| since.after(time)).filter(|at| *at > now).min()
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

    /// Returns true if a Service that existed when the process started is still held back.
    pub(super) fn has_unchecked(&self) -> bool {
        !self.unchecked.is_empty()
    }

    /// Ends the wait for the Services that existed when the process started.
    pub(super) fn end_first_checks(&mut self, now: Moment) {
        for key in std::mem::take(&mut self.unchecked) {
            self.update(&key, now, |gate, _| gate.end_first_checks(now));
        }
    }

    /// Returns the state of a Service.
    pub(super) fn status(&self, key: &ServiceKey) -> Option<DataplaneStatus> {
        self.services.get(key)?.status()
    }

    /// Notes that the state of a Service has to be reported again.
    pub(super) fn mark(&mut self, key: &ServiceKey) {
        self.changed.insert(key.clone());
    }
}

#[cfg(test)]
mod tests;
