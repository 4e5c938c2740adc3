//! The exchange of the workload as contracts in a runtime, set up and ready for its blocks.
//!
//! ```text
//! monolith   dex: all pools, all balances               trader ──▶ dex.swap
//! composed   a pair for each pool, two tokens           trader ──▶ pair.swap_0_for_1 ──▶ tokens
//! ```

use super::model::{Checksums, FEE_BP, TOKENS, TRADER_BALANCE, TRADERS};
use super::workload::Swap;
use crate::Progress;
use crate::contracts::{OPERATOR, SET_UP_CALLS_MAX, call, instantiate, next_block, query, set_up};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use tollway::{Address, Block, Call, Config, Runtime};
use tollway_contracts_wasm::{DEX, PAIR, TOKEN};

/// How the exchange is cut into contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// One contract holds all pools and balances.
    Monolith,
    /// A pair contract for each pool, which calls two token contracts.
    Composed,
}

impl Variant {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Monolith, Self::Composed];

    /// Its word on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monolith => "monolith",
            Self::Composed => "composed",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown variant {name:?}: expected monolith or composed")]
pub struct UnknownVariant {
    name: String,
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        found.ok_or_else(|| UnknownVariant { name: name.into() })
    }
}

/// The contracts of an exchange.
enum Contracts {
    Monolith { dex: Address },
    Composed { tokens: [Address; 2], pairs: Vec<Address> },
}

/// An exchange that traders can use.
pub struct Exchange {
    runtime: Runtime,
    contracts: Contracts,
    pools: u32,
}

/// The account of a trader of the workload.
pub fn trader(number: u32) -> Address {
    // Not near any small number that a test might use as an address.
    Address::from_u64(0x7261_6465_0000_0000 | u64::from(number))
}

impl Exchange {
    /// Sets up pools with these reserves, and everything that traders need for `swaps`: balances
    /// and approvals. Progress counts calls.
    ///
    /// # Errors
    /// If a part of the set-up fails.
    pub fn new(
        variant: Variant,
        reserves: &[[u128; 2]],
        swaps: &[Vec<Swap>],
        config: Config,
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        Self::on(Runtime::new(config)?, variant, reserves, swaps, progress)
    }

    /// As [`Self::new`], on a runtime that was made or opened before.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn on(
        mut runtime: Runtime,
        variant: Variant,
        reserves: &[[u128; 2]],
        swaps: &[Vec<Swap>],
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        let (contracts, calls) = match variant {
            Variant::Monolith => monolith(&mut runtime, reserves)?,
            Variant::Composed => composed(&mut runtime, reserves, swaps)?,
        };
        set_up(&mut runtime, &calls, progress)?;
        Ok(Self { runtime, contracts, pools: reserves.len() as u32 })
    }

    /// Gives so many further accounts a balance of the first token, in blocks of credits, so that
    /// the state is as large as a chain's. None of them swaps. Progress counts calls.
    ///
    /// # Errors
    /// If a credit fails.
    pub fn add_accounts(&mut self, accounts: u32, progress: Progress<'_>) -> anyhow::Result<()> {
        let mut done = 0;
        while done < accounts {
            let some = (accounts - done).min(SET_UP_CALLS_MAX as u32);
            // Traders come first.
            let calls: Vec<Call> =
                (done..done + some).map(|number| self.credit(trader(TRADERS + number))).collect();
            set_up(&mut self.runtime, &calls, &|_, _| ())?;
            done += some;
            progress(done.into(), accounts.into());
        }
        Ok(())
    }

    fn credit(&self, account: Address) -> Call {
        match &self.contracts {
            Contracts::Monolith { dex } => {
                call(OPERATOR, *dex, "credit", (account, TOKENS[0], TRADER_BALANCE))
            }
            Contracts::Composed { tokens, .. } => {
                call(OPERATOR, tokens[0], "mint", (account, TRADER_BALANCE))
            }
        }
    }

    /// The runtime that it is in.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The same, to execute and commit blocks.
    pub fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    /// A block of swaps at the next height.
    pub fn block(&self, swaps: &[Swap]) -> Block {
        next_block(&self.runtime, swaps.iter().map(|swap| self.call(swap)).collect())
    }

    fn call(&self, swap: &Swap) -> Call {
        let Swap { pool, amount_in, min_out, .. } = *swap;
        let caller = trader(swap.trader);
        match &self.contracts {
            Contracts::Monolith { dex } => {
                let args = (pool, swap.token_in(), swap.token_out(), amount_in, min_out);
                call(caller, *dex, "swap", args)
            }
            Contracts::Composed { pairs, .. } => {
                // Not `swap_exact_in`, whose access set has the keys of both directions.
                let method = if swap.reversed { "swap_1_for_0" } else { "swap_0_for_1" };
                call(caller, pairs[pool as usize], method, (amount_in, min_out, caller))
            }
        }
    }

    /// Checksums of the state, read back through views.
    ///
    /// # Errors
    /// If a view fails.
    pub fn checksums(&self) -> anyhow::Result<Checksums> {
        let reserves = (0..self.pools).map(|pool| self.reserves(pool));
        let balances = (0..TRADERS).map(|number| self.balances(number));
        Ok(Checksums::new(
            reserves.collect::<anyhow::Result<Vec<_>>>()?,
            balances.collect::<anyhow::Result<Vec<_>>>()?,
        ))
    }

    fn reserves(&self, pool: u32) -> anyhow::Result<[u128; 2]> {
        match &self.contracts {
            Contracts::Monolith { dex } => {
                let pool: (PoolConfig, [u128; 2]) = query(&self.runtime, *dex, "pool", (pool,))?;
                Ok(pool.1)
            }
            Contracts::Composed { pairs, .. } => {
                query(&self.runtime, pairs[pool as usize], "reserves", ())
            }
        }
    }

    fn balances(&self, number: u32) -> anyhow::Result<[u128; 2]> {
        let owner = trader(number);
        let balance = |token: usize| match &self.contracts {
            Contracts::Monolith { dex } => {
                query(&self.runtime, *dex, "balance", (owner, token as u32))
            }
            Contracts::Composed { tokens, .. } => {
                query(&self.runtime, tokens[token], "balance_of", (owner,))
            }
        };
        Ok([balance(0)?, balance(1)?])
    }
}

