//! A runtime in virtual time, and the panics that it would hide.
//!
//! Oracles of services run them here over streams in memory. A timeout of a minute takes no time.

use std::cell::Cell;
use std::future::Future;
use std::sync::Once;

/// Runs a future to its end on one thread. Panics if it, or a task that it has started, panics.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    static COUNT_PANICS: Once = Once::new();
    COUNT_PANICS.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            report(info);
        }));
    });

    let before = PANICS.get();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    let result = runtime.block_on(future);
    drop(runtime);
    assert_eq!(PANICS.get(), before, "a task has panicked");
    result
}

thread_local! {
    /// The panics of this thread. The runtime catches those of its tasks.
    static PANICS: Cell<u32> = const { Cell::new(0) };
}
