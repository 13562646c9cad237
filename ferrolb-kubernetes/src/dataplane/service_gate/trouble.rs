//! The part of a gate that most Services do not need.
//!
//! Owns what is known of a Service that is in trouble: its checks and the reason for its state. It decides nothing.

use std::time::Duration;

use super::super::timing::Moment;
use super::{ConnectTarget, ServiceGate};

/// The checks of a Service that is held back, depreferenced or withdrawn, or whose last check has failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// The target of connections, until a connection is known to reach the addresses.
    pub(super) connect: Option<ConnectTarget>,
    /// The first of the latest successful checks in a row.
    pub(super) forwards_since: Option<Moment>,
    pub(super) next_check: Option<Moment>,
    /// The reason for the state, for people.
    pub(super) problem: Option<Box<str>>,
    /// The time at which a check found it.
    noted: Moment,
}

/// The least time between two reasons that checks find. Each is reported, so a port whose answers differ each time must not set
/// the pace.
const NOTE_SPACING: Duration = Duration::from_secs(1);

impl Trouble {
    /// Notes the reason that a check has found.
    pub(super) fn note(&mut self, problem: String, now: Moment) {
        let is_due = self.problem.is_none() || now.since(self.noted) >= NOTE_SPACING;
        if is_due && self.problem.as_deref() != Some(&problem) {
            (self.problem, self.noted) = (Some(problem.into()), now);
        }
    }
}

impl ServiceGate {
    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    /// Returns the target of connections, if connections are checks of the Service.
    pub(super) fn connect(&self) -> Option<&ConnectTarget> {
        self.trouble.as_ref()?.connect.as_ref()
    }

    /// Returns the first of the latest successful checks in a row.
    pub(super) fn forwards_since(&self) -> Option<Moment> {
        self.trouble.as_ref()?.forwards_since
    }

    /// Sets the moment of the next check.
    pub(super) fn set_next_check(&mut self, at: Option<Moment>) {
        match (&mut self.trouble, at) {
            (Some(trouble), at) => trouble.next_check = at,
            (None, Some(_)) => self.trouble_mut().next_check = at,
            (None, None) => {}
        }
    }
}
