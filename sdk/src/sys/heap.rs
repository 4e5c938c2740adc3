//! The heap of a contract: it only grows. A call is short and its whole memory is thrown away
//! after it, so freeing would cost more than it saves.
//!
//! ```text
//! 0            16 KiB                                    64 KiB
//! │◀── stack ────│ constants, statics │ heap ──▶            │
//! ```
//!
//! The last block may be resized or freed in place, which is what a growing vector needs. The
//! heap stays inside the memory that the module starts with: growing it would cost the host more
//! than the contract could use.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE_BYTES: usize = 65_536;

unsafe extern "C" {
    /// Where the linker ends its data; only its address means something.
    static __heap_base: u8;
}

struct Heap {
    /// The first free byte, or 0 before the first use.
    next: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap { next: AtomicUsize::new(0) };

impl Heap {
    fn next(&self) -> usize {
        match self.next.load(Relaxed) {
            0 => (&raw const __heap_base) as usize,
            next => next,
        }
    }

    /// Takes the bytes from `start` to `start + size`, if there is memory.
    fn take(&self, start: usize, size: usize) -> *mut u8 {
        let Some(end) = start.checked_add(size) else {
            return null_mut();
        };
        if end > core::arch::wasm32::memory_size(0) * PAGE_BYTES {
            return null_mut();
        }
        self.next.store(end, Relaxed);
        start as *mut u8
    }
}

// SAFETY: blocks never overlap, because `next` only moves back over the block that ends there,
// when that block is given back. There are no threads.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.next().next_multiple_of(layout.align());
        self.take(start, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next() {
            self.next.store(block as usize, Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if block as usize + layout.size() == self.next() {
            return self.take(block as usize, new_size);
        }
        if new_size <= layout.size() {
            return block;
        }
        let start = self.next().next_multiple_of(layout.align());
        let grown = self.take(start, new_size);
        if !grown.is_null() {
            // SAFETY: the old block holds `layout.size()` bytes, the new one more, and they do
            // not overlap.
            unsafe { core::ptr::copy_nonoverlapping(block, grown, layout.size()) };
        }
        grown
    }
}
