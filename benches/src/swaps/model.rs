//! The exchange as native Rust over a hash map: what every runtime's result is checked against,
//! and the floor that its speed is held against.

use super::workload::Swap;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::fmt;

/// Traders of the workload.
pub const TRADERS: u32 = 10_000;

/// What every trader holds of each token at the start.
pub const TRADER_BALANCE: u128 = 1_000_000_000_000_000;

/// The fee of every pool in basis points.
pub const FEE_BP: u32 = 30;

/// Which token of a pool: the index into a pair of reserves or balances.
pub const TOKENS: [u32; 2] = [0, 1];

/// Why the model refuses a swap. The generator makes no such swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// The pool does not exist, or is disabled.
    #[error("pool {pool} is not enabled")]
    Disabled {
        /// The pool.
        pool: u32,
    },
    /// The trader holds less than the amount.
    #[error("trader {trader} holds {balance}, swap needs {amount}")]
    Balance {
        /// The trader.
        trader: u32,
        /// What the trader holds.
        balance: u128,
        /// What the swap takes in.
        amount: u128,
    },
    /// The formula gives less than the least amount asked for, nothing, or the whole reserve.
    #[error("swap gives {out}, at least {min_out} was asked for")]
    Out {
        /// What the formula gives.
        out: u128,
        /// What was asked for.
        min_out: u128,
    },
    /// The product of the reserves would fall.
    #[error("product of the reserves of pool {pool} would fall")]
    Product {
        /// The pool.
        pool: u32,
    },
}

/// Checksums of a state: FNV-1a 64 over little-endian `u128`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksums {
    /// Over the reserves, pool by pool.
    pub reserves: u64,
    /// Over the balances, trader by trader.
    pub balances: u64,
}

impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reserves {:016x} balances {:016x}", self.reserves, self.balances)
    }
}

impl Checksums {
    /// Of reserves pool by pool and balances trader by trader, both tokens of each.
    pub fn new(
        reserves: impl IntoIterator<Item = [u128; 2]>,
        balances: impl IntoIterator<Item = [u128; 2]>,
    ) -> Self {
        Self { reserves: fnv(reserves), balances: fnv(balances) }
    }
}

