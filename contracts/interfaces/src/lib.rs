//! Interfaces that sample contracts call each other through. A contract depends on these, never
//! on another contract's crate, whose exports would end up in its own Wasm.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use tollway_sdk::{Address, interface};

/// A fungible token: what others need of it. The contract is in `contracts/assets/token`.
#[interface]
pub trait Token {
    /// Moves `amount` from the caller to `to`.
    fn transfer(to: Address, amount: u128);
    /// Moves `amount` from `from`, which must have approved the caller, to `to`.
    fn transfer_from(from: Address, to: Address, amount: u128);
    /// Lets `spender` move up to `amount` of the caller's; `u128::MAX` is without limit.
    fn approve(spender: Address, amount: u128);
    /// What `owner` holds.
    fn balance_of(owner: Address) -> u128;
    /// What `spender` may still move of `owner`'s.
    fn allowance(owner: Address, spender: Address) -> u128;
    /// What all hold together.
    fn total_supply() -> u128;
}

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
    /// Calls itself on `other`, with `target` and `other` exchanged, `depth` times in all.
    fn descend(target: SyntheticRef, other: SyntheticRef, depth: u32, key: u32) -> u32;
}
