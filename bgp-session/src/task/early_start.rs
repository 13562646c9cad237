//! [`EarlyStart`]: the start of the next session after a change of the configuration has ended one.

use std::time::{Duration, Instant};

/// A router that has just closed the last connection may not be ready for the next one at once.
const PAUSE: Duration = Duration::from_millis(50);

/// The start of a session that does not wait for the pause after failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EarlyStart {
    /// No early start is planned.
    #[default]
    Unplanned,
    /// Soon after the connections of the last session are closed.
    AfterClose,
    /// At this time.
    At(Instant),
}

impl EarlyStart {
    /// Plans the next session for the time when the connections of this one are closed.
    pub(super) fn request(&mut self) {
        *self = Self::AfterClose;
    }

    /// Notes that no connection is being closed: the peer has read what ended the session, unless it was too slow.
    pub(super) fn all_closed(&mut self, now: Instant) {
        if *self == Self::AfterClose {
            *self = Self::At(now + PAUSE);
        }
    }

    /// The time at which the session is due.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::At(time) => Some(time),
            Self::Unplanned | Self::AfterClose => None,
        }
    }

    /// Returns true, once, when the session is due.
    pub(super) fn take_if_due(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|time| time <= now);
        if due {
            *self = Self::Unplanned;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test(start_paused = true)]
    async fn the_next_session_is_due_once_and_soon_after_the_connections_are_closed() {
        let now = clock::now();
        let mut early_start = EarlyStart::default();
        early_start.all_closed(now);
        assert_eq!(early_start.deadline(), None, "nothing was requested");

        early_start.request();
        assert_eq!(early_start.deadline(), None, "a connection may still be closing");
        early_start.all_closed(now);
        early_start.all_closed(now + PAUSE / 2);
        assert_eq!(early_start.deadline(), Some(now + PAUSE));

        assert!(!early_start.take_if_due(now));
        assert!(early_start.take_if_due(now + PAUSE));
        assert!(!early_start.take_if_due(now + PAUSE));
        assert_eq!(early_start, EarlyStart::Unplanned);
    }
}
