//! An allocator that tracks the allocated memory and its peak.

#![expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; every call goes to `System` unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator with a count of the allocated octets, without the system's overhead for each allocation.
///
/// A binary that measures memory declares one: `#[global_allocator] static ALLOCATOR: TrackingAllocator = TrackingAllocator;`
#[derive(Debug)]
pub struct TrackingAllocator;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The octets that are allocated now; always 0 in a binary without [`TrackingAllocator`].
#[must_use]
pub fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

/// The maximum of [`allocated`] since [`reset_peak`].
#[must_use]
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Sets the peak to the octets that are allocated now, and returns them.
pub fn reset_peak() -> usize {
    PEAK.store(allocated(), Ordering::Relaxed);
    allocated()
}

/// Adds to the count, without an atomic addition: the benchmarks have one thread.
fn add(octets: usize) {
    let allocated = allocated().wrapping_add(octets);
    ALLOCATED.store(allocated, Ordering::Relaxed);
    if allocated > peak() {
        PEAK.store(allocated, Ordering::Relaxed);
    }
}

fn subtract(octets: usize) {
    ALLOCATED.store(allocated().wrapping_sub(octets), Ordering::Relaxed);
}

// SAFETY: every method passes its arguments to `System` and returns its result, so `System`'s guarantees and requirements
// apply.
unsafe impl GlobalAlloc for TrackingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller follows the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller follows the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist for a moment.
        add(size);
        // SAFETY: the caller follows the contract of `realloc`.
        let pointer = unsafe { System.realloc(pointer, layout, size) };
        subtract(layout.size());
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller follows the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
