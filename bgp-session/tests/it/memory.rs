//! The memory of a test's thread. Tests in virtual time run all their tasks on one thread.
#![expect(unsafe_code, reason = "a counting global allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, which counts the octets that this thread has allocated and not freed.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(taken: usize, returned: usize) {
    // When the thread ends, the cell may be gone already.
    let _ = HELD.try_with(|held| {
        held.set(held.get().wrapping_add_unsigned(taken).wrapping_sub_unsigned(returned));
    });
}

// SAFETY: every call is passed to the system's allocator unchanged. Counting touches only the thread's own cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of octets that this thread has allocated and not freed.
pub(crate) fn held() -> isize {
    HELD.with(Cell::get)
}
