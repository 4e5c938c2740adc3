//! The border to the host, and the only unsafe code of the SDK: imports, buffers whose bytes the
//! host fills, the window that it lays out, the heap, and the panic handler.
//!
//! Natively, where contracts are compiled for tests, documentation and lints, the imports are
//! twins that ask the thread's [`native::Host`], and panic where there is none.

#[cfg(any(target_family = "wasm", test))]
mod copy;
pub mod crypto;
#[cfg(target_family = "wasm")]
mod heap;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod window;

use core::mem::MaybeUninit;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::status::ABSENT;
use tollway_host_api::{Address, CallStatus};
pub use window::{call_index, caller, height, this, time_ms};

macro_rules! declare_imports {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)? = $base:literal + $byte:literal;
    )*) => {
        #[cfg(target_family = "wasm")]
        mod import {
            #[link(wasm_import_module = "tollway")]
            unsafe extern "C" {
                $(pub(super) fn $name($($param: $ty),*) $(-> $result)?;)*
            }
        }

        #[cfg(not(target_family = "wasm"))]
        mod import {
            use super::native::{Word, host};
            $(
                #[allow(
                    non_camel_case_types,
                    clippy::extra_unused_lifetimes,
                    clippy::too_many_arguments,
                    clippy::extra_unused_lifetimes,
                    reason = "a twin of the import; its parameters' types are named like them, and \
                              some have none"
                )]
                pub(super) unsafe fn $name<'w, $($param: Into<Word<'w>>),*>(
                    $($param: $param),*
                ) $(-> $result)? {
                    host(stringify!($name)).$name($($param.into()),*)
                }
            )*
        }
    };
}
tollway_host_api::for_each_host_function!(declare_imports);

/// Stops the call with a trap.
#[cold]
#[inline(never)]
pub fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    panic!("the contract trapped")
}

/// An array on the stack that is filled from the front, never zeroed, and traps when full.
pub struct Buffer<const N: usize> {
    bytes: [MaybeUninit<u8>; N],
    length: usize,
}

impl<const N: usize> Buffer<N> {
    /// An empty one.
    #[inline(always)]
    pub const fn new() -> Self {
        Self { bytes: [MaybeUninit::uninit(); N], length: 0 }
    }

    /// Appends `bytes`.
    #[inline(always)]
    pub fn push(&mut self, bytes: &[u8]) {
        // A slice index out of range would pull the formatting of its message into the Wasm.
        let end = self.length.saturating_add(bytes.len());
        let Some(place) = self.bytes.get_mut(self.length..end) else { trap() };
        place.write_copy_of_slice(bytes);
        self.length = end;
    }

    /// What was appended so far.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `length` is at most `N`, and grows only in `push` and `fill`, which know that
        // the bytes below it are written.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.length) }
    }

    /// Hands the free space to `read`, one of the functions below that write to `out`, and keeps
    /// the `length` bytes that it wrote. The length comes back as `Err` if they did not fit.
    #[inline(always)]
    fn fill(&mut self, length: usize) -> Result<&[u8], usize> {
        if length > N {
            return Err(length);
        }
        self.length = length;
        Ok(self.as_slice())
    }
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A key under construction: its field, and the parts after it. A key that would be longer than
/// [`KEY_BYTES_MAX`] traps.
///
/// ```text
/// 0            7       8          end     end + 8
/// │ never read │ field │ parts ──▶ │ zeros │ never read
/// ```
///
/// So the host gets all of it in one piece, and the keys in a window compare with it word by word.
#[repr(C, align(8))]
pub struct Key {
    bytes: [MaybeUninit<u8>; Self::FIELD_AT + KEY_BYTES_MAX + Self::WORD],
    end: usize,
}

impl Key {
    const WORD: usize = 8;
    const FIELD_AT: usize = Self::WORD - 1;

    /// An empty one: the field comes first.
    #[inline(always)]
    pub const fn new() -> Self {
        Self {
            bytes: [MaybeUninit::uninit(); Self::FIELD_AT + KEY_BYTES_MAX + Self::WORD],
            end: Self::FIELD_AT,
        }
    }

