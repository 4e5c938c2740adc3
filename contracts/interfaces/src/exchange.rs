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
    /// Swaps what was sent to the pair before, in the same call, for at least `min_out` and at
    /// most `max_out` of the other token, which goes to `to`; returns how much. For trades over
    /// several pairs, where each pays the next.
    fn swap_received(
        token_in: TokenRef,
        token_out: TokenRef,
        min_out: u128,
        max_out: u128,
        to: Address,
    ) -> u128;
    /// How much of the other token `amount_in` of `token_in` would bring now.
    fn quote_out(token_in: TokenRef, amount_in: u128) -> u128;
    /// How much of `token_in` would bring `amount_out` of the other token now.
    fn quote_in(token_in: TokenRef, amount_out: u128) -> u128;
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
    /// Who gets it: the next hop's pair, or after the last one whoever the trade is for. Each pair
    /// pays the next, so that nothing passes through the router; and it stands here because what
    /// a hop touches is known from the hop alone.
    pub to: Address,
}

/// The way from one token to another: at least one hop.
#[contract_type]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The first hop.
    pub first: Hop,
    /// Those after it, in order.
    pub rest: Vec<Hop>,
}

/// A part of a trade that goes over several paths at once.
#[contract_type]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its way.
    pub path: Path,
    /// How much goes in, or, where the trade says what comes out, how much comes out.
    pub amount: u128,
}

/// Trades over several pairs, all or nothing: what others need of it. The contract is in
/// `contracts/exchange/router`.
///
/// The router must be approved to take the token that goes in. It holds nothing itself.
#[interface]
pub trait Router {
    /// Takes exactly `amount_in` of the caller's, swaps it along `path`, and gives at least
    /// `min_out` to `to`; returns how much. Fails after `deadline_ms`.
    fn swap_exact_in(
        path: Path,
        amount_in: u128,
        min_out: u128,
        to: Address,
        deadline_ms: u64,
    ) -> u128;
    /// Gives exactly `amount_out` to `to` for at most `max_in` of the caller's, and returns how
    /// much it took. Fails after `deadline_ms`.
    fn swap_exact_out(
        path: Path,
        amount_out: u128,
        max_in: u128,
        to: Address,
        deadline_ms: u64,
    ) -> u128;
    /// Gives exactly `amount_out` to `to` for what was sent to the path's first pair before, in the
    /// same call: as much as `quote_exact_out` says, which it returns.
    fn swap_sent_exact_out(path: Path, amount_out: u128, to: Address) -> u128;
    /// `swap_exact_in` over several paths between the same two tokens at
    /// once; `min_out` is for all of them together.
    fn split_exact_in(legs: Vec<Leg>, min_out: u128, to: Address, deadline_ms: u64) -> u128;
    /// `swap_exact_out` over several paths between the same two tokens at
    /// once; `max_in` is for all of them together.
    fn split_exact_out(legs: Vec<Leg>, max_in: u128, to: Address, deadline_ms: u64) -> u128;
    /// What `amount_in` would bring along `path` now.
    fn quote_exact_in(path: Path, amount_in: u128) -> u128;
    /// What `amount_out` would take along `path` now.
    fn quote_exact_out(path: Path, amount_out: u128) -> u128;
}
