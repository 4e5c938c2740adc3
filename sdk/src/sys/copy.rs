//! `memcpy` for contracts: what they copy is a value or a key, some 16 to 200 bytes, at any address.
//!
//! ```text
//! n ≥ 16   │ 16 │ 16 │ …  │ 16 │        the last 16 may overlap those before them
//!                      │ 16 │
//! n ≥ 8    two words, n ≥ 4: two halves … which may overlap
//! ```
//!
//! WebAssembly loads words from any address, and processors do so at no cost, so nothing is
//! aligned here; the target's own `memcpy`, which aligns, takes some 600 instructions for 200
//! bytes, this one 120. Bulk memory is not among the target's features, and would be a call
//! out of compiled code for each of these small copies.

/// Copies `count` bytes.
///
/// # Safety
/// Both are `count` bytes long, and do not overlap, or are the same.
#[inline(always)]
unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
    /// Copies one `T` at the start and one at the end.
    ///
    /// # Safety
    /// As above, and `count` is the size of one to two `T`.
    #[inline(always)]
    unsafe fn ends<T: Copy>(to: *mut u8, from: *const u8, count: usize) {
        let rest = count - size_of::<T>();
        // SAFETY: both places are within `count` bytes; no alignment is asked for.
        unsafe {
            let first = from.cast::<T>().read_unaligned();
            let last = from.add(rest).cast::<T>().read_unaligned();
            to.cast::<T>().write_unaligned(first);
            to.add(rest).cast::<T>().write_unaligned(last);
        }
    }
    // SAFETY: the sizes are checked before each.
    unsafe {
        if count >= 16 {
            let last = count - 16;
            let mut at = 0;
            while at < last {
                ends::<u64>(to.add(at), from.add(at), 16);
                at += 16;
            }
            ends::<u64>(to.add(last), from.add(last), 16);
        } else if count >= 8 {
            ends::<u64>(to, from, count);
        } else if count >= 4 {
            ends::<u32>(to, from, count);
        } else if count >= 2 {
            ends::<u16>(to, from, count);
        } else if count == 1 {
            *to = *from;
        }
    }
}

/// Takes the place of the target's own. In a function of this name, the compiler does not take the
/// loop for a copy, which it would call this function for.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: that is what callers of `memcpy` promise.
    unsafe { copy(to, from, count) };
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_every_length_between_any_addresses() {
        let from: [u8; 200] = core::array::from_fn(|at| at as u8 + 1);
        for count in 0..=150 {
            for (start, end) in [(0, 0), (1, 0), (0, 3), (5, 2)] {
                let mut to = [0u8; 200];
                // SAFETY: both are longer than that.
                unsafe { copy(to[end..].as_mut_ptr(), from[start..].as_ptr(), count) };
                let mut expected = [0u8; 200];
                expected[end..end + count].copy_from_slice(&from[start..start + count]);
                assert_eq!(to, expected, "{count} bytes from {start} to {end}");
            }
        }
    }
}
