//! Two tokens, an oracle, and options on one of the tokens in the other.

use tollway_contracts_wasm::{OPTIONS, ORACLE, TOKEN};
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

pub(crate) const SCALE: u128 = 100_000_000;
pub(crate) const SETTLE_MS: u64 = 20_000;
pub(crate) const EXERCISE_MS: u64 = 10_000;
const FEED: u32 = 4;

/// Strike and expiry.
pub(crate) type Series = (u128, u64);

/// Calls are the first kind, puts the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Put,
}

pub(crate) struct Market {
    pub(crate) chain: TestChain,
    pub(crate) owner: Address,
    pub(crate) reporter: Address,
    pub(crate) oracle: Contract,
    pub(crate) base: Contract,
    pub(crate) quote: Contract,
    pub(crate) calls: Contract,
    pub(crate) puts: Contract,
}

impl Market {
    pub(crate) fn new(threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let [owner, reporter] = chain.accounts(["owner", "reporter"]);
        let oracle = chain.deploy_by(owner, ORACLE, &(owner, 1u8, 3_600_000u64), vec![reporter]);
        let [base, quote] = [(); 2].map(|()| chain.deploy(TOKEN, &owner));
        let mut deploy = |kind: u8, collateral: Contract| {
            let immutables = (
                kind,
                collateral.address,
                quote.address,
                oracle.address,
                FEED,
                SETTLE_MS,
                EXERCISE_MS,
            );
            chain.deploy(OPTIONS, &immutables)
        };
        let calls = deploy(0, base);
        let puts = deploy(1, quote);
        chain.also_native(oracle, &tollway_contract_oracle::oracle::NATIVE);
        chain.also_native(base, &tollway_contract_token::token::NATIVE);
        chain.also_native(quote, &tollway_contract_token::token::NATIVE);
        chain.also_native(calls, &tollway_contract_options::options::NATIVE);
        chain.also_native(puts, &tollway_contract_options::options::NATIVE);
        Self { chain, owner, reporter, oracle, base, quote, calls, puts }
    }

    pub(crate) fn of(&self, kind: Kind) -> (Contract, Contract) {
        match kind {
            Kind::Call => (self.calls, self.base),
            Kind::Put => (self.puts, self.quote),
        }
    }

    /// Accounts that have both tokens, and let both contracts take them.
    pub(crate) fn users(&mut self, count: usize, amount: u128) -> Vec<Address> {
        let users: Vec<Address> =
            (0..count).map(|number| self.chain.account(&format!("user {number}"))).collect();
        let mut calls = Vec::new();
        for user in &users {
            for token in [self.base, self.quote] {
                calls.push(token.call(self.owner, "mint", (*user, amount)));
                for options in [self.calls, self.puts] {
                    calls.push(token.call(*user, "approve", (options.address, u128::MAX - 1)));
                }
            }
        }
        self.chain.block(calls).succeeded();
        users
    }

    /// What a block has to start with for the oracle to have a price.
    pub(crate) fn priced(&self, price: u128) -> [Call; 2] {
        let reported = self.oracle.call(self.reporter, "report", (0u8, FEED, price));
        [reported, self.oracle.call(self.reporter, "update", FEED)]
    }

    /// Runs to the first block that is not before `time_ms`.
    pub(crate) fn run_to(&mut self, time_ms: u64) {
        self.chain.pass_ms(time_ms.saturating_sub(self.chain.time_ms() + 1_000));
    }

    pub(crate) fn held(&self, token: Contract, owner: Address) -> u128 {
        self.chain.query(token, "balance_of", owner)
    }
}
