//! Three currencies with pairs between them, the router, invoices, and the checkout.

use tollway_contracts_wasm::{INVOICE, PAIR, PAY, ROUTER, TOKEN};
use tollway_interfaces::{Hop, InvoiceTerms, PairRef, Path, TokenRef};
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

pub(crate) const WEALTH: u128 = 1_000_000_000;

/// In ten-thousandths.
pub(crate) const FEE_BP: u16 = 30;

/// What each pair trades: currency 0 is the merchants'.
pub(crate) const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (2, 1)];

#[allow(dead_code, reason = "each test uses a part of it")]
pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) tokens: Vec<Contract>,
    pub(crate) pairs: Vec<Contract>,
    pub(crate) invoices: Contract,
    pub(crate) pay: Contract,
    pub(crate) merchant: Address,
}

#[allow(dead_code, reason = "each test uses a part of it")]
impl World {
    pub(crate) fn new(config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let [merchant, provider] = chain.accounts(["merchant", "provider"]);
        let tokens: Vec<Contract> = (0..3).map(|_| chain.deploy(TOKEN, &provider)).collect();
        let mut pairs = Vec::new();
        for (a, b) in PAIRS {
            let [token0, token1] = [tokens[a], tokens[b]];
            let pair = chain.deploy(PAIR, &(token0.address, token1.address, FEE_BP));
            let mut calls = Vec::new();
            for token in [token0, token1] {
                calls.push(token.call(provider, "mint", (provider, WEALTH)));
                calls.push(token.call(provider, "approve", (pair.address, u128::MAX)));
            }
            calls.push(pair.call(
                provider,
                "add_liquidity",
                (10_000_000u128, 20_000_000u128, 0u128),
            ));
            chain.block(calls).succeeded();
            pairs.push(pair);
        }
        let router = chain.deploy(ROUTER, &());
        let invoices = chain.deploy(INVOICE, &());
        let pay = chain.deploy(PAY, &(router.address, invoices.address));
        for token in &tokens {
            chain.also_native(*token, &tollway_contract_token::token::NATIVE);
        }
        for pair in &pairs {
            chain.also_native(*pair, &tollway_contract_pair::pair::NATIVE);
        }
        chain.also_native(router, &tollway_contract_router::router::NATIVE);
        chain.also_native(invoices, &tollway_contract_invoice::invoice::NATIVE);
        chain.also_native(pay, &tollway_contract_pay::pay::NATIVE);
        Self { chain, tokens, pairs, invoices, pay, merchant }
    }

    /// An account that has of every currency and approved the checkout.
    pub(crate) fn payer(&mut self, name: &str) -> Address {
        let [provider, payer] = self.chain.accounts(["provider", name]);
        let mut calls = Vec::new();
        for token in &self.tokens {
            calls.push(token.call(provider, "mint", (payer, WEALTH)));
            calls.push(token.call(payer, "approve", (self.pay.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        payer
    }

    /// The way over these pairs from a currency to the checkout.
    pub(crate) fn path(&self, mut token: usize, pairs: &[usize]) -> Path {
        let mut hops = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            let (a, b) = PAIRS[*pair];
            let other = a + b - token;
            let next = pairs.get(at + 1).map_or(self.pay.address, |next| self.pairs[*next].address);
            hops.push(Hop {
                pair: PairRef(self.pairs[*pair].address),
                token_in: TokenRef(self.tokens[token].address),
                token_out: TokenRef(self.tokens[other].address),
                to: next,
            });
            token = other;
        }
        Path { first: hops[0], rest: hops[1..].into() }
    }

    /// What has to go in over these pairs for `amount`, by the formula of the pairs.
    pub(crate) fn needed(&self, token: usize, pairs: &[usize], amount: u128) -> u128 {
        let mut way = Vec::new();
        let mut token = token;
        for pair in pairs {
            let (a, b) = PAIRS[*pair];
            let (reserve0, reserve1): (u128, u128) =
                self.chain.query(self.pairs[*pair], "reserves", ());
            way.push(if token == a { (reserve0, reserve1) } else { (reserve1, reserve0) });
            token = a + b - token;
        }
        // The least that brings as much: found by trying, from an estimate that is too small.
        way.into_iter().rev().fold(amount, |amount, (x, y)| {
            let brings = |dx: u128| {
                let after_fee = dx * (10_000 - u128::from(FEE_BP));
                after_fee * y / (x * 10_000 + after_fee)
            };
            let from = (x * amount / (y - amount)).max(2) - 2;
            (from..).find(|dx| brings(*dx) >= amount).expect("the pair has enough")
        })
    }

    pub(crate) fn quote_call(
        &self,
        order: u128,
        amount: u128,
        payer: Address,
        expiry_ms: u64,
    ) -> Call {
        let quote = (self.tokens[0].address, amount, payer, expiry_ms);
        self.pay.call(self.merchant, "quote", (order, quote))
    }

    pub(crate) fn quote(&mut self, order: u128, amount: u128) {
        let call = self.quote_call(order, amount, Address::ZERO, u64::MAX);
        self.chain.run(call).succeeded();
    }

    pub(crate) fn issue(&mut self, number: u128, amount: u128) {
        let terms = InvoiceTerms {
            token: TokenRef(self.tokens[0].address),
            payer: Address::ZERO,
            amount,
            late_fee: 0,
            due_ms: u64::MAX,
            expiry_ms: u64::MAX,
        };
        let issue = self.invoices.call(self.merchant, "issue", (number, terms, [0u8; 32]));
        self.chain.run(issue).succeeded();
    }

    /// `pay_with` and `pay_invoice_with`.
    pub(crate) fn with(
        &self,
        method: &str,
        by: Address,
        id: u128,
        path: &Path,
        max_in: u128,
    ) -> Call {
        self.pay.call(by, method, (self.merchant, id, self.tokens[0].address, path, max_in))
    }

    pub(crate) fn balance(&self, token: usize, owner: Address) -> u128 {
        self.chain.query(self.tokens[token], "balance_of", owner)
    }
}
