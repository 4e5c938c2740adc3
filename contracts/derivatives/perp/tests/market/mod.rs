//! A quote token, an oracle, and perpetual futures.

use tollway_contracts_wasm::{ORACLE, PERP, TOKEN};
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

pub(crate) const SCALE: u128 = 100_000_000;
pub(crate) const PRICE_AGE_MS: u64 = 60_000;
pub(crate) const SKEW_FULL: u128 = 1_000_000;
pub(crate) const FUNDING_PPM: u32 = 864_000;

/// Size, cost, margin, reserve and index.
pub(crate) type Position = (u128, i128, u128, u128, i128);

pub(crate) struct Market {
    pub(crate) chain: TestChain,
    pub(crate) provider: Address,
    pub(crate) reporter: Address,
    pub(crate) oracle: Contract,
    pub(crate) quote: Contract,
    pub(crate) perp: Contract,
}

impl Market {
    /// 10 % to open, 5 % to keep, 1 % for liquidators, and a fee.
    pub(crate) fn new(threads: usize, fee_bp: u16, pool: u128) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let [provider, reporter] = chain.accounts(["provider", "reporter"]);
        let oracle = chain.deploy_by(provider, ORACLE, &(provider, 1u8, u64::MAX), vec![reporter]);
        let quote = chain.deploy(TOKEN, &provider);
        let terms = (1_000u16, 500u16, 100u16, fee_bp, PRICE_AGE_MS, FUNDING_PPM, SKEW_FULL);
        let immutables = (quote.address, oracle.address, 0u32, provider, terms);
        let perp = chain.deploy(PERP, &immutables);
        chain.also_native(oracle, &tollway_contract_oracle::oracle::NATIVE);
        chain.also_native(quote, &tollway_contract_token::token::NATIVE);
        chain.also_native(perp, &tollway_contract_perp::perp::NATIVE);
        let mut market = Self { chain, provider, reporter, oracle, quote, perp };
        let calls = [
            quote.call(provider, "mint", (provider, pool)),
            quote.call(provider, "approve", (perp.address, u128::MAX - 1)),
            perp.call(provider, "deposit", pool),
        ];
        market.chain.block(calls).succeeded();
        market
    }

    /// Accounts that have the quote token and let the contract take it.
    pub(crate) fn users(&mut self, count: usize, amount: u128) -> Vec<Address> {
        let users: Vec<Address> =
            (0..count).map(|number| self.chain.account(&format!("user {number}"))).collect();
        let calls = users.iter().flat_map(|user| {
            let minted = self.quote.call(self.provider, "mint", (*user, amount));
            [minted, self.quote.call(*user, "approve", (self.perp.address, u128::MAX - 1))]
        });
        let calls: Vec<Call> = calls.collect();
        self.chain.block(calls).succeeded();
        users
    }

    /// What a block has to start with for the oracle to have a price.
    pub(crate) fn priced(&self, price: u128) -> [Call; 2] {
        let reported = self.oracle.call(self.reporter, "report", (0u8, 0u32, price));
        [reported, self.oracle.call(self.reporter, "update", 0u32)]
    }

    pub(crate) fn set_price(&mut self, price: u128) {
        let calls = self.priced(price);
        self.chain.block(calls).succeeded();
    }

    /// At any price.
    pub(crate) fn open(&self, by: Address, long: bool, size: u128, margin: u128) -> Call {
        let limit = if long { u128::MAX } else { 0 };
        self.perp.call(by, "open", (long, size, margin, limit))
    }

    pub(crate) fn close(&self, by: Address, long: bool, size: u128) -> Call {
        let limit = if long { 0 } else { u128::MAX };
        self.perp.call(by, "close", (long, size, limit))
    }

    pub(crate) fn held(&self, owner: Address) -> u128 {
        self.chain.query(self.quote, "balance_of", owner)
    }

    pub(crate) fn free(&self) -> u128 {
        self.chain.query(self.perp, "free", ())
    }

    pub(crate) fn position(&self, trader: Address, long: bool) -> Option<Position> {
        self.chain.query(self.perp, "position", (trader, long))
    }

    /// What the contract holds is what the pool has free, and margins and reserves.
    pub(crate) fn assert_covered(&self, traders: &[Address]) {
        let mut owed = self.free();
        for side in [true, false] {
            let positions = traders.iter().filter_map(|trader| self.position(*trader, side));
            let mut open = 0;
            for (size, _, margin, reserve, _) in positions {
                owed += margin + reserve;
                open += size;
            }
            let counted: u128 = self.chain.query(self.perp, "open_interest", side);
            assert_eq!(counted, open, "long: {side}");
        }
        assert_eq!(self.held(self.perp.address), owed);
    }
}
