//! Changes of the configuration in the form of the event log.

use std::fmt::Display;

use ferrolb_api::EventKind;

use super::NewEvent;

/// Returns the event for a configuration that takes effect.
pub fn configuration_loaded() -> NewEvent {
    NewEvent::info(EventKind::ConfigurationLoaded, "the configuration was loaded")
}

/// Returns the event for a configuration with these errors, and what follows from them.
pub fn configuration_refused<E: Display>(errors: &[E], consequence: &str) -> NewEvent {
    let mut text = match errors.first() {
        Some(first) => first.to_string(),
        None => "the configuration has errors".to_owned(),
    };
    if errors.len() > 1 {
        text += &format!(" (and {} more)", errors.len() - 1);
    }
    NewEvent::error(EventKind::ConfigurationRefused, format!("{text}: {consequence}"))
}