/// How the contract `dex` holds what a pool trades: both tokens, the fee in thousandths, and
/// whether the pool trades.
type PoolConfig = (u32, u32, u16, bool);

fn monolith(
    runtime: &mut Runtime,
    reserves: &[[u128; 2]],
) -> anyhow::Result<(Contracts, Vec<Call>)> {
    let code = runtime.upload(DEX)?;
    let dex = instantiate(runtime, code, 0, (OPERATOR,))?;
    let pools = (0u32..).zip(reserves).map(|(pool, reserves)| {
        let config: PoolConfig = (TOKENS[0], TOKENS[1], (FEE_BP / 10) as u16, true);
        call(OPERATOR, dex, "create_pool", (pool, config, *reserves))
    });
    let credits = (0..TRADERS).flat_map(|number| {
        TOKENS.map(|token| call(OPERATOR, dex, "credit", (trader(number), token, TRADER_BALANCE)))
    });
    Ok((Contracts::Monolith { dex }, pools.chain(credits).collect()))
}

fn composed(
    runtime: &mut Runtime,
    reserves: &[[u128; 2]],
    swaps: &[Vec<Swap>],
) -> anyhow::Result<(Contracts, Vec<Call>)> {
    let token = runtime.upload(TOKEN)?;
    let a = instantiate(runtime, token, 0, (OPERATOR,))?;
    let b = instantiate(runtime, token, 1, (OPERATOR,))?;
    let tokens = [a, b];
    let code = runtime.upload(PAIR)?;
    let pairs = (0..reserves.len() as u64)
        .map(|pool| instantiate(runtime, code, pool, (a, b, FEE_BP as u16)))
        .collect::<anyhow::Result<Vec<_>>>()?;

    let approve = |owner, token: u32, pool: u32| {
        call(owner, tokens[token as usize], "approve", (pairs[pool as usize], u128::MAX))
    };
    let mut calls = Vec::new();
    for token in TOKENS {
        let address = tokens[token as usize];
        let needed: u128 = reserves.iter().map(|pair| pair[token as usize]).sum();
        calls.push(call(OPERATOR, address, "mint", (OPERATOR, needed)));
        let traders = (0..TRADERS).map(trader);
        calls.extend(traders.map(|to| call(OPERATOR, address, "mint", (to, TRADER_BALANCE))));
    }
    for (pool, [a, b]) in (0u32..).zip(reserves) {
        calls.extend(TOKENS.map(|token| approve(OPERATOR, token, pool)));
        calls.push(call(OPERATOR, pairs[pool as usize], "add_liquidity", (*a, *b, 0u128)));
    }
    let used: BTreeSet<(u32, u32, u32)> =
        swaps.iter().flatten().map(|swap| (swap.trader, swap.pool, swap.token_in())).collect();
    calls
        .extend(used.into_iter().map(|(number, pool, token)| approve(trader(number), token, pool)));
    Ok((Contracts::Composed { tokens, pairs }, calls))
}
