//! revm: contracts written in Solidity, one transaction for each swap.
//!
//! ```text
//! monolith   trader ──▶ Dex.swap
//! composed   trader ──▶ Pair.swap ──▶ Token.transferFrom, Token.transfer
//! ```
//!
//! Everything is done by transactions, the set-up too; state is read back by calls of views.

use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context as _, bail, ensure};
use revm::context::result::{ExecutionResult, Output};
use revm::context::{Context, TxEnv};
use revm::database::InMemoryDB;
use revm::handler::{MainnetContext, MainnetEvm};
use revm::primitives::{Address, Bytes, TxKind, U256, hex};
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext};
use std::collections::BTreeSet;
use std::time::Instant;
use tollway_benches::swaps::model::{FEE_BP, TOKENS, TRADER_BALANCE, TRADERS};
use tollway_benches::swaps::{Checksums, Swap, Variant};

const NOTE: &str = "\
contracts in Solidity (evm/), one transaction a swap over an in-memory CacheDB, the state committed
  once a block; gas, nonces and balances checked, gas price 0.";

/// Creation code, as hexadecimal digits.
const DEX: &str = include_str!("../../evm/Dex.bin");
const PAIR: &str = include_str!("../../evm/Pair.bin");
const TOKEN: &str = include_str!("../../evm/Token.bin");

// The first four bytes of the Keccak-256 hash of what is in the comment.
/// `createPool(uint256,uint112,uint112,uint16)`
const CREATE_POOL: [u8; 4] = [0x94, 0xd1, 0xf4, 0x13];
/// `credit(address,uint256)`
const CREDIT: [u8; 4] = [0xef, 0x65, 0x06, 0xdb];
/// `swap(uint256,bool,uint256,uint256)`
const SWAP_IN_POOL: [u8; 4] = [0x7a, 0x9d, 0x1a, 0xc4];
/// `pools(uint256)`
const POOLS: [u8; 4] = [0xac, 0x4a, 0xfa, 0x38];
/// `balances(address,uint256)`
const BALANCES: [u8; 4] = [0xcb, 0xf1, 0x30, 0x4d];
/// `mint(address,uint256)`
const MINT: [u8; 4] = [0x40, 0xc1, 0x0f, 0x19];
/// `approve(address,uint256)`
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
/// `balanceOf(address)`
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
/// `open(uint112,uint112)`
const OPEN: [u8; 4] = [0x67, 0xaa, 0x45, 0xbe];
/// `swap(bool,uint256,uint256)`
const SWAP: [u8; 4] = [0x08, 0xc8, 0x4c, 0x21];
/// `reserveA()`
const RESERVE_A: [u8; 4] = [0xdc, 0x5f, 0xa6, 0xc5];
/// `reserveB()`
const RESERVE_B: [u8; 4] = [0x19, 0xe3, 0x6f, 0x3b];

/// What a swap gets to spend; it needs less than half.
const GAS_LIMIT: u64 = 500_000;

/// What a creation of a contract gets to spend.
const CREATE_GAS_LIMIT: u64 = 5_000_000;

pub(crate) fn peers() -> Vec<Peer> {
    Variant::ALL
        .map(|variant| Peer {
            name: "revm",
            version: env!("VERSION_REVM"),
            variant,
            threads: 1,
            unit: "gas",
            note: NOTE,
            open: |peer, setup| Ok(Box::new(Revm::new(peer.variant, setup)?)),
        })
        .into()
}

struct Revm {
    evm: MainnetEvm<MainnetContext<InMemoryDB>>,
    contracts: Contracts,
    pools: u32,
    /// The next nonce of each trader; the last one is the operator's.
    nonces: Vec<u64>,
}

enum Contracts {
    Monolith { dex: Address },
    Composed { tokens: [Address; 2], pairs: Vec<Address> },
}

/// The number of the account that does the set-up.
const OPERATOR: u32 = TRADERS;

/// The account of a trader, or of [`OPERATOR`].
fn account(number: u32) -> Address {
    // Not near the precompiles.
    Address::left_padding_from(&(0x7261_6465_0000_0000 | u64::from(number)).to_be_bytes())
}