    /// Appends `bytes`.
    #[inline(always)]
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.end.saturating_add(bytes.len());
        if end > Self::FIELD_AT + KEY_BYTES_MAX {
            trap()
        }
        // A slice index out of range would pull the formatting of its message into the Wasm.
        let Some(place) = self.bytes.get_mut(self.end..end) else { trap() };
        place.write_copy_of_slice(bytes);
        let Some(place) = self.bytes.get_mut(end..end.wrapping_add(Self::WORD)) else { trap() };
        place.write_copy_of_slice(&[0; Self::WORD]);
        self.end = end;
    }

    /// All bytes: the field, then the parts.
    #[inline(always)]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `end` is inside the array, and grows only in `push`, which writes the bytes
        // below it.
        unsafe {
            let start = self.bytes.as_ptr().add(Self::FIELD_AT).cast();
            core::slice::from_raw_parts(start, self.end.wrapping_sub(Self::FIELD_AT))
        }
    }

    /// The words that hold the parts, padded with zeros.
    #[cfg(target_family = "wasm")]
    #[inline(always)]
    fn words(&self) -> &[u64] {
        let count = self.end.wrapping_sub(1) / Self::WORD;
        // SAFETY: the first word starts behind the field, aligned as the key is; the last one
        // starts before `end`, and all bytes up to `end + WORD` are written.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().add(Self::WORD).cast(), count) }
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_family = "wasm")]
#[inline(always)]
fn at<T>(bytes: &[T]) -> u32 {
    bytes.as_ptr() as usize as u32
}

#[cfg(target_family = "wasm")]
#[inline(always)]
fn at_mut<T>(bytes: &mut [T]) -> u32 {
    bytes.as_mut_ptr() as usize as u32
}

#[cfg(not(target_family = "wasm"))]
use native::{at, at_mut};

/// The block's seed for random numbers.
#[inline]
pub fn seed() -> [u8; 32] {
    let mut out = [0; 32];
    // SAFETY: the host writes 32 bytes, for which `out` has room.
    unsafe { import::seed(at_mut(&mut out)) };
    out
}
/// The gas that this call has left.
#[inline]
pub fn gas_left() -> u64 {
    // SAFETY: the import takes no pointer.
    unsafe { import::gas_left() }
}
/// A number that no other use gets in the same top-level call, from 0.
#[inline]
pub fn sequence() -> u32 {
    // SAFETY: the import takes no pointer.
    unsafe { import::sequence() }
}

/// The arguments, `length` bytes as the entry point was told, in `out`. `Err` with that length if
/// they do not fit.
#[inline(always)]
pub fn args<const N: usize>(length: u32, out: &mut Buffer<N>) -> Result<&[u8], usize> {
    if length as usize <= N {
        // SAFETY: the host writes `length` bytes, for which `out` has room.
        unsafe { import::args(at_mut(&mut out.bytes)) };
    }
    out.fill(length as usize)
}

/// The arguments on the heap.
pub fn args_vec(length: u32) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec::Vec::with_capacity(length as usize);
    // SAFETY: the host writes `length` bytes, for which `out` has room.
    unsafe { import::args(at_mut(out.spare_capacity_mut())) };
    // SAFETY: the host wrote the first `length` bytes.
    unsafe { out.set_len(length as usize) };
    out
}

/// This contract's immutables in `out`. `Err` with their length if they do not fit.
#[inline(always)]
pub fn immutables<const N: usize>(out: &mut Buffer<N>) -> Result<&[u8], usize> {
    // SAFETY: the host writes at most `N` bytes to `out`.
    let length = unsafe { import::immutables(at_mut(&mut out.bytes), N as u32) };
    out.fill(length as usize)
}

/// This contract's immutables on the heap; `length` is what [`immutables`] said.
pub fn immutables_vec(length: usize) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec::Vec::with_capacity(length);
    // SAFETY: the host writes at most `length` bytes to `out`.
    let written = unsafe { import::immutables(at_mut(out.spare_capacity_mut()), length as u32) };
    set_written(&mut out, written, length);
    out
}

