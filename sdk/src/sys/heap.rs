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

    /// Takes `size` bytes at the next multiple of `align`, which is a power of two.
    fn take_next(&self, size: usize, align: usize) -> *mut u8 {
        let start = self.next().wrapping_add(align - 1) & align.wrapping_neg();
        self.take(start, size)
    }

    /// Takes the bytes from `start` to `start + size`.
    ///
    /// Without memory for them, this traps: a null pointer would end in a trap too, but on the way
    /// there it would format a message that nobody sees.
    fn take(&self, start: usize, size: usize) -> *mut u8 {
        let end = start.saturating_add(size);
        if end > core::arch::wasm32::memory_size(0).wrapping_mul(PAGE_BYTES) {
            super::trap()
        }
        self.next.store(end, Relaxed);
        // SAFETY: `start` is above the stack, so not null.
        unsafe { core::hint::assert_unchecked(start != 0) };
        start as *mut u8
    }
}

// SAFETY: blocks never overlap, because `next` only moves back over the block that ends there,
// when that block is given back. There are no threads.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take_next(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if (block as usize).wrapping_add(layout.size()) == self.next() {
            self.next.store(block as usize, Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if (block as usize).wrapping_add(layout.size()) == self.next() {
            return self.take(block as usize, new_size);
        }
        if new_size <= layout.size() {
            return block;
        }
        let grown = self.take_next(new_size, layout.align());
        // SAFETY: the old block holds `layout.size()` bytes, the new one more, and they do not
        // overlap.
        unsafe { core::ptr::copy_nonoverlapping(block, grown, layout.size()) };
        grown
    }
}
