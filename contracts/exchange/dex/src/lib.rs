//! An exchange that holds every pool and every balance itself: the `monolith` of our swap
//! workload.
//!
//! ```text
//! swap(pool, token_in, token_out, ..)   read  config[pool]
//!                                       write reserves[pool]
//!                                       add   balances[caller, token_in]
//!                                       add   balances[caller, token_out]
//! ```
//!
//! A pool's tokens are in its configuration, and a key that depends on stored state is not known
//! before the call runs. So the trader passes them and the contract verifies them: *pass and
//! verify* makes every key an expression of the arguments. Configuration and reserves are
//! separate keys, because the one is read by every swap and hardly ever written.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod dex {
    use tollway_sdk::env::caller;
    use tollway_sdk::math::{mul_div, mul_wide};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// The most of a token that a pool may hold, and that a swap may bring. Products with fees
    /// then stay below 2¹²⁸.
    pub const AMOUNT_MAX: u128 = 1 << 112;

    /// Fees are in thousandths.
    const FEE_SCALE: u128 = 1_000;

    /// What is fixed when the exchange is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who creates pools and credits deposits.
        pub owner: Address,
    }

    /// What a pool trades, and how.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PoolConfig {
        /// The first token.
        pub token_a: u32,
        /// The second token.
        pub token_b: u32,
        /// The fee on what comes in, in thousandths; at most 1000.
        pub fee_per_mille: u16,
        /// Whether the pool trades.
        pub enabled: bool,
    }

    /// What a pool holds.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reserves {
        /// Of the first token.
        pub a: u128,
        /// Of the second token.
        pub b: u128,
    }

    /// The state.
    #[storage]
    pub struct Dex {
        config: Map<u32, Item<PoolConfig>>,
        reserves: Map<u32, Item<Reserves>>,
        /// What `(account, token)` holds here.
        balances: Map<(Address, u32), Counter>,
    }

    /// A swap was made.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Swap {
        /// Where.
        pub pool: u32,
        /// By whom.
        pub trader: Address,
        /// 0: token A came in and B went out; 1: the reverse.
        pub dir: u8,
        /// How much came in.
        pub dx: u128,
        /// How much went out.
        pub out: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// There is no such pool.
        UnknownPool,
        /// There is such a pool already.
        PoolExists,
        /// The pool cannot be like that: equal tokens, a fee above 1000, or too much in it.
        BadPool,
        /// The pool does not trade now.
        PoolDisabled,
        /// These are not the pool's tokens.
        WrongTokens,
        /// An amount, or what the pool would hold, is above [`AMOUNT_MAX`].
        AmountTooLarge,
        /// The trader holds less than that.
        InsufficientBalance,
        /// The trader would get less than asked for.
        OutTooSmall,
        /// The pool would give nothing, or all it has.
        InsufficientLiquidity,
        /// The product of the reserves, fee left out, would fall.
        K,
    }

    impl Dex {
        /// Creates a pool that holds `reserves`. Only the owner may.
        #[call]
        pub fn create_pool(
            &mut self,
            pool: u32,
            config: PoolConfig,
            reserves: Reserves,
        ) -> Result<(), Error> {
            self.check_owner()?;
            if self.config.at(pool).exists() {
                return Err(Error::PoolExists);
            }
            let sound = config.token_a != config.token_b
                && u128::from(config.fee_per_mille) <= FEE_SCALE
                && reserves.a <= AMOUNT_MAX
                && reserves.b <= AMOUNT_MAX;
            if !sound {
                return Err(Error::BadPool);
            }
            self.config.at(pool).set(&config);
            self.reserves.at(pool).set(&reserves);
            Ok(())
        }

        /// Lets a pool trade, or stops it. Only the owner may.
        #[call]
        pub fn set_enabled(&mut self, pool: u32, enabled: bool) -> Result<(), Error> {
            self.check_owner()?;
            let mut config = self.config.at(pool).get().ok_or(Error::UnknownPool)?;
            config.enabled = enabled;
            self.config.at(pool).set(&config);
            Ok(())
        }

        /// Credits `account` with what it deposited. Only the owner may, who keeps the deposits.
        #[call]
        pub fn credit(&mut self, account: Address, token: u32, amount: u128) -> Result<(), Error> {
            self.check_owner()?;
            self.balances.at((account, token)).add(amount);
            Ok(())
        }

        /// Swaps exactly `amount_in` of `token_in` for `token_out`, at least `min_out` of it, and
        /// returns how much.
        #[call]
        pub fn swap(
            &mut self,
            pool: u32,
            token_in: u32,
            token_out: u32,
            amount_in: u128,
            min_out: u128,
        ) -> Result<u128, Error> {
            let config = self.config.at(pool).get().ok_or(Error::UnknownPool)?;
            if !config.enabled {
                return Err(Error::PoolDisabled);
            }
            let a_in = token_in == config.token_a && token_out == config.token_b;
            let b_in = token_in == config.token_b && token_out == config.token_a;
            if !a_in && !b_in {
                return Err(Error::WrongTokens);
            }
            let reserves = self.reserves.at(pool).get().ok_or(Error::UnknownPool)?;
            let (x, y) = if a_in { (reserves.a, reserves.b) } else { (reserves.b, reserves.a) };

            let out = amount_out(x, y, amount_in, config.fee_per_mille.into())?;
            if out < min_out {
                return Err(Error::OutTooSmall);
            }
            let (x, y) = (x + amount_in, y - out);
            let (a, b) = if a_in { (x, y) } else { (y, x) };

            let trader = caller();
            self.balances
                .at((trader, token_in))
                .sub(amount_in)
                .map_err(|_| Error::InsufficientBalance)?;
            self.balances.at((trader, token_out)).add(out);
            self.reserves.at(pool).set(&Reserves { a, b });
            Swap { pool, trader, dir: b_in.into(), dx: amount_in, out }.emit();
            Ok(out)
        }

        /// How a pool is configured, and what it holds.
        #[view]
        pub fn pool(&self, pool: u32) -> Result<(PoolConfig, Reserves), Error> {
            let config = self.config.at(pool).get().ok_or(Error::UnknownPool)?;
            let reserves = self.reserves.at(pool).get().ok_or(Error::UnknownPool)?;
            Ok((config, reserves))
        }

        /// What `account` holds of `token`.
        #[view]
        pub fn balance(&self, account: Address, token: u32) -> u128 {
            self.balances.at((account, token)).get()
        }

        fn check_owner(&self) -> Result<(), Error> {
            if caller() == self.imm.owner { Ok(()) } else { Err(Error::NotOwner) }
        }
    }

    /// What `dx` brings in a pool that holds `x` of its token and `y` of the other, with a fee in
    /// thousandths, after all checks on the pool's side.
    ///
    /// # Errors
    /// [`Error::AmountTooLarge`], [`Error::InsufficientLiquidity`] or [`Error::K`].
    pub fn amount_out(x: u128, y: u128, dx: u128, fee: u128) -> Result<u128, Error> {
        // Both are below the limit, so the sum does not wrap, and neither does a product with a
        // number of thousandths.
        if x > AMOUNT_MAX || dx > AMOUNT_MAX || x + dx > AMOUNT_MAX {
            return Err(Error::AmountTooLarge);
        }
        let dx_after_fee = dx * (FEE_SCALE - fee);
        let out = mul_div(dx_after_fee, y, x * FEE_SCALE + dx_after_fee)
            .ok_or(Error::InsufficientLiquidity)?;
        if out == 0 || out >= y {
            return Err(Error::InsufficientLiquidity);
        }
        // The formula keeps the product by itself; this is the promise it is held to.
        let after = mul_wide((x + dx) * FEE_SCALE - dx * fee, (y - out) * FEE_SCALE);
        if after < mul_wide(x * FEE_SCALE, y * FEE_SCALE) {
            return Err(Error::K);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use crate::dex::{AMOUNT_MAX, Error, amount_out};

    #[test]
    fn first_swaps_of_the_workload() {
        // From the description of the workload: reserves of the first pool, which `hot` trades in.
        let (a, b) = (6_443_781_561_267, 30_455_259_006_313);
        assert_eq!(amount_out(a, b, 5_643_674_577, 3), Ok(26_570_488_977));
    }

    #[test]
    fn limits_are_errors() {
        assert_eq!(amount_out(AMOUNT_MAX, 1, 1, 3), Err(Error::AmountTooLarge));
        assert_eq!(amount_out(1, 1, u128::MAX, 3), Err(Error::AmountTooLarge));
        assert_eq!(amount_out(10, 10, 0, 3), Err(Error::InsufficientLiquidity));
        assert_eq!(amount_out(0, 10, 5, 3), Err(Error::InsufficientLiquidity));
        assert_eq!(amount_out(0, 0, 0, 1000), Err(Error::InsufficientLiquidity));
        let half = AMOUNT_MAX / 2;
        assert!(amount_out(half, AMOUNT_MAX, half, 3).is_ok());
    }
}
