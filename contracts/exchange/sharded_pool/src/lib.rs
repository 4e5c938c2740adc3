//! One market of two tokens over n shards: a curve whose reserves lie in n keys, so that n swaps
//! run side by side.
//!
//! ```text
//! swap(shard, token_in, token_out, ..)   write shards[shard]
//!                                        read  anchor
//!                                        call  token_in.transfer_from(caller, this, _)
//!                                        call  token_out.transfer(to, _)
//! swap_all, rebalance, *_liquidity       write shards[0], …, shards[n − 1]
//!                                        write anchor
//! ```
//!
//! Each shard is a curve `reserve0 · reserve1 = k` with an n-th of the liquidity. What holds them
//! together:
//!
//! - [`rebalance`] puts all reserves together and deals them out evenly again. No token comes or
//!   goes; all shards then have the price of the whole, which is written down as the *anchor*.
//! - A swap must leave its shard's price within `band_bp` of the anchor, or is refused with
//!   [`OutOfBand`]: then somebody rebalances, which anybody may.
//! - [`swap_all`] is for what is too large for a shard: it rebalances, trades along the curve of
//!   the whole, to the unit as one pool would, and deals out again.
//!
//! # How far prices are apart
//! With b = `band_bp` / 10⁴: every shard that was traded in since has a price within a factor of
//! 1 ± b of the anchor. The price of the whole, Σ reserve1 / Σ reserve0, is a mediant of the
//! shards' and so lies between the least and the greatest of them. So a shard's price differs from
//! that of the whole, which one pool with these reserves would have, by a factor between
//! (1 − b) / (1 + b) and (1 + b) / (1 − b). Dealing out rounds by a unit of each token, which is
//! less than a ten-thousandth as long as a shard trades (see [`SHARD_MIN`]).
//!
//! Rounding is in the pool's favor. The sum of the reserves is what the pool holds, apart from
//! tokens that were sent to it without a call, which belong to nobody.
//!
//! [`rebalance`]: sharded_pool::ShardedPool::rebalance
//! [`swap_all`]: sharded_pool::ShardedPool::swap_all
//! [`OutOfBand`]: sharded_pool::Error::OutOfBand
//! [`SHARD_MIN`]: sharded_pool::SHARD_MIN
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod sharded_pool {
    use alloc::vec::Vec;
    use tollway_interfaces::TokenRef;
    pub use tollway_interfaces::curve::{AMOUNT_MAX, FEE_SCALE, MINIMUM_LIQUIDITY};
    use tollway_interfaces::curve::{CurveError, amount_out, amounts_for, shares_for};
    use tollway_sdk::env::{caller, this};
    use tollway_sdk::math::mul_wide;
    use tollway_sdk::{Address, Counter, Item, Map, contract_type, shard_of};

    /// The least of each token with which a shard trades: a unit of it is then no more than a
    /// ten-thousandth.
    pub const SHARD_MIN: u128 = 10_000;

    /// The most shards.
    pub const SHARDS_MAX: u32 = 256;

    /// What is fixed when the pool is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// The first token.
        pub token0: TokenRef,
        /// The second token.
        pub token1: TokenRef,
        /// The fee on what comes in, in ten-thousandths, below the whole.
        pub fee_bp: u16,
        /// How many shards there are: 1 to [`SHARDS_MAX`].
        pub shards: u32,
        /// How far a shard's price may go from the anchor, in ten-thousandths: 1 to 5,000.
        pub band_bp: u16,
    }

    /// What a shard, or the whole, holds.
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
    pub struct ShardedPool {
        shards: Map<u32, Item<Reserves>>,
        /// What the whole held when it was last dealt out: the ratio is the price that shards
        /// stay close to.
        anchor: Item<Reserves>,
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
        /// In which shard; none if in all of them.
        pub shard: Option<u32>,
        /// What came in.
        pub token_in: TokenRef,
        /// How much.
        pub amount_in: u128,
        /// How much of the other token went out.
        pub amount_out: u128,
        /// Where it went.
        pub to: Address,
    }

    /// All shards hold the same, and this together.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Dealt {
        /// Of the first token.
        pub reserve0: u128,
        /// Of the second token.
        pub reserve1: u128,
    }

    /// Why a call reverts. Failures of the tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The pool cannot be like that.
        BadPool,
        /// There is no such shard.
        UnknownShard,
        /// The list is not that of all shards, in order.
        NotAllShards,
        /// These are not the pool's tokens.
        WrongToken,
        /// An amount, or what the pool would hold, is above [`AMOUNT_MAX`].
        AmountTooLarge,
        /// What was given is worth no share, or fewer than asked for.
        InsufficientShares,
        /// The provider has fewer shares than that.
        NotEnoughShares,
        /// Nothing would go out, or less than asked for.
        InsufficientOutput,
        /// The shard has less than [`SHARD_MIN`] of a token, or would give all it has.
        InsufficientLiquidity,
        /// The shard's price would leave the band around the anchor.
        OutOfBand,
    }

    impl From<CurveError> for Error {
        fn from(error: CurveError) -> Self {
            match error {
                CurveError::TooLarge => Self::AmountTooLarge,
                CurveError::Nothing => Self::InsufficientOutput,
                CurveError::Everything => Self::InsufficientLiquidity,
            }
        }
    }

    impl ShardedPool {
        /// Refuses a pool that cannot be.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            let Immutables { token0, token1, fee_bp, shards, band_bp } = (*self.imm).clone();
            let sound = token0 != token1
                && u128::from(fee_bp) < FEE_SCALE
                && (1..=SHARDS_MAX).contains(&shards)
                && (1..=5_000).contains(&band_bp);
            if sound { Ok(()) } else { Err(Error::BadPool) }
        }

        /// Swaps exactly `amount_in` of `token_in` for at least `min_out` of the other token in
        /// one shard, and returns how much went to `to`.
        #[call]
        pub fn swap(
            &mut self,
            shard: u32,
            token_in: TokenRef,
            token_out: TokenRef,
            amount_in: u128,
            min_out: u128,
            to: Address,
        ) -> Result<u128, Error> {
            let zero_for_one = self.direction(token_in, token_out)?;
            let Some(reserves) = self.shards.at(shard).get() else {
                return Err(Error::UnknownShard);
            };
            if reserves.reserve0 < SHARD_MIN || reserves.reserve1 < SHARD_MIN {
                return Err(Error::InsufficientLiquidity);
            }
            let (reserves, out) = self.trade(reserves, zero_for_one, amount_in, min_out)?;
            // So that all together stay below the limit, whatever the others do.
            let most = AMOUNT_MAX / u128::from(self.imm.shards);
            if reserves.reserve0 > most || reserves.reserve1 > most {
                return Err(Error::AmountTooLarge);
            }
            let anchor = self.anchor.get_or_default();
            if !is_in_band(reserves, anchor, self.imm.band_bp.into(), zero_for_one) {
                return Err(Error::OutOfBand);
            }
            self.shards.at(shard).set(&reserves);
            let trader = caller();
            let shard = Some(shard);
            Swap { trader, shard, token_in, amount_in, amount_out: out, to }.emit();
            token_in.transfer_from(trader, this(), amount_in);
            token_out.transfer(to, out);
            Ok(out)
        }

        /// The same along the curve of all shards together, which are rebalanced: what one pool
        /// would do. `all` is the list 0, 1, … of all shards.
        #[call]
        pub fn swap_all(
            &mut self,
            token_in: TokenRef,
            token_out: TokenRef,
            amount_in: u128,
            min_out: u128,
            to: Address,
            all: Vec<u32>,
        ) -> Result<u128, Error> {
            let zero_for_one = self.direction(token_in, token_out)?;
            let whole = self.gather(&all)?;
            let (whole, out) = self.trade(whole, zero_for_one, amount_in, min_out)?;
            self.deal(&all, whole);
            let trader = caller();
            Swap { trader, shard: None, token_in, amount_in, amount_out: out, to }.emit();
            pull(token_in, amount_in);
            pay(token_out, to, out);
            Ok(out)
        }

        /// Deals all reserves out evenly, so that all shards have the price of the whole.
        /// Anybody may. `all` is the list 0, 1, … of all shards.
        #[call]
        pub fn rebalance(&mut self, all: Vec<u32>) -> Result<(), Error> {
            let whole = self.gather(&all)?;
            self.deal(&all, whole);
            Ok(())
        }

        /// Takes up to `amount0` and `amount1` of the caller's tokens, in the ratio of the whole,
        /// deals everything out evenly, and returns how many shares they are worth: at least
        /// `min_shares`. `all` is the list 0, 1, … of all shards.
        #[call]
        pub fn add_liquidity(
            &mut self,
            amount0: u128,
            amount1: u128,
            min_shares: u128,
            all: Vec<u32>,
        ) -> Result<u128, Error> {
            let whole = self.gather(&all)?;
            let total = self.total_shares();
            let reserves = (whole.reserve0, whole.reserve1);
            let (amount0, amount1, shares) = shares_for(reserves, total, amount0, amount1)?;
            if total == 0 {
                self.give_shares(Address::ZERO, MINIMUM_LIQUIDITY);
            }
            if shares == 0 || shares < min_shares {
                return Err(Error::InsufficientShares);
            }
            let reserve0 = sum(whole.reserve0, amount0)?;
            let reserve1 = sum(whole.reserve1, amount1)?;
            let provider = caller();
            self.give_shares(provider, shares);
            self.deal(&all, Reserves { reserve0, reserve1 });
            Mint { provider, amount0, amount1, shares }.emit();
            pull(self.imm.token0, amount0);
            pull(self.imm.token1, amount1);
            Ok(shares)
        }

        /// Destroys `shares` of the caller's and pays what they stand for: at least `min0` and
        /// `min1`. Returns how much. `all` is the list 0, 1, … of all shards.
        #[call]
        pub fn remove_liquidity(
            &mut self,
            shares: u128,
            min0: u128,
            min1: u128,
            all: Vec<u32>,
        ) -> Result<(u128, u128), Error> {
            let provider = caller();
            let whole = self.gather(&all)?;
            let total = self.total_shares();
            let amounts = amounts_for((whole.reserve0, whole.reserve1), total, shares);
            let (amount0, amount1) = amounts.ok_or(Error::NotEnoughShares)?;
            if amount0 == 0 || amount1 == 0 || amount0 < min0 || amount1 < min1 {
                return Err(Error::InsufficientOutput);
            }
            self.shares.at(provider).sub(shares).map_err(|_| Error::NotEnoughShares)?;
            self.total_shares.sub(shares).map_err(|_| Error::NotEnoughShares)?;
            // A provider has no more shares than there are, so neither can wrap.
            let reserve0 = whole.reserve0 - amount0;
            let reserve1 = whole.reserve1 - amount1;
            self.deal(&all, Reserves { reserve0, reserve1 });
            Burn { provider, amount0, amount1, shares }.emit();
            pay(self.imm.token0, provider, amount0);
            pay(self.imm.token1, provider, amount1);
            Ok((amount0, amount1))
        }

        /// What a shard holds.
        #[view]
        pub fn shard(&self, shard: u32) -> Reserves {
            self.shards.at(shard).get_or_default()
        }

        /// What `amount_in` of `token_in` would bring in a shard now, the band left out.
        #[view]
        pub fn quote(
            &self,
            shard: u32,
            token_in: TokenRef,
            amount_in: u128,
        ) -> Result<u128, Error> {
            let zero_for_one = token_in == self.imm.token0;
            if !zero_for_one && token_in != self.imm.token1 {
                return Err(Error::WrongToken);
            }
            let reserves = self.shards.at(shard).get().ok_or(Error::UnknownShard)?;
            let (_, out) = self.trade(reserves, zero_for_one, amount_in, 0)?;
            Ok(out)
        }

        /// A shard for this account, the same every time: accounts spread evenly over shards.
        #[view]
        pub fn shard_for(&self, account: Address) -> u32 {
            // There are no more shards than a `u16` counts.
            u32::from(shard_of(&account, self.imm.shards as u16))
        }

        /// What the whole held when it was last dealt out.
        #[view]
        pub fn anchor(&self) -> Reserves {
            self.anchor.get_or_default()
        }

        /// How many shares `provider` has.
        #[view]
        pub fn shares_of(&self, provider: Address) -> u128 {
            self.shares.at(provider).get()
        }

        /// How many shares there are.
        #[view]
        #[inline(never)]
        pub fn total_shares(&self) -> u128 {
            self.total_shares.get()
        }

        /// Whether the first token comes in.
        #[inline(never)]
        fn direction(&self, token_in: TokenRef, token_out: TokenRef) -> Result<bool, Error> {
            let ends = (self.imm.token0, self.imm.token1);
            if (token_in, token_out) == ends {
                Ok(true)
            } else if (token_out, token_in) == ends {
                Ok(false)
            } else {
                Err(Error::WrongToken)
            }
        }

        /// What all shards hold together.
        #[inline(never)]
        fn gather(&self, all: &[u32]) -> Result<Reserves, Error> {
            let mut whole = Reserves::default();
            let mut next = 0;
            for shard in all {
                if *shard != next {
                    return Err(Error::NotAllShards);
                }
                next += 1;
                let reserves = self.shards.at(*shard).get_or_default();
                // The whole was below the limit when it was dealt out, and each swap since.
                whole.reserve0 += reserves.reserve0;
                whole.reserve1 += reserves.reserve1;
            }
            if next == self.imm.shards { Ok(whole) } else { Err(Error::NotAllShards) }
        }

        /// Deals `whole` out evenly; the first shards get a unit more where it does not come out
        /// even.
        #[inline(never)]
        fn deal(&mut self, all: &[u32], whole: Reserves) {
            let Reserves { reserve0, reserve1 } = whole;
            let count = u128::from(self.imm.shards);
            let (each0, rest0) = (reserve0 / count, reserve0 % count);
            let (each1, rest1) = (reserve1 / count, reserve1 % count);
            for shard in all {
                let place = u128::from(*shard);
                let reserve0 = each0 + u128::from(place < rest0);
                let reserve1 = each1 + u128::from(place < rest1);
                self.shards.at(*shard).set(&Reserves { reserve0, reserve1 });
            }
            self.anchor.set(&whole);
            Dealt { reserve0, reserve1 }.emit();
        }

        /// The reserves after a swap of `amount_in`, and what it brings.
        #[inline(never)]
        fn trade(
            &self,
            reserves: Reserves,
            zero_for_one: bool,
            amount_in: u128,
            min_out: u128,
        ) -> Result<(Reserves, u128), Error> {
            let Reserves { reserve0, reserve1 } = reserves;
            let (x, y) = if zero_for_one { (reserve0, reserve1) } else { (reserve1, reserve0) };
            let out = amount_out(x, y, amount_in, self.imm.fee_bp.into())?;
            if out < min_out {
                return Err(Error::InsufficientOutput);
            }
            let (x, y) = (sum(x, amount_in)?, y - out);
            let (reserve0, reserve1) = if zero_for_one { (x, y) } else { (y, x) };
            Ok((Reserves { reserve0, reserve1 }, out))
        }

        #[inline(never)]
        fn give_shares(&mut self, to: Address, shares: u128) {
            self.shares.at(to).add(shares);
            self.total_shares.add(shares);
        }
    }

    /// Takes tokens of the caller's, who allowed it.
    #[inline(never)]
    fn pull(token: TokenRef, amount: u128) {
        token.transfer_from(caller(), this(), amount);
    }

    /// Pays tokens.
    #[inline(never)]
    fn pay(token: TokenRef, to: Address, amount: u128) {
        token.transfer(to, amount);
    }

    fn sum(a: u128, b: u128) -> Result<u128, Error> {
        match a.checked_add(b) {
            Some(sum) if sum <= AMOUNT_MAX => Ok(sum),
            _ => Err(Error::AmountTooLarge),
        }
    }

    /// Whether the price did not fall, or rise, too far below, or above, the anchor's.
    fn is_in_band(reserves: Reserves, anchor: Reserves, band: u128, fell: bool) -> bool {
        // Reserves are at most `AMOUNT_MAX`, so no product wraps.
        let of_shard = mul_wide(reserves.reserve1 * FEE_SCALE, anchor.reserve0);
        let of_anchor = |scale: u128| mul_wide(anchor.reserve1 * scale, reserves.reserve0);
        if fell {
            of_shard >= of_anchor(FEE_SCALE - band)
        } else {
            of_shard <= of_anchor(FEE_SCALE + band)
        }
    }
}
