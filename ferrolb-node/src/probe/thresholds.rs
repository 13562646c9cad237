//! The thresholds of a probe: how the results of attempts become the status of a Service.

use std::time::Duration;

use tokio::time::Instant;

use lb_adapter::model::Probe;
use lb_adapter::planner::ProbeStatus;

/// The thresholds of one probe, and how far its latest results have come towards them.
#[derive(Clone, Debug)]
pub(super) struct Thresholds {
    /// The number of successes in a row that end a failure.
    successes: u32,
    /// The number of failures in a row after which the Service is down.
    failures: u32,
    hold_down: Duration,
    state: State,
    /// True if the next result decides alone, and is reported even if it changes nothing.
    first_decides: bool,
    /// True if there is no endpoint to try, and that was reported.
    idle: bool,
    /// The number of successes in a row while the probe is down, and of failures in a row otherwise.
    run: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Up,
    /// The probe has succeeded again since this time.
    HeldDown {
        since: Instant,
    },
    Down,
}

impl Thresholds {
    pub(super) fn new(probe: &Probe, hold_down: Duration) -> Self {
        Self {
            successes: probe.rise.get(),
            failures: probe.fall.get(),
            hold_down,
            state: State::Up,
            first_decides: true,
            idle: false,
            run: 0,
        }
    }

    /// Records the result of one attempt. Returns the new status of the Service, if there is one to report.
    pub(super) fn record(
        &mut self,
        now: Instant,
        result: Result<(), String>,
    ) -> Option<ProbeStatus> {
        if std::mem::take(&mut self.first_decides) {
            return self.decide(now, result);
        }
        match result {
            Ok(()) => self.record_success(now),
            Err(error) => self.record_failure(error),
        }
    }

    fn record_success(&mut self, now: Instant) -> Option<ProbeStatus> {
        match self.state {
            State::Up => {
                self.run = 0;
                None
            }
            State::HeldDown { since } => {
                self.run = 0;
                if now.duration_since(since) < self.hold_down {
                    return None;
                }
                Some(self.enter(State::Up, ProbeStatus::Up))
            }
            State::Down => {
                self.run += 1;
                if self.run < self.successes {
                    return None;
                }
                if self.hold_down.is_zero() {
                    return Some(self.enter(State::Up, ProbeStatus::Up));
                }
                Some(self.enter(State::HeldDown { since: now }, ProbeStatus::HeldDown))
            }
        }
    }

    fn record_failure(&mut self, error: String) -> Option<ProbeStatus> {
        if matches!(self.state, State::Down) {
            self.run = 0;
            return None;
        }

        self.run += 1;
        if self.run < self.failures {
            return None;
        }
        Some(self.enter(State::Down, ProbeStatus::Down(error)))
    }

    /// Decides by one result alone. A Service that was down or held down before is held down for the rest of its time.
    fn decide(&mut self, now: Instant, result: Result<(), String>) -> Option<ProbeStatus> {
        if let Err(error) = result {
            return Some(self.enter(State::Down, ProbeStatus::Down(error)));
        }

        let since = match self.state {
            State::Up => return Some(self.enter(State::Up, ProbeStatus::Up)),
            State::Down => now,
            State::HeldDown { since } => since,
        };
        if now.duration_since(since) >= self.hold_down {
            return Some(self.enter(State::Up, ProbeStatus::Up));
        }
        Some(self.enter(State::HeldDown { since }, ProbeStatus::HeldDown))
    }

    /// Starts over when there are endpoints after there were none: the status reported before no longer counts. A Service
    /// that is announced is up until they have failed often enough; for any other, their first attempt decides.
    pub(super) fn start_over(&mut self, announced: bool) -> Option<ProbeStatus> {
        self.idle = false;
        self.first_decides = !announced;
        if !announced {
            return None;
        }
        Some(self.enter(State::Up, ProbeStatus::Up))
    }

    /// Records that there is no endpoint to try, which counts as a success.
    pub(super) fn record_no_endpoints(&mut self) -> Option<ProbeStatus> {
        let is_reported = self.idle || (!self.first_decides && matches!(self.state, State::Up));
        self.idle = true;
        if is_reported { None } else { Some(ProbeStatus::Up) }
    }

    fn enter(&mut self, state: State, status: ProbeStatus) -> ProbeStatus {
        self.state = state;
        self.run = 0;
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status reported after each of these attempts, a second apart: `+` succeeds, `-` fails, `0` has no
    /// endpoint to try, `*` succeeds at the first endpoint after there was none, and `!` is the first endpoint of a
    /// Service that is announced.
    fn reports(attempts: &str, hold_down: u64) -> String {
        let mut probe: Probe = "tcp:80".parse().unwrap();
        probe.rise = 2.try_into().unwrap();
        probe.fall = 3.try_into().unwrap();
        let mut thresholds = Thresholds::new(&probe, Duration::from_secs(hold_down));
        let mut now = Instant::now();

        let mut reports = String::new();
        for attempt in attempts.chars() {
            now += Duration::from_secs(1);
            if attempt == '*' {
                assert_eq!(thresholds.start_over(false), None);
            }
            let status = match attempt {
                '0' => thresholds.record_no_endpoints(),
                '!' => thresholds.start_over(true),
                '-' => thresholds.record(now, Err("refused".to_owned())),
                _ => thresholds.record(now, Ok(())),
            };
            reports.push(match status {
                None => '.',
                Some(ProbeStatus::Up) => 'U',
                Some(ProbeStatus::HeldDown) => 'H',
                Some(ProbeStatus::Down(_)) => 'D',
            });
        }
        reports
    }

    #[test]
    fn the_first_attempt_decides_and_later_ones_need_a_run() {
        assert_eq!(reports("+--+---", 0), "U.....D");
        assert_eq!(reports("-+-++", 0), "D...U");
        assert_eq!(reports("-++", 0), "D.U");
    }

    #[test]
    fn a_service_that_recovers_is_held_down_first() {
        assert_eq!(reports("-++++++", 3), "D.H..U.");
        assert_eq!(reports("-++---", 60), "D.H..D");
        assert_eq!(
            reports("-++-+-+", 3),
            "D.H...U",
            "a single failure does not restart the hold-down"
        );
    }

    #[test]
    fn the_first_attempt_at_new_endpoints_decides_and_an_earlier_hold_down_continues() {
        assert_eq!(
            reports("+00*", 0),
            "U..U",
            "reported again, since the earlier report no longer counts"
        );
        assert_eq!(reports("00*---", 0), "U.U..D");
        assert_eq!(reports("-00*", 0), "DU.U");
        assert_eq!(reports("-00*+++", 3), "DU.H..U", "it has only just begun to respond");
        assert_eq!(reports("-++0*++", 4), "D.HUH.U", "the hold-down continues");
        assert_eq!(reports("-++0*", 2), "D.HUU", "the hold-down has ended in between");
    }

    #[test]
    fn an_announced_service_with_new_endpoints_falls_after_the_usual_number_of_failures() {
        assert_eq!(reports("0!---", 0), "UU..D");
        assert_eq!(reports("0!--+---++", 0), "UU.....D.U");
        assert_eq!(reports("-0!--+", 60), "DUU...", "an announced Service is not held down");
        assert_eq!(reports("-++0!---", 60), "D.HUU..D");
    }
}
