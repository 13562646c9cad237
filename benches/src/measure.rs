//! Measurement in rounds: the contestants take turns, so that a disturbance of the machine affects all of them.
//!
//! It measures the CPU time of the thread, so that other programs only affect the caches.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::alloc;

/// The measurement of one contestant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// The seconds of each pass, in ascending order.
    passes: Vec<f64>,
    /// The number of allocations in one pass.
    pub allocations: u64,
}

impl Measured {
    /// The seconds of the fastest pass.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.passes.first().copied().unwrap_or(0.0)
    }

    /// The seconds of the median pass.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.passes.get(self.passes.len() / 2).copied().unwrap_or(0.0)
    }
}

/// The minimum duration of a measurement: shorter passes are repeated.
const MIN_DURATION: Duration = Duration::from_millis(2);

/// Measures all contestants in a number of rounds.
pub fn measure(contestants: &mut [Box<dyn FnMut() + '_>], rounds: usize) -> Vec<Measured> {
    let mut measured: Vec<_> = contestants.iter_mut().map(|pass| warm_up(pass)).collect();

    for _ in 0..rounds {
        for (pass, (measured, repeats)) in contestants.iter_mut().zip(&mut measured) {
            let start = processor_time();
            for _ in 0..*repeats {
                pass();
            }
            measured.passes.push((processor_time() - start).as_secs_f64() / f64::from(*repeats));
        }
    }

    let sorted = measured.into_iter().map(|(mut measured, _)| {
        measured.passes.sort_by(f64::total_cmp);
        measured
    });
    sorted.collect()
}

/// Runs one pass to warm up the caches, and one to count allocations. Also returns the number of repetitions of a pass.
fn warm_up(pass: &mut Box<dyn FnMut() + '_>) -> (Measured, u32) {
    pass();
    let before = alloc::count();
    let start = processor_time();
    pass();
    let took = (processor_time() - start).max(Duration::from_nanos(1));
    let allocations = alloc::count() - before;

    let repeats = MIN_DURATION.as_nanos().div_ceil(took.as_nanos());
    let repeats = u32::try_from(repeats).unwrap_or(u32::MAX).clamp(1, 10_000);
    (Measured { passes: Vec::new(), allocations }, repeats)
}

/// The CPU time of this thread.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// A contestant that runs a function and discards its result.
pub fn contestant<'a, T>(mut pass: impl FnMut() -> T + 'a) -> Box<dyn FnMut() + 'a> {
    Box::new(move || {
        black_box(pass());
    })
}
