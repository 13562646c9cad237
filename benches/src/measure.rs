//! Rounds in which everything that is compared takes its turn, so that a disturbance of the machine hits all alike.
//!
//! Time is that which the thread had a processor for, so that programs beside it cost caches and not waiting.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::alloc;

/// What one contestant needed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// Seconds for one pass, in ascending order.
    passes: Vec<f64>,
    /// Requests for memory in one pass.
    pub allocations: u64,
}

impl Measured {
    /// Seconds for the fastest pass.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.passes.first().copied().unwrap_or(0.0)
    }

    /// Seconds for the pass in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.passes.get(self.passes.len() / 2).copied().unwrap_or(0.0)
    }
}

/// The least time that is measured at once: shorter passes are repeated until they take as long.
const LEAST: Duration = Duration::from_millis(2);

/// Measures all contestants in so many rounds.
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
    let done = measured.into_iter().map(|(mut measured, _)| {
        measured.passes.sort_by(f64::total_cmp);
        measured
    });
    done.collect()
}

/// One pass for the caches, one to count allocations, and how often a pass is to be repeated.
fn warm_up(pass: &mut Box<dyn FnMut() + '_>) -> (Measured, u32) {
    pass();
    let before = alloc::count();
    let start = processor_time();
    pass();
    let took = (processor_time() - start).max(Duration::from_nanos(1));
    let allocations = alloc::count() - before;
    let repeats = LEAST.as_nanos().div_ceil(took.as_nanos());
    let repeats = u32::try_from(repeats).unwrap_or(u32::MAX).clamp(1, 10_000);
    (Measured { passes: Vec::new(), allocations }, repeats)
}

/// What this thread has used of a processor.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// A contestant of a function whose answer nobody needs.
pub fn contestant<'a, T>(mut pass: impl FnMut() -> T + 'a) -> Box<dyn FnMut() + 'a> {
    Box::new(move || {
        black_box(pass());
    })
}
