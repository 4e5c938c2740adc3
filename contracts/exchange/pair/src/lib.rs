//! An exchange of two tokens, by the rules of Uniswap V2: whoever provides both tokens gets
//! shares, traders move along the curve `reserve0 · reserve1 = k`, fees stay in the pool.
//!
//! ```text
//! swap_0_for_1(..)   write reserves
//!                    call  token0.transfer_from(caller, this, amount_in)
//!                    call  token1.transfer(to, _)
//! ```
//!
//! The tokens are immutables, so what they touch is known before a swap runs. [`swap_exact_in`]
//! takes the direction as an argument, and a declaration is a union over branches: it has the
//! keys of both directions. [`swap_0_for_1`] and [`swap_1_for_0`] have only their own, and run
//! beside more other calls: prefer them.
//!
//! [`swap_received`] is for trades over several pairs: the one before pays this one, which swaps
//! what it holds beyond its reserves. Nothing passes through the hands of whoever calls, and no
//! allowance is needed. It gets the tokens as arguments and verifies them, so that its keys are
//! those of one direction.
//!
//! The pair counts its reserves itself. Tokens sent to it without a call are swapped by whoever
//! calls [`swap_received`] next.
//!
//! What is called most stays in one piece and is fast; everything else shares functions that are
//! not inlined, which keeps the Wasm small.
//!
//! [`swap_exact_in`]: pair::Pair::swap_exact_in
//! [`swap_0_for_1`]: pair::Pair::swap_0_for_1
//! [`swap_1_for_0`]: pair::Pair::swap_1_for_0
//! [`swap_received`]: pair::Pair::swap_received
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod pair {
    use tollway_interfaces::TokenRef;
    pub use tollway_interfaces::curve::{AMOUNT_MAX, FEE_SCALE, MINIMUM_LIQUIDITY};
    use tollway_interfaces::curve::{CurveError, amount_in, amount_out, amounts_for, shares_for};
    use tollway_sdk::env::{caller, this};
    use tollway_sdk::math::mul_wide;
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// What is fixed when the pair is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// The first token.
        pub token0: TokenRef,
        /// The second token.
        pub token1: TokenRef,
        /// The fee on what comes in, in ten-thousandths: 30 is 0.3 %.
        pub fee_bp: u16,
    }

    /// What the pair holds.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Reserves {
        /// Of the first token.
        pub reserve0: u128,
        /// Of the second token.
        pub reserve1: u128,
    }

    /// The state.
    #[storage]
    pub struct Pair {
        reserves: Item<Reserves>,
        /// Shares of each provider.
        shares: Map<Address, Counter>,
        /// The sum of all shares.
        total_shares: Counter,
    }

    /// Liquidity was added.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Mint {
        /// Who provided it, and got the shares.
        pub provider: Address,
        /// How much of the first token.
        pub amount0: u128,
        /// How much of the second token.
        pub amount1: u128,
        /// How many shares.
        pub shares: u128,
    }

    /// Liquidity was taken back.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Burn {
        /// Whose shares were destroyed.
        pub provider: Address,
        /// How much of the first token was paid.
        pub amount0: u128,
        /// How much of the second token was paid.
        pub amount1: u128,
        /// How many shares.
        pub shares: u128,
    }

    /// Tokens were swapped.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Swap {
        /// Who swapped.
        pub trader: Address,
        /// How much of the first token came in.
        pub amount0_in: u128,
        /// How much of the second token came in.
        pub amount1_in: u128,
        /// How much of the first token went out.
        pub amount0_out: u128,
        /// How much of the second token went out.
        pub amount1_out: u128,
        /// Where it went.
        pub to: Address,
    }

    /// What the pair holds changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Sync {
        /// Of the first token, now.
        pub reserve0: u128,
        /// Of the second token, now.
        pub reserve1: u128,
    }

    /// Why a call reverts. Failures of the tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The pair would hold more than [`AMOUNT_MAX`] of a token.
        AmountTooLarge,
        /// What was given is worth no share, or fewer than asked for.
        InsufficientShares,
        /// The provider has fewer shares than that.
        NotEnoughShares,
        /// Nothing comes in.
        InsufficientInput,
        /// Nothing goes out, or less than asked for.
        InsufficientOutput,
        /// The pair would give all it has, or has nothing yet.
        InsufficientLiquidity,
        /// The product of the reserves, fee left out, would fall.
        K,
        /// These are not the pair's tokens.
        WrongToken,
    }

    impl From<CurveError> for Error {
        #[inline(always)]
        fn from(error: CurveError) -> Self {
            match error {
                CurveError::TooLarge => Self::AmountTooLarge,
                CurveError::Nothing => Self::InsufficientOutput,
                CurveError::Everything => Self::InsufficientLiquidity,
            }
        }
    }

    impl Pair {
        /// Takes up to `amount0` and `amount1` of the caller's tokens, in the ratio of the
        /// reserves, and returns how many shares they are worth: at least `min_shares`.
        #[call]
        pub fn add_liquidity(
            &mut self,
            amount0: u128,
            amount1: u128,
            min_shares: u128,
        ) -> Result<u128, Error> {
            let reserves = self.held();
            let total = self.total_shares();
            let ratio = (reserves.reserve0, reserves.reserve1);
            let (amount0, amount1, shares) = shares_for(ratio, total, amount0, amount1)?;
            if total == 0 {
                self.give_shares(Address::ZERO, MINIMUM_LIQUIDITY);
            }
            if shares == 0 || shares < min_shares {
                return Err(Error::InsufficientShares);
            }
            let provider = caller();
            self.give_shares(provider, shares);
            self.set_reserves(sum(reserves.reserve0, amount0)?, sum(reserves.reserve1, amount1)?)?;
            Mint { provider, amount0, amount1, shares }.emit();
            let (token0, token1) = self.tokens();
            pull(token0, provider, amount0);
            pull(token1, provider, amount1);
            Ok(shares)
        }

        /// Destroys `shares` of the caller's and pays what they stand for: at least `min0` and
        /// `min1`. Returns how much.
        #[call]
        pub fn remove_liquidity(
            &mut self,
            shares: u128,
            min0: u128,
            min1: u128,
        ) -> Result<(u128, u128), Error> {
            let provider = caller();
            let reserves = self.held();
            let total = self.total_shares();
            let amounts = amounts_for((reserves.reserve0, reserves.reserve1), total, shares);
            let (amount0, amount1) = amounts.ok_or(Error::NotEnoughShares)?;
            if amount0 == 0 || amount1 == 0 || amount0 < min0 || amount1 < min1 {
                return Err(Error::InsufficientOutput);
            }
            self.shares.at(provider).sub(shares).map_err(|_| Error::NotEnoughShares)?;
            self.total_shares.sub(shares).map_err(|_| Error::NotEnoughShares)?;
            // A provider has no more shares than there are, so neither can wrap.
            self.set_reserves(reserves.reserve0 - amount0, reserves.reserve1 - amount1)?;
            Burn { provider, amount0, amount1, shares }.emit();
            let (token0, token1) = self.tokens();
            pay(token0, provider, amount0);
            pay(token1, provider, amount1);
            Ok((amount0, amount1))
        }

        /// Takes `amount0_in` and `amount1_in` from the caller and pays `amount0_out` and
        /// `amount1_out` to `to`, if the curve allows it: with `b = r + in − out`, refused unless
        /// `(b0·10⁴ − in0·fee) · (b1·10⁴ − in1·fee) ≥ r0·10⁴ · r1·10⁴`.
        #[call]
        pub fn swap(
            &mut self,
            amount0_in: u128,
            amount1_in: u128,
            amount0_out: u128,
            amount1_out: u128,
            to: Address,
        ) -> Result<(), Error> {
            if amount0_in == 0 && amount1_in == 0 {
                return Err(Error::InsufficientInput);
            }
            if amount0_out == 0 && amount1_out == 0 {
                return Err(Error::InsufficientOutput);
            }
            let fee = self.imm.fee_bp.into();
            let (ins, outs) = ((amount0_in, amount1_in), (amount0_out, amount1_out));
            let after = after_swap(self.held(), ins, outs, fee)?;
            self.set_reserves(after.reserve0, after.reserve1)?;
            emit_swap(ins, outs, to);
            let trader = caller();
            let (token0, token1) = self.tokens();
            if amount0_in > 0 {
                pull(token0, trader, amount0_in);
            }
            if amount1_in > 0 {
                pull(token1, trader, amount1_in);
            }
            if amount0_out > 0 {
                pay(token0, to, amount0_out);
            }
            if amount1_out > 0 {
                pay(token1, to, amount1_out);
            }
            Ok(())
        }

        /// Swaps exactly `amount_in` of one token for at least `min_out` of the other, and returns
        /// how much went to `to`. The first token comes in if `zero_for_one`.
        #[call]
        pub fn swap_exact_in(
            &mut self,
            zero_for_one: bool,
            amount_in: u128,
            min_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let (token0, token1) = self.tokens();
            let (token_in, token_out) =
                if zero_for_one { (token0, token1) } else { (token1, token0) };
            let out = self.trade(zero_for_one, amount_in, min_out, u128::MAX, to)?;
            pull(token_in, caller(), amount_in);
            pay(token_out, to, out);
            Ok(out)
        }

        /// Swaps what the pair holds of `token_in` beyond its reserve, because it was sent there
        /// before in the same call, for at least `min_out` of `token_out`, and returns how much
        /// went to `to`. It is never more than `max_out`: whatever the curve would give beyond
        /// that stays in the pair.
        #[call]
        pub fn swap_received(
            &mut self,
            token_in: TokenRef,
            token_out: TokenRef,
            min_out: u128,
            max_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let (token0, token1) = self.tokens();
            let zero_for_one = token_in == token0;
            let other = if zero_for_one { token1 } else { token0 };
            if token_out != other || (token_in != token0 && token_in != token1) {
                return Err(Error::WrongToken);
            }
            let (reserve, _) = self.in_and_out(zero_for_one);
            let received = token_in.balance_of(this()).checked_sub(reserve);
            let Some(received @ 1..) = received else {
                return Err(Error::InsufficientInput);
            };
            let out = self.trade(zero_for_one, received, min_out, max_out, to)?;
            pay(token_out, to, out);
            Ok(out)
        }

        /// Swaps exactly `amount_in` of the first token for at least `min_out` of the second, and
        /// returns how much went to `to`.
        #[call]
        pub fn swap_0_for_1(
            &mut self,
            amount_in: u128,
            min_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let reserves = self.reserves.get_or_default();
            let (x, y) = (reserves.reserve0, reserves.reserve1);
            let out = self.checked_out(x, y, amount_in, min_out)?;
            self.set_reserves(x + amount_in, y - out)?;
            let trader = caller();
            Swap {
                trader,
                amount0_in: amount_in,
                amount1_in: 0,
                amount0_out: 0,
                amount1_out: out,
                to,
            }
            .emit();
            self.imm.token0.transfer_from(trader, this(), amount_in);
            self.imm.token1.transfer(to, out);
            Ok(out)
        }

        /// Swaps exactly `amount_in` of the second token for at least `min_out` of the first, and
        /// returns how much went to `to`.
        #[call]
        pub fn swap_1_for_0(
            &mut self,
            amount_in: u128,
            min_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let reserves = self.reserves.get_or_default();
            let (x, y) = (reserves.reserve1, reserves.reserve0);
            let out = self.checked_out(x, y, amount_in, min_out)?;
            self.set_reserves(y - out, x + amount_in)?;
            let trader = caller();
            Swap {
                trader,
                amount0_in: 0,
                amount1_in: amount_in,
                amount0_out: out,
                amount1_out: 0,
                to,
            }
            .emit();
            self.imm.token1.transfer_from(trader, this(), amount_in);
            self.imm.token0.transfer(to, out);
            Ok(out)
        }

        /// What the pair holds.
        #[view]
        pub fn reserves(&self) -> Reserves {
            self.held()
        }

        /// How much of the other token `amount_in` of `token_in` would bring now.
        #[view]
        pub fn quote_out(&self, token_in: TokenRef, amount_in: u128) -> Result<u128, Error> {
            let (x, y) = self.reserves_for(token_in)?;
            self.checked_out(x, y, amount_in, 0)
        }

        /// How much of `token_in` would bring `amount_out` of the other token now.
        #[view]
        pub fn quote_in(&self, token_in: TokenRef, amount_out: u128) -> Result<u128, Error> {
            let (x, y) = self.reserves_for(token_in)?;
            Ok(amount_in(x, y, amount_out, self.imm.fee_bp.into())?)
        }

        /// How many shares `provider` has.
        #[view]
        pub fn shares_of(&self, provider: Address) -> u128 {
            self.shares.at(provider).get()
        }

        /// How many shares there are.
        #[view]
        pub fn total_shares(&self) -> u128 {
            self.total_shares.get()
        }

        #[inline(never)]
        fn held(&self) -> Reserves {
            self.reserves.get_or_default()
        }

        #[inline(never)]
        fn tokens(&self) -> (TokenRef, TokenRef) {
            (self.imm.token0, self.imm.token1)
        }

        #[inline(never)]
        fn give_shares(&mut self, to: Address, shares: u128) {
            self.shares.at(to).add(shares);
            self.total_shares.add(shares);
        }

        /// The reserves, of the token that comes in first.
        #[inline(never)]
        fn reserves_for(&self, token_in: TokenRef) -> Result<(u128, u128), Error> {
            let (token0, token1) = self.tokens();
            if token_in != token0 && token_in != token1 {
                return Err(Error::WrongToken);
            }
            Ok(self.in_and_out(token_in == token0))
        }

        /// The reserves: of the token that comes in, and of the one that goes out.
        #[inline(never)]
        fn in_and_out(&self, zero_for_one: bool) -> (u128, u128) {
            let Reserves { reserve0, reserve1 } = self.held();
            if zero_for_one { (reserve0, reserve1) } else { (reserve1, reserve0) }
        }

        /// Moves the reserves along the curve for what came in, says so, and returns how much is
        /// to be paid: at least `min_out`, at most `max_out`.
        #[inline(never)]
        fn trade(
            &mut self,
            zero_for_one: bool,
            amount_in: u128,
            min_out: u128,
            max_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let (x, y) = self.in_and_out(zero_for_one);
            let out = self.checked_out(x, y, amount_in, min_out)?.min(max_out);
            if out == 0 || out < min_out {
                return Err(Error::InsufficientOutput);
            }
            let (x, y) = (x + amount_in, y - out);
            if zero_for_one {
                self.set_reserves(x, y)?;
                emit_swap((amount_in, 0), (0, out), to);
            } else {
                self.set_reserves(y, x)?;
                emit_swap((0, amount_in), (out, 0), to);
            }
            Ok(out)
        }

        fn checked_out(&self, x: u128, y: u128, dx: u128, min_out: u128) -> Result<u128, Error> {
            let out = amount_out(x, y, dx, self.imm.fee_bp.into())?;
            if out < min_out {
                return Err(Error::InsufficientOutput);
            }
            Ok(out)
        }

        fn set_reserves(&mut self, reserve0: u128, reserve1: u128) -> Result<(), Error> {
            if reserve0 > AMOUNT_MAX || reserve1 > AMOUNT_MAX {
                return Err(Error::AmountTooLarge);
            }
            self.reserves.set(&Reserves { reserve0, reserve1 });
            Sync { reserve0, reserve1 }.emit();
            Ok(())
        }
    }

    /// Takes tokens from `from`, who allowed it.
    #[inline(never)]
    fn pull(token: TokenRef, from: Address, amount: u128) {
        token.transfer_from(from, this(), amount);
    }

    /// Pays tokens.
    #[inline(never)]
    fn pay(token: TokenRef, to: Address, amount: u128) {
        token.transfer(to, amount);
    }

    #[inline(never)]
    fn emit_swap(
        (amount0_in, amount1_in): (u128, u128),
        (amount0_out, amount1_out): (u128, u128),
        to: Address,
    ) {
        let trader = caller();
        Swap { trader, amount0_in, amount1_in, amount0_out, amount1_out, to }.emit();
    }

    // Not `saturating_add`: see "128-bit sums" in the SDK.
    fn sum(a: u128, b: u128) -> Result<u128, Error> {
        a.checked_add(b).ok_or(Error::AmountTooLarge)
    }

    /// The reserves after a swap, if the curve allows it.
    ///
    /// # Errors
    /// [`Error::AmountTooLarge`], [`Error::InsufficientLiquidity`] or [`Error::K`].
    pub fn after_swap(
        reserves: Reserves,
        (in0, in1): (u128, u128),
        (out0, out1): (u128, u128),
        fee: u128,
    ) -> Result<Reserves, Error> {
        let Reserves { reserve0, reserve1 } = reserves;
        if out0 >= reserve0 || out1 >= reserve1 {
            return Err(Error::InsufficientLiquidity);
        }
        let after0 = sum(reserve0 - out0, in0)?;
        let after1 = sum(reserve1 - out1, in1)?;
        if after0 > AMOUNT_MAX || after1 > AMOUNT_MAX {
            return Err(Error::AmountTooLarge);
        }
        // What came in is part of what is there, and the fee is less than the whole: neither
        // difference wraps, unless the pair was created with an impossible fee.
        let fee = fee.min(FEE_SCALE);
        let left = mul_wide(after0 * FEE_SCALE - in0 * fee, after1 * FEE_SCALE - in1 * fee);
        if left < mul_wide(reserve0 * FEE_SCALE, reserve1 * FEE_SCALE) {
            return Err(Error::K);
        }
        Ok(Reserves { reserve0: after0, reserve1: after1 })
    }
}

