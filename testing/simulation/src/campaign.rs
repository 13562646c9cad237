//! Many seeds, on several threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::run::{self, Outcome};
use crate::say;
use crate::world::Violation;

/// Every seed that this divides runs twice, and has to leave the same trace.
const REPEATED: u64 = 25;
/// The time between two lines about the progress.
const PROGRESS: Duration = Duration::from_secs(20);

/// Seeds that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) jobs: usize,
    /// The number of failing seeds after which it ends.
    pub(crate) most_failures: usize,
}

impl Campaign {
    /// Runs the seeds and says what was found. Returns true if all invariants hold in all of them.
    pub(crate) fn run(self) -> bool {
        let Self { first, count, jobs, .. } = self;
        let begin = Instant::now();
        let (finished, failed) = self.run_all();
        let seconds = begin.elapsed().as_secs_f64();
        let Some((seed, _)) = failed.iter().min_by_key(|(seed, _)| *seed) else {
            say(&format!(
                "{count} seeds from {first}: all invariants hold, in {seconds:.1} s on {jobs} threads"
            ));
            return true;
        };
        say(&format!(
            "{} of {finished} seeds fail, in {seconds:.1} s. The trace of one: scripts/simulate --seed {seed}; its fewest steps: \
             scripts/simulate --shrink {seed}",
            failed.len()
        ));
        false
    }

    /// Returns the number of seeds that have run, and those that fail.
    fn run_all(self) -> (u64, Vec<(u64, Violation)>) {
        let (next, finished) = (AtomicU64::new(0), AtomicU64::new(0));
        let failed = Mutex::new(Vec::new());
        let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, last_line) = (Instant::now(), Mutex::new(Instant::now()));

        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.count || lock().len() >= self.most_failures {
                    return;
                }
                let seed = self.first + number;
                if let Some(violation) = run_seed(seed).violation {
                    say(&format!("seed {seed} fails: {violation}"));
                    lock().push((seed, violation));
                }

                let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
                let mut last = last_line.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() > PROGRESS {
                    *last = Instant::now();
                    let seconds = begin.elapsed().as_secs();
                    say(&format!("{done} of {} seeds after {seconds} s", self.count));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(work);
            }
        });
        (finished.into_inner(), failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs a seed, and some seeds twice.
fn run_seed(seed: u64) -> Outcome {
    let plan = Plan::of(seed);
    let outcome = run::run(seed, &plan, false);
    if outcome.violation.is_some() || !seed.is_multiple_of(REPEATED) {
        return outcome;
    }
    let again = run::run(seed, &plan, true);
    if again.digest == outcome.digest {
        return outcome;
    }
    let third = run::run(seed, &plan, true);
    let text = first_difference(&again.lines, &third.lines)
        .unwrap_or_else(|| format!("{:016x} and {:016x}", outcome.digest, again.digest));
    let violation = Violation { invariant: "same seed, same trace", text };
    Outcome { violation: Some(violation), ..again }
}

/// Returns the first line in which two traces differ, from both.
fn first_difference(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    let [one, other] =
        [one, other].map(|lines| lines.get(at).map_or("the end", |line| line.trim_start()));
    Some(format!("line {}: {one}, and {other}", at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_shown_from_both_traces() {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let one = lines(&[" 1 a", " 2 b"]);
        assert_eq!(first_difference(&one, &one), None);
        let other = lines(&[" 1 a", " 2 c"]);
        assert_eq!(first_difference(&one, &other).unwrap(), "line 2: 2 b, and 2 c");
        assert_eq!(first_difference(&one, &one[..1]).unwrap(), "line 2: 2 b, and the end");
    }
}
