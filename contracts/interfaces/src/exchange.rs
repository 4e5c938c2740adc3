//! Exchanges.

use crate::TokenRef;
use alloc::vec::Vec;
use tollway_sdk::{Address, contract_type, interface};

/// A pair of tokens that are swapped along a curve: what others need of it. The contract is in
/// `contracts/exchange/pair`.
#[interface]
pub trait Pair {
    /// Swaps exactly `amount_in` of the caller's first token for at least `min_out` of the second,
    /// which goes to `to`; returns how much. The pair must be approved to take the first.
    fn swap_0_for_1(amount_in: u128, min_out: u128, to: Address) -> u128;
    /// The same from the second token to the first.
    fn swap_1_for_0(amount_in: u128, min_out: u128, to: Address) -> u128;
    /// What `amount_in` would bring now.
    fn quote(zero_for_one: bool, amount_in: u128) -> u128;
}

/// One swap on the way from one token to another.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The pair.
    pub pair: PairRef,
    /// The token that goes in.
    pub token_in: TokenRef,
    /// The token that comes out.
    pub token_out: TokenRef,
    /// Whether the pair's first token goes in.
    pub zero_for_one: bool,
}

/// Trades over several pairs, all or nothing: what others need of it. The contract is in
/// `contracts/exchange/router`.
#[interface]
pub trait Router {
    /// Takes exactly `amount_in` of the caller's first token, swaps it along `hops`, and gives at
    /// least `min_out` of the last one to `to`; returns how much. Fails after `deadline_ms`.
    fn swap_exact_in(
        hops: Vec<Hop>,
        amount_in: u128,
        min_out: u128,
        to: Address,
        deadline_ms: u64,
    ) -> u128;
    /// Gives exactly `amount_out` of the last token to `to` for at most `max_in` of the caller's
    /// first, and returns how much it took. Fails after `deadline_ms`.
    fn swap_exact_out(
        hops: Vec<Hop>,
        amount_out: u128,
        max_in: u128,
        to: Address,
        deadline_ms: u64,
    ) -> u128;
}
