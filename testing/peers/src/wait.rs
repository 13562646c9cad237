//! Waiting for something in real time.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Calls `probe` again and again until it returns `Ok`, and returns that answer.
///
/// # Panics
///
/// If `limit` passes first. The message has `what` and the last error.
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
            Err(error) if start.elapsed() > limit => {
                panic!("{what}: not within {} s, still: {error}", limit.as_secs_f32())
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
