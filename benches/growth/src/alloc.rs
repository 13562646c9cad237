//! An allocator that counts allocations. It is `unsafe` because the trait is.

#![expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; every call goes to the inner allocator unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// An allocator, the system's by default, with a count of allocations and reallocations.
///
/// A binary that counts declares one: `#[global_allocator] static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;`
#[derive(Debug)]
pub struct CountingAllocator<A = System>(pub A);

impl CountingAllocator {
    /// The system's allocator.
    pub const SYSTEM: Self = Self(System);
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The number of allocations since the start of the program; always 0 in a binary without [`CountingAllocator`].
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

#[inline]
fn increment() {
    // Not an atomic addition: the benchmarks have one thread, and the bus lock would count as time of the decoder.
    COUNT.store(COUNT.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

// SAFETY: every method passes its arguments to the inner allocator and returns its result, so that its guarantees and
// requirements apply.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        increment();
        // SAFETY: the caller follows the contract of `alloc`.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        increment();
        // SAFETY: the caller follows the contract of `alloc_zeroed`.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        increment();
        // SAFETY: the caller follows the contract of `realloc`.
        unsafe { self.0.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller follows the contract of `dealloc`.
        unsafe { self.0.dealloc(pointer, layout) }
    }
}
