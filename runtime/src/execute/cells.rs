//! Cells that one worker writes once in a block and others read after it. Kept from block to block:
//! a block neither makes nor clears them, it only counts on.
//!
//! ```text
//! block 7   cell: [7 | value]        block 8   cell: [7 | old value]  =  empty, until it is [8 | value]
//! ```

#![allow(unsafe_code, reason = "a lock or a once-flag for each cell costs more than all else here")]

use crate::prefetch::prefetch;
use rayon::prelude::*;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cell, and the block that it was last written in; 0 for none.
struct Slot<T> {
    block: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    #[inline]
    fn take(&mut self, block: u32) -> Option<T> {
        if *self.block.get_mut() != block {
            return None;
        }
        *self.block.get_mut() = 0;
        // SAFETY: it was written, and nobody will take or drop it again, because `block` says that
        // it never was.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }
}

/// The cells of one block.
pub(crate) struct Cells<T> {
    /// Those beyond `length` are left from larger blocks.
    slots: Vec<Slot<T>>,
    length: usize,
    block: u32,
}

// SAFETY: values are written through a shared reference, by a thread that `set` requires to be the
// only one, and read only after the write was published by the slot's atomic.
unsafe impl<T: Send + Sync> Sync for Cells<T> {}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), length: 0, block: 0 }
    }
}

impl<T> std::fmt::Debug for Cells<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("length", &self.length).finish_non_exhaustive()
    }
}

impl<T> Cells<T> {
    /// Starts a block with so many empty cells. What the last block left in them goes when they are
    /// written.
    pub(crate) fn start(&mut self, length: usize) {
        if self.block == u32::MAX {
            self.clear();
        }
        self.block += 1;
        self.length = length;
        if length > self.slots.len() {
            let empty =
                || Slot { block: AtomicU32::new(0), value: UnsafeCell::new(MaybeUninit::uninit()) };
            self.slots.resize_with(length, empty);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Asks for cells before they are needed.
    #[inline]
    pub(crate) fn prefetch(&self, cells: std::ops::Range<usize>) {
        prefetch(&self.slots[cells]);
    }

    /// Writes a cell.
    ///
    /// # Safety
    /// In one block, each cell is written by one thread only, and no reference to its value from
    /// before is held; [`Self::get`] gives none before the cell was written.
    ///
    /// # Panics
    /// If the block does not have the cell.
    #[inline]
    pub(crate) unsafe fn set(&self, index: usize, value: T) {
        let slot = &self.slots[..self.length][index];
        let written = slot.block.load(Ordering::Relaxed);
        if written == self.block {
            return;
        }
        // SAFETY: nobody else writes the cell, and nobody reads it, because `block` does not say
        // that it was written in this block. If it ever was, it holds a value to be dropped.
        unsafe {
            let cell = &mut *slot.value.get();
            if written != 0 {
                cell.assume_init_drop();
            }
            cell.write(value);
        }
        slot.block.store(self.block, Ordering::Release);
    }

    /// The value of a cell, if it was written in this block.
    ///
    /// # Panics
    /// If the block does not have the cell.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let slot = &self.slots[..self.length][index];
        if slot.block.load(Ordering::Acquire) != self.block {
            return None;
        }
        // SAFETY: it was written in this block, before `block` said so, and is not written again in
        // it; the next block starts with a unique reference to all cells.
        Some(unsafe { (*slot.value.get()).assume_init_ref() })
    }

    /// Takes the value of a cell, if it was written in this block, and leaves it empty.
    pub(crate) fn take(&mut self, index: usize) -> Option<T> {
        let block = self.block;
        self.slots[..self.length][index].take(block)
    }

    /// Takes the values of all cells, in order.
    pub(crate) fn par_take(&mut self) -> impl IndexedParallelIterator<Item = Option<T>>
    where
        T: Send,
    {
        let block = self.block;
        self.slots[..self.length].par_iter_mut().map(move |slot| slot.take(block))
    }

    fn clear(&mut self) {
        for slot in &mut self.slots {
            if std::mem::take(slot.block.get_mut()) != 0 {
                // SAFETY: `block` says that it was written, and not taken since.
                unsafe { slot.value.get_mut().assume_init_drop() };
            }
        }
        self.block = 0;
    }
}

impl<T> Drop for Cells<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_block_sees_its_own_values_only() {
        let counted = Arc::new(());
        let mut cells = Cells::default();
        cells.start(3);
        // SAFETY: one thread, and no references.
        unsafe {
            cells.set(0, Arc::clone(&counted));
            cells.set(1, Arc::clone(&counted));
        }
        assert!(cells.get(0).is_some() && cells.get(2).is_none());
        assert!(cells.take(1).is_some() && cells.take(1).is_none() && cells.take(2).is_none());
        let rest: Vec<_> = cells.par_take().collect();
        assert!(rest[0].is_some() && rest[1].is_none() && rest[2].is_none());
        drop(rest);
        assert_eq!(Arc::strong_count(&counted), 1);
        cells.start(3);
        // SAFETY: as above.
        unsafe { cells.set(0, Arc::clone(&counted)) };
        assert_eq!(Arc::strong_count(&counted), 2);
        cells.start(2);
        assert!(cells.get(0).is_none() && cells.get(1).is_none());
        // SAFETY: as above.
        unsafe { cells.set(0, Arc::clone(&counted)) };
        assert_eq!(Arc::strong_count(&counted), 2, "the last block's value is dropped");
        // SAFETY: as above.
        unsafe { cells.set(0, Arc::clone(&counted)) };
        assert_eq!(Arc::strong_count(&counted), 2, "a cell is written once");
        drop(cells);
        assert_eq!(Arc::strong_count(&counted), 1);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn cells_of_larger_blocks_are_out_of_reach() {
        let mut cells = Cells::<u8>::default();
        cells.start(4);
        cells.start(2);
        let _ = cells.get(2);
    }
}
