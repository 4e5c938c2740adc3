//! An asset, who manages it, and holders in two countries.

use tollway_contracts_wasm::RWA;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

pub(crate) const ISSUER: u8 = 0;
pub(crate) const REGISTRAR: u8 = 1;
pub(crate) const CONTROLLER: u8 = 2;

pub(crate) const NORWAY: u16 = 578;
pub(crate) const JAPAN: u16 = 392;
pub(crate) const COUNTRIES: [u16; 2] = [NORWAY, JAPAN];

/// What a country's holders may have together.
pub(crate) const COUNTRY_LIMIT: u128 = 1_000_000;
/// What a holder may have.
pub(crate) const HOLDER_LIMIT: u128 = 100_000;

pub(crate) struct Registry {
    pub(crate) chain: TestChain,
    pub(crate) issuer: Address,
    pub(crate) registrar: Address,
    pub(crate) controller: Address,
    pub(crate) asset: Contract,
    pub(crate) expires_ms: u64,
}

impl Registry {
    pub(crate) fn new(threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let [owner, issuer, registrar, controller] =
            chain.accounts(["owner", "issuer", "registrar", "controller"]);
        let asset = chain.deploy(RWA, &owner);
        chain.also_native(asset, &tollway_contract_rwa::rwa::NATIVE);
        let expires_ms = chain.time_ms() + 1_000_000_000;
        let roles = [(ISSUER, issuer), (REGISTRAR, registrar), (CONTROLLER, controller)];
        let roles = roles.map(|(role, who)| asset.call(owner, "set_role", (role, who, true)));
        chain.block(roles).succeeded();
        let registry = Self { chain, issuer, registrar, controller, asset, expires_ms };
        let opened = COUNTRIES.map(|country| registry.set_country(country, true, COUNTRY_LIMIT));
        let mut registry = registry;
        registry.chain.block(opened).succeeded();
        registry
    }

    pub(crate) fn set_country(&self, country: u16, open: bool, limit: u128) -> Call {
        self.asset.call(self.registrar, "set_country", (country, (open, limit)))
    }

    pub(crate) fn register(&self, holder: Address, country: u16) -> Call {
        let args = (holder, country, self.expires_ms, HOLDER_LIMIT);
        self.asset.call(self.registrar, "register", args)
    }

    /// Registered accounts, in both countries by turns.
    pub(crate) fn holders(&mut self, count: usize) -> Vec<Address> {
        let holders: Vec<Address> =
            (0..count).map(|number| self.chain.account(&format!("holder {number}"))).collect();
        let calls = holders.iter().zip(COUNTRIES.into_iter().cycle());
        let calls: Vec<Call> =
            calls.map(|(holder, country)| self.register(*holder, country)).collect();
        self.chain.block(calls).succeeded();
        holders
    }

    pub(crate) fn issue(&self, to: Address, amount: u128, country: u16) -> Call {
        self.asset.call(self.issuer, "issue", (to, amount, country))
    }

    pub(crate) fn transfer(
        &self,
        from: Address,
        to: Address,
        amount: u128,
        by: (u16, u16),
    ) -> Call {
        self.asset.call(from, "transfer", (to, amount, by))
    }

    pub(crate) fn balance(&self, holder: Address) -> u128 {
        self.chain.query(self.asset, "balance_of", holder)
    }

    /// The number of the reason against a transfer.
    pub(crate) fn why(
        &self,
        from: Address,
        to: Address,
        amount: u128,
        by: (u16, u16),
    ) -> Option<u8> {
        self.chain.query(self.asset, "why_refused", (from, to, amount, by))
    }
}
