//! From answers and failures to what a Service counts as.

use std::time::Duration;

use tokio::time::Instant;

use lb_adapter::model::Probe;
use lb_adapter::planner::ProbeStatus;

/// What one Service counts as.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    rise: u32,
    fall: u32,
    hold_down: Duration,
    state: State,
    /// Whether the next try decides, alone, and is news whatever comes of it.
    first: bool,
    /// Whether there was nothing to try, which was told.
    idle: bool,
    /// Answers in a row while it is down, failures in a row otherwise.
    streak: u32,
}

#[derive(Clone, Debug)]
enum State {
    Up,
    /// It answers again, since then.
    Held(Instant),
    Down,
}

impl Verdict {
    pub(super) fn new(probe: &Probe, hold_down: Duration) -> Self {
        let (rise, fall) = (probe.rise.get(), probe.fall.get());
        Self { rise, fall, hold_down, state: State::Up, first: true, idle: false, streak: 0 }
    }

    /// Takes the outcome of one try; says what the Service counts as, if that is new.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        answer: Result<(), String>,
    ) -> Option<ProbeStatus> {
        if std::mem::take(&mut self.first) {
            return self.decide(now, answer);
        }
        match (&self.state, answer) {
            (State::Up, Ok(())) => {
                self.streak = 0;
                None
            }
            (State::Held(since), Ok(())) => {
                self.streak = 0;
                let trusted = now.duration_since(*since) >= self.hold_down;
                trusted.then(|| self.become_(State::Up, ProbeStatus::Up)).flatten()
            }
            (State::Up | State::Held(_), Err(why)) => {
                self.streak += 1;
                let fallen = self.streak >= self.fall;
                fallen.then(|| self.become_(State::Down, ProbeStatus::Down(why))).flatten()
            }
            (State::Down, Ok(())) => {
                self.streak += 1;
                if self.streak < self.rise {
                    return None;
                }
                match self.hold_down.is_zero() {
                    true => self.become_(State::Up, ProbeStatus::Up),
                    false => self.become_(State::Held(now), ProbeStatus::HeldDown),
                }
            }
            (State::Down, Err(_)) => {
                self.streak = 0;
                None
            }
        }
    }

    /// By one try alone. Whoever failed before, or was held down, is held down still.
    fn decide(&mut self, now: Instant, answer: Result<(), String>) -> Option<ProbeStatus> {
        let since = match (answer, &self.state) {
            (Err(why), _) => return self.become_(State::Down, ProbeStatus::Down(why)),
            (Ok(()), State::Up) => return self.become_(State::Up, ProbeStatus::Up),
            (Ok(()), State::Down) => now,
            (Ok(()), State::Held(since)) => *since,
        };
        match now.duration_since(since) >= self.hold_down {
            true => self.become_(State::Up, ProbeStatus::Up),
            false => self.become_(State::Held(since), ProbeStatus::HeldDown),
        }
    }

    /// There are endpoints where there was none: what was told counts no more. If the Service was announced, it is up
    /// until they have failed often enough; if not, their first try decides.
    pub(super) fn begin_anew(&mut self, announced: bool) -> Option<ProbeStatus> {
        (self.first, self.idle) = (!announced, false);
        announced.then(|| self.become_(State::Up, ProbeStatus::Up)).flatten()
    }

    /// There is no endpoint to try, which counts as an answer.
    pub(super) fn nothing_to_try(&mut self) -> Option<ProbeStatus> {
        let told = self.idle || (!self.first && matches!(self.state, State::Up));
        self.idle = true;
        (!told).then_some(ProbeStatus::Up)
    }

    fn become_(&mut self, state: State, probed: ProbeStatus) -> Option<ProbeStatus> {
        self.state = state;
        self.streak = 0;
        Some(probed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said after each of these tries, a second apart: `+` answers, `-` fails, `0` has nothing to try, `*`
    /// answers from an endpoint where there was none, and `!` is one where there was none and the Service is announced.
    fn said(tries: &str, hold_down: u64) -> String {
        let mut probe: Probe = "tcp:80".parse().unwrap();
        probe.rise = 2.try_into().unwrap();
        probe.fall = 3.try_into().unwrap();
        let mut verdict = Verdict::new(&probe, Duration::from_secs(hold_down));
        let mut now = Instant::now();
        let mut judge = |answers: char| {
            now += Duration::from_secs(1);
            let answer = if answers == '-' { Err("refused".to_owned()) } else { Ok(()) };
            if answers == '*' {
                assert_eq!(verdict.begin_anew(false), None);
            }
            let said = match answers {
                '0' => verdict.nothing_to_try(),
                '!' => verdict.begin_anew(true),
                _ => verdict.judge(now, answer),
            };
            match said {
                None => '.',
                Some(ProbeStatus::Up) => 'U',
                Some(ProbeStatus::HeldDown) => 'H',
                Some(ProbeStatus::Down(_)) => 'D',
            }
        };
        tries.chars().map(&mut judge).collect()
    }

    #[test]
    fn the_first_try_decides_and_later_ones_need_a_row() {
        assert_eq!(said("+--+---", 0), "U.....D");
        assert_eq!(said("-+-++", 0), "D...U");
        assert_eq!(said("-++", 0), "D.U");
    }

    #[test]
    fn who_answers_again_is_held_down_first() {
        assert_eq!(said("-++++++", 3), "D.H..U.");
        assert_eq!(said("-++---", 60), "D.H..D");
        assert_eq!(said("-++-+-+", 3), "D.H...U", "a failure alone begins nothing anew");
    }

    #[test]
    fn other_endpoints_after_none_are_judged_by_their_first_try_and_held_down_as_those_before() {
        assert_eq!(said("+00*", 0), "U..U", "it is said again, since it counts no more");
        assert_eq!(said("00*---", 0), "U.U..D");
        assert_eq!(said("-00*", 0), "DU.U");
        assert_eq!(said("-00*+++", 3), "DU.H..U", "it has not answered for so long");
        assert_eq!(said("-++0*++", 4), "D.HUH.U", "it goes on where it was");
        assert_eq!(said("-++0*", 2), "D.HUU", "and ends meanwhile");
    }

    #[test]
    fn a_service_that_is_announced_when_endpoints_come_falls_by_as_many_failures_as_any() {
        assert_eq!(said("0!---", 0), "UU..D");
        assert_eq!(said("0!--+---++", 0), "UU.....D.U");
        assert_eq!(said("-0!--+", 60), "DUU...", "whoever is announced is not held down");
        assert_eq!(said("-++0!---", 60), "D.HUU..D");
    }
}
