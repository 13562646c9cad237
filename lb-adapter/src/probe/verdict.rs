//! From answers and failures to what a Service counts as.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Probe;
use crate::planner::Probed;

/// What one Service counts as.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    rise: u32,
    fall: u32,
    hold_down: Duration,
    state: State,
    /// Answers in a row while it is down, failures in a row otherwise.
    streak: u32,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing was tried yet: the first try decides.
    New,
    /// There was nothing to try: likewise, and an answer is no news.
    Empty,
    Up,
    /// It answers again, since then.
    Held(Instant),
    Down,
}

impl Verdict {
    pub(super) fn new(probe: &Probe, hold_down: Duration) -> Self {
        let (rise, fall) = (probe.rise.get(), probe.fall.get());
        Self { rise, fall, hold_down, state: State::New, streak: 0 }
    }

    /// Takes the outcome of one try; says what the Service counts as, if that is new.
    pub(super) fn judge(&mut self, now: Instant, answer: Result<(), String>) -> Option<Probed> {
        match (&self.state, answer) {
            (State::New, Ok(())) => self.become_(State::Up, Probed::Up),
            (State::Empty, Ok(())) => {
                self.state = State::Up;
                None
            }
            (State::New | State::Empty, Err(why)) => self.become_(State::Down, Probed::Down(why)),
            (State::Up, Ok(())) => {
                self.streak = 0;
                None
            }
            (State::Held(since), Ok(())) => {
                self.streak = 0;
                let trusted = now.duration_since(*since) >= self.hold_down;
                trusted.then(|| self.become_(State::Up, Probed::Up)).flatten()
            }
            (State::Up | State::Held(_), Err(why)) => {
                self.streak += 1;
                let fallen = self.streak >= self.fall;
                fallen.then(|| self.become_(State::Down, Probed::Down(why))).flatten()
            }
            (State::Down, Ok(())) => {
                self.streak += 1;
                if self.streak < self.rise {
                    return None;
                }
                match self.hold_down.is_zero() {
                    true => self.become_(State::Up, Probed::Up),
                    false => self.become_(State::Held(now), Probed::Held),
                }
            }
            (State::Down, Err(_)) => {
                self.streak = 0;
                None
            }
        }
    }

    /// There is no endpoint to try, which counts as an answer; of those to come the first try decides.
    pub(super) fn nothing_to_try(&mut self) -> Option<Probed> {
        let news = !matches!(self.state, State::Up | State::Empty);
        self.state = State::Empty;
        self.streak = 0;
        news.then_some(Probed::Up)
    }

    fn become_(&mut self, state: State, probed: Probed) -> Option<Probed> {
        self.state = state;
        self.streak = 0;
        Some(probed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said after each of these tries, a second apart: `+` answers, `-` fails.
    fn said(tries: &str, hold_down: u64) -> String {
        let mut probe: Probe = "tcp:80".parse().unwrap();
        probe.rise = 2.try_into().unwrap();
        probe.fall = 3.try_into().unwrap();
        let mut verdict = Verdict::new(&probe, Duration::from_secs(hold_down));
        let mut now = Instant::now();
        let mut judge = |answers: char| {
            now += Duration::from_secs(1);
            let answer = if answers == '+' { Ok(()) } else { Err("refused".to_owned()) };
            match verdict.judge(now, answer) {
                None => '.',
                Some(Probed::Up) => 'U',
                Some(Probed::Held) => 'H',
                Some(Probed::Down(_)) => 'D',
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
}
