//! An allocator that knows how much memory is held, and how much was at most.

#![expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; every call goes to `System` as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator with a count of the octets that are held, without what the system adds to each.
///
/// A binary that asks declares one: `#[global_allocator] static ALLOCATOR: Held = Held;`
#[derive(Debug)]
pub struct Held;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Octets held at this moment; always 0 in a binary without [`Held`].
#[must_use]
pub fn now() -> usize {
    NOW.load(Ordering::Relaxed)
}

/// The most octets that were held since [`start`].
#[must_use]
pub fn most() -> usize {
    MOST.load(Ordering::Relaxed)
}

/// Forgets what the most was, and returns what is held now.
pub fn start() -> usize {
    MOST.store(now(), Ordering::Relaxed);
    now()
}

/// The benchmarks have one thread: no bus lock is needed.
fn add(octets: usize) {
    let held = now().wrapping_add(octets);
    NOW.store(held, Ordering::Relaxed);
    if held > most() {
        MOST.store(held, Ordering::Relaxed);
    }
}

fn subtract(octets: usize) {
    NOW.store(now().wrapping_sub(octets), Ordering::Relaxed);
}

// SAFETY: every method hands its arguments to `System` and returns what that returns, so that whatever `System`
// guarantees, and asks of its caller, holds here.
unsafe impl GlobalAlloc for Held {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps to the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there for a moment.
        add(size);
        // SAFETY: the caller keeps to the contract of `realloc`.
        let pointer = unsafe { System.realloc(pointer, layout, size) };
        subtract(layout.size());
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
