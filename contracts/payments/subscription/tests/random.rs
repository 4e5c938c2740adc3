//! A model of tokens and subscriptions in plain Rust knows what comes of every call.

use std::collections::BTreeMap;
use tollway_contract_subscription::subscription::{Outcome, Plan};
use tollway_contracts_wasm::{SUBSCRIPTION, TOKEN};
use tollway_interfaces::TokenRef;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Ran, TestChain};

/// Identifiers are above what random calls make up.
const FIRST_ID: u128 = 1 << 100;

type Key = (Address, Address, u128);

/// What a subscription did, and nothing of when the next charge may be.
struct Model {
    plan: Plan,
    /// Periods that were charged.
    periods: Vec<u64>,
    charged: u128,
    /// Failures since the last charge.
    failures: Vec<u64>,
    is_over: bool,
}

impl Model {
    /// Whether a charge is allowed at `now`.
    fn allows(&self, now: u64, amount: u128) -> bool {
        let Plan { start_ms, end_ms, period_ms, cap, total_cap, retry_ms, .. } = self.plan;
        let is_early = now < start_ms
            || self.periods.contains(&((now - start_ms) / period_ms))
            || self.failures.last().is_some_and(|last| now < last + retry_ms);
        let is_within = amount > 0 && amount <= cap && self.charged + amount <= total_cap;
        !self.is_over && now <= end_ms && !is_early && is_within
    }
}

#[derive(Clone)]
enum Deed {
    Authorize(Key, Plan),
    Charge(Key, u128),
    Cancel(Key),
    Transfer(Address, Address, u128),
    Approve(Address, u128),
}

struct World {
    chain: TestChain,
    token: Contract,
    contract: Contract,
    merchants: [Address; 2],
    payers: [Address; 5],
    balances: BTreeMap<Address, u128>,
    allowances: BTreeMap<Address, u128>,
    models: BTreeMap<Key, Model>,
    /// The first identifier that is in use.
    first: u128,
    random: RandomCalls,
}

