//! What all contracts of the suite stand on: accounts, tokens, and a clock.

use super::access::{without_adds, without_immutables};
use crate::Progress;
use crate::contracts::{
    OPERATOR, call, expect_returned, expect_success, next_block, set_up, time_ms,
};
use crate::swaps::random::Random;
use borsh::BorshSerialize;
use std::collections::BTreeMap;
use tollway::{Address, Block, Call, CodeHash, Config, Gas, Instantiate, Receipt, Runtime};
use tollway_contracts_wasm::TOKEN;

/// Accounts, unless a test needs fewer.
pub const USERS: usize = 10_000;

/// What every account holds of every token at the start: more than a run of any length takes.
pub(super) const BALANCE: u128 = 1 << 90;

/// Tokens that every account holds.
pub(super) const TOKENS: usize = 4;

/// The account of a user.
pub fn user(number: usize) -> Address {
    Address::from_u64(0x7573_6572_0000_0000 | number as u64)
}

/// Which access sections contracts are deployed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Declared {
    /// Their own.
    #[default]
    AsWritten,
    /// Every `add` as a `write`.
    AddsAsWrites,
    /// Nothing for methods whose own needs immutables, as if these were state.
    WithoutImmutables,
}

/// Where and when a call will run.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The number of its block, from 0: the first after the set-up.
    pub block: usize,
    /// The height of its block.
    pub height: u64,
    /// The block's time in milliseconds.
    pub time_ms: u64,
    /// How many accounts there are.
    pub users: usize,
    /// The call's place in its block, from 0.
    pub index: usize,
}

/// One kind of work, set up in a world.
pub trait Part {
    /// The next call. It must succeed, whatever other parts do in between.
    fn call(&mut self, random: &mut Random, at: At) -> Call;
}

/// A runtime with accounts and tokens, in which parts set up what they need.
pub struct World<'p> {
    runtime: Runtime,
    declared: Declared,
    codes: BTreeMap<Vec<u8>, CodeHash>,
    contracts: u64,
    /// How many accounts there are.
    pub users: usize,
    /// The tokens that every account holds.
    pub tokens: [Address; TOKENS],
    /// The oracle that all read prices from, once there is one.
    pub(super) oracle: Option<Address>,
    progress: Progress<'p>,
}

impl<'p> World<'p> {
    /// Accounts with tokens. Progress counts the calls of each part of the set-up.
    ///
    /// # Errors
    /// If a call of the set-up fails.
    pub fn new(
        config: Config,
        declared: Declared,
        users: usize,
        progress: Progress<'p>,
    ) -> anyhow::Result<Self> {
        let mut world = Self {
            runtime: Runtime::new(config)?,
            declared,
            codes: BTreeMap::new(),
            contracts: 0,
            users,
            tokens: [Address::ZERO; TOKENS],
            oracle: None,
            progress,
        };
        for token in 0..TOKENS {
            let address = world.deploy(TOKEN, (OPERATOR,), ())?;
            world.tokens[token] = address;
            let mint = |number| call(OPERATOR, address, "mint", (user(number), BALANCE));
            world.set_up((0..users).map(mint).collect())?;
        }
        Ok(world)
    }

    /// Makes a contract of [`OPERATOR`]'s. Immutables and arguments of `init` are tuples.
    ///
    /// # Errors
    /// If the runtime refuses.
    pub fn deploy(
        &mut self,
        wasm: &[u8],
        immutables: impl BorshSerialize,
        init: impl BorshSerialize,
    ) -> anyhow::Result<Address> {
        let code = match self.codes.get(wasm) {
            Some(code) => *code,
            None => {
                let code = match self.declared {
                    Declared::AsWritten => self.runtime.upload(wasm)?,
                    Declared::AddsAsWrites => self.runtime.upload(&without_adds(wasm)?)?,
                    Declared::WithoutImmutables => {
                        self.runtime.upload(&without_immutables(wasm)?)?
                    }
                };
                self.codes.insert(wasm.to_vec(), code);
                code
            }
        };
        self.contracts += 1;
        Ok(self.runtime.instantiate(Instantiate {
            code,
            creator: OPERATOR,
            salt: self.contracts,
            immutables: borsh::to_vec(&immutables)?,
            args: borsh::to_vec(&init)?,
            gas_limit: Gas(10_000_000),
        })?)
    }

    /// Runs calls in ordinary blocks.
    ///
    /// # Errors
    /// If one does not succeed.
    pub fn set_up(&mut self, calls: Vec<Call>) -> anyhow::Result<()> {
        set_up(&mut self.runtime, &calls, self.progress)
    }

    /// Lets a contract move all that every account holds of a token.
    ///
    /// # Errors
    /// If a call does not succeed.
    pub fn approve(&mut self, token: Address, spender: Address) -> anyhow::Result<()> {
        let approve = |number| call(user(number), token, "approve", (spender, u128::MAX));
        self.set_up((0..self.users).map(approve).collect())
    }

    /// Where and when the first call of a block will run, counted from now.
    pub fn at(&self, block: usize) -> At {
        let height = self.runtime.head().0 + 1 + block as u64;
        At { block, height, time_ms: time_ms(height), users: self.users, index: 0 }
    }

    /// The runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The same, to execute and commit blocks.
    pub fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    /// Checks that all calls of a block succeeded and, unless they were made to declare less, touched
    /// nothing that they do not declare.
    ///
    /// # Errors
    /// Names the first call that did not.
    pub fn expect(&self, block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
        match self.declared {
            Declared::AsWritten | Declared::AddsAsWrites => expect_success(block, receipts),
            Declared::WithoutImmutables => expect_returned(block, receipts),
        }
    }

    /// A block at the next height.
    pub fn block(&self, calls: Vec<Call>) -> Block {
        next_block(&self.runtime, calls)
    }
}
