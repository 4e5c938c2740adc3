//! Trades over several pairs, and over several paths at once: all of it happens or nothing.
//!
//! ```text
//! swap_exact_in(path, ..)   call path.first.token_in.transfer_from(caller, path.first.pair, _)
//!                           call path.first.pair.swap_received(token_in, token_out, _, _, to)
//!                           for hop in path.rest:
//!                               call hop.pair.swap_received(token_in, token_out, _, _, hop.to)
//!
//! trader ──token_in──▶ pair ──▶ pair ──▶ pair ──token_out──▶ to
//! ```
//!
//! The router has no storage and holds no tokens, not even during a call: each pair pays the next
//! one. So two routes wait for each other only if they share a pair, and then for that pair's
//! reserves. The caller says of every hop which tokens it takes and gives and whom it pays, which
//! makes all keys expressions of the arguments; the router and the pairs verify it.
//!
//! Amounts are rounded by the pairs, in their favor. Failures of tokens and pairs come through as
//! they are.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod router {
    use alloc::vec::Vec;
    use tollway_interfaces::{Hop, Leg, Path, TokenRef};
    use tollway_sdk::Address;
    use tollway_sdk::call::Client;
    use tollway_sdk::env::{caller, this, time_ms};

    /// There is no state.
    #[storage]
    pub struct Router {}

    /// A trade was made.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Routed {
        /// Whose tokens went in.
        pub trader: Address,
        /// Which.
        pub token_in: TokenRef,
        /// How many.
        pub amount_in: u128,
        /// Which came out.
        pub token_out: TokenRef,
        /// How many.
        pub amount_out: u128,
        /// Who got them.
        pub to: Address,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The deadline is over.
        Expired,
        /// A hop does not take what the one before gives, or does not pay the next one's pair, or
        /// the last one does not pay who shall get the tokens.
        BrokenPath,
        /// The router itself would get the tokens.
        BadReceiver,
        /// There is no leg.
        NoLegs,
        /// The legs are not all between the same two tokens.
        MixedTokens,
        /// Less would come out than asked for.
        InsufficientOutput,
        /// More would have to go in than allowed.
        ExcessiveInput,
        /// The amounts of the legs are too large together.
        AmountTooLarge,
    }

    impl Router {
        /// Takes exactly `amount_in` of the caller's, swaps it along `path`, and gives at least
        /// `min_out` to `to`; returns how much. Fails after `deadline_ms`.
        #[call]
        pub fn swap_exact_in(
            &mut self,
            path: Path,
            amount_in: u128,
            min_out: u128,
            to: Address,
            deadline_ms: u64,
        ) -> Result<u128, Error> {
            check_deadline(deadline_ms)?;
            let tokens = ends(&path, to)?;
            let amount_out = go(&path, amount_in);
            finish(tokens, (amount_in, u128::MAX), (amount_out, min_out), to)?;
            Ok(amount_out)
        }

        /// Gives exactly `amount_out` to `to` for at most `max_in` of the caller's, and returns
        /// how much it took. Fails after `deadline_ms`.
        #[call]
        pub fn swap_exact_out(
            &mut self,
            path: Path,
            amount_out: u128,
            max_in: u128,
            to: Address,
            deadline_ms: u64,
        ) -> Result<u128, Error> {
            check_deadline(deadline_ms)?;
            let tokens = ends(&path, to)?;
            let amounts = needed(&path, amount_out);
            let amount_in = go_exactly(&path, &amounts, max_in)?;
            finish(tokens, (amount_in, max_in), (amount_out, amount_out), to)?;
            Ok(amount_in)
        }

        /// [`swap_exact_in`](Self::swap_exact_in) over several paths between the same two tokens
        /// at once, one after the other; `min_out` is for all of them together.
        #[call]
        pub fn split_exact_in(
            &mut self,
            legs: Vec<Leg>,
            min_out: u128,
            to: Address,
            deadline_ms: u64,
        ) -> Result<u128, Error> {
            check_deadline(deadline_ms)?;
            let tokens = common_ends(&legs, to)?;
            let mut amount_in = 0;
            let mut amount_out = 0;
            for leg in &legs {
                amount_in = sum(amount_in, leg.amount)?;
                amount_out = sum(amount_out, go(&leg.path, leg.amount))?;
            }
            finish(tokens, (amount_in, u128::MAX), (amount_out, min_out), to)?;
            Ok(amount_out)
        }

        /// [`swap_exact_out`](Self::swap_exact_out) over several paths between the same two
        /// tokens at once, one after the other; `max_in` is for all of them together.
        #[call]
        pub fn split_exact_out(
            &mut self,
            legs: Vec<Leg>,
            max_in: u128,
            to: Address,
            deadline_ms: u64,
        ) -> Result<u128, Error> {
            check_deadline(deadline_ms)?;
            let tokens = common_ends(&legs, to)?;
            let mut amount_in = 0;
            let mut amount_out = 0;
            for leg in &legs {
                // Each leg sees what those before it did to the pairs that they share.
                let amounts = needed(&leg.path, leg.amount);
                let left = max_in - amount_in;
                amount_in = sum(amount_in, go_exactly(&leg.path, &amounts, left)?)?;
                amount_out = sum(amount_out, leg.amount)?;
            }
            finish(tokens, (amount_in, max_in), (amount_out, amount_out), to)?;
            Ok(amount_in)
        }

        /// What `amount_in` would bring along `path` now, if no pair is on it twice.
        #[view]
        pub fn quote_exact_in(&self, path: Path, amount_in: u128) -> u128 {
            let mut amount = path.first.pair.quote_out(path.first.token_in, amount_in);
            for hop in &path.rest {
                amount = hop.pair.quote_out(hop.token_in, amount);
            }
            amount
        }

        /// What `amount_out` would take along `path` now, if no pair is on it twice.
        #[view]
        pub fn quote_exact_out(&self, path: Path, amount_out: u128) -> u128 {
            let amounts = needed(&path, amount_out);
            amounts[amounts.len() - 1]
        }
    }

    fn check_deadline(deadline_ms: u64) -> Result<(), Error> {
        if time_ms() > deadline_ms { Err(Error::Expired) } else { Ok(()) }
    }

    /// What goes in and what comes out, if the path is whole.
    #[inline(never)]
    fn ends(path: &Path, to: Address) -> Result<(TokenRef, TokenRef), Error> {
        if to == this() {
            return Err(Error::BadReceiver);
        }
        let mut last: &Hop = &path.first;
        for hop in &path.rest {
            if hop.token_in != last.token_out || last.to != hop.pair.address() {
                return Err(Error::BrokenPath);
            }
            last = hop;
        }
        if last.to == to {
            Ok((path.first.token_in, last.token_out))
        } else {
            Err(Error::BrokenPath)
        }
    }

    #[inline(never)]
    fn common_ends(legs: &[Leg], to: Address) -> Result<(TokenRef, TokenRef), Error> {
        let mut common = None;
        for leg in legs {
            let tokens = ends(&leg.path, to)?;
            if *common.get_or_insert(tokens) != tokens {
                return Err(Error::MixedTokens);
            }
        }
        common.ok_or(Error::NoLegs)
    }

    /// Sends `amount_in` of the caller's along a path, and returns what came out.
    #[inline(never)]
    fn go(path: &Path, amount_in: u128) -> u128 {
        let first = &path.first;
        pull(first.token_in, first.pair.address(), amount_in);
        let mut amount = swap(first, 0, u128::MAX);
        for hop in &path.rest {
            amount = swap(hop, 0, u128::MAX);
        }
        amount
    }

    /// What each hop has to give for `amount_out` at the end: the last one's amount first, and
    /// after the first one's what has to go in.
    #[inline(never)]
    fn needed(path: &Path, amount_out: u128) -> Vec<u128> {
        let mut amounts = Vec::with_capacity(path.rest.len() + 2);
        let mut amount = amount_out;
        amounts.push(amount);
        for hop in path.rest.iter().rev() {
            amount = hop.pair.quote_in(hop.token_in, amount);
            amounts.push(amount);
        }
        amounts.push(path.first.pair.quote_in(path.first.token_in, amount));
        amounts
    }

    /// Sends what is needed of the caller's along a path, if it is at most `max_in`, and returns
    /// how much that was. Every hop gives exactly what the next one needs: where the curve would
    /// give a unit more, the pair keeps it.
    #[inline(never)]
    fn go_exactly(path: &Path, amounts: &[u128], max_in: u128) -> Result<u128, Error> {
        let mut left = amounts.iter().rev();
        // There are two more amounts than hops after the first.
        let mut next = || left.next().copied().unwrap_or(0);
        let amount_in = next();
        if amount_in > max_in {
            return Err(Error::ExcessiveInput);
        }
        let first = &path.first;
        pull(first.token_in, first.pair.address(), amount_in);
        let amount = next();
        swap(first, amount, amount);
        for hop in &path.rest {
            let amount = next();
            swap(hop, amount, amount);
        }
        Ok(amount_in)
    }

    #[inline(never)]
    fn pull(token: TokenRef, pair: Address, amount: u128) {
        token.transfer_from(caller(), pair, amount);
    }

    #[inline(never)]
    fn swap(hop: &Hop, min_out: u128, max_out: u128) -> u128 {
        hop.pair.swap_received(hop.token_in, hop.token_out, min_out, max_out, hop.to)
    }

    fn sum(a: u128, b: u128) -> Result<u128, Error> {
        a.checked_add(b).ok_or(Error::AmountTooLarge)
    }

    /// Holds the trade to its limits, and says that it was made.
    #[inline(never)]
    fn finish(
        (token_in, token_out): (TokenRef, TokenRef),
        (amount_in, max_in): (u128, u128),
        (amount_out, min_out): (u128, u128),
        to: Address,
    ) -> Result<(), Error> {
        if amount_in > max_in {
            return Err(Error::ExcessiveInput);
        }
        if amount_out < min_out {
            return Err(Error::InsufficientOutput);
        }
        let trader = caller();
        Routed { trader, token_in, amount_in, token_out, amount_out, to }.emit();
        Ok(())
    }
}