#[cfg(test)]
mod tests {
    use crate::pair::{Error, Reserves, after_swap};
    use tollway_interfaces::curve::{AMOUNT_MAX, CurveError, amount_in, amount_out};

    const FEE: u128 = 30;

    #[test]
    fn first_swap_of_the_workload() {
        let (x, y) = (6_443_781_561_267, 30_455_259_006_313);
        assert_eq!(amount_out(x, y, 5_643_674_577, FEE), Ok(26_570_488_977));
    }

    #[test]
    fn the_most_that_the_formula_gives_passes_the_curve_and_one_more_does_not() {
        for (x, y, dx) in [
            (1_000_000, 5_000_000, 1_000),
            (AMOUNT_MAX / 2, AMOUNT_MAX, AMOUNT_MAX / 2),
            (AMOUNT_MAX - 7, 12_345, 5),
            (3, AMOUNT_MAX, 1),
        ] {
            let reserves = Reserves { reserve0: x, reserve1: y };
            let Ok(out) = amount_out(x, y, dx, FEE) else {
                continue;
            };
            assert!(after_swap(reserves, (dx, 0), (0, out), FEE).is_ok());
            if out + 1 < y {
                assert_eq!(after_swap(reserves, (dx, 0), (0, out + 1), FEE), Err(Error::K));
            }
        }
    }

