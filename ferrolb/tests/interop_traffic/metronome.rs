//! How late this machine wakes a thread. Other work on it delays every program, and no bound of a test may depend on that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);
/// Shorter delays are usual.
const LATE: Duration = Duration::from_millis(1);

/// The late ticks: the time at which each was due, and the delay.
type Late = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// A thread that wants to wake up every few milliseconds, and notes when it could not.
#[derive(Debug)]
pub(crate) struct Metronome {
    late: Late,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metronome {
    pub(crate) fn start() -> Self {
        let (late, stop) = (Late::default(), Arc::new(AtomicBool::new(false)));
        let (noted, stopped) = (Arc::clone(&late), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let due = Instant::now() + TICK;
                std::thread::sleep(TICK);
                let delay = due.elapsed();
                if delay > LATE {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push((due, delay));
                }
            }
        });
        Self { late, stop, thread: Some(thread) }
    }

    /// The longest delay between these times.
    pub(crate) fn longest_delay(&self, from: Instant, to: Instant) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let within = late.iter().filter(|(due, delay)| *due <= to && *due + *delay >= from);
        within.map(|(_, delay)| *delay).max().unwrap_or_default()
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
