//! Waiting for something in real time.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` again until it answers `Ok`, and gives that answer.
///
/// # Panics
///
/// If `limit` passes first: with `what` was waited for, and what `probe` said last.
#[track_caller]
pub fn wait_until<T>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(answer) => return answer,
            Err(seen) if start.elapsed() > limit => {
                panic!("{what}: not within {} s, still: {seen}", limit.as_secs_f32())
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