    #[test]
    fn what_an_amount_needs_is_the_least_that_brings_it() {
        for (x, y) in [(1_000_000, 5_000_000), (AMOUNT_MAX / 3, AMOUNT_MAX), (7, 12_345)] {
            for part in [2, 3, 1_000, 5_000] {
                let dy = y / part;
                let Ok(dx) = amount_in(x, y, dy, FEE) else {
                    continue;
                };
                assert!(amount_out(x, y, dx, FEE).is_ok_and(|out| out >= dy));
                let less = amount_out(x, y, dx - 1, FEE);
                assert!(less.is_err() || less.is_ok_and(|out| out < dy));
            }
        }
        assert_eq!(amount_in(10, 10, 10, FEE), Err(CurveError::Everything));
        assert_eq!(amount_in(10, 10, 0, FEE), Err(CurveError::Nothing));
        assert_eq!(amount_in(10, 10, 1, 10_000), Err(CurveError::TooLarge));
    }

    #[test]
    fn limits_are_errors() {
        let reserves = Reserves { reserve0: 1_000, reserve1: 1_000 };
        assert_eq!(after_swap(reserves, (u128::MAX, 0), (0, 1), FEE), Err(Error::AmountTooLarge));
        assert_eq!(
            after_swap(reserves, (1_000, 0), (0, 1_000), FEE),
            Err(Error::InsufficientLiquidity)
        );
        assert_eq!(amount_out(1, 1, u128::MAX, FEE), Err(CurveError::TooLarge));
        assert_eq!(amount_out(0, 0, 1, FEE), Err(CurveError::Nothing));
    }
}
