//! A chain with an order book, its tokens, and traders who have some.

use tollway_contract_clob::clob::{self, Kind, Outcome, Side};
use tollway_contract_token::token;
use tollway_contracts_wasm::{CLOB, TOKEN};
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

/// What each trader has of each token.
pub(crate) const WEALTH: u128 = 1 << 100;

pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) clob: Contract,
    /// Base and quote, base and quote.
    pub(crate) tokens: [Contract; 4],
}

#[allow(dead_code, reason = "each of the two tests uses a part of it")]
impl World {
    pub(crate) fn new(threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let owner = chain.account("owner");
        let tokens = [(); 4].map(|()| chain.deploy(TOKEN, &owner));
        let clob = chain.deploy(CLOB, &());
        for token in &tokens {
            chain.also_native(*token, &token::NATIVE);
        }
        chain.also_native(clob, &clob::NATIVE);
        Self { chain, clob, tokens }
    }

    /// A market of the first two tokens, or of the last two.
    pub(crate) fn market(&mut self, second: bool, unit: u128, tick: u128, lot: u128) -> u128 {
        let owner = self.chain.account("owner");
        let [base, quote] = self.legs(second).map(|token| token.address);
        let call = self.clob.call(owner, "create", (base, quote, unit, tick, lot));
        self.chain.run(call).returned()
    }

    pub(crate) fn legs(&self, second: bool) -> [Contract; 2] {
        let at = if second { 2 } else { 0 };
        [self.tokens[at], self.tokens[at + 1]]
    }

    /// An account with tokens that the book may take.
    pub(crate) fn trader(&mut self, name: &str) -> Address {
        let owner = self.chain.account("owner");
        let trader = self.chain.account(name);
        let mut calls = Vec::new();
        for token in self.tokens {
            calls.push(token.call(owner, "mint", (trader, WEALTH)));
            calls.push(token.call(trader, "approve", (self.clob.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        trader
    }

    /// The same with this much of both tokens deposited in a market of the first two.
    pub(crate) fn trader_in(
        &mut self,
        market: u128,
        name: &str,
        base: u128,
        quote: u128,
    ) -> Address {
        let trader = self.trader(name);
        let calls = [(self.tokens[0], base), (self.tokens[1], quote)]
            .map(|(token, amount)| self.deposit(trader, market, token, amount));
        self.chain.block(calls).succeeded();
        trader
    }

    pub(crate) fn deposit(&self, by: Address, market: u128, token: Contract, amount: u128) -> Call {
        self.clob.call(by, "deposit", (market, token.address, amount))
    }

    pub(crate) fn withdraw(
        &self,
        by: Address,
        market: u128,
        token: Contract,
        amount: u128,
    ) -> Call {
        self.clob.call(by, "withdraw", (market, token.address, amount))
    }

    pub(crate) fn order(
        &self,
        by: Address,
        market: u128,
        side: Side,
        price: u128,
        amount: u128,
        kind: Kind,
    ) -> Call {
        self.clob.call(by, "place", (market, side, price, amount, kind))
    }

    pub(crate) fn cancel(
        &self,
        by: Address,
        market: u128,
        side: Side,
        price: u128,
        id: u128,
    ) -> Call {
        self.clob.call(by, "cancel", (market, side, price, id))
    }

    pub(crate) fn place(
        &mut self,
        by: Address,
        market: u128,
        side: Side,
        price: u128,
        amount: u128,
        kind: Kind,
    ) -> Outcome {
        let call = self.order(by, market, side, price, amount, kind);
        self.chain.run(call).returned()
    }

    pub(crate) fn free(&self, market: u128, account: Address) -> (u128, u128) {
        self.chain.query(self.clob, "balances", (market, account))
    }

    pub(crate) fn held(&self, token: Contract, owner: Address) -> u128 {
        self.chain.query(token, "balance_of", owner)
    }
}
