//! How long the programs of this machine wait for a processor. Other work on the machine delays every program, and no bound of
//! a test may depend on that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(5);
/// The kernel's account of the time in which at least one task waited for a processor.
const ACCOUNT: &str = "/proc/pressure/cpu";

/// A thread that follows the pressure on the processors (PSI). Without the account in the kernel, there is no pressure.
#[derive(Debug)]
pub(crate) struct Pressure {
    samples: Arc<Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pressure {
    pub(crate) fn start() -> Self {
        let samples: Arc<Mutex<Vec<(Instant, Duration)>>> = Arc::default();
        let (noted, stop) = (Arc::clone(&samples), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(waited) = read() else { return };
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push((Instant::now(), waited));
                drop(noted);
                std::thread::sleep(PACE);
            }
        });
        Self { samples, stop, thread: Some(thread) }
    }

    /// The time between these two in which a task waited for a processor.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let before = samples.iter().rfind(|(at, _)| *at <= from);
        let after = samples.iter().find(|(at, _)| *at >= to).or_else(|| samples.last());
        match (before, after) {
            (Some((_, before)), Some((_, after))) => after.saturating_sub(*before).min(to - from),
            _ => Duration::ZERO,
        }
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The `total` of the line `some`, in microseconds since the machine has started.
fn read() -> Option<Duration> {
    let account = std::fs::read_to_string(ACCOUNT).ok()?;
    let total = account.lines().next()?.rsplit_once("total=")?.1;
    Some(Duration::from_micros(total.trim().parse().ok()?))
}
