//! Contracts for tests and benches.

use alloc::vec::Vec;
use tollway_sdk::interface;

/// What the contract `synthetic` offers to others of its kind. See `contracts/bench/synthetic`.
#[interface]
pub trait Synthetic {
    /// Reads, writes and adds to the keys given.
    fn run(reads: Vec<u32>, writes: Vec<u32>, adds: Vec<u32>, burn: u64) -> u64;
    /// The same, without a declaration.
    fn run_undeclared(reads: Vec<u32>, writes: Vec<u32>, adds: Vec<u32>, burn: u64) -> u64;
    /// Writes and adds, then reverts.
    fn fail_after(writes: Vec<u32>, adds: Vec<u32>);
    /// Writes and adds, then traps.
    fn trap_after(writes: Vec<u32>, adds: Vec<u32>);
    /// `run` that may be entered again.
    fn run_reentrant(reads: Vec<u32>, writes: Vec<u32>, adds: Vec<u32>, burn: u64) -> u64;
    /// Takes a lock that is no key, and enters `target` once more if `again`.
    fn guarded(target: SyntheticRef, again: bool) -> u32;
    /// New identifiers, of `target` too.
    fn new_ids(target: Option<SyntheticRef>) -> Vec<u128>;
    /// Stores `value` under the call's identifier.
    fn note(value: u64) -> u128;
    /// Writes cells of a group, then perhaps reverts.
    fn write_group(group: u8, writes: Vec<u32>, fails: bool) -> u64;
    /// Calls itself on `other`, with `target` and `other` exchanged, `depth` times in all.
    fn descend(target: SyntheticRef, other: SyntheticRef, depth: u32, key: u32) -> u32;
}