/// A selector and its arguments.
fn encode(selector: [u8; 4], arguments: &[U256]) -> Bytes {
    let mut data = selector.to_vec();
    for argument in arguments {
        data.extend(argument.to_be_bytes::<32>());
    }
    data.into()
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

impl Revm {
    fn new(variant: Variant, setup: &Setup<'_>) -> anyhow::Result<Self> {
        let evm = Context::mainnet().with_db(InMemoryDB::default()).build_mainnet();
        let contracts = Contracts::Monolith { dex: Address::ZERO };
        let nonces = vec![0; TRADERS as usize + 1];
        let mut this = Self { evm, contracts, pools: setup.reserves.len() as u32, nonces };
        this.contracts = match variant {
            Variant::Monolith => this.set_up_monolith(setup)?,
            Variant::Composed => this.set_up_composed(setup)?,
        };
        Ok(this)
    }

    fn set_up_monolith(&mut self, setup: &Setup<'_>) -> anyhow::Result<Contracts> {
        let dex = self.create(DEX, &[])?;
        let fee = U256::from(FEE_BP / 10);
        for (pool, [a, b]) in (0u32..).zip(setup.reserves) {
            let arguments = [U256::from(pool), U256::from(*a), U256::from(*b), fee];
            self.send(OPERATOR, dex, CREATE_POOL, &arguments)?;
        }
        for number in 0..TRADERS {
            let arguments = [word(account(number)), U256::from(TRADER_BALANCE)];
            self.send(OPERATOR, dex, CREDIT, &arguments)?;
        }
        Ok(Contracts::Monolith { dex })
    }

    fn set_up_composed(&mut self, setup: &Setup<'_>) -> anyhow::Result<Contracts> {
        let tokens = [self.create(TOKEN, &[])?, self.create(TOKEN, &[])?];
        for token in tokens {
            let plenty = U256::from(u128::MAX);
            self.send(OPERATOR, token, MINT, &[word(account(OPERATOR)), plenty])?;
            for number in 0..TRADERS {
                let arguments = [word(account(number)), U256::from(TRADER_BALANCE)];
                self.send(OPERATOR, token, MINT, &arguments)?;
            }
        }
        let [a, b] = tokens.map(word);
        let mut pairs = Vec::new();
        for (index, [x, y]) in setup.reserves.iter().enumerate() {
            let pair = self.create(PAIR, &[a, b, U256::from(FEE_BP / 10)])?;
            for token in tokens {
                self.send(OPERATOR, token, APPROVE, &[word(pair), U256::MAX])?;
            }
            self.send(OPERATOR, pair, OPEN, &[U256::from(*x), U256::from(*y)])?;
            pairs.push(pair);
            (setup.progress)(index as u64, setup.reserves.len() as u64);
        }
        let used: BTreeSet<(u32, u32, u32)> = setup
            .swaps
            .iter()
            .flatten()
            .map(|swap| (swap.trader, swap.pool, swap.token_in()))
            .collect();
        for (trader, pool, token) in used {
            let arguments = [word(pairs[pool as usize]), U256::MAX];
            self.send(trader, tokens[token as usize], APPROVE, &arguments)?;
        }
        Ok(Contracts::Composed { tokens, pairs })
    }

    /// A transaction that follows the sender's last.
    fn transaction(&mut self, from: u32, kind: TxKind, data: Bytes, gas_limit: u64) -> TxEnv {
        let nonce = self.nonces[from as usize];
        self.nonces[from as usize] += 1;
        TxEnv { caller: account(from), gas_limit, kind, data, nonce, ..TxEnv::default() }
    }

    fn create(&mut self, code: &str, arguments: &[U256]) -> anyhow::Result<Address> {
        let mut data = hex::decode(code.trim())?;
        for argument in arguments {
            data.extend(argument.to_be_bytes::<32>());
        }
        let transaction = self.transaction(OPERATOR, TxKind::Create, data.into(), CREATE_GAS_LIMIT);
        match self.evm.transact_commit(transaction)? {
            ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } => {
                Ok(address)
            }
            other => bail!("a creation ended in {other:?}"),
        }
    }

    fn send(
        &mut self,
        from: u32,
        to: Address,
        selector: [u8; 4],
        arguments: &[U256],
    ) -> anyhow::Result<()> {
        let data = encode(selector, arguments);
        let transaction = self.transaction(from, TxKind::Call(to), data, GAS_LIMIT);
        let result = self.evm.transact_commit(transaction)?;
        ensure!(result.is_success(), "a call of the set-up ended in {result:?}");
        Ok(())
    }

    /// Calls a view; what it returns starts with `N` numbers.
    fn view<const N: usize>(
        &mut self,
        to: Address,
        selector: [u8; 4],
        arguments: &[U256],
    ) -> anyhow::Result<[u128; N]> {
        let data = encode(selector, arguments);
        let transaction = self.transaction(OPERATOR, TxKind::Call(to), data, GAS_LIMIT);
        // Its state is dropped, so the nonce stays.
        self.nonces[OPERATOR as usize] -= 1;
        let result = self.evm.transact(transaction)?.result;
        let output = result.output().context("a view failed")?;
        let mut numbers = [0; N];
        for (number, word) in numbers.iter_mut().zip(output.chunks_exact(32)) {
            *number = U256::from_be_slice(word).try_into()?;
        }
        ensure!(output.len() >= 32 * N, "a view returned {output}");
        Ok(numbers)
    }

    fn swap(&mut self, swap: &Swap) -> TxEnv {
        let reversed = U256::from(swap.token_in());
        let amounts = [U256::from(swap.amount_in), U256::from(swap.min_out)];
        let (to, data) = match &self.contracts {
            Contracts::Monolith { dex } => {
                let arguments = [U256::from(swap.pool), reversed, amounts[0], amounts[1]];
                (*dex, encode(SWAP_IN_POOL, &arguments))
            }
            Contracts::Composed { pairs, .. } => {
                let arguments = [reversed, amounts[0], amounts[1]];
                (pairs[swap.pool as usize], encode(SWAP, &arguments))
            }
        };
        self.transaction(swap.trader, TxKind::Call(to), data, GAS_LIMIT)
    }

    fn reserves(&mut self, pool: u32) -> anyhow::Result<[u128; 2]> {
        match &self.contracts {
            Contracts::Monolith { dex } => {
                let dex = *dex;
                self.view(dex, POOLS, &[U256::from(pool)])
            }
            Contracts::Composed { pairs, .. } => {
                let pair = pairs[pool as usize];
                let [a] = self.view(pair, RESERVE_A, &[])?;
                let [b] = self.view(pair, RESERVE_B, &[])?;
                Ok([a, b])
            }
        }
    }

    fn balance(&mut self, number: u32, token: u32) -> anyhow::Result<u128> {
        let owner = word(account(number));
        let [balance] = match &self.contracts {
            Contracts::Monolith { dex } => {
                let dex = *dex;
                self.view(dex, BALANCES, &[owner, U256::from(token)])?
            }
            Contracts::Composed { tokens, .. } => {
                let token = tokens[token as usize];
                self.view(token, BALANCE_OF, &[owner])?
            }
        };
        Ok(balance)
    }
}

impl Engine for Revm {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let transactions: Vec<_> = swaps.iter().map(|swap| self.swap(swap)).collect();
        let clock = Instant::now();
        let results = self.evm.transact_many_commit(transactions.into_iter())?;
        let elapsed = clock.elapsed();
        let mut metered = 0;
        for (swap, result) in swaps.iter().zip(&results) {
            ensure!(result.is_success(), "a swap ended in {result:?}");
            let out = U256::from_be_slice(result.output().context("no output")?);
            ensure!(out == U256::from(swap.out), "gave {out}, not {}", swap.out);
            metered += result.tx_gas_used();
        }
        Ok(Sample { elapsed, metered })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        let reserves =
            (0..self.pools).map(|pool| self.reserves(pool)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut balances = Vec::new();
        for number in 0..TRADERS {
            let [a, b] = TOKENS.map(|token| self.balance(number, token));
            balances.push([a?, b?]);
        }
        Ok(Checksums::new(reserves, balances))
    }
}