impl World {
    fn new(seed: u64, threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let merchants = chain.accounts(["ada", "ben"]);
        let payers = chain.accounts(["p0", "p1", "p2", "p3", "p4"]);
        let token = chain.deploy(TOKEN, &merchants[0]);
        let contract = chain.deploy(SUBSCRIPTION, &());
        chain.also_native(token, &tollway_contract_token::token::NATIVE);
        chain.also_native(contract, &tollway_contract_subscription::subscription::NATIVE);
        let mut balances = BTreeMap::new();
        for payer in payers {
            chain.run(token.call(merchants[0], "mint", (payer, 2_000u128))).succeeded();
            balances.insert(payer, 2_000);
        }
        let random = RandomCalls::new(&chain, seed, [contract]);
        let (allowances, models) = (BTreeMap::new(), BTreeMap::new());
        let first = FIRST_ID;
        Self {
            chain,
            token,
            contract,
            merchants,
            payers,
            balances,
            allowances,
            models,
            first,
            random,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn deed(&mut self) -> Deed {
        let payer = self.payers[self.random.below(5) as usize];
        let merchant = self.merchants[self.random.below(2) as usize];
        let key = (payer, merchant, self.first + u128::from(self.below(6)));
        let amount = u128::from(self.below(45));
        match self.below(20) {
            0..=4 => Deed::Authorize(key, self.plan()),
            5..=14 => Deed::Charge(key, amount),
            15 if self.below(3) == 0 => Deed::Cancel(key),
            16 => Deed::Transfer(payer, merchant, amount * 20),
            17 | 18 => Deed::Transfer(merchant, payer, amount * 20),
            _ => Deed::Approve(payer, [0, 50, 300, u128::MAX][self.below(4) as usize]),
        }
    }

    fn plan(&mut self) -> Plan {
        let start_ms = self.chain.time_ms() + 500 * self.below(6);
        Plan {
            token: TokenRef(self.token.address),
            cap: 15 + u128::from(self.below(40)),
            total_cap: 60 + u128::from(self.below(300)),
            start_ms,
            period_ms: 1 + self.below(3_000),
            end_ms: start_ms + 4_000 + self.below(20_000),
            tries_max: 1 + self.below(4) as u8,
            retry_ms: self.below(3_000),
        }
    }

    fn call(&self, deed: &Deed) -> Call {
        let (token, contract) = (self.token, self.contract);
        match *deed {
            Deed::Authorize((payer, merchant, id), plan) => {
                contract.call(payer, "authorize", (merchant, id, plan))
            }
            Deed::Charge((payer, merchant, id), amount) => {
                contract.call(merchant, "charge", (payer, id, token.address, amount))
            }
            Deed::Cancel(key) => contract.call(key.0, "cancel", key),
            Deed::Transfer(from, to, amount) => token.call(from, "transfer", (to, amount)),
            Deed::Approve(by, amount) => token.call(by, "approve", (contract.address, amount)),
        }
    }

    /// Requires that a call came to what the model says.
    fn follow(&mut self, deed: &Deed, ran: &Ran) {
        let now = self.chain.time_ms();
        let is_expected = match *deed {
            Deed::Authorize(key, plan) => {
                // Nothing but the identifier can be wrong with the plans of this test, unless the
                // end is over already, which it never is.
                let is_new = !self.models.contains_key(&key);
                if is_new {
                    let (periods, failures) = (Vec::new(), Vec::new());
                    let model = Model { plan, periods, charged: 0, failures, is_over: false };
                    self.models.insert(key, model);
                }
                is_new
            }
            Deed::Charge(key, amount) => self.follow_charge(key, amount, now, ran),
            Deed::Cancel(key) => match self.models.get_mut(&key) {
                Some(model) if !model.is_over => {
                    model.is_over = true;
                    true
                }
                _ => false,
            },
            Deed::Transfer(from, to, amount) => self.pay(from, to, amount),
            Deed::Approve(by, amount) => {
                self.allowances.insert(by, amount);
                true
            }
        };
        assert_eq!(ran.receipt.is_success(), is_expected, "{ran} at {now}");
    }

    fn follow_charge(&mut self, key: Key, amount: u128, now: u64, ran: &Ran) -> bool {
        let Some(model) = self.models.get(&key).filter(|model| model.allows(now, amount)) else {
            return false;
        };
        let allowed = self.allowances.get(&key.0).copied().unwrap_or(0);
        let retry_ms = now + model.plan.retry_ms;
        let outcome: Outcome = ran.returned();
        if amount <= allowed && self.pay(key.0, key.1, amount) {
            if allowed != u128::MAX {
                self.allowances.insert(key.0, allowed - amount);
            }
            let model = self.models.get_mut(&key).expect("it was found");
            model.charged += amount;
            model.failures.clear();
            model.periods.push((now - model.plan.start_ms) / model.plan.period_ms);
            assert_eq!(outcome, Outcome::Charged, "{ran}");
            return true;
        }
        let model = self.models.get_mut(&key).expect("it was found");
        model.failures.push(now);
        model.is_over = model.failures.len() == usize::from(model.plan.tries_max);
        let expected = if model.is_over { Outcome::Lapsed } else { Outcome::Failed { retry_ms } };
        assert_eq!(outcome, expected, "{ran}");
        true
    }

    fn pay(&mut self, from: Address, to: Address, amount: u128) -> bool {
        let held = self.balances.get(&from).copied().unwrap_or(0);
        let Some(left) = held.checked_sub(amount) else {
            return false;
        };
        self.balances.insert(from, left);
        *self.balances.entry(to).or_default() += amount;
        true
    }
}

#[test]
fn every_call_comes_to_what_the_model_says() {
    let (mut calls, mut succeeded) = (0, 0);
    let mut outcomes = [0; 3];
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut world = World::new(seed as u64, threads);
        for _ in 0..27 {
            let deeds: Vec<Deed> = (0..90).map(|_| world.deed()).collect();
            let mut block: Vec<Call> = deeds.iter().map(|deed| world.call(deed)).collect();
            // These know no identifier that is in use.
            block.extend(world.random.take(10));
            let block = world.chain.block(block);
            block.assert_no_misses();
            for (deed, ran) in deeds.iter().zip(&block.calls) {
                world.follow(deed, ran);
                if let (Deed::Charge(..), true) = (deed, ran.receipt.is_success()) {
                    let at = match ran.returned() {
                        Outcome::Charged => 0,
                        Outcome::Failed { .. } => 1,
                        Outcome::Lapsed => 2,
                    };
                    outcomes[at] += 1;
                }
            }
            for (owner, held) in &world.balances {
                let found = world.chain.query::<u128>(world.token, "balance_of", *owner);
                assert_eq!(found, *held);
            }
            calls += block.calls.len();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            world.first += u128::from(world.random.below(2));
        }
    }
    println!("{succeeded} of {calls} calls succeeded, charges came to {outcomes:?}");
    assert!(calls >= 10_000);
    assert!(succeeded * 3 > calls, "{succeeded} of {calls} calls succeeded");
    assert!(outcomes.iter().all(|count| *count > 50), "charges came to {outcomes:?}");
}