fn fnv(pairs: impl IntoIterator<Item = [u128; 2]>) -> u64 {
    let bytes = pairs.into_iter().flatten().flat_map(u128::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Enabled(u32),
    Fee(u32),
    Reserve(u32, u32),
    Balance(u32, u32),
}

/// The state of the exchange.
#[derive(Clone)]
pub struct Model {
    state: HashMap<Key, u128, FixedState>,
    pools: u32,
}

impl Model {
    /// Pools with these reserves, and traders with [`TRADER_BALANCE`] of each token.
    pub fn new(reserves: &[[u128; 2]]) -> Self {
        let mut state = HashMap::with_hasher(FixedState::with_seed(0));
        for (pool, pair) in (0..).zip(reserves) {
            state.insert(Key::Enabled(pool), 1);
            // Per mille here, as in the formula of the workload.
            state.insert(Key::Fee(pool), u128::from(FEE_BP / 10));
            for token in TOKENS {
                state.insert(Key::Reserve(pool, token), pair[token as usize]);
            }
        }
        for trader in 0..TRADERS {
            for token in TOKENS {
                state.insert(Key::Balance(trader, token), TRADER_BALANCE);
            }
        }
        Self { state, pools: reserves.len() as u32 }
    }

    /// The reserves of a pool: token A, token B. Zero if there is no such pool.
    pub fn reserves(&self, pool: u32) -> [u128; 2] {
        TOKENS.map(|token| self.get(Key::Reserve(pool, token)))
    }

    /// The balances of a trader: token A, token B.
    pub fn balances(&self, trader: u32) -> [u128; 2] {
        TOKENS.map(|token| self.get(Key::Balance(trader, token)))
    }

    /// Checksums of the state.
    pub fn checksums(&self) -> Checksums {
        Checksums::new(
            (0..self.pools).map(|pool| self.reserves(pool)),
            (0..TRADERS).map(|trader| self.balances(trader)),
        )
    }

    /// Runs one swap and returns what it gives.
    ///
    /// # Errors
    /// [`SwapError`] says which check failed; the state is as before.
    pub fn apply(&mut self, swap: &Swap) -> Result<u128, SwapError> {
        let Swap { pool, trader, amount_in, min_out, .. } = *swap;
        let (input, output) = (swap.token_in(), swap.token_out());
        if self.get(Key::Enabled(pool)) != 1 {
            return Err(SwapError::Disabled { pool });
        }
        let fee = self.get(Key::Fee(pool));
        let (x, y) = (self.get(Key::Reserve(pool, input)), self.get(Key::Reserve(pool, output)));
        let balance = self.get(Key::Balance(trader, input));
        if balance < amount_in {
            return Err(SwapError::Balance { trader, balance, amount: amount_in });
        }
        let out = amount_out(x, y, amount_in, fee);
        if out < min_out || out == 0 || out >= y {
            return Err(SwapError::Out { out, min_out });
        }
        let product = ((x + amount_in) * 1000 - fee * amount_in) * ((y - out) * 1000);
        if product < x * y * 1_000_000 {
            return Err(SwapError::Product { pool });
        }
        let balance_out = self.get(Key::Balance(trader, output));
        self.state.insert(Key::Reserve(pool, input), x + amount_in);
        self.state.insert(Key::Reserve(pool, output), y - out);
        self.state.insert(Key::Balance(trader, input), balance - amount_in);
        self.state.insert(Key::Balance(trader, output), balance_out + out);
        Ok(out)
    }

    fn get(&self, key: Key) -> u128 {
        self.state.get(&key).copied().unwrap_or(0)
    }
}

/// What a pool with reserves `x` in and `y` out gives for `amount_in`, with a fee per mille.
pub fn amount_out(x: u128, y: u128, amount_in: u128, fee_per_mille: u128) -> u128 {
    let after_fee = amount_in * (1000 - fee_per_mille);
    after_fee * y / (x * 1000 + after_fee)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(swap: Swap, expected: Result<u128, SwapError>) {
        let mut model = Model::new(&[[1_000_000, 2_000_000]]);
        let before = model.checksums();
        assert_eq!(model.apply(&swap), expected);
        assert_eq!(model.checksums() == before, expected.is_err());
    }

    fn swap() -> Swap {
        Swap { pool: 0, trader: 5, reversed: false, amount_in: 1_000, min_out: 1_900, out: 1_992 }
    }

    #[test]
    fn swaps_follow_the_formula() {
        check(swap(), Ok(1_992));
        check(Swap { reversed: true, min_out: 0, ..swap() }, Ok(498));
    }

    #[test]
    fn bad_swaps_change_nothing() {
        check(Swap { pool: 1, ..swap() }, Err(SwapError::Disabled { pool: 1 }));
        check(
            Swap { min_out: 1_993, ..swap() },
            Err(SwapError::Out { out: 1_992, min_out: 1_993 }),
        );
        check(
            Swap { amount_in: TRADER_BALANCE + 1, ..swap() },
            Err(SwapError::Balance {
                trader: 5,
                balance: TRADER_BALANCE,
                amount: TRADER_BALANCE + 1,
            }),
        );
    }

    #[test]
    fn fnv_is_the_published_one() {
        assert_eq!(fnv([]), 0xcbf2_9ce4_8422_2325);
        // FNV-1a 64 of 32 bytes: one of value 1, then zeros.
        let naive = (0..32).fold(0xcbf2_9ce4_8422_2325u64, |hash, index| {
            (hash ^ u64::from(index == 0)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(fnv([[1, 0]]), naive);
    }
}
