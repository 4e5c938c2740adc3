//! Asks the processor for bytes before they are needed.
//!
//! The calls of a block are worked on long after they were decoded and resolved, each in several
//! microseconds full of other memory, so that what belongs to the next one is found in no cache near,
//! and the processor does not guess it.

#![allow(unsafe_code, reason = "processors have an instruction for it, libraries do not")]

/// The size of a cache line of most processors, in bytes.
const LINE_BYTES: usize = 64;

/// At most so many lines of a slice are asked for: more would push out what they came for.
const LINES_MAX: usize = 8;

/// Asks for a slice, or its start. Changes nothing, also where the processor can't be asked.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T]) {
    let start = slice.as_ptr().cast::<i8>();
    // From the start of the first line.
    let before = start.addr() % LINE_BYTES;
    let bytes = (size_of_val(slice) + before).min(LINES_MAX * LINE_BYTES);
    for at in (0..bytes).step_by(LINE_BYTES) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing that the program could see, and never faults.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(start.wrapping_sub(before).wrapping_add(at));
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (start, at);
    }
}
