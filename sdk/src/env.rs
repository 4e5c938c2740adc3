//! What a contract may know of where it runs.

use crate::sys;

pub use crate::sys::{call_index, caller, gas_left, height, seed, sequence, this, time_ms};

/// An identifier that no other use in any call of any block gets: for orders, positions, receipts.
///
/// It comes from the height (64 bits), the call's place in its block (32) and one more than
/// [`sequence`] (32), in this order, so identifiers grow with time. No counter is stored, so calls
/// that make identifiers do not wait for each other. All contracts of a call share one sequence; a
/// failure does not set it back.
///
/// A key made of one is not known before the call runs, so a method that stores under it has to
/// be `#[access(undeclared)]`. Where one identifier a call is enough, take [`call_id`], which is
/// known.
///
/// Not for `init`, nor for queries: they run outside of blocks, and get the identifiers of the
/// first call of the last block.
///
/// # Examples
/// ```
/// use tollway_sdk::env::id_from;
/// assert!(id_from(1, 0, 0) < id_from(1, 0, 1));
/// assert!(id_from(1, 0, u32::MAX) < id_from(1, 1, 0));
/// assert!(id_from(1, u32::MAX, 0) < id_from(2, 0, 0));
/// ```
#[inline]
pub fn next_id() -> u128 {
    // There is no number u32::MAX: the host traps before.
    id_from(sys::height(), sys::call_index(), sys::sequence().wrapping_add(1))
}

/// The identifier of the top-level call: no other call of any block has it, and no [`next_id`] is
/// equal to it.
///
/// It is known before the call runs, so it can be part of a key: calls that store under their own
/// identifier do not wait for each other. It is `id_from(height, call_index, 0)`, also in what the
/// call calls: a contract that is called twice in one call gets the same one twice, so where that
/// can be, let more be part of the key.
///
/// Not for `init`, nor for queries: they run outside of blocks, and get the identifier of the first
/// call of the last block.
///
/// # Examples
/// ```
/// use tollway_sdk::env::id_from;
/// // Orders of one block sort by their place in it.
/// assert!(id_from(9, 0, 0) < id_from(9, 1, 0));
/// ```
#[inline]
pub fn call_id() -> u128 {
    tollway_host_api::template::call_id(sys::height(), sys::call_index())
}

/// The identifier of these: with 0, a [`call_id`]; with `sequence` + 1, a [`next_id`]. For whoever wants to take one apart, or to know
/// it from outside.
#[inline]
pub const fn id_from(height: u64, call_index: u32, sequence: u32) -> u128 {
    (height as u128) << 64 | (call_index as u128) << 32 | sequence as u128
}
