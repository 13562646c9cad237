//! What the dataplane gate does, in the form of the event log.
//!
//! Owns the words. A Service that is ready is an event only if it was not before: at the start, all Services become ready.

use std::collections::BTreeSet;

use ferrolb_api::EventKind;
use ferrolb_node::events::{EventLog, NewEvent};
use lb_adapter::engine::Change;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::DataplaneStatus;

/// The most Services of one change that become events of their own.
const MOST_SERVICES: usize = 100;

/// Records what the dataplane gate of a node does.
pub(super) struct DataplaneEvents {
    node: String,
    log: EventLog,
    /// The Services that were not ready at the last look.
    not_ready: BTreeSet<ServiceKey>,
    /// The health of kube-proxy at the last look.
    proxy_is_healthy: Option<bool>,
}

impl DataplaneEvents {
    /// Returns a recorder that knows nothing yet.
    pub(super) fn new(node: &str, log: EventLog) -> Self {
        Self { node: node.to_owned(), log, not_ready: BTreeSet::new(), proxy_is_healthy: None }
    }

    /// Records changes of Services.
    pub(super) fn record(&mut self, changes: &[Change]) {
        let mut events = Vec::new();
        for change in changes {
            if let Change::Dataplane { service, found, .. } = change {
                events.extend(self.service_event(service, found.as_ref()));
            }
        }

        if events.len() > MOST_SERVICES {
            let text = format!("the dataplane gate changed {} Services", events.len());
            events = vec![NewEvent::info(EventKind::Dataplane, text)];
        }
        self.log.record_all(events.into_iter().map(|event| event.node(&self.node)));
    }

    /// Records a change of kube-proxy's health.
    pub(super) fn record_proxy(&mut self, is_healthy: Option<bool>) {
        let before = std::mem::replace(&mut self.proxy_is_healthy, is_healthy);
        let event = match (before, is_healthy) {
            (Some(true), Some(false)) => {
                NewEvent::error(EventKind::Dataplane, "kube-proxy has failed on this node")
            }
            (Some(false), Some(true)) => {
                NewEvent::info(EventKind::Dataplane, "kube-proxy is healthy again")
            }
            _ => return,
        };
        self.log.record(event.node(&self.node));
    }

    fn service_event(
        &mut self,
        service: &ServiceKey,
        found: Option<&DataplaneStatus>,
    ) -> Option<NewEvent> {
        let was_ready = match found {
            None | Some(DataplaneStatus::Ready | DataplaneStatus::Leaving) => {
                !self.not_ready.remove(service)
            }
            Some(_) => self.not_ready.insert(service.clone()),
        };

        let event = match found? {
            DataplaneStatus::Ready if was_ready => return None,
            DataplaneStatus::Leaving => return None,
            DataplaneStatus::Ready => {
                NewEvent::info(EventKind::Dataplane, "the dataplane forwards to the Service")
            }
            DataplaneStatus::Held(reason) => {
                NewEvent::warning(EventKind::Dataplane, format!("held back: {reason}"))
            }
            DataplaneStatus::Depreferenced(reason) => {
                let text = format!("announced with a low preference: {reason}");
                NewEvent::warning(EventKind::Dataplane, text)
            }
            DataplaneStatus::Withdrawn(reason) => {
                NewEvent::error(EventKind::Dataplane, format!("not announced any more: {reason}"))
            }
        };
        Some(event.service(service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(service: &str, found: DataplaneStatus) -> Change {
        let service = ServiceKey::new("default", service);
        Change::Dataplane { node: "kube1".to_owned(), service, found: Some(found) }
    }

    #[test]
    fn a_service_becomes_ready_once_and_many_changes_are_one_event() {
        let log = EventLog::new();
        let mut events = DataplaneEvents::new("kube1", log.clone());
        let held = || DataplaneStatus::Held("the health port does not answer".into());
        events.record(&[change("first", DataplaneStatus::Ready), change("second", held())]);
        events.record(&[change("second", DataplaneStatus::Ready)]);
        events.record(&[change("second", DataplaneStatus::Ready)]);
        for healthy in [None, Some(true), Some(false), Some(false), Some(true)] {
            events.record_proxy(healthy);
        }
        let many: Vec<_> = (0..200).map(|nth| change(&format!("s{nth}"), held())).collect();
        events.record(&many);

        let texts: Vec<_> = log
            .page(None)
            .events
            .into_iter()
            .map(|event| format!("{} {}", event.service.unwrap_or_default(), event.text))
            .collect();
        assert_eq!(
            texts,
            [
                "default/second held back: the health port does not answer",
                "default/second the dataplane forwards to the Service",
                " kube-proxy has failed on this node",
                " kube-proxy is healthy again",
                " the dataplane gate changed 200 Services",
            ]
        );
    }
}