/// The value under `key` in `out`; `None` if the key holds none, `Err` with its length if it does
/// not fit.
#[inline(always)]
pub fn read<'a, const N: usize>(
    key: &[u8],
    out: &'a mut Buffer<N>,
) -> Option<Result<&'a [u8], usize>> {
    // SAFETY: `key` is readable for its length, and the host writes at most `N` bytes to `out`.
    let length =
        unsafe { import::read(at(key), key.len() as u32, at_mut(&mut out.bytes), N as u32) };
    if length == ABSENT {
        return None;
    }
    Some(out.fill(length as usize))
}

/// The value under `key` on the heap; `length` is what [`read`] said.
pub fn read_vec(key: &[u8], length: usize) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec::Vec::with_capacity(length);
    // SAFETY: `key` is readable for its length; the host writes at most `length` bytes to `out`.
    let written = unsafe {
        import::read(at(key), key.len() as u32, at_mut(out.spare_capacity_mut()), length as u32)
    };
    set_written(&mut out, written, length);
    out
}

/// The value under `key` on the heap, with room made for `room` bytes before its length is known;
/// `None` if the key holds none.
#[inline(never)]
pub fn read_to_vec(key: &[u8], room: usize) -> Option<alloc::vec::Vec<u8>> {
    let mut out = alloc::vec::Vec::with_capacity(room);
    // SAFETY: `key` is readable for its length; the host writes at most `room` bytes to `out`.
    let length = unsafe {
        import::read(at(key), key.len() as u32, at_mut(out.spare_capacity_mut()), room as u32)
    };
    if length == ABSENT {
        return None;
    }
    if length as usize > room {
        drop(out);
        return Some(read_vec(key, length as usize));
    }
    set_written(&mut out, length, room);
    Some(out)
}

/// Whether `key` holds a value.
#[inline]
pub fn has(key: &[u8]) -> bool {
    // SAFETY: `key` is readable for its length, and a capacity of 0 lets the host write nothing.
    unsafe { import::read(at(key), key.len() as u32, 0u32, 0u32) != ABSENT }
}

/// Puts `value` under `key`.
#[inline(always)]
pub fn write(key: &[u8], value: &[u8]) {
    // SAFETY: both slices are readable for their length.
    unsafe { import::write(at(key), key.len() as u32, at(value), value.len() as u32) }
}

/// Removes `key`.
#[inline(always)]
pub fn remove(key: &[u8]) {
    // SAFETY: `key` is readable for its length.
    unsafe { import::remove(at(key), key.len() as u32) }
}

/// Adds `amount` to the counter under `key` without reading it.
#[inline(always)]
pub fn add(key: &[u8], amount: u128) {
    // SAFETY: `key` is readable for its length.
    unsafe { import::add(at(key), key.len() as u32, amount as u64, (amount >> 64) as u64) }
}

/// Takes `amount` from the counter under `key` without reading it; `false` if it holds less.
#[inline(always)]
pub fn sub(key: &[u8], amount: u128) -> bool {
    // SAFETY: `key` is readable for its length.
    unsafe { import::sub(at(key), key.len() as u32, amount as u64, (amount >> 64) as u64) != 0 }
}

/// The transient value under `key` in `out`; `None` if the key holds none, `Err` with its length
/// if it does not fit.
#[inline(always)]
pub fn transient_read<'a, const N: usize>(
    key: &[u8],
    out: &'a mut Buffer<N>,
) -> Option<Result<&'a [u8], usize>> {
    let (at, length, out_at) = (at(key), key.len() as u32, at_mut(&mut out.bytes));
    // SAFETY: `key` is readable for its length, and the host writes at most `N` bytes to `out`.
    let length = unsafe { import::transient_read(at, length, out_at, N as u32) };
    if length == ABSENT {
        return None;
    }
    Some(out.fill(length as usize))
}

