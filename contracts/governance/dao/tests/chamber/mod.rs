//! A DAO, the token that is locked in it, one that it may mint, and one that it has some of.

use borsh::BorshSerialize;
use tollway_contracts_wasm::{DAO, TOKEN};
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

pub(crate) const DELAY_MS: u64 = 10_000;
pub(crate) const VOTING_MS: u64 = 60_000;
pub(crate) const TIMELOCK_MS: u64 = 30_000;
pub(crate) const GRACE_MS: u64 = 60_000;
pub(crate) const UNLOCK_MS: u64 = 20_000;
pub(crate) const QUORUM_BP: u16 = 4_000;
pub(crate) const THRESHOLD_BP: u16 = 5_000;
pub(crate) const PROPOSER_MIN: u128 = 100;

pub(crate) const AGAINST: u8 = 0;
pub(crate) const FOR: u8 = 1;
pub(crate) const ABSTAIN: u8 = 2;

/// Proposer and number.
pub(crate) type Id = (Address, u64);

/// Target, method, arguments.
pub(crate) type Action = (Address, String, Vec<u8>);

pub(crate) struct Chamber {
    pub(crate) chain: TestChain,
    pub(crate) admin: Address,
    pub(crate) guardian: Address,
    pub(crate) dao: Contract,
    pub(crate) token: Contract,
    /// Minted by the DAO alone.
    pub(crate) gold: Contract,
    /// In which the DAO pays.
    pub(crate) cash: Contract,
}

impl Chamber {
    pub(crate) fn new(threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let [admin, guardian] = chain.accounts(["admin", "guardian"]);
        let [token, cash] = [(); 2].map(|()| chain.deploy(TOKEN, &admin));
        let rules = (
            DELAY_MS,
            VOTING_MS,
            TIMELOCK_MS,
            GRACE_MS,
            UNLOCK_MS,
            QUORUM_BP,
            THRESHOLD_BP,
            PROPOSER_MIN,
        );
        let dao = chain.deploy(DAO, &(token.address, guardian, rules));
        let gold = chain.deploy(TOKEN, &dao.address);
        chain.run(cash.call(admin, "mint", (dao.address, 1_000_000u128))).succeeded();
        Self { chain, admin, guardian, dao, token, gold, cash }
    }

    /// Accounts that have so much of the token, and let the DAO take it.
    pub(crate) fn holders(&mut self, amounts: &[u128]) -> Vec<Address> {
        let holders: Vec<Address> = (0..amounts.len())
            .map(|number| self.chain.account(&format!("holder {number}")))
            .collect();
        let calls = holders.iter().zip(amounts).flat_map(|(holder, amount)| {
            let minted = self.token.call(self.admin, "mint", (*holder, *amount));
            [minted, self.token.call(*holder, "approve", (self.dao.address, u128::MAX - 1))]
        });
        let calls: Vec<Call> = calls.collect();
        self.chain.block(calls).succeeded();
        holders
    }

    pub(crate) fn lock(&self, by: Address, amount: u128) -> Call {
        self.dao.call(by, "lock", amount)
    }

    pub(crate) fn propose(&self, by: Address, number: u64, actions: &[Action]) -> Call {
        self.dao.call(by, "propose", (number, actions, "why"))
    }

    pub(crate) fn vote(&self, by: Address, id: Id, choice: u8) -> Call {
        self.dao.call(by, "vote", (id, choice))
    }

    pub(crate) fn execute(&self, by: Address, id: Id) -> Call {
        self.dao.call(by, "execute", (id,))
    }

    /// That the DAO mints gold.
    pub(crate) fn minting(&self, to: Address, amount: u128) -> Action {
        action(self.gold, "mint", (to, amount))
    }

    /// That the DAO pays cash.
    pub(crate) fn paying(&self, to: Address, amount: u128) -> Action {
        action(self.cash, "transfer", (to, amount))
    }

    pub(crate) fn held(&self, token: Contract, owner: Address) -> u128 {
        self.chain.query(token, "balance_of", owner)
    }
}

fn action(target: Contract, method: &str, args: impl BorshSerialize) -> Action {
    (target.address, method.to_owned(), borsh::to_vec(&args).expect("arguments encode"))
}
