//! The allocator's events in the form of the event log.

use ferrolb_api::EventKind;
use lb_adapter::allocator::{Event, EventReason};

use super::NewEvent;

/// Returns the events of the allocator for the log.
pub fn allocation_events(events: &[Event]) -> impl Iterator<Item = NewEvent> {
    events.iter().map(|event| {
        let text = event.message.clone();
        let event_for_log = match event.reason {
            EventReason::IpAllocated => NewEvent::info(EventKind::Assigned, text),
            EventReason::ClearAssignment => NewEvent::warning(EventKind::Released, text),
            EventReason::NoLbIpsIpFamily => NewEvent::error(EventKind::Released, text),
            EventReason::AllocationFailed | EventReason::NotEnoughClusterIps => {
                NewEvent::error(EventKind::Pending, text)
            }
            // Annotations that are out of date, or without the effect that their author expects.
            _ => NewEvent::warning(EventKind::ConfigurationLoaded, text),
        };
        event_for_log.service(&event.service)
    })
}