/// The transient value under `key` on the heap; `length` is what [`transient_read`] said.
pub fn transient_read_vec(key: &[u8], length: usize) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec::Vec::with_capacity(length);
    let out_at = at_mut(out.spare_capacity_mut());
    // SAFETY: `key` is readable for its length; the host writes at most `length` bytes to `out`.
    let written =
        unsafe { import::transient_read(at(key), key.len() as u32, out_at, length as u32) };
    set_written(&mut out, written, length);
    out
}

/// Puts a transient `value` under `key`.
#[inline(always)]
pub fn transient_write(key: &[u8], value: &[u8]) {
    // SAFETY: both slices are readable for their length.
    unsafe { import::transient_write(at(key), key.len() as u32, at(value), value.len() as u32) }
}

/// Emits event number `event`.
#[inline(always)]
pub fn emit(event: u32, data: &[u8]) {
    // SAFETY: `data` is readable for its length.
    unsafe { import::emit(event, at(data), data.len() as u32) }
}

/// Sets this call's output.
#[inline(always)]
pub fn output(data: &[u8]) {
    // SAFETY: `data` is readable for its length.
    unsafe { import::output(at(data), data.len() as u32) }
}

/// Ends the call as reverted, with the error that [`output`] set.
#[inline]
pub fn revert() -> ! {
    // SAFETY: the import takes no pointer.
    unsafe { import::revert() };
    trap()
}

/// Calls another contract; `gas` 0 means all that is left.
#[inline(always)]
pub fn call(contract: &Address, method: &str, args: &[u8], gas: u64) -> CallStatus {
    // SAFETY: the address is 32 readable bytes, the slices are readable for their length.
    let status = unsafe {
        import::call(
            at(contract.as_bytes()),
            at(method.as_bytes()),
            method.len() as u32,
            at(args),
            args.len() as u32,
            gas,
        )
    };
    if status == CallStatus::Ok as u32 {
        return CallStatus::Ok;
    }
    // A host that is newer than this SDK may know more ways to fail.
    CallStatus::from_u32(status).unwrap_or(CallStatus::Trapped)
}

/// The output of the last [`call`] in `out`. `Err` with its length if it does not fit.
#[inline(always)]
pub fn call_output<const N: usize>(out: &mut Buffer<N>) -> Result<&[u8], usize> {
    // SAFETY: the host writes at most `N` bytes to `out`.
    let length = unsafe { import::call_output(at_mut(&mut out.bytes), N as u32) };
    out.fill(length as usize)
}

/// The output of the last [`call`] on the heap; `length` is what [`call_output`] said.
pub fn call_output_vec(length: usize) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec::Vec::with_capacity(length);
    // SAFETY: the host writes at most `length` bytes to `out`.
    let written = unsafe { import::call_output(at_mut(out.spare_capacity_mut()), length as u32) };
    set_written(&mut out, written, length);
    out
}

/// Ends the call with the failure of the last [`call`].
#[inline]
pub fn forward_failure() -> ! {
    // SAFETY: the import takes no pointer.
    unsafe { import::forward_failure() };
    trap()
}

/// Takes over the bytes that the host wrote to the front of `out`, which has room for `capacity`.
fn set_written(out: &mut alloc::vec::Vec<u8>, written: u32, capacity: usize) {
    if written as usize > capacity {
        trap()
    }
    // SAFETY: the host writes all of a value that fits into the capacity it was told.
    unsafe { out.set_len(written as usize) };
}

#[cfg(target_family = "wasm")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_keeps_what_was_pushed() {
        let mut buffer = Buffer::<4>::new();
        buffer.push(&[1, 2]);
        buffer.push(&[]);
        buffer.push(&[3, 4]);
        assert_eq!(buffer.as_slice(), [1, 2, 3, 4]);
    }

    #[test]
    #[should_panic(expected = "trapped")]
    fn full_buffer_traps() {
        let mut buffer = Buffer::<4>::new();
        buffer.push(&[1, 2, 3]);
        buffer.push(&[4, 5]);
    }
}
